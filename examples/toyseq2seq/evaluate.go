package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// styleFile is a file in the model's directory.
const styleFile = "style.json"

// load reads a model and how it reads.
func load(dir string) (m *seq2seq.Model, s style, t task, err error) {
	if m, err = seq2seq.Load(dir); err != nil {
		return nil, s, t, err
	}
	path := filepath.Join(dir, styleFile)
	if err := cli.ReadJSON(path, &s); err != nil {
		return nil, s, t, err
	}
	if t, err = findTask(s.Task); err != nil {
		return nil, s, t, fmt.Errorf("%s: %w", path, err)
	}
	return m, s, t, nil
}

// answers are the likeliest targets of sources, greedily.
func answers(ctx context.Context, m *seq2seq.Model, s style, sources [][]string) ([]decode.Found,
	error) {
	order := make([]int, len(sources))
	for i := range order {
		order[i] = i
	}
	// like lengths side by side
	slices.SortStableFunc(order, func(i, j int) int { return len(sources[i]) - len(sources[j]) })
	sorted := make([][]string, len(sources))
	for k, i := range order {
		sorted[k] = sources[i]
	}
	found, err := m.TranslateAll(ctx, s.read(sorted), decode.SearchOptions{KeepAttention: true})
	if err != nil {
		return nil, err
	}
	out := make([]decode.Found, len(sources))
	for k, i := range order {
		out[i] = found[k][0]
		out[i].Alignment = s.seen(out[i].Alignment)
	}
	return out, nil
}

// exact is the share of answers that are right to the last token, in percent.
func exact(found []decode.Found, targets [][]string) float64 {
	n := 0
	for i, f := range found {
		if f.Ended && slices.Equal(f.Tokens, targets[i]) {
			n++
		}
	}
	return 100 * float64(n) / float64(max(1, len(targets)))
}

// backwards is the share of tokens whose attention is greatest where a reversal takes them from, in
// percent.
func backwards(found []decode.Found, sources [][]string) float64 {
	right, all := 0, 0
	for i, f := range found {
		for k, row := range f.Alignment {
			all++
			if slices.Index(row, slices.Max(row)) == len(sources[i])-1-k {
				right++
			}
		}
	}
	return 100 * float64(right) / float64(max(1, all))
}

// evaluator is the command evaluate.
type evaluator struct {
	model, source, target string
	seed                  uint64
}

func (e *evaluator) flags(f *flag.FlagSet) {
	cli.ModelFlag(f, &e.model, "")
	f.StringVar(&e.source, "source", "",
		"`file` of questions, one a line (default: 5,000 that the training has not seen)")
	f.StringVar(&e.target, "target", "", "`file` of answers")
	cli.SeedFlag(f, &e.seed, 1, "the training, whose questions are not asked")
}

func (e *evaluator) check() error {
	var err error
	if (e.source == "") != (e.target == "") {
		err = errors.New("-source and -target go together")
	}
	return errors.Join(cli.Required("model", e.model), err)
}

func (e *evaluator) run(ctx context.Context, std cli.Std) error {
	m, style, t, err := load(e.model)
	if err != nil {
		return err
	}
	var p pairs
	if e.source == "" {
		_, _, p, err = t.corpus(t.train, heldOut, e.seed)
	} else {
		var both *text.Parallel
		if both, err = text.ReadParallel(e.source, e.target); err == nil {
			p.sources, p.targets, err = both.Tokens(ctx, t.tokens, t.tokens)
		}
	}
	if err != nil {
		return err
	}
	found, err := answers(ctx, m, style, p.sources)
	if err != nil {
		return err
	}
	var bleu metrics.BLEU
	for i, f := range found {
		if err := bleu.Add(f.Tokens, p.targets[i]); err != nil {
			return err
		}
	}
	fmt.Fprintf(std.Out, "%d questions: %.2f %% exact; %v\n", len(found), exact(found, p.targets),
		bleu.Score())
	if t.name == "reversal" && m.Config().Attention != seq2seq.NoAttention {
		fmt.Fprintf(std.Out, "the attention is greatest at the mirrored place for %.2f %% "+
			"of the words\n", backwards(found, p.sources))
	}
	return nil
}

// answerer is the command answer.
type answerer struct{ model, draw string }

func (a *answerer) flags(f *flag.FlagSet) {
	cli.ModelFlag(f, &a.model, "")
	cli.DrawFlag(f, &a.draw, "", "into this `folder`, line by line, where each token looked")
	cli.OldNames(f, "alignment", "draw")
}

func (a *answerer) check() error { return cli.Required("model", a.model) }

func (a *answerer) run(ctx context.Context, std cli.Std) error {
	m, style, t, err := load(a.model)
	if err != nil {
		return err
	}
	if a.draw != "" {
		if m.Config().Attention == seq2seq.NoAttention {
			return errors.New("-draw: the model has no attention")
		}
		if err := os.MkdirAll(a.draw, 0o777); err != nil {
			return err
		}
	}
	return cli.EachLine(ctx, std.In, std.Messages, func(n int, line string, err error) error {
		var tokens []string
		if err == nil {
			tokens, err = t.tokens.Tokens(strings.TrimSpace(line))
		}
		var found []decode.Found
		if err == nil {
			found, err = answers(ctx, m, style, [][]string{tokens})
		}
		if err != nil {
			fmt.Fprintln(std.Out) // line i of the output stays the answer to line i
			return err
		}
		if _, err := fmt.Fprintln(std.Out, t.tokens.Join(found[0].Tokens)); err != nil ||
			a.draw == "" {
			return err
		}
		drawing := plot.Map{X: "input", Y: "output", Scale: "weight of the attention",
			Values: found[0].Alignment, Rows: found[0].Tokens, Cols: tokens, High: 1, Gap: 1}
		return cli.WriteFile(filepath.Join(a.draw, fmt.Sprintf("%d.svg", n)),
			drawing.WriteSVG)
	})
}

// generator is the command generate.
type generator struct {
	task, source, target string
	n                    int
	seed                 uint64
}

func (g *generator) flags(f *flag.FlagSet) {
	f.StringVar(&g.task, "task", "addition", "reversal, addition or dates")
	f.StringVar(&g.source, "source", "", "`file` for the questions")
	f.StringVar(&g.target, "target", "", "`file` for the answers")
	f.IntVar(&g.n, "n", 1000, "pairs")
	cli.SeedFlag(f, &g.seed, 2, "the pairs")
}

func (g *generator) check() error {
	_, err := findTask(g.task)
	if g.n < 1 || g.n > 1e7 {
		err = errors.Join(err, fmt.Errorf("-n is %d; want 1 … 10000000", g.n))
	}
	return errors.Join(err, cli.Required("source", g.source, "target", g.target))
}

func (g *generator) run(context.Context, cli.Std) error {
	t, err := findTask(g.task)
	if err != nil {
		return err
	}
	r := rng.Stream{Key: rng.New(g.seed).Named("generate " + t.name)}
	var sources, targets strings.Builder
	for range g.n {
		source, target := t.pair(&r)
		fmt.Fprintln(&sources, source)
		fmt.Fprintln(&targets, target)
	}
	write := func(path, s string) error {
		return cli.WriteFile(path, func(w io.Writer) error {
			_, err := io.WriteString(w, s)
			return err
		})
	}
	return errors.Join(write(g.source, sources.String()), write(g.target, targets.String()))
}
