package dialogue

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// The notes of a state.
const (
	turnsNote = "turns"
	wordsNote = "words" // of a model that copies: what may be copied
)

// parts are those of a conversation: the state of the context layers, the context, and what the
// encoder put out for each of so many tokens that may be copied.
func (m *Model) parts(tokens int) []cells.Part {
	parts := append(m.context.Parts(), cells.Part{Name: "context", Width: m.cfg.Context.Width()})
	if tokens > 0 {
		parts = append(parts, cells.Part{Name: "said", Width: tokens * m.cfg.utterance()})
	}
	return parts
}

// State is the dialogue so far, as a value: another conversation of the model, or one of a later
// run of the program, goes on from it by SetState. Before the first turn it is empty. Of a model
// that copies it holds what may be copied.
func (c *Conversation) State() (zoo.State, error) {
	if c.turns == 0 {
		return zoo.State{}, nil
	}
	parts, err := run.NewState(c.m.parts(len(c.said.words)), 1, c.m.store.Dtype())
	if err != nil {
		return zoo.State{}, prefix.Wrap(err)
	}
	numbers := append(slices.Clone(c.state), c.after, c.said.outputs)
	for i, p := range parts.Parts() {
		p.Put64(0, numbers[i])
	}
	notes := map[string]string{turnsNote: strconv.Itoa(c.turns)}
	if c.m.cfg.Copy > 0 {
		notes[wordsNote] = shared.Words(c.said.words)
	}
	return shared.NewState(architecture, &c.m.identity, parts, notes), nil
}

// SetState makes the conversation the one whose state it is. A state of another model, or of one
// with other weights, is an error of the kind zoo.ErrMisfit. After an error the conversation is as
// before.
func (c *Conversation) SetState(s zoo.State) error {
	if c.m == nil {
		return errNoConversation
	}
	if s.Empty() {
		c.Reset()
		return nil
	}
	parts, notes, err := s.Of(architecture, &c.m.identity)
	if err != nil {
		return prefix.Wrap(err)
	}
	turns, err := shared.ParseNumbers(notes[turnsNote], MaxTurns+1)
	if err != nil || len(turns) != 1 || turns[0] < 1 {
		return prefix.Errorf("the state has %q turns: %w", notes[turnsNote], check.ErrMisfit)
	}
	var words []string
	if c.m.cfg.Copy > 0 {
		if words, err = shared.ParseWords(notes[wordsNote]); err != nil {
			return prefix.Wrap(err)
		}
		if len(words) > c.m.cfg.Copy {
			return prefix.Errorf("the state has %d words that may be copied; want at most %d: %w",
				len(words), c.m.cfg.Copy, check.ErrMisfit)
		}
	}
	want, err := run.NewState(c.m.parts(len(words)), 1, c.m.store.Dtype())
	if err == nil {
		err = want.CopyFrom(parts.Parts())
	}
	if err != nil {
		return prefix.Wrap(fmt.Errorf("the state: %w", err))
	}
	c.turns, c.said = turns[0], memoryOfTurns{words: words}
	for i, p := range want.Parts() {
		switch numbers := p.Float64s(); {
		case i < len(c.state):
			c.state[i] = numbers
		case i == len(c.state):
			c.after = numbers
		default:
			c.said.outputs = numbers
		}
	}
	return nil
}
