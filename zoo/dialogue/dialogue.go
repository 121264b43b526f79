package dialogue

import (
	"fmt"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Dialogue is the ids of the tokens of each turn, without <bos> and <eos>. Of a model that copies,
// an id behind those of the vocabulary is a word that it lacks, the same one wherever it is in the
// dialogue.
type Dialogue [][]int

// MaxTurns bounds a dialogue; a longer one is a slip, such as a file without line ends.
const MaxTurns = 1 << 10

// Dialogue turns the tokens of each turn into ids. Tokens that the vocabulary lacks become its
// <unk>, or of a model that copies ids behind those of the vocabulary, numbered as they come first.
// A turn without tokens is one that says nothing.
func (m *Model) Dialogue(turns [][]string) (Dialogue, error) {
	if err := shared.Made(m.store); err != nil {
		return nil, prefix.Wrap(err)
	}
	d := make(Dialogue, len(turns))
	more := map[string]int{} // words that the vocabulary lacks
	for n, tokens := range turns {
		var err error
		if tokens = m.cfg.Text.Formed(tokens); m.cfg.Copy > 0 {
			d[n] = m.copyIDs(tokens, more)
		} else if d[n], err = m.vocabulary.Encode(tokens); err != nil {
			return nil, prefix.Errorf("turn %d: %w", n, err)
		}
	}
	if err := m.checkDialogue(d); err != nil {
		return nil, prefix.Wrap(err)
	}
	return d, nil
}

func (m *Model) checkDialogue(d Dialogue) error {
	if len(d) > MaxTurns {
		return fmt.Errorf("the dialogue has %d turns; at most %d are taken", len(d), MaxTurns)
	}
	for n, ids := range d {
		if err := shared.CheckIDs("utterance", ids, m.ids()); err != nil {
			return fmt.Errorf("turn %d: %w", n, err)
		}
	}
	return nil
}

// checkDialogues wants something to predict in each.
func (m *Model) checkDialogues(ds []Dialogue) error {
	for i, d := range ds {
		if len(d) < 2 {
			return check.Example("dialogue", i,
				"%d turns, want 2 or more: the first is only read", len(d))
		}
		if err := m.checkDialogue(d); err != nil {
			return check.Example("dialogue", i, "%w", err)
		}
	}
	return nil
}
