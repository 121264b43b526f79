package seq2seq

import (
	"context"
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Writing is a target as it is written, part by part: what the model has read of the source, and
// how far it has come. Tokens that somebody else chooses may stand between those that it writes.
// One goroutine at a time; it holds no compiled graph.
type Writing struct {
	m      *Model
	source int   // tokens
	ids    []int // written so far, <bos> first; the last is still to be read
	parts  *run.State
	places copied   // of the source, if the model copies
	more   []string // words of it that are behind the vocabulary of the targets
}

// words name the tokens of the target.
func (w *Writing) words() shared.Tokens {
	return shared.Extended{Vocabulary: w.m.targets, More: w.more}
}

// NewWriting reads a source. Tokens that the vocabulary lacks are read as <unk>.
func (m *Model) NewWriting(source []string) (*Writing, error) {
	source = m.cfg.Text.Formed(source)
	if _, numbered := m.number(source); len(numbered) > 0 {
		return nil, prefix.Errorf("source: the vocabulary lacks %d tokens, which the "+
			"model copies, and a writing keeps none to copy: use Translate", len(numbered))
	}
	w := &Writing{m: m, ids: []int{m.bos}}
	var ids []int
	var err error
	if m.cfg.Copy {
		ids, w.more = shared.CopyIDs(source, m.sources, m.targets)
		w.places, err = m.places(ids)
	} else {
		ids, err = m.sources.Encode(source)
	}
	if err == nil {
		err = m.checkSource(ids)
	}
	if err != nil {
		return nil, prefix.Errorf("source: %w", err)
	}
	w.source = len(ids)
	err = w.with(func(t *translator) error {
		if err := m.read(t, [][]int{ids}); err != nil {
			return err
		}
		return w.keep(t.Carried(t.lengths))
	})
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return w, nil
}

// with lends a compiled model.
func (w *Writing) with(use func(t *translator) error) error {
	// What is carried has the length of the graph.
	size := translatorSize{sources: 1, width: 1, length: w.source, exact: true}
	t, err := w.m.translators.Take(size, w.m.newTranslator)
	if err != nil {
		return err
	}
	defer t.Put()
	return use(t.Graph)
}

// keep copies the state that a compiled model carries.
func (w *Writing) keep(carried []run.Floats) error {
	parts := make([]cells.Part, len(carried))
	for i, c := range carried {
		parts[i] = cells.Part{Name: "part", Width: c.Len()}
	}
	state, err := run.NewState(parts, 1, w.m.store.Dtype())
	if err != nil {
		return err
	}
	for i, p := range state.Parts() {
		if err := p.Copy(carried[i]); err != nil {
			return err
		}
	}
	w.parts = state
	return nil
}

// resume makes a compiled model go on from here.
func (w *Writing) resume(t *translator) error {
	t.lengths[0] = w.source
	t.place(w.places)
	carried := t.Carried(t.lengths)
	if len(carried) != len(w.parts.Parts()) {
		return fmt.Errorf("the state has %d parts, the model %d: %w", len(w.parts.Parts()),
			len(carried), zoo.ErrMisfit)
	}
	for i, p := range w.parts.Parts() {
		if err := carried[i].Copy(p); err != nil {
			return fmt.Errorf("%w: %w", err, zoo.ErrMisfit)
		}
	}
	return nil
}

// Ended reports whether the target has come to its end.
func (w *Writing) Ended() bool { return w.m != nil && w.ids[len(w.ids)-1] == w.m.eos }

// Tokens are the tokens of the target so far, without <bos> and <eos>.
func (w *Writing) Tokens() []string {
	if w.m == nil {
		return nil
	}
	return shared.Written(w.words(), w.ids[1:])
}

var errNoWriting = prefix.Errorf("the writing is none that NewWriting made")

// Write writes on, until the end of the target or o.Max tokens more (default as in Translate), and
// returns what it has added. There is no beam. A cancelled context ends it with what there is and
// the context's error. If the target has ended, it adds nothing.
func (w *Writing) Write(ctx context.Context, o decode.SearchOptions) (decode.Found, error) {
	var found decode.Found
	if w.m == nil {
		return found, errNoWriting
	}
	if o.Beam > 1 {
		return found, prefix.Errorf("the option Beam is %d; a target that is written part by "+
			"part has no beam", o.Beam)
	}
	if o.CopyUnknown {
		return found, prefix.Errorf("the option CopyUnknown is set, and a writing keeps no " +
			"tokens of its source: use Translate")
	}
	if w.Ended() {
		found.Ended = true
		return found, nil
	}
	err := w.with(func(t *translator) error {
		err := w.resume(t)
		if err != nil {
			return err
		}
		common, err := w.m.options(o, w.source)
		if err != nil {
			return err
		}
		cut, err := w.m.cfg.Text.Tokeniser()
		if err != nil {
			return err
		}
		single := decode.GenerateOptions{Options: common, Sampler: o.Sample, Seed: o.Seed,
			Each: shared.Telling(o, 0, func(int) shared.Tokens { return w.words() }, cut,
				w.Tokens())}
		hs, err := decode.Generate(ctx, t.Stepper(), w.ids[len(w.ids)-1:], single)
		if len(hs) == 0 || len(hs[0].Tokens) == 0 {
			return err
		}
		if e := w.keep(t.After()); e != nil {
			return e
		}
		w.ids = append(w.ids, hs[0].Tokens...)
		found = w.m.found(hs[0], w.words())
		return err
	})
	if err != nil {
		return found, prefix.Wrap(err)
	}
	return found, nil
}

// Read makes tokens the next of the target, as if the model had written them. Tokens that the
// vocabulary lacks are an error. After an error the writing is as before.
func (w *Writing) Read(tokens []string) error {
	if w.m == nil {
		return errNoWriting
	}
	if w.Ended() {
		return prefix.Errorf("the target has ended; nothing may follow")
	}
	tokens = w.m.cfg.Text.Formed(tokens)
	var ids []int
	var unknown []string
	for _, token := range tokens {
		id, ok := w.m.targets.ID(token)
		if k := slices.Index(w.more, token); !ok && k >= 0 {
			id, ok = w.m.targets.Len()+k, true
		}
		if ids = append(ids, id); !ok {
			unknown = append(unknown, token)
		}
	}
	if err := shared.CheckIDs("target", ids, w.m.targets.Len()+len(w.more)); err != nil {
		return prefix.Wrap(err)
	}
	if len(unknown) > 0 {
		return prefix.Errorf("the vocabulary of the targets lacks %.200q", unknown)
	}
	if len(ids) == 0 {
		return nil
	}
	err := w.with(func(t *translator) error {
		if err := w.resume(t); err != nil {
			return err
		}
		all := append(slices.Clone(w.ids), ids...)
		for _, id := range all[len(w.ids)-1 : len(all)-1] {
			if _, err := t.Stepper().Step([]int{0}, []int{id}); err != nil {
				return err
			}
		}
		if err := w.keep(t.After()); err != nil {
			return err
		}
		w.ids = all
		return nil
	})
	return prefix.Wrap(err)
}

// Text is the target so far, put together.
func (w *Writing) Text() (string, error) {
	if w.m == nil {
		return "", errNoWriting
	}
	t, err := w.m.cfg.Text.Tokeniser()
	if err != nil {
		return "", prefix.Wrap(err)
	}
	return t.Join(w.Tokens()), nil
}

// The notes of a state.
const (
	sourceNote  = "source"
	writtenNote = "written"
	placesNote  = "places" // as which id each place of the source is copied
	moreNote    = "words"  // of the source, which no vocabulary has
)

// State is how far the writing has come, as a value: Resume goes on from it, any number of times.
// It holds what the model has read of the source, so that it grows with its length.
func (w *Writing) State() zoo.State {
	if w.m == nil {
		return zoo.State{}
	}
	notes := map[string]string{
		sourceNote:  shared.Numbers([]int{w.source}),
		writtenNote: shared.Numbers(w.ids),
	}
	if w.m.cfg.Copy {
		notes[placesNote] = shared.Numbers(w.places.as)
		notes[moreNote] = shared.Words(w.more)
	}
	return shared.NewState(architecture, &w.m.identity, w.parts.Clone(), notes)
}

// Resume is a writing that goes on from a state. One of another model, or of one with other
// weights, is an error of the kind zoo.ErrMisfit.
func (m *Model) Resume(s zoo.State) (*Writing, error) {
	parts, notes, err := s.Of(architecture, &m.identity)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	source, err := shared.ParseNumbers(notes[sourceNote], shared.MaxTokens+1)
	if err != nil || len(source) != 1 || source[0] < 1 {
		return nil, prefix.Errorf("the state has a source of %q tokens: %w", notes[sourceNote],
			zoo.ErrMisfit)
	}
	w := &Writing{m: m, source: source[0], parts: parts.Clone()}
	if m.cfg.Copy {
		if err := w.copyNotes(notes); err != nil {
			return nil, prefix.Errorf("the state says of its source as nothing can be copied "+
				"from: %w: %w", err, zoo.ErrMisfit)
		}
	}
	w.ids, err = shared.ParseNumbers(notes[writtenNote], m.targets.Len()+len(w.more))
	if err != nil || len(w.ids) == 0 || w.ids[0] != m.bos {
		return nil, prefix.Errorf("the state has no target: %w", zoo.ErrMisfit)
	}
	if err := w.with(w.resume); err != nil {
		return nil, prefix.Wrap(err)
	}
	return w, nil
}

// copyNotes takes what is copied of the source from the notes of a state.
func (w *Writing) copyNotes(notes map[string]string) (err error) {
	if w.more, err = shared.ParseWords(notes[moreNote]); err != nil {
		return err
	}
	w.places.more = len(w.more)
	w.places.as, err = shared.ParseNumbers(notes[placesNote], w.m.targets.Len()+len(w.more))
	if err == nil && len(w.places.as) != w.source {
		err = fmt.Errorf("%d places for a source of %d tokens", len(w.places.as), w.source)
	}
	return err
}
