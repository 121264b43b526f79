package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/seqzoo/seqzoo/zoo/vectors"
)

func runSimilar(ctx context.Context, f *flag.FlagSet, args []string, in io.Reader, out, messages io.Writer) error {
	return ask(ctx, f, args, in, out, messages, func(v *vectors.Vectors, words []string, o askOptions) ([]vectors.Match, error) {
		return v.Similar(words, nil, o.n)
	})
}

func runAnalogy(ctx context.Context, f *flag.FlagSet, args []string, in io.Reader, out, messages io.Writer) error {
	return ask(ctx, f, args, in, out, messages, func(v *vectors.Vectors, words []string, o askOptions) ([]vectors.Match, error) {
		if len(words) != 3 {
			return nil, fmt.Errorf("%d words; want three, as in: man king woman", len(words))
		}
		if o.mul {
			return v.SimilarMul(words[1:], words[:1], o.n)
		}
		return v.Similar(words[1:], words[:1], o.n)
	})
}

type askOptions struct {
	n   int
	mul bool
}

// ask answers each line of in. What is wrong with a line is said, and the next one is read.
func ask(ctx context.Context, f *flag.FlagSet, args []string, in io.Reader, out, messages io.Writer,
	answer func(*vectors.Vectors, []string, askOptions) ([]vectors.Match, error)) error {
	var o askOptions
	model := f.String("model", "", "`directory` of a model, or a file of vectors")
	first := f.Int("first", 0, "answer with the most frequent so many `words` only; 0 for all")
	keepCase := f.Bool("case", false, "keep capital letters")
	f.IntVar(&o.n, "n", 10, "answers to list")
	f.BoolVar(&o.mul, "mul", false, "analogies by 3CosMul instead of 3CosAdd")
	if err := parse(f, args, "model"); err != nil {
		return err
	}
	if o.n < 1 || *first < 0 {
		return errUsage{fmt.Errorf("-n is %d and -first %d; want at least 1 and 0", o.n, *first)}
	}
	v, err := open(*model)
	if err != nil {
		return err
	}
	if *first > 0 {
		v = v.First(*first)
	}
	fmt.Fprintf(messages, "%d words; a line of words, please\n", v.Len())
	lines := make(chan string)
	var failed error
	go func() { // so that Ctrl-C need not wait for a line
		defer close(lines)
		s := bufio.NewScanner(in)
		for s.Scan() {
			select {
			case lines <- s.Text():
			case <-ctx.Done():
				return
			}
		}
		failed = s.Err()
	}()
	for {
		var line string
		var ok bool
		select {
		case <-ctx.Done():
			return ctx.Err()
		case line, ok = <-lines:
		}
		if !ok {
			return failed
		}
		if !*keepCase {
			line = strings.ToLower(line)
		}
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		found, err := answer(v, words, o)
		if err != nil {
			fmt.Fprintln(messages, err)
			continue
		}
		fmt.Fprintln(out, strings.Join(words, " "))
		for _, m := range found {
			fmt.Fprintf(out, "    %.4f  %s\n", m.Similarity, m.Word)
		}
	}
}

func runEvaluate(_ context.Context, f *flag.FlagSet, args []string, _ io.Reader, out, _ io.Writer) error {
	model := f.String("model", "", "`directory` of a model, or a file of vectors")
	analogies := f.String("analogies", "", "`file` of analogies as questions-words.txt")
	pairs := f.String("pairs", "", "`file` of pairs with people's judgements as wordsim353.txt")
	first := f.Int("first", vectors.Restrict, "look at the most frequent so many `words` only")
	if err := parse(f, args, "model"); err != nil {
		return err
	}
	if *first < 1 {
		return errUsage{fmt.Errorf("-first is %d; want at least 1", *first)}
	}
	if *analogies == "" && *pairs == "" {
		var err error
		if *analogies, err = dataFile("word-eval/questions-words.txt", "give a file by -analogies or -pairs"); err != nil {
			return err
		}
		if *pairs, err = dataFile("word-eval/wordsim353.txt", "give a file by -pairs"); err != nil {
			return err
		}
	}
	v, err := open(*model)
	if err != nil {
		return err
	}
	v = v.First(*first)
	if *analogies != "" {
		if err := evaluateAnalogies(v, *analogies, out); err != nil {
			return err
		}
	}
	if *pairs != "" {
		return evaluatePairs(v, *pairs, out)
	}
	return nil
}

func evaluateAnalogies(v *vectors.Vectors, path string, out io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := v.Analogies(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, s := range append(r.Sections, r.Total) {
		fmt.Fprintf(out, "%-28s %6d of %6d  %6.2f %%\n", s.Name, s.Correct, s.Asked, 100*s.Accuracy())
	}
	fmt.Fprintf(out, "not asked, for unknown words: %d\n", r.Unknown)
	return nil
}

func evaluatePairs(v *vectors.Vectors, path string, out io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := v.Pairs(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	fmt.Fprintf(out, "similarity of %d pairs: Spearman %.4f, Pearson %.4f; left out for unknown words: %d\n", r.Pairs, r.Spearman, r.Pearson, r.Unknown)
	return nil
}

func runExport(_ context.Context, f *flag.FlagSet, args []string, _ io.Reader, out, _ io.Writer) error {
	model := f.String("model", "", "`directory` of a model, or a file of vectors")
	to := f.String("to", "", "`file` to write")
	format := f.String("format", "text", "text, binary or glove")
	if err := parse(f, args, "model", "to"); err != nil {
		return err
	}
	for _, known := range []vectors.Format{vectors.Text, vectors.Binary, vectors.GloVe} {
		if known.String() != *format {
			continue
		}
		v, err := open(*model)
		if err != nil {
			return err
		}
		if err := v.WriteFile(*to, known); err != nil {
			return err
		}
		fmt.Fprintf(out, "%d words of width %d in %s\n", v.Len(), v.Dim(), *to)
		return nil
	}
	return errUsage{fmt.Errorf("-format is %q; want text, binary or glove", *format)}
}
