// Autoencoder squeezes pictures, or any rows of numbers, through a few numbers and brings them
// back: PCA, deep, denoising, variational and recurrent autoencoders, compared like with like, as
// reducers, as filters of noise and as finders of anomalies.
package main

import (
	"github.com/seqzoo/seqzoo/examples/cli"
)

const about = `Reduces pictures, or rows of any numbers, to codes of few numbers and brings them back.

    go run ./examples/autoencoder train -kind autoencoder -code 2 -save DIR
    go run ./examples/autoencoder compare -models PCA-DIR,DIR
    go run ./examples/autoencoder train -kind denoising -noise gaussian:0.5 -code 128 -save DIR
    go run ./examples/autoencoder denoise -model DIR < noisy.csv > clean.csv
    go run ./examples/autoencoder train -kind recurrent -data series.csv -skip date -window 24 -code 8 -save DIR
    go run ./examples/autoencoder anomaly -model DIR < rows.csv
    go run ./examples/autoencoder outliers -codes 2,32 -save DIR
    go run ./examples/autoencoder draw -model DIR -what samples -draw samples.png

Data are IDX files of pictures, such as MNIST's, whose pixels count from 0 to 1, or CSV files (by their ending, .csv or
.csv.gz) with a line of names and then numbers. Without -data they are MNIST, which is looked for in the folder that
SEQZOO_DATA names, else in ../shared/data: train learns from its training file, all other commands read its test file.
Without -lr and -batch, train takes 0.001 and 128; linear 0.003 and 128, vae 0.003 and 64, recurrent 0.005 and 32.
denoise and anomaly answer line by line: numbers parted by commas or spaces.`

func main() { program().Main() }

func program() cli.Program {
	// rate and batch: see defaults
	t := &trainCommand{Training: cli.Training{Epochs: 10, Warmup: 100, Seed: 1}}
	o := &outliersCommand{Training: cli.Training{Epochs: 10, Batch: 64, LR: 0.002, Warmup: 100,
		Seed: 1}}
	e, c, d, n, w := &evaluateCommand{}, &compareCommand{}, &denoiseCommand{}, &anomalyCommand{},
		&drawCommand{}
	return cli.Program{Name: "autoencoder", About: about, Lesson: "12-autoencoder",
		Commands: []cli.Command{
			{Name: "train", About: "fits a model and chooses its threshold on rows kept apart",
				Flags: t.register, Check: t.check, Run: t.run},
			{Name: "evaluate", About: "measures a model on a file", Flags: e.register, Check: e.check,
				Run: e.run},
			{Name: "compare", About: "measures several models on a file, beside one another",
				Flags: c.register, Check: c.check, Run: c.run},
			{Name: "denoise", About: "brings back the rows on standard input", Flags: d.register,
				Check: d.check, Run: d.run},
			{Name: "anomaly", About: "tells the error of each row on standard input, and whether it " +
				"is an anomaly", Flags: n.register, Check: n.check, Run: n.run},
			{Name: "outliers", About: "leaves out each label in turn, and measures how well it is " +
				"told from the others", Flags: o.register, Check: o.check, Run: o.run},
			{Name: "draw", About: "draws reconstructions, samples, interpolations, " +
				"traversals or codes",
				Flags: w.register, Check: w.check, Run: w.run},
		}}
}
