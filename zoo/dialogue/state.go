package dialogue

import (
	"fmt"
	"strconv"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

const turnsNote = "turns"

// parts are those of a conversation: the state of the context layers, and the context.
func (m *Model) parts() []cells.Part {
	return append(m.context.Parts(), cells.Part{Name: "context", Width: m.cfg.Context.Width()})
}

// State is the dialogue so far, as a value: another conversation of the model, or one of a later
// run of the program, goes on from it by SetState. Before the first turn it is empty.
func (c *Conversation) State() (zoo.State, error) {
	if c.turns == 0 {
		return zoo.State{}, nil
	}
	parts, err := run.NewState(c.m.parts(), 1, c.m.store.Dtype())
	if err != nil {
		return zoo.State{}, prefix.Wrap(err)
	}
	for i, p := range parts.Parts() {
		if i < len(c.state) {
			p.Put64(0, c.state[i])
		} else {
			p.Put64(0, c.after)
		}
	}
	return shared.NewState(architecture, &c.m.identity, parts,
		map[string]string{turnsNote: strconv.Itoa(c.turns)}), nil
}

// SetState makes the conversation the one whose state it is. A state of another model, or of one
// with other weights, is an error of the kind zoo.ErrMisfit. After an error the conversation is as
// before.
func (c *Conversation) SetState(s zoo.State) error {
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
	want, err := run.NewState(c.m.parts(), 1, c.m.store.Dtype())
	if err == nil {
		err = want.CopyFrom(parts.Parts())
	}
	if err != nil {
		return prefix.Wrap(fmt.Errorf("the state: %w", err))
	}
	c.turns = turns[0]
	for i, p := range want.Parts() {
		if i < len(c.state) {
			c.state[i] = p.Float64s()
		} else {
			c.after = p.Float64s()
		}
	}
	return nil
}
