package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func trainCommand() cli.Command {
	t := cli.Training{Epochs: 3, Batch: 32, LR: 2e-3, Warmup: 200, Clip: 5, Seed: 1}
	cfg := caption.Config{Patch: digitSide, Stride: 4, Hidden: 384, Features: 128,
		Decoder: zoo.Recurrent{Hidden: 128}, Dropout: 0.2}
	var given files
	cfg.Text = text.Cut{Spaced: true, KeepCase: true}
	n := 160_000
	return cli.Command{
		Name: "train", About: "learns from scenes",
		Flags: func(f *flag.FlagSet) {
			t.Register(f)
			given.register(f, "to learn from instead")
			f.IntVar(&n, "n", n, "scenes to make")
			f.IntVar(&cfg.Patch, "patch", cfg.Patch, "side of the patches that are looked at")
			f.IntVar(&cfg.Stride, "stride", cfg.Stride, "pixels from one patch to the next")
			f.IntVar(&cfg.Hidden, "hidden", cfg.Hidden, "width of the layer that reads a patch")
			f.IntVar(&cfg.Features, "features", cfg.Features, "width of what is known of a patch")
			f.IntVar(&cfg.Decoder.Hidden, "decoder", cfg.Decoder.Hidden, "width of the decoder")
			cli.UnicodeFlag(f, &cfg.Text.Unicode)
			cli.CellFlag(f, &cfg.Decoder.Cell, "lstm", "; of the decoder")
			f.Float64Var(&cfg.Dropout, "dropout", cfg.Dropout,
				"share of features that are dropped at random")
		},
		Check: func() error {
			if t.Quick {
				n, t.Epochs, t.Batch, cfg.Stride, cfg.Hidden, cfg.Features, cfg.Decoder.Hidden = 256, 1, 16, 14, 16, 16, 16
			}
			probe := cfg
			probe.Height, probe.Width = sceneSide, sceneSide
			errs := []error{t.Check(), given.check()}
			if given.pictures == "" {
				errs = append(errs, probe.Validate())
			}
			if n < 1 || n > 1<<20 {
				errs = append(errs, fmt.Errorf("-n is %d; want 1 … %d", n, 1<<20))
			}
			return errors.Join(errs...)
		},
		Run: func(ctx context.Context, s cli.Std) error {
			return runTrain(ctx, s, &t, cfg, given,
				n)
		},
	}
}

func runTrain(ctx context.Context, s cli.Std, t *cli.Training, cfg caption.Config, given files,
	n int) error {
	scenes, valid, err := trainingScenes(given, n, cfg.Text.Unicode)
	if err != nil {
		return err
	}
	var sentences [][]string
	for _, s := range scenes {
		sentences = append(sentences, s.words)
	}
	words, err := text.NewVocabularyContext(ctx, text.VocabularyConfig{Specials: []string{text.Unk, text.BOS,
		text.EOS}}, sentences...)
	if err != nil {
		return err
	}
	size := scenes[0].picture.Bounds().Size()
	cfg.Height, cfg.Width = size.Y, size.X
	m, err := caption.New(cfg, words, t.Seed)
	if err != nil {
		return err
	}
	var d caption.Data
	if d.Train, err = given.examples(m, scenes); err != nil {
		return err
	}
	if d.Valid, err = given.examples(m, valid); err != nil {
		return err
	}
	d.Batch, d.Seed = t.Batch, t.Seed
	task, err := m.Task(d)
	if err != nil {
		return given.atEither(err, scenes, valid)
	}
	fmt.Fprintf(s.Messages, "%d scenes of %d × %d pixels, %d words, %d patches\n", len(scenes),
		size.X, size.Y, words.Len(), m.Cells())
	r := cli.Run{Model: m, Task: task, Name: "captioner", Unit: "words",
		Describe: map[string]string{
			"model": fmt.Sprintf("%+v", cfg), "scenes": fmt.Sprint(len(scenes)),
		}}
	if len(valid) > 0 {
		r.Monitor = "valid_loss"
	}
	if _, err = t.Fit(ctx, s, r); err != nil {
		return given.atEither(err, scenes, valid)
	}
	if len(valid) > 0 {
		return evaluate(ctx, cli.Std{Out: s.Messages}, m, given, valid, decode.SearchOptions{})
	}
	return nil
}

// at says on which line the sentence of a scene stands that an error is about.
func (p files) at(err error, scenes []scene) error {
	return cli.AtLine(err, p.sentences, func(i int) int { return scenes[i].line })
}

// atEither is at for what learns from scenes and is validated on others.
func (p files) atEither(err error, scenes, valid []scene) error {
	return cli.AtLines(err, func(err error) error { return p.at(err, scenes) },
		func(err error) error { return p.at(err, valid) })
}

// trainingScenes are those to learn from and those to validate on. Of scenes that were given the
// last twentieth is for the latter.
func trainingScenes(given files, n int, form text.Form) (learn, valid []scene, err error) {
	if given.pictures != "" {
		all, err := readScenes(given, form)
		if err != nil {
			return nil, nil, err
		}
		cut := len(all) - len(all)/20
		return all[:cut], all[cut:], nil
	}
	key := rng.New(1).Named("scenes")
	for _, part := range []struct {
		name string
		n    int
		to   *[]scene
	}{{"train", n, &learn}, {"valid", min(n, 1000), &valid}} {
		digits, err := mnist(part.name)
		if err != nil {
			return nil, nil, err
		}
		if *part.to, err = makeScenes(digits, key.Named(part.name), part.n); err != nil {
			return nil, nil, err
		}
	}
	return learn, valid, nil
}

// examples are scenes with words as ids.
func (p files) examples(m *caption.Model, scenes []scene) ([]caption.Captioned, error) {
	out := make([]caption.Captioned, len(scenes))
	for i, s := range scenes {
		ids, err := m.Encode(s.words)
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", p.sentences, s.line, err)
		}
		out[i] = caption.Captioned{Picture: s.picture, Caption: ids}
	}
	return out, nil
}

// pictures are those of scenes.
func pictures(scenes []scene) []image.Image {
	out := make([]image.Image, len(scenes))
	for i, s := range scenes {
		out[i] = s.picture
	}
	return out
}
