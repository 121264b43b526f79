package main

import (
	"errors"
	"flag"
	"fmt"

	"github.com/seqzoo/seqzoo/examples/internal/cli"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// corpus is a corpus of the data sets.
type corpus struct{ name, from, to string }

func (c *corpus) flags(f *flag.FlagSet) {
	f.StringVar(&c.name, "corpus", "small_parallel_enja", "`folder` of the data sets whose files are the defaults")
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
type sentences struct{ sources, targets [][]string }

var spaced = text.Words{Spaced: true}

func (f files) read() (s sentences, err error) {
	p, err := text.ReadParallel(f.source, f.target)
	if err != nil {
		return s, err
	}
	s.sources, s.targets, err = p.Tokens(spaced, spaced)
	return s, err
}

func (s sentences) pairs(m *zoo.Seq2Seq, f files) ([]zoo.Pair, error) {
	pairs, err := m.Pairs(s.sources, s.targets)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", f.source, f.target, err)
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
