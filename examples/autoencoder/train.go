package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/reduce"
)

var kinds = []string{"autoencoder", "denoising", "vae", "linear", "pca", "recurrent"}

// shape is the flags that say what a model is like.
type shape struct {
	kind, widths, activation, noise, cell string
	code, condition                       int
	beta, freeBits                        float64
	tied, raw                             bool
}

func (s *shape) register(f *flag.FlagSet) {
	f.StringVar(&s.kind, "kind", "autoencoder", "`one` of "+strings.Join(kinds, ", "))
	f.StringVar(&s.widths, "widths", "",
		"`widths` of the layers before the code, such as 512,128, which is the default; vae: 400; recurrent: 64")
	f.StringVar(&s.activation, "activation", "relu", "relu, tanh or sigmoid, of these layers")
	f.StringVar(&s.noise, "noise", "gaussian:0.5",
		"denoising: gaussian:DEVIATION, masking:SHARE or salt-and-pepper:SHARE")
	cli.CellFlag(f, &s.cell, "gru", "; for -model recurrent")
	f.IntVar(&s.condition, "condition", 0,
		"vae: `numbers` at the end of each row that are its condition, such as kinds as 0 and 1")
	f.Float64Var(&s.beta, "beta", 1, "vae: weight of the divergence")
	f.Float64Var(&s.freeBits, "free-bits", 0,
		"vae: nats of each number of a code that cost nothing")
	f.BoolVar(&s.tied, "tied", false,
		"autoencoder, denoising, linear: the decoder's weights are the encoder's")
	f.BoolVar(&s.raw, "raw", false,
		"take numbers beyond [0, 1] as they are, instead of standardising them")
}

func (s *shape) corruption() (c reduce.Corruption, err error) {
	kind, amount, ok := strings.Cut(s.noise, ":")
	if c.Kind = reduce.CorruptionKind(kind); ok {
		c.Amount, err = strconv.ParseFloat(amount, 64)
	}
	if !ok || err != nil {
		return c, fmt.Errorf("-noise is %q; want such as gaussian:0.5", s.noise)
	}
	return c, c.Validate()
}

func (s *shape) layers(otherwise string) (widths []int, err error) {
	list := s.widths
	if list == "" {
		list = otherwise
	}
	for _, field := range strings.Split(list, ",") {
		w, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil {
			return nil, fmt.Errorf("-widths is %q; want whole numbers, such as 512,128", list)
		}
		widths = append(widths, w)
	}
	return widths, nil
}

// model makes a model for rows of the kind of r, with its task; the task is nil if the model is
// fitted already.
func (s *shape) model(ctx context.Context, r, valid *rows, d reduce.RowData,
	seed uint64) (m reduce.Reducer, task train.Task, err error) {
	unit := r.unit() && valid.unit()
	d.Train, d.Valid = r.x, valid.x
	standardise := !unit && !s.raw
	switch s.kind {
	case "pca":
		m, err = reduce.FitPCA(ctx, r.x, reduce.PCAConfig{Features: r.width, Components: s.code,
			Standardise: standardise})
		return m, nil, err
	case "vae":
		cfg := reduce.VAEConfig{
			Features: r.width - s.condition, Condition: s.condition, Code: s.code,
			Activation: cells.Activation(s.activation),
			Beta:       cmp.Or(s.beta, train.Zero), FreeBits: s.freeBits, Standardise: standardise,
		}
		if !unit {
			cfg.Likelihood = reduce.GaussianDecoder
		}
		if cfg.Widths, err = s.layers("400"); err != nil {
			return nil, nil, err
		}
		v, err := reduce.NewVAE(cfg, seed)
		if err != nil {
			return nil, nil, err
		}
		task, err = v.Task(reduce.VAEData{RowData: d})
		return v, task, err
	case "recurrent":
		widths, err := s.layers("64")
		if err != nil || len(widths) != 1 {
			return nil, nil, fmt.Errorf("-widths is %q; want one number, that of the "+
				"recurrent layers", s.widths)
		}
		v, err := reduce.NewRecurrentAutoencoder(reduce.RecurrentAutoencoderConfig{
			Recurrent: zoo.Recurrent{Cell: s.cell, Hidden: widths[0]}, Variables: r.variables,
			Window: r.width / r.variables,
			Code:   s.code, Standardise: standardise,
		}, seed)
		if err != nil {
			return nil, nil, err
		}
		task, err = v.Task(d)
		return v, task, err
	}
	cfg := reduce.AutoencoderConfig{Features: r.width, Activation: cells.Activation(s.activation),
		Tied: s.tied, Standardise: standardise}
	if s.kind == "linear" {
		cfg.Activation, cfg.Centre = "linear", !standardise
	} else {
		if cfg.Widths, err = s.layers("512,128"); err != nil {
			return nil, nil, err
		}
		if unit {
			cfg.Output = "sigmoid"
		}
	}
	cfg.Widths = append(cfg.Widths, s.code)
	if s.kind == "denoising" {
		if cfg.Corruption, err = s.corruption(); err != nil {
			return nil, nil, err
		}
	}
	a, err := reduce.NewAutoencoder(cfg, seed)
	if err != nil {
		return nil, nil, err
	}
	task, err = a.Task(d)
	return a, task, err
}

func (s *shape) check() error {
	var errs []error
	if !slices.Contains(kinds, s.kind) {
		errs = append(errs, fmt.Errorf("-kind is %q; want one of %s", s.kind,
			strings.Join(kinds, ", ")))
	}
	if s.code < 1 {
		errs = append(errs, fmt.Errorf("-code is %d; want at least 1", s.code))
	}
	if s.condition < 0 || s.condition > 0 && s.kind != "vae" {
		errs = append(errs, fmt.Errorf("-condition is %d, of kind %s; want 0 or more, of kind vae",
			s.condition, s.kind))
	}
	_, err := s.corruption()
	_, bad := s.layers("1")
	return errors.Join(append(errs, cli.AtLeast("beta", s.beta, 0),
		cli.AtLeast("free-bits", s.freeBits, 0), err, bad)...)
}

// describe is what a resumed training must have in common.
func (s *shape) describe() map[string]string {
	all := map[string]string{
		"-kind": s.kind, "-code": strconv.Itoa(s.code), "-widths": s.widths,
		"-activation": s.activation, "-noise": s.noise,
		"-cell": s.cell, "-beta": fmt.Sprint(s.beta), "-free-bits": fmt.Sprint(s.freeBits),
		"-tied": fmt.Sprint(s.tied), "-raw": fmt.Sprint(s.raw),
	}
	if s.condition > 0 { // trainings from before there was one go on
		all["-condition"] = strconv.Itoa(s.condition)
	}
	return all
}

// trainCommand is the flags of train.
type trainCommand struct {
	cli.Training
	source
	shape
	valid, quantile float64
	without         int
}

func (t *trainCommand) register(f *flag.FlagSet) {
	t.source.register(f)
	t.shape.register(f)
	f.IntVar(&t.code, "code", 32, "numbers to a code")
	f.Float64Var(&t.valid, "valid-share", 0.1, "share of the rows, from the end, that validate")
	cli.OldNames(f, "valid", "valid-share")
	f.Float64Var(&t.quantile, "quantile", 0.99,
		"share of the validation rows whose error the threshold of anomalies is above")
	f.IntVar(&t.without, "without", -1, "leave out the rows of this label")
	t.Training.Register(f)
}

// defaults are the learning rate and the batch of each kind, by its validation error on MNIST, or
// of recurrent on ETTh1.
var defaults = map[string]struct {
	rate  float64
	batch int
}{
	"autoencoder": {0.001, 128}, "denoising": {0.001, 128}, "linear": {0.003, 128},
	"vae": {0.003, 64}, "recurrent": {0.005, 32}, "pca": {1, 1},
}

func (t *trainCommand) check() error {
	t.LR, t.Batch = cmp.Or(t.LR, defaults[t.kind].rate), cmp.Or(t.Batch, defaults[t.kind].batch)
	if t.Quick {
		t.Epochs, t.limit, t.code = 1, min(t.limit, 1000), min(t.code, 8)
		if t.limit == 0 {
			t.limit = 1000
		}
		if t.widths == "" {
			t.widths = "32"
		}
	}
	var errs []error
	if !(t.valid > 0 && t.valid < 1) {
		errs = append(errs, fmt.Errorf("-valid-share is %g; want a share in (0, 1)", t.valid))
	}
	if !(t.quantile > 0 && t.quantile <= 1) {
		errs = append(errs, fmt.Errorf("-quantile is %g; want a share in (0, 1]", t.quantile))
	}
	return errors.Join(append(errs, t.source.check(), t.shape.check(), t.Training.Check())...)
}

func (t *trainCommand) run(ctx context.Context, s cli.Std) error {
	all, err := t.read(s.Messages, "train", t.without >= 0)
	if err != nil {
		return err
	}
	if t.without >= 0 {
		n := all.len()
		if all = all.without(t.without); all.len() == n {
			return fmt.Errorf("no row has the label %d that is to be left out", t.without)
		}
	}
	if all.len() < 2 {
		return fmt.Errorf("%d rows are too few to train and to validate", all.len())
	}
	fitted, valid := all.split(t.valid)
	m, err := fit(ctx, s, &t.Training, t.shape, fitted, valid, t.quantile, map[string]string{
		"-data": t.data, "-window": strconv.Itoa(t.window), "-limit": strconv.Itoa(t.limit),
		"-without":     strconv.Itoa(t.without),
		"-valid-share": fmt.Sprint(t.valid),
	})
	if err != nil {
		return err
	}
	return report(ctx, s, m, valid, "validation")
}

// fit fits a model to rows and sets its threshold: the error that a share of the validation rows
// stays below.
func fit(ctx context.Context, s cli.Std, t *cli.Training, sh shape, r, valid *rows,
	quantile float64, describe map[string]string) (reduce.Reducer, error) {
	// Of the validation rows, which stand behind those that are fitted, an error counts from the
	// first row of all.
	placed := func(err error) error {
		var bad *reduce.RowError
		if !errors.As(err, &bad) {
			return err
		}
		return fmt.Errorf("%w; this is row %d of those read, counted from 0", err, r.len()+bad.Row)
	}
	if t.Save != "" && filepath.Ext(t.Save) != ".zip" { // before a fit of minutes, not behind it
		if err := os.MkdirAll(t.Save, 0o777); err != nil {
			return nil, err
		}
	}
	m, task, err := sh.model(ctx, r, valid, reduce.RowData{Batch: t.Batch, Seed: t.Seed}, t.Seed)
	if err != nil {
		return nil, err
	}
	if task != nil {
		for k, v := range sh.describe() {
			describe[k] = v
		}
		describe["-seed"] = fmt.Sprint(t.Seed)
		_, err := t.Fit(ctx, s, cli.Run{Model: m, Task: task, Name: sh.kind, Unit: "rows",
			Monitor: "valid_loss", Describe: describe})
		if err != nil {
			return nil, placed(err)
		}
	}
	errs, err := m.Errors(valid.x)
	if err != nil {
		return nil, err
	}
	threshold, err := metrics.Quantile(errs, quantile)
	if err != nil {
		return nil, err
	}
	if err := m.SetThreshold(threshold); err != nil {
		return nil, fmt.Errorf("the error that %g of the validation rows stay below: %w", quantile,
			err)
	}
	if t.Save == "" {
		return m, nil
	}
	return m, m.Save(t.Save)
}
