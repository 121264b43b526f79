// Translate learns to translate from pairs of sentences, and translates.
package main

import (
	"errors"
	"flag"
	"fmt"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/decode"
)

const about = `Learns to translate from pairs of sentences, one a line in two files, tokens separated by spaces; and translates.

    go run ./examples/translate train -save enja
    go run ./examples/translate train -from ja -to en -save jaen
    go run ./examples/translate train -source my.de -target my.en -valid-source dev.de -valid-target dev.en -save deen
    go run ./examples/translate evaluate -model enja
    go run ./examples/translate evaluate -model enja -source test.en -target test.ja -beam 5
    echo "he lived a hard life ." | go run ./examples/translate translate -model enja -beam 5 -draw -

Without -source and -target it reads the corpus small_parallel_enja (English and Japanese, 45,182 pairs).`

func program() cli.Program {
	var t trainer
	var e evaluator
	var a translator
	return cli.Program{Name: "translate", About: about, Lesson: "10-attention",
		Commands: []cli.Command{
			{Name: "train", About: "learns from pairs of sentences, and measures itself on others",
				Flags: t.flags, Check: t.check, Run: t.run},
			{Name: "evaluate", About: "measures perplexity and BLEU on pairs of sentences",
				Flags: e.flags, Check: e.check, Run: e.run},
			{Name: "translate", About: "translates each line of standard input", Flags: a.flags,
				Check: a.check, Run: a.run},
		}}
}

func main() { program().Main() }

// search is how translations are found.
type search struct {
	beam  int
	alpha float64
	copy  bool
}

func (s *search) flags(f *flag.FlagSet) {
	cli.BeamFlag(f, &s.beam, 5)
	f.BoolVar(&s.copy, "copy", false,
		"words that the vocabulary lacks, such as names, are copied from the source by "+
			"the alignment")
	f.Float64Var(&s.alpha, "alpha", 1, "strength of the length normalisation of the beam search")
}

func (s *search) check() error {
	var errs []error
	if s.beam < 1 || s.beam > 1000 {
		errs = append(errs, fmt.Errorf("-beam is %d; want 1 … 1000", s.beam))
	}
	if !(s.alpha >= 0 && s.alpha <= 100) {
		errs = append(errs, fmt.Errorf("-alpha is %g; want 0 … 100", s.alpha))
	}
	return errors.Join(errs...)
}

func (s *search) options() decode.SearchOptions {
	if s.beam == 1 { // no beam, which alpha is of
		return decode.SearchOptions{CopyUnknown: s.copy}
	}
	return decode.SearchOptions{Beam: s.beam, Alpha: s.alpha, CopyUnknown: s.copy}
}
