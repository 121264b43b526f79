package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// corpus is a corpus of the data sets.
type corpus struct{ name, from, to string }

func (c *corpus) flags(f *flag.FlagSet) {
	f.StringVar(&c.name, "corpus", "small_parallel_enja",
		"`folder` of the data sets whose files are the defaults")
	f.StringVar(&c.from, "from", "en", "`language` of the sources: the ending of the default files")
	f.StringVar(&c.to, "to", "ja", "`language` of the targets")
}

// files are two paths of parallel text.
type files struct{ source, target string }

func (c *corpus) both(f files, part, flag string) (files, error) {
	var errs [2]error
	f.source, errs[0] = c.file(f.source, part+"."+c.from, flag+"source")
	f.target, errs[1] = c.file(f.target, part+"."+c.to, flag+"target")
	return f, errors.Join(errs[:]...)
}

// file is the path that was given, or that of the data sets, which may be compressed.
func (c *corpus) file(given, name, flag string) (string, error) {
	instead := fmt.Sprintf("give a file by -%s", flag)
	path, err := cli.File(given, c.name+"/"+name, instead)
	if err != nil {
		if zipped, missing := cli.File(given, c.name+"/"+name+".gz", instead); missing == nil {
			return zipped, nil
		}
	}
	return path, err
}

// check refuses one file without the other.
func (f files) check(flag string) error {
	if (f.source == "") != (f.target == "") {
		return fmt.Errorf("-%ssource and -%starget go together", flag, flag)
	}
	return nil
}

// sentences are pairs of sentences as tokens.
type sentences struct {
	sources, targets [][]string
	line             func(i int) int // of a pair in its files
}

// spaced is how sentences are cut: at white space.
func spaced(form text.Form) text.Cut {
	return text.Cut{Spaced: true, KeepCase: true,
		Unicode: form}
}

// cut is how a model cuts sentences.
func cut(m *seq2seq.Model) (text.Tokeniser, error) {
	return spaced(m.Config().Text.Unicode).Tokeniser()
}

// filter is the flags that say which pairs are left out.
type filter struct {
	skipBlank bool
	maxWords  int
}

func (f *filter) flags(set *flag.FlagSet) {
	set.BoolVar(&f.skipBlank, "skip-blank", false,
		"leave out pairs of lines of which a side is blank; by default they are an error")
	set.IntVar(&f.maxWords, "max-words", 0,
		fmt.Sprintf("leave out pairs of which a side has more `words`; by default one of more than %d is an error", seq2seq.MaxTokens))
}

func (f *filter) check() error {
	if f.maxWords < 0 || f.maxWords > seq2seq.MaxTokens {
		return fmt.Errorf("-max-words is %d; want 1 … %d, or 0", f.maxWords, seq2seq.MaxTokens)
	}
	return nil
}

// read reads two files, and says which pairs are left out.
func (f files) read(ctx context.Context, leave filter, words text.Tokeniser,
	messages io.Writer) (s sentences, err error) {
	o := text.ParallelOptions{SkipBlank: leave.skipBlank, MaxTokens: seq2seq.MaxTokens}
	if leave.maxWords > 0 {
		o.MaxTokens, o.SkipLong = leave.maxWords, true
	}
	p, err := o.Read(f.source, f.target)
	if blank := (*text.BlankError)(nil); errors.As(err, &blank) {
		err = fmt.Errorf("%w\n-skip-blank leaves such pairs out", err)
	}
	if err != nil {
		return s, err
	}
	if s.sources, s.targets, err = p.Tokens(ctx, words, words); err != nil {
		return s, err
	}
	s.line = p.Line
	if out := p.LeftOut(); out != "" {
		fmt.Fprintf(messages, "%s and %s: left out are pairs: %s\n", f.source, f.target, out)
	}
	return s, nil
}

// at says on which line of the files the pair stands that an error is about.
func (s sentences) at(f files, err error) error {
	return cli.AtLine(err, f.source+" and "+f.target, s.line)
}

func (s sentences) pairs(m *seq2seq.Model, f files) ([]seq2seq.Pair, error) {
	pairs, err := m.Pairs(s.sources, s.targets)
	if err != nil {
		return nil, s.at(f, err)
	}
	return pairs, nil
}

// unknown is the share of tokens that a vocabulary lacks, in percent.
func unknown(v *text.Vocabulary, sentences [][]string) float64 {
	n, lacks := 0, 0
	for _, tokens := range sentences {
		n += len(tokens)
		for _, token := range tokens {
			if _, ok := v.ID(token); !ok {
				lacks++
			}
		}
	}
	return 100 * float64(lacks) / float64(max(n, 1))
}
