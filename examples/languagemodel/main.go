// Languagemodel trains a language model on a text, of characters or words, measures it on any
// other, and lets it go on from where a line stops.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

const about = `Trains a language model on a text and measures it, or lets it write.

    go run ./examples/languagemodel train -save model
    go run ./examples/languagemodel train -preset wikitext2 -save model
    go run ./examples/languagemodel train -data novel.txt -level word -tied -hidden 200 -save model
    go run ./examples/languagemodel compare -cells "gru lstm mingru" -layers 1 -parameters 100000 -epochs 2
    go run ./examples/languagemodel evaluate -model model -data other.txt
    echo "ROMEO:" | go run ./examples/languagemodel generate -model model -temperature 0.8
    go run ./examples/languagemodel perplexity -model model < lines.txt
`

func main() { program().Main() }

func program() cli.Program {
	var t trainer
	var c comparer
	var e evaluator
	var g generator
	var p scorer
	return cli.Program{Name: "languagemodel", About: about, Lesson: "05-gru",
		Commands: []cli.Command{
			{Name: "train", About: "trains a model; Ctrl-C stops it after the step at hand",
				Flags: t.flags, Check: t.check, Run: t.run},
			{Name: "compare", About: "trains a model of each cell alike and prints a table of them",
				Flags: c.flags, Check: c.check, Run: c.run},
			{Name: "evaluate", About: "prints the perplexity of a text, read as one stream",
				Flags: e.flags, Check: e.check, Run: e.run},
			{Name: "generate", About: "continues each line of standard input", Flags: g.flags,
				Check: g.check, Run: g.run},
			{Name: "perplexity", About: "prints the perplexity of each line of standard input",
				Flags: p.flags, Check: p.check, Run: p.run},
		}}
}

// units are what a text of a level is made of.
func unit(level lm.Level) string {
	switch level {
	case "char":
		return "characters"
	case "bpe":
		return "pieces"
	}
	return "words"
}

// start is a token after which a line begins, if the vocabulary has one.
func start(v *text.Vocabulary) (id int, ok bool) {
	for _, token := range []string{text.EOS, "\n", text.LineEnd} {
		if id, ok = v.ID(token); ok {
			return id, true
		}
	}
	return 0, false
}

// evaluator is the command evaluate.
type evaluator struct {
	model, text    string
	tracks, window int
	last           int
}

func (e *evaluator) flags(f *flag.FlagSet) {
	cli.ModelFlag(f, &e.model, "")
	cli.DataFlag(f, &e.text, "of text to measure, UTF-8 or gzip of it")
	cli.OldNames(f, "text", "data")
	f.IntVar(&e.last, "last", 0, "measure only so many tokens at the end of the text; 0 for all")
	f.IntVar(&e.tracks, "tracks", 1,
		"parts of the text read side by side, each from an empty state; 10 is what PyTorch's "+
			"example does")
	f.IntVar(&e.window, "window", 35, "steps at a time; for speed alone")
}

func (e *evaluator) check() error {
	var errs []error
	if e.tracks < 1 || e.window < 1 || e.last < 0 {
		errs = append(errs, fmt.Errorf("-tracks %d -window %d -last %d: want at least 1, 1 and 0",
			e.tracks, e.window, e.last))
	}
	return errors.Join(append(errs, cli.Required("model", e.model, "data", e.text))...)
}

func (e *evaluator) run(ctx context.Context, s cli.Std) error {
	m, err := lm.Load(e.model)
	if err != nil {
		return err
	}
	raw, err := text.ReadFile(e.text)
	if err != nil {
		return err
	}
	ids, err := m.Encode(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", e.text, atLine(m, raw, err))
	}
	if e.last > 0 && e.last < len(ids) {
		ids = ids[len(ids)-e.last:]
	}
	unknown := 0
	unk, hasUnk := m.Vocabulary().ID(text.Unk)
	for _, id := range ids {
		if hasUnk && id == unk {
			unknown++
		}
	}
	if id, ok := start(m.Vocabulary()); ok { // so that the first token is predicted too
		ids = append([]int{id}, ids...)
	}
	r, err := m.Measure(ctx, ids, lm.MeasureOptions{Tracks: e.tracks, Window: e.window})
	if err != nil {
		return fmt.Errorf("%s: %w", e.text, err)
	}
	fmt.Fprintf(s.Out, "%s: %d %s, of which %d are <unk>: loss %.4f nats, %.4f bits, "+
		"perplexity %.2f\n", e.text, r.Tokens,
		unit(m.Config().Level), unknown, r.Loss, r.Loss/math.Ln2, r.Perplexity())
	return nil
}

// atLine is err, which came of encoding a text, with the first line that it is about, if one line
// alone gives an error.
func atLine(m *lm.Model, s string, err error) error {
	n := 0
	for line := range strings.Lines(s) {
		n++
		if _, alone := m.Encode(line); alone != nil {
			return fmt.Errorf("line %d: %w", n, alone)
		}
	}
	return err
}

// generator is the command generate.
type generator struct {
	model       string
	length      int
	temperature float64
	topK        int
	topP        float64
	seed        uint64
}

func (g *generator) flags(f *flag.FlagSet) {
	cli.ModelFlag(f, &g.model, "")
	f.IntVar(&g.length, "length", 100, "tokens to add to each line")
	f.Float64Var(&g.temperature, "temperature", 0.8, "0 takes the likeliest token each time")
	f.IntVar(&g.topK, "top-k", 0, "draw among so many likeliest tokens; 0 for all")
	f.Float64Var(&g.topP, "top-p", 0,
		"draw among the likeliest tokens that make up this share; 0 for all")
	cli.SeedFlag(f, &g.seed, 1, "the drawing; the second line has the next seed, and so on")
}

func (g *generator) sampler() decode.Sampler {
	return decode.Sampler{Temperature: g.temperature, TopK: g.topK, TopP: g.topP}
}

func (g *generator) check() error {
	var errs []error
	if g.length < 1 {
		errs = append(errs, fmt.Errorf("-length is %d; want at least 1", g.length))
	}
	sampler := g.sampler()
	return errors.Join(append(errs, sampler.Validate(), cli.Required("model", g.model))...)
}

func (g *generator) run(ctx context.Context, s cli.Std) error {
	m, err := lm.Load(g.model)
	if err != nil {
		return err
	}
	seed := g.seed
	return cli.Lines(ctx, s.In, s.Messages, func(line string) error {
		o := lm.GenerateOptions{Max: g.length, Sample: g.sampler()}
		if g.temperature > 0 {
			o.Seed = seed
		}
		r, err := m.Generate(ctx, line, o)
		seed++
		if err != nil {
			return err
		}
		if len(r.Unknown) > 0 {
			fmt.Fprintf(s.Messages, "not in the vocabulary, and read as %s: %s\n", text.Unk,
				strings.Join(r.Unknown, ", "))
		}
		fmt.Fprintln(s.Out, r.Text)
		return nil
	})
}

// scorer is the command perplexity.
type scorer struct{ model string }

func (p *scorer) flags(f *flag.FlagSet) {
	cli.ModelFlag(f, &p.model, "")
}

func (p *scorer) check() error { return cli.Required("model", p.model) }

// run measures each line for itself, from an empty state and the token that ends a line before it.
func (p *scorer) run(ctx context.Context, s cli.Std) error {
	m, err := lm.Load(p.model)
	if err != nil {
		return err
	}
	begin, hasStart := start(m.Vocabulary())
	return cli.Lines(ctx, s.In, s.Messages, func(line string) error {
		ids, err := m.Encode(line + "\n")
		if err != nil {
			return err
		}
		if hasStart {
			ids = append([]int{begin}, ids...)
		}
		logProbs, err := m.LogProbs(ctx, ids)
		if err != nil {
			return err
		}
		var sum float64
		for _, l := range logProbs {
			sum -= l
		}
		n := float64(len(logProbs))
		_, err = fmt.Fprintf(s.Out, "%.2f\t%d\t%s\n", math.Exp(sum/n), len(logProbs), line)
		return err
	})
}
