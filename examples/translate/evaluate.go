package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
)

// evaluator is the command evaluate.
type evaluator struct {
	search
	corpus corpus
	leave  filter
	files  files
	model  string
	alphas bool
}

func (e *evaluator) flags(f *flag.FlagSet) {
	cli.ModelFlag(f, &e.model, "")
	f.StringVar(&e.files.source, "source", "",
		"`file` of sentences, one a line (default: the corpus's dev part)")
	f.StringVar(&e.files.target, "target", "", "`file` of their translations")
	f.BoolVar(&e.alphas, "alphas", false,
		"measure the beam search with -alpha 0, 0.2, … 2, to choose one on dev data")
	e.corpus.flags(f)
	e.leave.flags(f)
	e.search.flags(f)
}

func (e *evaluator) check() error {
	return errors.Join(cli.Required("model", e.model), e.files.check(""), e.search.check(),
		e.leave.check())
}

func (e *evaluator) run(ctx context.Context, std cli.Std) error {
	model, err := seq2seq.Load(e.model)
	if err != nil {
		return err
	}
	if e.files, err = e.corpus.both(e.files, "dev", ""); err != nil {
		return err
	}
	words, err := cut(model)
	if err != nil {
		return err
	}
	s, err := e.files.read(ctx, e.leave, words, std.Messages)
	if err != nil {
		return err
	}
	searches := []decode.SearchOptions{{}}
	switch {
	case e.alphas && e.beam > 1:
		for k := range 11 {
			searches = append(searches, decode.SearchOptions{Beam: e.beam, Alpha: float64(k) / 5})
		}
	case e.beam > 1:
		searches = append(searches, e.options())
	}
	return measure(ctx, std.Out, model, s, e.files, searches)
}

// measure prints what a model makes of sentences: perplexity, and BLEU by each way to search, in
// all and by length.
func measure(ctx context.Context, out io.Writer, m *seq2seq.Model, s sentences, f files,
	searches []decode.SearchOptions) error {
	pairs, err := s.pairs(m, f)
	if err != nil {
		return err
	}
	loss, err := m.Loss(ctx, pairs)
	if err != nil {
		return s.at(f, err)
	}
	source, target := m.Vocabularies()
	if u := unknown(source, s.sources); u > 90 {
		return fmt.Errorf("%.1f %% of the words of the sources are unknown to the model: does it translate from that language? "+
			"Say it with -from and -to, or name the files with -source and -target", u)
	}
	fmt.Fprintf(out, "%d pairs; %.1f %% of the sources' words and %.1f %% of the targets' are "+
		"unknown\nperplexity %.2f (%.4f nats a word, ends counted)\n",
		len(pairs), unknown(source, s.sources), unknown(target, s.targets), math.Exp(loss), loss)

	found := make([][][]string, len(searches))
	for i, o := range searches {
		if found[i], err = translateAll(ctx, m, s.sources, o); err != nil {
			return err
		}
		score, err := metrics.CorpusBLEU(found[i], s.targets)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%-20s %v\n", name(o), score)
	}
	return byLength(out, s, found, searches)
}

func name(o decode.SearchOptions) string {
	if o.Beam > 1 {
		return fmt.Sprintf("beam %d, alpha %g", o.Beam, o.Alpha)
	}
	return "greedy"
}

// translateAll is the best translation of each source. They are taken by their lengths, which is
// faster.
func translateAll(ctx context.Context, m *seq2seq.Model, sources [][]string,
	o decode.SearchOptions) ([][]string, error) {
	order := make([]int, len(sources))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return len(sources[i]) - len(sources[j]) })
	sorted := make([][]string, len(sources))
	for k, i := range order {
		sorted[k] = sources[i]
	}
	found, err := m.TranslateAll(ctx, sorted, o)
	if err != nil {
		return nil, err
	}
	out := make([][]string, len(sources))
	for k, i := range order {
		out[i] = found[k][0].Tokens
	}
	return out, nil
}

// lengths are the steps of the table by length of the source.
const lengths = 3

// byLength prints BLEU by the length of the source.
func byLength(out io.Writer, s sentences, found [][][]string,
	searches []decode.SearchOptions) error {
	longest := 0
	for _, tokens := range s.sources {
		longest = max(longest, len(tokens))
	}
	fmt.Fprintf(out, "\nBLEU by length of the source\n%-12s %6s", "words", "pairs")
	for _, o := range searches {
		fmt.Fprintf(out, " %20s", name(o))
	}
	fmt.Fprintln(out)
	for from := 1; from <= longest; from += lengths {
		scores := make([]metrics.BLEU, len(searches))
		for i, tokens := range s.sources {
			if len(tokens) < from || len(tokens) >= from+lengths {
				continue
			}
			for k := range searches {
				if err := scores[k].Add(found[k][i], s.targets[i]); err != nil {
					return err
				}
			}
		}
		if scores[0].Score().Sentences == 0 {
			continue
		}
		fmt.Fprintf(out, "%-12s %6d", fmt.Sprintf("%d … %d", from, from+lengths-1),
			scores[0].Score().Sentences)
		for k := range searches {
			fmt.Fprintf(out, " %20.2f", scores[k].Score().BLEU)
		}
		fmt.Fprintln(out)
	}
	return nil
}
