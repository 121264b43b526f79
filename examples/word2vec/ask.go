package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/vectors"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

// asked is the command line of similar and analogy.
type asked struct {
	model    string
	n, first int
	keepCase bool
	mul      bool
}

func similarCommand() cli.Command {
	return askCommand("similar", "lists the words nearest to those of each line",
		func(v *vectors.Vectors, words []string, a asked) ([]vectors.Match, error) {
			return v.Similar(words, nil, a.n)
		})
}

func analogyCommand() cli.Command {
	return askCommand("analogy", "completes analogies of three words a line",
		func(v *vectors.Vectors, words []string, a asked) ([]vectors.Match, error) {
			if len(words) != 3 {
				return nil, fmt.Errorf("%d words; want three, as in: man king woman", len(words))
			}
			if a.mul {
				return v.SimilarMul(words[1:], words[:1], a.n)
			}
			return v.Similar(words[1:], words[:1], a.n)
		})
}

// askCommand answers each line of standard input.
func askCommand(name, about string, answer func(*vectors.Vectors, []string, asked) ([]vectors.Match,
	error)) cli.Command {
	var a asked
	return cli.Command{
		Name: name, About: about,
		Flags: func(f *flag.FlagSet) {
			cli.ModelFlag(f, &a.model, ", or a file of vectors")
			f.IntVar(&a.first, "first", 0,
				"answer with the most frequent so many `words` only; 0 for all")
			cli.KeepCaseFlag(f, &a.keepCase,
				"; otherwise they count only where there is no word in small ones")
			cli.OldNames(f, "case", "keep-case")
			f.IntVar(&a.n, "n", 10, "answers to list")
			f.BoolVar(&a.mul, "mul", false, "analogies by 3CosMul instead of 3CosAdd")
		},
		Check: func() error {
			if a.n < 1 || a.first < 0 {
				return fmt.Errorf("-n is %d and -first %d; want at least 1 and 0", a.n, a.first)
			}
			return cli.Required("model", a.model)
		},
		Run: func(ctx context.Context, s cli.Std) error {
			v, err := open(ctx, a.model, s)
			if err != nil {
				return err
			}
			if a.first > 0 {
				v = v.First(a.first)
			}
			fmt.Fprintf(s.Messages, "%d words; a line of words, please\n", v.Len())
			return cli.Lines(ctx, s.In, s.Messages, func(line string) error {
				words := strings.Fields(line)
				if len(words) == 0 {
					return nil
				}
				for i, w := range words {
					words[i] = a.known(v, w)
				}
				found, err := answer(v, words, a)
				if err != nil {
					return a.explain(v, err)
				}
				fmt.Fprintln(s.Out, strings.Join(words, " "))
				for _, m := range found {
					fmt.Fprintf(s.Out, "    %.4f  %s\n", m.Similarity, m.Word)
				}
				return nil
			})
		},
	}
}

// open opens vectors, and says what was passed over in their file.
func open(ctx context.Context, path string, s cli.Std) (*vectors.Vectors, error) {
	v, err := word2vec.OpenVectors(ctx, path)
	if err != nil {
		return nil, err
	}
	cli.Warn(s.Messages, path, v.Warnings())
	return v, nil
}

// known is a word as it is looked up: in small letters; as it is written if there is no such word;
// or else in another Unicode form.
func (a asked) known(v *vectors.Vectors, word string) string {
	lower := strings.ToLower(word)
	if _, ok := v.Index(lower); ok && !a.keepCase {
		return lower
	}
	if _, ok := v.Index(word); ok {
		return word
	}
	if a.keepCase {
		lower = word
	}
	// as it may be written in the vectors
	for _, form := range []text.Form{text.NFC, text.NFD, text.NFKC} {
		if w := form.Of(lower); w != lower {
			if _, ok := v.Index(w); ok {
				return w
			}
		}
	}
	return lower
}

// explain adds to the error for unknown words those that differ from them by capitals alone.
func (a asked) explain(v *vectors.Vectors, err error) error {
	var unknown *vectors.UnknownError
	if !errors.As(err, &unknown) {
		return err
	}
	var there []string
	for _, w := range unknown.Words {
		for i := range v.Len() {
			if strings.EqualFold(v.Word(i), w) {
				there = append(there, strconv.Quote(v.Word(i)))
				break
			}
		}
	}
	if len(there) == 0 {
		return err
	}
	return fmt.Errorf("%w; there is %s, as it is written here", err, strings.Join(there, ", "))
}

func evaluateCommand() cli.Command {
	var model, analogies, pairs string
	var first int
	return cli.Command{
		Name: "evaluate", About: "measures vectors on analogies and on judged pairs",
		Flags: func(f *flag.FlagSet) {
			cli.ModelFlag(f, &model, ", or a file of vectors")
			f.StringVar(&analogies, "analogies", "", "`file` of analogies as questions-words.txt")
			f.StringVar(&pairs, "pairs", "",
				"`file` of pairs with people's judgements as wordsim353.txt")
			f.IntVar(&first, "first", vectors.Restrict,
				"look at the most frequent so many `words` only")
		},
		Check: func() error {
			if first < 1 {
				return fmt.Errorf("-first is %d; want at least 1", first)
			}
			return cli.Required("model", model)
		},
		Run: func(ctx context.Context, s cli.Std) (err error) {
			if analogies == "" && pairs == "" {
				if analogies, err = cli.DataFile("word-eval/questions-words.txt",
					"give a file by -analogies or -pairs"); err != nil {
					return err
				}
				if pairs, err = cli.DataFile("word-eval/wordsim353.txt",
					"give a file by -pairs"); err != nil {
					return err
				}
			}
			v, err := open(ctx, model, s)
			if err != nil {
				return err
			}
			v = v.First(first)
			if analogies != "" {
				if err := evaluateAnalogies(ctx, v, analogies, s.Out); err != nil {
					return err
				}
			}
			if pairs != "" {
				return evaluatePairs(ctx, v, pairs, s.Out)
			}
			return nil
		},
	}
}

func evaluateAnalogies(ctx context.Context, v *vectors.Vectors, path string, out io.Writer) error {
	f, err := cli.OpenFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := v.Analogies(ctx, f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, s := range append(r.Sections, r.Total) {
		fmt.Fprintf(out, "%-28s %6d of %6d  %6.2f %%\n", s.Name, s.Correct, s.Asked,
			100*s.Accuracy())
	}
	fmt.Fprintf(out, "not asked, for unknown words: %d\n", r.Unknown)
	return nil
}

func evaluatePairs(ctx context.Context, v *vectors.Vectors, path string, out io.Writer) error {
	f, err := cli.OpenFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := v.Pairs(ctx, f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	fmt.Fprintf(out, "similarity of %d pairs: Spearman %.4f, Pearson %.4f; left out for "+
		"unknown words: %d\n", r.Pairs, r.Spearman, r.Pearson, r.Unknown)
	return nil
}

func exportCommand() cli.Command {
	var model, to, name string
	var format vectors.Format
	return cli.Command{
		Name: "export", About: "writes vectors in another form",
		Flags: func(f *flag.FlagSet) {
			cli.ModelFlag(f, &model, ", or a file of vectors")
			f.StringVar(&to, "to", "", "`file` to write")
			f.StringVar(&name, "format", "text", "text, binary or glove")
		},
		Check: func() error {
			for _, format = range []vectors.Format{vectors.Text, vectors.Binary, vectors.GloVe} {
				if format.String() == name {
					return cli.Required("model", model, "to", to)
				}
			}
			return errors.Join(fmt.Errorf("-format is %q; want text, binary or glove", name),
				cli.Required("model", model, "to", to))
		},
		Run: func(ctx context.Context, s cli.Std) error {
			v, err := open(ctx, model, s)
			if err != nil {
				return err
			}
			if err := v.WriteFile(to, format); err != nil {
				return err
			}
			fmt.Fprintf(s.Out, "%d words of width %d in %s\n", v.Len(), v.Dim(), to)
			return nil
		},
	}
}
