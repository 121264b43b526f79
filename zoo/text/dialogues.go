package text

import (
	"fmt"
	"iter"
	"strings"
)

// MaxTurns is the longest dialogue that ReadDialogues takes.
const MaxTurns = 1 << 10

// Dialogues is a file of dialogues: one a line, its utterances separated by tabs.
type Dialogues struct {
	name, text string // without the last line end
	dialogues  int
	turns      int
}

// ReadDialogues reads a file, as ReadFile does, of one dialogue a line: two utterances or more, with a tab between them. A
// dialogue of a single utterance, an utterance without anything in it but white space, and a dialogue of more than
// MaxTurns utterances are refused, by the number of the line. The line end of the last line may be missing.
func ReadDialogues(path string) (*Dialogues, error) {
	s, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := &Dialogues{name: path, text: strings.TrimSuffix(s, "\n")}
	for line := range strings.SplitSeq(d.text, "\n") {
		d.dialogues++
		turns := 0
		for utterance := range strings.SplitSeq(line, "\t") {
			if turns++; blank(utterance) {
				return nil, fmt.Errorf("%s: line %d: utterance %d is empty", path, d.dialogues, turns)
			}
		}
		switch {
		case turns < 2:
			return nil, fmt.Errorf("%s: line %d has a single utterance: a dialogue has 2 or more, with tabs between them", path, d.dialogues)
		case turns > MaxTurns:
			return nil, fmt.Errorf("%s: line %d has %d utterances; at most %d are taken", path, d.dialogues, turns, MaxTurns)
		}
		d.turns += turns
	}
	return d, nil
}

// Len is the number of dialogues.
func (d *Dialogues) Len() int { return d.dialogues }

// Turns is the number of utterances of all dialogues together.
func (d *Dialogues) Turns() int { return d.turns }

// All are the dialogues, each as its utterances, in a slice that is the caller's.
func (d *Dialogues) All() iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for line := range strings.SplitSeq(d.text, "\n") {
			if !yield(strings.Split(line, "\t")) {
				return
			}
		}
	}
}

// Tokens cuts every utterance into tokens: [dialogues][turns][tokens]. An utterance in which the tokeniser finds none is an
// error.
func (d *Dialogues) Tokens(t Tokeniser) ([][][]string, error) {
	all := make([][][]string, 0, d.dialogues)
	for utterances := range d.All() {
		turns := make([][]string, len(utterances))
		for n, s := range utterances {
			var err error
			if turns[n], err = t.Tokens(s); err == nil && len(turns[n]) == 0 {
				err = fmt.Errorf("there are no tokens in %q", s)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: line %d: utterance %d: %w", d.name, len(all)+1, n+1, err)
			}
		}
		all = append(all, turns)
	}
	return all, nil
}
