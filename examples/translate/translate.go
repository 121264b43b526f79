package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// translator is the command translate.
type translator struct {
	search
	model, draw string
	n           int
}

func (a *translator) flags(f *flag.FlagSet) {
	cli.ModelFlag(f, &a.model, "")
	f.IntVar(&a.n, "n", 1,
		"translations of each line, at most -beam; several are written with their scores")
	cli.DrawFlag(f, &a.draw, "",
		"into this `folder`, line by line, where each word looked; - writes it below the translation")
	cli.OldNames(f, "best", "n", "alignment", "draw")
	a.search.flags(f)
}

func (a *translator) check() error {
	errs := []error{cli.Required("model", a.model), a.search.check()}
	if a.n < 1 || a.n > a.beam {
		errs = append(errs, fmt.Errorf("-n is %d; want 1 … -beam, which is %d", a.n, a.beam))
	}
	return errors.Join(errs...)
}

func (a *translator) run(ctx context.Context, std cli.Std) error {
	model, err := seq2seq.Load(a.model)
	if err != nil {
		return err
	}
	if a.draw != "" && model.Config().Attention == seq2seq.NoAttention {
		return errors.New("-draw: the model has no attention")
	}
	if a.draw != "" && a.draw != "-" {
		if err := os.MkdirAll(a.draw, 0o777); err != nil {
			return err
		}
	}
	sources, _ := model.Vocabularies()
	words, err := cut(model)
	if err != nil {
		return err
	}
	o := a.options()
	o.KeepAttention = a.draw != ""
	o.Best = a.n
	return cli.EachLine(ctx, std.In, std.Messages, func(n int, line string, err error) error {
		var tokens []string
		if err == nil {
			tokens, err = words.Tokens(line)
		}
		if err == nil && len(tokens) == 0 {
			err = errors.New("there is nothing to translate")
		}
		if err == nil {
			if unknown := sources.Unknowns(tokens); len(unknown) > 0 {
				fmt.Fprintf(std.Messages, "line %d: unknown to the model: %s\n", n,
					strings.Join(unknown, " "))
			}
			var found []decode.Found
			if found, err = model.Translate(ctx, tokens, o); err == nil {
				return a.write(std, n, tokens, found)
			}
		}
		fmt.Fprintln(std.Out) // line i of the output stays the translation of line i
		return err
	})
}

// write writes what was found for line n.
func (a *translator) write(std cli.Std, n int, source []string, found []decode.Found) error {
	for _, t := range found {
		line := text.Words{Spaced: true}.Join(t.Tokens)
		if a.n > 1 {
			line = fmt.Sprintf("%.3f\t%s", t.Score, line)
		}
		if _, err := fmt.Fprintln(std.Out, line); err != nil {
			return err
		}
	}
	switch t := found[0]; a.draw {
	case "":
		return nil
	case "-":
		for i, word := range t.Tokens {
			at := slices.Index(t.Alignment[i], slices.Max(t.Alignment[i]))
			fmt.Fprintf(std.Out, "    %s  ←  %s  %.0f %%\n", word, source[at],
				100*t.Alignment[i][at])
		}
		return nil
	default:
		drawing := plot.Map{X: "source", Y: "translation", Scale: "weight of the attention",
			Values: t.Alignment, Rows: t.Tokens, Cols: source, High: 1, Gap: 1}
		return cli.WriteFile(filepath.Join(a.draw, fmt.Sprintf("%d.svg", n)),
			drawing.WriteSVG)
	}
}
