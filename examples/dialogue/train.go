package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// training is the flags of train.
type training struct {
	cli.Training
	kind, data, valid string
	cut               text.Cut
	cell              string
	hidden, embed     int
	minCount, holdOut int
	dropout           float64
	latent            int
	annealing         int
	freeBits          float64
	wordDropout       float64
	pointer           bool
}

func newTraining() *training {
	return &training{Training: cli.Training{Epochs: 2, LR: 0.004, Clip: 1, Seed: 1,
		BatchMore: ": dialogues, or for seq2seq pairs of turns (default 8; 128)"}}
}

func (t *training) register(f *flag.FlagSet) {
	t.Training.Register(f)
	f.StringVar(&t.kind, "kind", "hred", "`kind` of model: hred, vhred or seq2seq")
	cli.DataFlag(f, &t.data, "of dialogues to learn from instead of the Schema-Guided Dialogues")
	cli.ValidFlag(f, &t.valid,
		"of dialogues to validate on; without it the last of -data are kept apart for that")
	cli.OldNames(f, "model", "kind")
	f.IntVar(&t.holdOut, "hold-out", 300,
		"dialogues at the end of -data that are kept apart, without -valid")
	cli.MinCountFlag(f, &t.minCount, 5)
	cli.UnicodeFlag(f, &t.cut.Unicode)
	f.StringVar(&t.cut.Level, "level", "word",
		"`unit` that is predicted: word, char, or ja (Japanese words)")
	cli.CellFlag(f, &t.cell, "gru", "")
	f.IntVar(&t.hidden, "hidden", 128,
		"width of context and decoder; the encoder has half of it in each direction")
	f.IntVar(&t.embed, "embed", 64, "width of the embedding")
	f.Float64Var(&t.dropout, "dropout", 0,
		"share of the embedding and of the output that is dropped")
	f.IntVar(&t.latent, "latent", 32, "vhred: units of the latent variable")
	f.IntVar(&t.annealing, "annealing", 800,
		"vhred: batches in which the weight of the divergence rises to 1")
	f.Float64Var(&t.freeBits, "free-bits", 0.08,
		"vhred: nats an utterance and unit that cost nothing")
	f.Float64Var(&t.wordDropout, "word-dropout", 0.25,
		"vhred: share of words that the decoder does not get to see")
	cli.PointerFlag(f, &t.pointer, fmt.Sprintf("of the turn before, or for hred and vhred of the "+
		"last %d words of the turns so far", copied))
}

func (t *training) check() error {
	var errs []error
	if !slices.Contains([]string{"word", "char", "ja"}, t.cut.Level) {
		errs = append(errs, fmt.Errorf("the level is %q; want word, char or ja", t.cut.Level))
	}
	if t.kind != "hred" && t.kind != "vhred" && t.kind != "seq2seq" {
		errs = append(errs, fmt.Errorf("-kind is %q; want hred, vhred or seq2seq", t.kind))
	}
	if t.Quick {
		t.hidden, t.embed, t.latent, t.Epochs, t.holdOut = 16, 8, 4, 1, min(t.holdOut, 20)
		if t.Steps == 0 {
			t.Steps = 20
		}
	}
	if t.Batch == 0 {
		if t.Batch = 8; t.kind == "seq2seq" {
			t.Batch = 128
		}
	}
	if t.hidden < 2 || t.hidden%2 > 0 {
		errs = append(errs, fmt.Errorf("-hidden is %d; want an even number of 2 or more", t.hidden))
	}
	if t.embed < 1 || t.latent < 1 {
		errs = append(errs, fmt.Errorf("-embed is %d and -latent %d; want at least 1", t.embed,
			t.latent))
	}
	if t.holdOut < 0 || t.minCount < 1 || t.annealing < 0 {
		errs = append(errs, fmt.Errorf("-hold-out is %d, -min-count %d and -annealing %d; "+
			"want 0 or more, 1 or more, 0 or more", t.holdOut, t.minCount, t.annealing))
	}
	if t.wordDropout >= 1 {
		errs = append(errs, fmt.Errorf("-word-dropout is %g; want less than 1", t.wordDropout))
	}
	return errors.Join(append(errs, cli.AtLeast("free-bits", t.freeBits, 0),
		cli.AtLeast("word-dropout", t.wordDropout, 0), t.Training.Check())...)
}

func (t *training) run(ctx context.Context, s cli.Std) error {
	learn, valid, err := t.read(ctx)
	if err != nil {
		return err
	}
	var all [][]string
	turns := 0
	for _, d := range learn.dialogues {
		all = append(all, d...)
		turns += len(d)
	}
	v, err := text.NewVocabularyContext(ctx, text.VocabularyConfig{
		MinCount: t.minCount, Specials: []string{text.BOS, text.EOS, text.Unk},
	}, all...)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Messages,
		"%d dialogues of %d turns to learn from and %d to validate on; a vocabulary of %d\n",
		len(learn.dialogues), turns, len(valid.dialogues), v.Len())
	m, task, err := t.build(v, learn, valid)
	if err != nil {
		return err
	}
	monitor := ""
	if len(valid.dialogues) > 0 {
		monitor = "valid_loss"
	}
	_, err = t.Fit(ctx, s, cli.Run{Model: m, Task: task, Name: t.kind, Unit: "words",
		Monitor: monitor, Describe: map[string]string{
			"-kind": t.kind, "-data": t.data, "-valid": t.valid, "-hold-out": fmt.Sprint(t.holdOut),
			"-min-count": fmt.Sprint(t.minCount),
			"-cell":      t.cell, "-hidden": fmt.Sprint(t.hidden), "-embed": fmt.Sprint(t.embed),
			"-dropout": fmt.Sprint(t.dropout),
			"-latent":  fmt.Sprint(t.latent), "-annealing": fmt.Sprint(t.annealing),
			"-free-bits":    fmt.Sprint(t.freeBits),
			"-word-dropout": fmt.Sprint(t.wordDropout), "-level": t.cut.Level,
			"-unicode": string(t.cut.Unicode),
		}})
	return atEither(m, err, learn, valid)
}

// atEither is said.at for what learns from some dialogues and is validated on others.
func atEither(m zoo.Model, err error, learn, valid said) error {
	return cli.AtLines(err, func(err error) error { return learn.at(m, err) },
		func(err error) error { return valid.at(m, err) })
}

// read gives the dialogues to learn from and those to validate on.
func (t *training) read(ctx context.Context) (learn, valid said, err error) {
	path, err := cli.File(t.data, "sgd-dialogues/train.txt.gz", "give a file by -data")
	if err != nil {
		return learn, valid, err
	}
	words, err := t.cut.Tokeniser()
	if err != nil {
		return learn, valid, err
	}
	if learn, err = read(ctx, path, words); err != nil {
		return learn, valid, err
	}
	if t.valid != "" {
		valid, err = read(ctx, t.valid, words)
		return learn, valid, err
	}
	n := len(learn.dialogues) - t.holdOut
	if n < 1 {
		return learn, valid, fmt.Errorf("%s has %d dialogues, of which -hold-out keeps %d "+
			"apart: none is left to learn from", path, len(learn.dialogues), t.holdOut)
	}
	return learn.from(0, n), learn.from(n, t.holdOut), nil
}

// read gives the tokens of a file of dialogues.
func read(ctx context.Context, path string, words text.Tokeniser) (said, error) {
	d, err := text.ReadDialogues(path)
	if err != nil {
		return said{}, err
	}
	dialogues, err := d.Tokens(ctx, words)
	return said{file: path, dialogues: dialogues}, err
}

// copied is how many tokens of the turns before hred and vhred may copy: the last ones.
const copied = 100

// build makes the model and its task.
func (t *training) build(v *text.Vocabulary, learn, valid said) (zoo.Model, train.Task, error) {
	encoder, layer := zoo.Recurrent{Cell: t.cell, Hidden: t.hidden / 2},
		zoo.Recurrent{Cell: t.cell, Hidden: t.hidden}
	if t.kind == "seq2seq" {
		cfg := seq2seq.Config{
			Text: t.cut, Encoder: encoder, Decoder: layer, Bidirectional: true,
			EmbedSource: t.embed, EmbedTarget: t.embed, IODropout: t.dropout,
			Peeky: true, Readout: t.hidden, EmbedStd: 1, // as of HRED
		}
		if t.pointer {
			cfg.Copy, cfg.Attention = true, seq2seq.BahdanauAttention
		}
		m, err := seq2seq.New(cfg, v, v, t.Seed)
		if err != nil {
			return nil, nil, err
		}
		d := seq2seq.Data{Batch: t.Batch, Seed: t.Seed}
		if d.Train, err = learn.pairs(m); err != nil {
			return nil, nil, err
		}
		if d.Valid, err = valid.pairs(m); err != nil {
			return nil, nil, err
		}
		task, err := m.Task(d)
		return m, task, atEither(m, err, learn, valid)
	}
	cfg := dialogue.Config{
		Text: t.cut, Encoder: encoder, Context: layer, Decoder: layer, Bidirectional: true,
		ContextInput: true, Embed: t.embed, IODropout: t.dropout,
	}
	if t.pointer {
		cfg.Copy = copied
	}
	d := dialogue.Data{Batch: t.Batch, Seed: t.Seed}
	if t.kind == "vhred" {
		cfg.Latent = dialogue.Latent{Width: t.latent}
		d.KLWeight, d.FreeBits, d.WordDropout = dialogue.RisingTo(t.annealing), t.freeBits,
			t.wordDropout
	}
	m, err := dialogue.New(cfg, v, t.Seed)
	if err != nil {
		return nil, nil, err
	}
	if d.Train, err = learn.encoded(m); err != nil {
		return nil, nil, err
	}
	if d.Valid, err = valid.encoded(m); err != nil {
		return nil, nil, err
	}
	task, err := m.Task(d)
	return m, task, atEither(m, err, learn, valid)
}
