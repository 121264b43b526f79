package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// trainer is the command train.
type trainer struct {
	cli.Training
	corpus       corpus
	leave        filter
	train, dev   files
	cell         string
	hidden       int
	embed        int
	layers       int
	readout      int
	attention    string
	score        string
	oneWay, tied bool
	dropout      float64
	smoothing    float64
	minCount     int
	copies       int
	pointer      bool
	best         string
	unicode      text.Form
	schedule     string
}

func (t *trainer) flags(f *flag.FlagSet) {
	t.Training = cli.Training{Epochs: 9, Batch: 64, LR: 0.002, Warmup: 200, Clip: 2, Patience: 3,
		Seed: 1}
	t.Register(f)
	t.corpus.flags(f)
	t.leave.flags(f)
	f.StringVar(&t.train.source, "source", "", "`file` of sentences to translate, one a line")
	f.StringVar(&t.train.target, "target", "", "`file` of their translations")
	f.StringVar(&t.dev.source, "valid-source", "",
		"`file` of other sentences, by which the best epoch is chosen")
	f.StringVar(&t.dev.target, "valid-target", "", "`file` of their translations")
	cli.OldNames(f, "dev-source", "valid-source", "dev-target", "valid-target")
	cli.CellFlag(f, &t.cell, "gru", "")
	f.IntVar(&t.hidden, "hidden", 384, "width of the layers")
	f.IntVar(&t.embed, "embed", 256, "width of the embeddings")
	f.IntVar(&t.layers, "layers", 1, "layers of encoder and decoder")
	f.IntVar(&t.readout, "readout", 256, "width of the layer before the output layer; 0 for none")
	f.StringVar(&t.attention, "attention", "bahdanau", "bahdanau, luong or none")
	f.StringVar(&t.score, "score", "",
		"of the attention: additive, dot, general or concat (default additive; general for luong)")
	f.BoolVar(&t.oneWay, "one-way", false, "the encoder reads forward only")
	f.BoolVar(&t.tied, "tied", true, "the output layer is the target's embedding, transposed")
	f.Float64Var(&t.dropout, "dropout", 0.3,
		"share of embeddings and readout, and of what goes between layers, that is dropped")
	f.Float64Var(&t.smoothing, "smoothing", 0.1, "label smoothing")
	cli.UnicodeFlag(f, &t.unicode)
	cli.MinCountFlag(f, &t.minCount, 2)
	f.IntVar(&t.copies, "copies", 0,
		"words of a source beyond the vocabulary, such as names, that are numbered and copied")
	cli.PointerFlag(f, &t.pointer, "without label smoothing")
	f.StringVar(&t.best, "best", "bleu",
		"by what the best epoch is chosen: loss, or bleu, which takes longer to measure")
	f.StringVar(&t.schedule, "schedule", "cosine",
		"of the learning rate: cosine, or plateau, which halves it after an epoch that is "+
			"not the best")
}

func (t *trainer) check() error {
	var errs []error
	for _, f := range []struct {
		name string
		n    int
	}{{"hidden", t.hidden}, {"embed", t.embed}, {"layers", t.layers}, {"min-count", t.minCount}} {
		if f.n < 1 {
			errs = append(errs, fmt.Errorf("-%s is %d; want at least 1", f.name, f.n))
		}
	}
	if t.best != "loss" && t.best != "bleu" {
		errs = append(errs, fmt.Errorf("-best is %q; want loss or bleu", t.best))
	}
	if t.schedule != "cosine" && t.schedule != "plateau" {
		errs = append(errs, fmt.Errorf("-schedule is %q; want cosine or plateau", t.schedule))
	}
	if t.Quick {
		t.hidden, t.embed, t.Epochs, t.Warmup = min(t.hidden, 32), min(t.embed, 32), 1, 0
		t.readout = min(t.readout, t.embed)
		t.readout = min(t.readout, 32)
	}
	if t.pointer {
		t.smoothing = 0 // of a softmax, which is not all that writes then
	}
	errs = append(errs, t.Training.Check(), t.train.check(""), t.dev.check("valid-"),
		t.leave.check())
	if (t.train.source == "") != (t.dev.source == "") {
		errs = append(errs, errors.New("-source and -valid-source go together"))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return t.config().Validate()
}

func (t *trainer) config() seq2seq.Config {
	r := cli.Recurrent(t.cell, t.hidden, t.layers, t.dropout)
	return seq2seq.Config{
		Text:    spaced(t.unicode),
		Encoder: r, Decoder: r, Bidirectional: !t.oneWay, Attention: seq2seq.Attention(t.attention),
		Score:       cells.Score(t.score),
		EmbedSource: t.embed, EmbedTarget: t.embed, Readout: t.readout, Tied: t.tied,
		IODropout: t.dropout,
		Copy:      t.pointer,
	}
}

func (t *trainer) run(ctx context.Context, std cli.Std) error {
	learn, dev, err := t.read(ctx, std.Messages)
	if err != nil {
		return err
	}
	source, err := text.NewVocabulary(text.VocabularyConfig{MinCount: t.minCount,
		Specials: append([]string{text.Unk}, text.Copies(t.copies)...)}, learn.sources...)
	if err != nil {
		return fmt.Errorf("%s: %w", t.train.source, err)
	}
	specials := []string{text.BOS, text.EOS, text.Unk}
	target, err := text.NewVocabulary(text.VocabularyConfig{MinCount: t.minCount,
		Specials: append(specials, text.Copies(t.copies)...)}, learn.targets...)
	if err != nil {
		return fmt.Errorf("%s: %w", t.train.target, err)
	}
	model, err := seq2seq.New(t.config(), source, target, t.Seed)
	if err != nil {
		return err
	}
	data := seq2seq.Data{Batch: t.Batch, Seed: t.Seed, Smoothing: t.smoothing,
		BLEU: t.best == "bleu"}
	if data.Train, err = learn.pairs(model, t.train); err != nil {
		return err
	}
	if data.Valid, err = dev.pairs(model, t.dev); err != nil {
		return err
	}
	task, err := model.Task(data)
	if err != nil {
		return t.at(err, learn, dev)
	}
	fmt.Fprintf(std.Messages, "%d pairs to train on, %d to choose by; vocabularies of %d and %d "+
		"words, of dev's words %.1f %% and %.1f %% are unknown; %d parameters\n",
		len(data.Train), len(data.Valid), source.Len(), target.Len(), unknown(source, dev.sources),
		unknown(target, dev.targets), model.Params().Count())
	sizes, err := json.Marshal(model.Config())
	if err != nil {
		return err
	}
	monitor := map[string]string{"loss": "valid_loss", "bleu": "valid_bleu"}[t.best]
	schedule, err := t.plateau()
	if err != nil {
		return err
	}
	_, err = t.Fit(ctx, std, cli.Run{
		Schedule: schedule,
		Model:    model, Task: task, Name: t.cell, Unit: "words", Monitor: monitor,
		Describe: map[string]string{
			"model": string(sizes), "-smoothing": fmt.Sprint(t.smoothing),
			"-min-count": fmt.Sprint(t.minCount),
			"-best":      t.best, "-schedule": t.schedule,
			"data": fmt.Sprintf("%d pairs", len(data.Train)),
		},
	})
	if err != nil {
		return t.at(err, learn, dev)
	}
	return measure(ctx, std.Out, model, dev, t.dev, []decode.SearchOptions{{}})
}

// at says on which line of which files the pair stands that an error is about.
func (t *trainer) at(err error, learn, dev sentences) error {
	return cli.AtLines(err, func(err error) error { return learn.at(t.train, err) },
		func(err error) error { return dev.at(t.dev, err) })
}

// plateau is the schedule if it is one, else nil, which is a cosine.
func (t *trainer) plateau() (train.Schedule, error) {
	if t.schedule != "plateau" {
		return nil, nil
	}
	return train.NewPlateau(train.PlateauConfig{LR: t.LR, Factor: 0.5, MinLR: t.LR / 100})
}

// read reads the files, of which a quick run takes a part.
func (t *trainer) read(ctx context.Context, messages io.Writer) (learn, dev sentences, err error) {
	if t.train, err = t.corpus.both(t.train, "train", ""); err != nil {
		return learn, dev, err
	}
	if t.dev, err = t.corpus.both(t.dev, "dev", "dev-"); err != nil {
		return learn, dev, err
	}
	words, err := spaced(t.unicode).Tokeniser()
	if err != nil {
		return learn, dev, err
	}
	if learn, err = t.train.read(ctx, t.leave, words, messages); err != nil {
		return learn, dev, err
	}
	if dev, err = t.dev.read(ctx, t.leave, words, messages); err != nil {
		return learn, dev, err
	}
	if t.Quick {
		n, few := min(len(learn.sources), 1000), min(len(dev.sources), 50)
		learn.sources, learn.targets = learn.sources[:n], learn.targets[:n]
		dev.sources, dev.targets = dev.sources[:few], dev.targets[:few]
	}
	return learn, dev, nil
}
