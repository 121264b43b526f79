// Word2vec learns vectors of words from a text, evaluates them, and answers with them on standard input.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/vectors"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

const usage = `Learns vectors of words from a text, evaluates them, and answers with them.

    go run ./examples/word2vec train -text novel.txt -save DIR
    go run ./examples/word2vec evaluate -model DIR -analogies questions-words.txt -pairs wordsim353.txt
    go run ./examples/word2vec similar -model DIR      reads words, a line for each question: king
    go run ./examples/word2vec analogy -model DIR      reads three words a line: man king woman
    go run ./examples/word2vec export -model DIR -to FILE -format text|binary|glove

-model also takes a file of vectors in word2vec's text or binary form or in GloVe's. Without -text, and for evaluate
without files, WikiText-2 and word-eval are looked for in the folder that SEQZOO_DATA names, else in ../shared/data.
Ctrl-C stops a training; with -save, the same command goes on from there. "COMMAND -help" lists the flags.

`

// errUsage is a mistake on the command line.
type errUsage struct{ error }

func main() {
	ctx, stop := train.Interruptible(context.Background())
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	fmt.Fprintln(os.Stderr, "word2vec:", err)
	if errors.As(err, &errUsage{}) {
		os.Exit(2)
	}
	os.Exit(train.ExitCode())
}

func run(ctx context.Context, args []string, in io.Reader, out, messages io.Writer) error {
	commands := map[string]func(context.Context, *flag.FlagSet, []string, io.Reader, io.Writer, io.Writer) error{
		"train": runTrain, "evaluate": runEvaluate, "similar": runSimilar, "analogy": runAnalogy, "export": runExport,
	}
	if len(args) == 0 || args[0] == "help" || strings.HasPrefix(args[0], "-") {
		fmt.Fprint(messages, usage)
		if len(args) == 0 {
			return errUsage{errors.New("a command is missing")}
		}
		return nil
	}
	command, ok := commands[args[0]]
	if !ok {
		return errUsage{fmt.Errorf("%q is no command; there are train, evaluate, similar, analogy and export", args[0])}
	}
	f := flag.NewFlagSet("word2vec "+args[0], flag.ContinueOnError)
	f.SetOutput(messages)
	return command(ctx, f, args[1:], in, out, messages)
}

// parse reads the flags of a command, of which those in required must be given.
func parse(f *flag.FlagSet, args []string, required ...string) error {
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return errUsage{err}
	}
	if f.NArg() > 0 {
		return errUsage{fmt.Errorf("unexpected argument %q", f.Arg(0))}
	}
	for _, name := range required {
		if f.Lookup(name).Value.String() == "" {
			return errUsage{fmt.Errorf("-%s is missing", name)}
		}
	}
	return nil
}

// dataFile finds a file of the data sets; instead says how to do without.
func dataFile(name, instead string) (string, error) {
	folder := os.Getenv("SEQZOO_DATA")
	if folder == "" {
		folder = filepath.Join("..", "shared", "data")
	}
	path := filepath.Join(folder, filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("there is no %s; %s, or let SEQZOO_DATA name the folder of the data sets", path, instead)
	}
	return path, nil
}

// open gives the vectors of a model's directory or of a file.
func open(path string) (*vectors.Vectors, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return vectors.ReadFile(path, vectors.ReadOptions{SkipInvalid: true})
	}
	m, err := word2vec.Load(path)
	if err != nil {
		return nil, err
	}
	return m.Vectors()
}
