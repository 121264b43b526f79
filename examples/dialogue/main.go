// Dialogue learns from dialogues what is said next, measures how well, and talks on standard input.
package main

import (
	"errors"
	"flag"
	"fmt"

	"github.com/seqzoo/seqzoo/examples/cli"
)

const about = `Learns from dialogues what is said next: HRED and VHRED read all turns before, seq2seq the last one.

    go run ./examples/dialogue train -kind hred -save models/hred
    go run ./examples/dialogue evaluate -model models/hred
    go run ./examples/dialogue reply -model models/hred    reads a turn a line; /new or an empty line begins anew

A file of dialogues has one a line, with tabs between the turns. Japanese, which puts no spaces between words, is for -level ja. Without -data, the Schema-Guided Dialogues are looked
for in the folder that SEQZOO_DATA names, else in ../shared/data. Ctrl-C stops a training; with -save, the same command
goes on from there.`

func program() cli.Program {
	t, e, r := newTraining(), newEvaluation(), &replying{}
	return cli.Program{Name: "dialogue", About: about, Lesson: "11-hred", Commands: []cli.Command{
		{Name: "train", About: "trains a model", Flags: t.register, Check: t.check, Run: t.run},
		{Name: "evaluate", About: "measures a model on dialogues", Flags: e.register,
			Check: e.check, Run: e.run},
		{Name: "reply", About: "answers each line of standard input", Flags: r.register,
			Check: r.check, Run: r.run},
	}}
}

func main() { program().Main() }

// decoding is the flags that say how a reply is found.
type decoding struct {
	beam              int
	temperature, topP float64
	seed              uint64
}

func (d *decoding) register(f *flag.FlagSet) {
	cli.BeamFlag(f, &d.beam, 1)
	f.Float64Var(&d.temperature, "temperature", 0,
		"sample the words at this temperature; 0 takes the likeliest")
	f.Float64Var(&d.topP, "top-p", 1,
		"with a temperature: sample from the likeliest words that make up this share")
	cli.SeedFlag(f, &d.seed, 1, "the latent variable and of sampling")
}

func (d *decoding) check() error {
	if d.beam < 1 {
		return fmt.Errorf("-beam is %d; want at least 1", d.beam)
	}
	if d.beam > 1 && d.temperature > 0 {
		return errors.New("-beam and -temperature are both given; a beam search does not sample")
	}
	return d.sampler().Validate()
}
