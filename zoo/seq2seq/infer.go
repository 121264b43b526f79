package seq2seq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// Translate finds targets of a source, best first. Tokens that the vocabulary lacks are read as
// <unk>; none is ever written, unless CopyUnknown has it stand for a token of the source. A model
// with Copy writes the token itself, as Found.Copied says. A cancelled context ends it with what
// there is and the context's error.
func (m *Model) Translate(ctx context.Context, source []string,
	o decode.SearchOptions) ([]decode.Found, error) {
	all, err := m.TranslateAll(ctx, [][]string{source}, o)
	if len(all) == 0 {
		return nil, err
	}
	return all[0], err
}

// TranslateAll is Translate for many sources, which are translated side by side.
func (m *Model) TranslateAll(ctx context.Context, sources [][]string,
	o decode.SearchOptions) ([][]decode.Found, error) {
	if err := shared.Made(m.store); err != nil {
		return nil, prefix.Wrap(err)
	}
	ids, given := make([][]int, len(sources)), make([][]string, len(sources))
	more := make([][]string, len(sources)) // words that are copied, without an id of their own
	for i, tokens := range sources {
		var err error
		given[i] = m.cfg.Text.Formed(tokens)
		if m.cfg.Copy {
			ids[i], more[i] = shared.CopyIDs(given[i], m.sources, m.targets)
			if err := m.checkSource(ids[i]); err != nil {
				return nil, prefix.Errorf("source %d: %w", i, err)
			}
			continue
		}
		source, numbered := m.number(given[i])
		if len(numbered) > 0 && o.Text != nil {
			return nil, prefix.Errorf("source %d: Text is set, and has no words that are copied: "+
				"use Each or the result", i)
		}
		if ids[i], err = m.sources.Encode(source); err == nil {
			err = m.checkSource(ids[i])
		}
		if err != nil {
			return nil, prefix.Errorf("source %d: %w", i, err)
		}
	}
	var out [][]decode.Found
	for i := 0; i < len(ids); i += shared.SourcesAtATime {
		end := min(i+shared.SourcesAtATime, len(ids))
		chunk, err := m.translate(ctx, ids[i:end], more[i:end], i, o)
		for k := range chunk {
			m.uncopy(chunk[k], given[i+k])
			if o.CopyUnknown {
				m.copyUnknown(chunk[k], given[i+k])
			}
		}
		out = append(out, chunk...)
		if err != nil {
			return out, prefix.Wrap(err)
		}
	}
	return out, nil
}

// translate finds targets of a few sources, the first of which has number first. More are the words
// of each that are behind the vocabulary of the targets.
func (m *Model) translate(ctx context.Context, sources [][]int, more [][]string, first int,
	o decode.SearchOptions) ([][]decode.Found, error) {
	longest, places := 1, make([]copied, len(sources))
	for i, s := range sources {
		longest = max(longest, len(s))
		var err error
		if places[i], err = m.places(s); err != nil {
			return nil, err
		}
	}
	common, err := m.options(o, longest)
	if err != nil {
		return nil, err
	}
	cut, err := m.cfg.Text.Tokeniser()
	if err != nil {
		return nil, err
	}
	size := translatorSize{sources: len(sources), width: max(o.Beam, 1), length: longest}
	lease, err := m.translators.Take(size, m.newTranslator)
	if err != nil {
		return nil, err
	}
	defer lease.Put()
	t := lease.Graph
	if err := m.read(t, sources); err != nil {
		return nil, err
	}
	t.place(places...)
	words := func(i int) shared.Tokens {
		return shared.Extended{Vocabulary: m.targets, More: more[i]}
	}
	found, err := t.Write(ctx, m.bos, common, o, first, words, cut)
	out := make([][]decode.Found, len(found))
	for i, hs := range found {
		for _, h := range hs {
			out[i] = append(out[i], m.found(h, words(i)))
		}
	}
	return out, err
}

// options are those of a search for targets of sources of at most longest tokens.
func (m *Model) options(o decode.SearchOptions, longest int) (decode.Options, error) {
	if err := o.Check(); err != nil {
		return decode.Options{}, err
	}
	if o.Beta != 0 && m.attention == nil {
		return decode.Options{}, fmt.Errorf("the option Beta is %g, and the model has no "+
			"attention whose coverage it could reward", o.Beta)
	}
	if m.cfg.Copy && o.CopyUnknown {
		return decode.Options{}, errors.New("the option CopyUnknown is set, and the model copies " +
			"without it")
	}
	never := shared.Silent(m.targets)
	if o.CopyUnknown {
		unk, ok := m.targets.ID(text.Unk)
		if !ok || m.attention == nil {
			return decode.Options{}, errors.New("the option CopyUnknown is set, and the model has " +
				"no attention, or its targets no <unk>, which are what it goes by")
		}
		never = slices.DeleteFunc(never, func(id int) bool { return id == unk })
	}
	return decode.Options{End: m.eos, Max: cmp.Or(o.Max, 2*longest+10), Never: never,
		KeepAttention: o.KeepAttention || o.CopyUnknown}, nil
}

// translatorSize is what a translator is compiled for.
type translatorSize struct {
	sources, width, length int
	exact                  bool // of a request: the length must be no other, rounded up
}

func (s translatorSize) Round() translatorSize {
	s.length, s.exact = run.Round(s.length), false
	return s
}

func (s translatorSize) Serves(request translatorSize) bool {
	return s.sources == request.sources && s.width == request.width &&
		(s.length == run.Round(request.length) || s.length >= request.length && !request.exact)
}

func (s translatorSize) Cost() int { return s.length }

// translator is a model compiled to translate.
type translator struct {
	*shared.Writer
	src, lengths []int
	copier       *shared.Copier // nil if the model does not copy
	width        int
}

// place tells the copier as what each place of the sources is copied.
func (t *translator) place(sources ...copied) {
	if t.copier == nil {
		return
	}
	t.copier.More, t.copier.Places = 0, t.copier.Places[:0]
	for _, s := range sources {
		t.copier.More = max(t.copier.More, s.more)
		for range t.width {
			t.copier.Places = append(t.copier.Places, s.as)
		}
	}
}

func (m *Model) newTranslator(size translatorSize) (t *translator, err error) {
	t = &translator{width: size.width}
	var src, lengths *nodes.Node
	var step decode.StepGraph
	var from, inputs []*nodes.Node
	var gate int
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype()})
		src, lengths = g.IntInput("source", size.length, size.sources),
			g.IntInput("lengths", size.sources)
		memory, start := m.encode(src, lengths, unroll.Options{})

		rows, sg := size.sources*size.width, nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype()})
		var in *cells.Memory
		if memory != nil {
			in = memory.Input(sg, rows)
			from, inputs = memory.Nodes(), in.Nodes()
		}
		summary := m.summary(start)
		if summary != nil {
			from = append(from, summary)
			summary = sg.Input("summary", rows, summary.Dim(-1))
			inputs = append(inputs, summary)
		}
		from = append(from, start...)
		decoder := m.over(in, summary)
		step.Tokens, step.State = sg.IntInput("tokens", rows),
			shared.InputState(sg, decoder.Parts(), rows)
		step.Next = cells.Advance(decoder, nodes.Embedding(m.target, step.Tokens, -1), step.State)
		step.Logits = m.logits(step.Next[0], summary, 0)
		weights, _, at := m.seen(decoder)
		if gate = at; weights >= 0 {
			step.Attention = step.Next[weights]
		}
	})
	if err != nil {
		return nil, err
	}
	if t.Writer, err = shared.NewWriter(size.sources, size.width, from, inputs, step); err != nil {
		return nil, err
	}
	if m.cfg.Copy {
		stepper := t.Stepper().(*decode.Recurrent)
		t.copier = &shared.Copier{Over: stepper, V: m.targets.Len(), Unk: m.unk[1],
			Gate: func() run.Floats { return stepper.After()[gate] }}
		t.Via = t.copier
	}
	var in run.Inputs
	t.src, t.lengths = in.Ints(src), in.Ints(lengths)
	return t, in.Err()
}

// read encodes sources and makes the decoder start from them.
func (m *Model) read(t *translator, sources [][]int) error {
	clear(t.src)
	for i, s := range sources {
		t.lengths[i] = len(s)
		for k, id := range s {
			t.src[k*t.Sources+i] = m.readAs(id)
		}
	}
	return t.Start(t.lengths)
}
