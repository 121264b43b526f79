// Emoji2vec gives emoji vectors in the space of words, and reckons with both.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/emoji"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/vectors"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

const about = `Gives emoji vectors in the space of words, from what they are said to show, and reckons with both.

    go run ./examples/emoji2vec train -save DIR                     learns words' vectors first, from WikiText-2
    go run ./examples/emoji2vec train -vectors FILE -save DIR       or takes those of word2vec, GloVe or examples/word2vec
    go run ./examples/emoji2vec evaluate -model DIR -data FILE
    echo "😭 + 😆" | go run ./examples/emoji2vec emoji -model DIR    reads a sum a line, of emoji and words

Pairs are lines "description TAB emoji TAB True or False". Without -data and -valid they are looked for in the folder that
SEQZOO_DATA names, else in ../shared/data. Ctrl-C stops a training; with -save, the same command goes on from there.`

func main() { program().Main() }

func program() cli.Program {
	return cli.Program{Name: "emoji2vec", About: about, Lesson: "08-emoji2vec",
		Commands: []cli.Command{trainCommand(), evaluateCommand(), emojiCommand()}}
}

// training is the command line of train.
type training struct {
	cli.Training
	emoji.Config
	vectors, pairs, valid string
}

func trainCommand() cli.Command {
	t := training{Training: cli.Training{Epochs: 20, Batch: 64, LR: 0.01, Seed: 1},
		Config: emoji.Config{Negatives: 1, Mean: true}}
	return cli.Command{
		Name: "train", About: "learns the vectors of emoji",
		Flags: func(f *flag.FlagSet) {
			t.Register(f)
			f.StringVar(&t.vectors, "vectors", "",
				"`file` of words' vectors, or directory of a model of examples/word2vec")
			cli.DataFlag(f, &t.pairs, "of pairs to learn from")
			cli.OldNames(f, "pairs", "data")
			cli.ValidFlag(f, &t.valid, "of pairs by which the best weights are chosen")
			f.IntVar(&t.Negatives, "negatives", t.Negatives,
				"emoji drawn for each description that they do not have")
			f.Float64Var(&t.Dropout, "dropout", t.Dropout,
				"share of a description's numbers that are dropped at random")
			f.BoolVar(&t.Mean, "mean", t.Mean,
				"a description is the mean of its words' vectors, not their sum")
			cli.UnicodeFlag(f, &t.Unicode)
			f.BoolVar(&t.Raw, "raw", false, "words' vectors as they are, not centred")
		},
		Check: func() error { return errors.Join(t.Training.Check(), t.Config.Validate()) },
		Run:   func(ctx context.Context, s cli.Std) error { return t.run(ctx, s) },
	}
}

func (t *training) run(ctx context.Context, s cli.Std) error {
	pairs, err := readPairs(t.pairs, "train", "-data")
	if err != nil {
		return err
	}
	valid, err := readPairs(t.valid, "dev", "-valid")
	if err != nil {
		return err
	}
	if t.Quick {
		t.Epochs = 2
	}
	words, err := t.words(ctx, s)
	if err != nil {
		return err
	}
	m, err := emoji.New(t.Config, words, pairs)
	if err != nil {
		return err
	}
	task, err := m.Task(emoji.Data{Train: pairs, Valid: valid, Batch: t.Batch, Seed: t.Seed})
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Messages, "%d pairs, %d emoji, %d words of width %d\n", len(pairs),
		len(m.Emoji()), words.Len(), words.Dim())
	_, err = t.Fit(ctx, s, cli.Run{
		Model: m, Task: task, Name: "emoji2vec", Unit: "pairs", Monitor: "valid_loss",
		Describe: map[string]string{"model": fmt.Sprintf("%+v", t.Config),
			"emoji": fmt.Sprint(len(m.Emoji())), "words": fmt.Sprint(words.Len(), "×",
				words.Dim())},
	})
	if err != nil {
		return err
	}
	return report(s, m, valid, "validation")
}

// words are the vectors of words that were given; or else they are learned, and kept beside the
// model.
func (t *training) words(ctx context.Context, s cli.Std) (*vectors.Vectors, error) {
	if t.vectors != "" {
		v, err := word2vec.OpenVectors(ctx, t.vectors)
		if err == nil {
			cli.Warn(s.Messages, t.vectors, v.Warnings())
		}
		return v, err
	}
	path, err := cli.DataFile("wikitext-2/train.txt.gz", "give vectors by -vectors")
	if err != nil {
		return nil, err
	}
	book, err := text.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var sentences [][]string
	for line := range strings.Lines(strings.ToLower(book)) {
		sentences = append(sentences, strings.Fields(line))
	}
	cfg := word2vec.Config{Output: word2vec.Hierarchical, Seed: t.Seed}
	if t.Quick {
		cfg.Epochs, cfg.Dim, sentences = 1, 16, sentences[:min(len(sentences), 2000)]
	}
	m, err := word2vec.New(ctx, cfg, sentences)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(t.Save, "word2vec")
	if t.Save != "" { // before the minutes of training: is it writable, and by nobody else?
		lock, err := cli.LockDir(dir)
		if err != nil {
			return nil, err
		}
		defer lock.Close()
		if old, err := word2vec.Load(dir); err == nil && old.Config() == m.Config() {
			m = old
		} else if err != nil && !errors.Is(err, word2vec.ErrNoModel) {
			return nil, err
		}
	}
	last := time.Duration(0)
	o := word2vec.TrainOptions{Progress: func(p word2vec.Progress) {
		if p.Elapsed-last > 2*time.Second || p.Words == p.Total {
			last = p.Elapsed
			left := time.Duration(float64(p.Total-p.Words) / max(p.WordsPerSec,
				1) * float64(time.Second))
			fmt.Fprintf(s.Messages, "words: epoch %d/%d  %.0f words/s  %v left\n", p.Epoch,
				p.Epochs, p.WordsPerSec, left.Round(time.Second))
		}
	}}
	err = nil
	if !m.Done() {
		err = m.Train(ctx, sentences, o)
	}
	if t.Save != "" && (err == nil || errors.Is(err, context.Canceled)) {
		if failed := m.Save(dir); failed != nil {
			return nil, failed
		}
	}
	if errors.Is(err, context.Canceled) {
		return nil, fmt.Errorf("%w while words were learned", train.ErrInterrupted)
	}
	if err != nil {
		return nil, err
	}
	return m.Vectors()
}

// readPairs reads the file that a flag gave, or that of the data set.
func readPairs(given, name, flag string) ([]emoji.Pair, error) {
	path, err := cli.File(given, "emoji2vec/"+name+".txt", "give pairs by "+flag)
	if err != nil {
		return nil, err
	}
	return emoji.ReadPairs(path)
}

func report(s cli.Std, m *emoji.Model, pairs []emoji.Pair, of string) error {
	r, err := m.Evaluate(pairs)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "%s: AUC %.4f, accuracy %.4f, F1 %.4f of %d pairs; left out for unknown "+
		"words: %d, for emoji never described: %d\n",
		of, r.AUC, r.Accuracy, r.F1, r.Pairs, r.UnknownWords, r.Unknown)
	return nil
}

func evaluateCommand() cli.Command {
	var model, path string
	return cli.Command{
		Name: "evaluate", About: "tells true pairs from false ones: AUC, accuracy, F1",
		Flags: func(f *flag.FlagSet) {
			cli.ModelFlag(f, &model, "")
			cli.DataFlag(f, &path, "of pairs")
			cli.OldNames(f, "pairs", "data")
		},
		Check: func() error { return cli.Required("model", model) },
		Run: func(_ context.Context, s cli.Std) error {
			m, err := emoji.Load(model)
			if err != nil {
				return err
			}
			pairs, err := readPairs(path, "test", "-data")
			if err != nil {
				return err
			}
			name := path
			if name == "" {
				name = "test"
			}
			return report(s, m, pairs, name)
		},
	}
}

func emojiCommand() cli.Command {
	var model string
	n, words := 5, 0
	return cli.Command{
		Name: "emoji", About: "reads sums of emoji and words, a line each, and lists the " +
			"nearest emoji",
		Flags: func(f *flag.FlagSet) {
			cli.ModelFlag(f, &model, "")
			f.IntVar(&n, "n", n, "emoji to list")
			f.IntVar(&words, "words", words, "words to list besides")
		},
		Check: func() error {
			if n < 0 || words < 0 || n+words == 0 {
				return fmt.Errorf("-n is %d and -words %d; want something to list", n, words)
			}
			return cli.Required("model", model)
		},
		Run: func(ctx context.Context, s cli.Std) error {
			m, err := emoji.Load(model)
			if err != nil {
				return err
			}
			return cli.Lines(ctx, s.In, s.Messages, func(line string) error {
				positive, negative, err := parseSum(line)
				if err != nil || len(positive)+len(negative) == 0 {
					return err
				}
				emoji, near, err := m.Similar(positive, negative, max(n, words))
				if err != nil {
					return err
				}
				fmt.Fprintln(s.Out, strings.TrimSpace(line))
				for _, term := range append(positive, negative...) {
					if known, exact, err := m.Lookup(term); err == nil && !exact {
						fmt.Fprintf(s.Out, "    %s is not known, and taken for %s\n", term, known)
					}
				}
				for _, found := range append(emoji[:min(n, len(emoji))],
					near[:min(words, len(near))]...) {
					fmt.Fprintf(s.Out, "    %.4f  %s\n", found.Similarity, found.Word)
				}
				return nil
			})
		},
	}
}

// parseSum reads "a + b - c". A minus stands between spaces, since words have hyphens in them.
func parseSum(line string) (positive, negative []string, err error) {
	terms := strings.Fields(strings.ReplaceAll(line, "+", " + "))
	to, last := &positive, "+"
	for _, term := range terms {
		switch term {
		case "+", "-", "−":
			if last != "" && (len(positive)+len(negative) > 0 || term == "+") {
				return nil, nil, fmt.Errorf("%q: a term is missing before %q",
					strings.TrimSpace(line), term)
			}
			to, last = &positive, term
			if term != "+" {
				to = &negative
			}
		default:
			if last == "" {
				return nil, nil, fmt.Errorf("%q: a + or - is missing before %q",
					strings.TrimSpace(line), term)
			}
			*to, last = append(*to, term), ""
		}
	}
	if last != "" && len(terms) > 0 {
		return nil, nil, fmt.Errorf("%q: a term is missing at the end", strings.TrimSpace(line))
	}
	return positive, negative, nil
}
