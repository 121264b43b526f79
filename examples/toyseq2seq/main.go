// Toyseq2seq teaches sequence-to-sequence models three toy tasks, each in several variants, and
// compares them.
package main

import (
	"github.com/seqzoo/seqzoo/examples/cli"
)

const about = `Teaches encoder-decoder models toy tasks, whose pairs it makes up, and compares variants of a model.

  reversal  "7 21 4" to "4 21 7": with attention, which has to run backwards along the source
  addition  "57+785" to "842": reading plainly; reading from right to left; and with a decoder that peeks at the source's
            summary at every step (after Zaremba and Sutskever, 2014, and Cho et al., 2014)
  dates     "September 27, 1994", "9/27/94" … to "1994-09-27": without attention and with it

    go run ./examples/toyseq2seq train -task addition -draw addition.svg -save toys
    go run ./examples/toyseq2seq train -task dates -variant attention -save toys
    go run ./examples/toyseq2seq evaluate -model toys/attention
    go run ./examples/toyseq2seq generate -task dates -n 100 -source dates.txt -target iso.txt
    go run ./examples/toyseq2seq evaluate -model toys/attention -source dates.txt -target iso.txt
    echo "TUESDAY, SEPTEMBER 27, 1994" | go run ./examples/toyseq2seq answer -model toys/attention -draw drawings`

func program() cli.Program {
	var t trainer
	var e evaluator
	var a answerer
	var g generator
	return cli.Program{Name: "toyseq2seq", About: about, Lesson: "09-seq2seq",
		Commands: []cli.Command{
			{Name: "train", About: "trains the variants of a task and compares them", Flags: t.flags,
				Check: t.check, Run: t.run},
			{Name: "evaluate", About: "measures a model on pairs it has never seen", Flags: e.flags,
				Check: e.check, Run: e.run},
			{Name: "answer", About: "answers each line of standard input", Flags: a.flags,
				Check: a.check, Run: a.run},
			{Name: "generate", About: "writes pairs of a task to files", Flags: g.flags, Check: g.check,
				Run: g.run},
		}}
}

func main() { program().Main() }
