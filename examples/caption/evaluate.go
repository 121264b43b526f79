package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"maps"
	"slices"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func evaluateCommand() cli.Command {
	var model string
	var given files
	beam, n := 1, 2000
	return cli.Command{
		Name: "evaluate", About: "counts exact captions, and how often attention is on " +
			"what a word names",
		Flags: func(f *flag.FlagSet) {
			cli.ModelFlag(f, &model, "")
			given.register(f, "to evaluate on instead")
			f.IntVar(&n, "n", n, "scenes to make of MNIST's test images")
			cli.BeamFlag(f, &beam, beam)
		},
		Check: func() error {
			errs := []error{cli.Required("model", model), given.check()}
			if n < 1 || n > 1<<20 {
				errs = append(errs, fmt.Errorf("-n is %d; want 1 … %d", n, 1<<20))
			}
			return errors.Join(errs...)
		},
		Run: func(ctx context.Context, s cli.Std) error {
			m, err := caption.Load(model)
			if err != nil {
				return err
			}
			scenes, err := testScenes(given, n, m.Config().Text.Unicode)
			if err != nil {
				return err
			}
			return evaluate(ctx, s, m, given, scenes, decode.SearchOptions{Beam: beam})
		},
	}
}

func testScenes(given files, n int, form text.Form) ([]scene, error) {
	if given.pictures != "" {
		return readScenes(given, form)
	}
	digits, err := mnist("test")
	if err != nil {
		return nil, err
	}
	return makeScenes(digits, rng.New(1).Named("scenes").Named("test"), n)
}

// tally counts how often something is so.
type tally struct{ yes, of int }

func (t *tally) count(yes bool) {
	t.of++
	if yes {
		t.yes++
	}
}

func (t tally) String() string {
	return fmt.Sprintf("%6.2f %% of %d", 100*float64(t.yes)/float64(max(t.of, 1)), t.of)
}

// evaluate captions scenes and compares with their sentences.
func evaluate(ctx context.Context, s cli.Std, m *caption.Model, given files, scenes []scene,
	o decode.SearchOptions) error {
	captions, err := m.CaptionAll(ctx, pictures(scenes), o)
	if err != nil {
		return given.at(err, scenes)
	}
	var exact, digits, inside tally
	byNamed := map[int]*tally{}
	for i, all := range captions {
		c, want := all[0], scenes[i]
		right := slices.Equal(c.Tokens, want.words)
		exact.count(right)
		if byNamed[len(want.named)] == nil {
			byNamed[len(want.named)] = &tally{}
		}
		byNamed[len(want.named)].count(right)
		for _, n := range want.named {
			same := n.word < len(c.Tokens) && c.Tokens[n.word] == want.words[n.word]
			digits.count(same)
			if same {
				inside.count(center(m.Cell(c.Peak(n.word))).In(n.box))
			}
		}
	}
	fmt.Fprintf(s.Out, "captions exact                      %v\n", exact)
	if len(byNamed) > 1 {
		for _, n := range slices.Sorted(maps.Keys(byNamed)) {
			fmt.Fprintf(s.Out, "    that name %d digits              %v\n", n, byNamed[n])
		}
	}
	if digits.of > 0 {
		fmt.Fprintf(s.Out, "digits named right                  %v\n", digits)
		fmt.Fprintf(s.Out, "attention's peak inside their box   %v\n", inside)
	}
	return nil
}

// center is the middle of a patch.
func center(r image.Rectangle) image.Point { return r.Min.Add(r.Max).Div(2) }
