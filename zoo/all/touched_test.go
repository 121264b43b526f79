package all_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/threads"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// dense hides of a task's gradients which rows they have.
type dense struct{ train.Sharded }

type denseGradient struct {
	gorgonia.ValueGrad
	name string
}

func (g denseGradient) Name() string { return g.name }

func (d dense) Next(seed uint64, counter int) (train.Batch, error) {
	b, err := d.Sharded.Next(seed, counter)
	return hidden(b), err
}

func (d dense) Shard(k, n int, seed uint64, counter int) (train.Batch, error) {
	b, err := d.Sharded.Shard(k, n, seed, counter)
	return hidden(b), err
}

func hidden(b train.Batch) train.Batch {
	var all []gorgonia.ValueGrad
	for _, g := range b.Grads {
		all = append(all, denseGradient{g, g.(gorgonia.Namer).Name()})
	}
	b.Grads = all
	return b
}

// textsOf are texts of few of many words, with a text now and then that has most of them.
func textsOf(n int) (out [][]int) {
	for i := range n {
		var ids []int
		for k := range 4 + i%5 {
			ids = append(ids, 3+(i*i*7+k*k*k*31+i*k)%900)
		}
		out = append(out, ids)
	}
	return out
}

// lookingUp are tasks of models with rows for 900 words, more than a block's.
var lookingUp = map[string]func() train.Task{
	"language model": func() train.Task {
		m := must(lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 40}},
			nineHundred(), 1))
		d := lm.Data{Train: slices.Concat(textsOf(60)...), Batch: 4}
		d.Window.Stride = 5
		return must(m.Task(d))
	},
	"whole windows": func() train.Task { // of which some touch most rows
		m := must(lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 3}}, nineHundred(),
			1))
		d := lm.Data{Train: slices.Concat(textsOf(600)...), Batch: 4}
		d.Window.Stride = 200
		return must(m.Task(d))
	},
	"seq2seq": func() train.Task {
		layer := zoo.Recurrent{Cell: "gru", Hidden: 40}
		m := must(seq2seq.New(seq2seq.Config{Encoder: layer, Decoder: layer}, nineHundred(),
			nineHundred(), 1))
		d := seq2seq.Data{Batch: 4, Seed: 1}
		for _, s := range textsOf(30) {
			d.Train = append(d.Train, seq2seq.Pair{Source: s, Target: s[1:]})
		}
		return must(m.Task(d))
	},
	"tagger": func() train.Task {
		labels := must(text.NewVocabulary(text.VocabularyConfig{}, []string{"X", "Y"}))
		m := must(label.NewTagger(label.TaggerConfig{Config: label.Config{
			Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 40}}}, nineHundred(), labels, 1))
		d := label.Data{Batch: 3, Seed: 1}
		for _, s := range textsOf(20) { // the last batch has 2 examples, of 4 shards
			tags := make([]int, len(s))
			tags[0] = 1
			d.Train = append(d.Train, label.Labelled{Sequence: label.Sequence{IDs: s},
				Labels: tags})
		}
		return must(m.Task(d))
	},
}

func nineHundred() *text.Vocabulary {
	words := make([]string, 900)
	for i := range words {
		words[i] = fmt.Sprint("w", i)
	}
	return must(text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS,
		text.Unk}}, words))
}

// Gradients of which the touched rows alone are clipped, updated, summed and sent give the bits
// that whole ones give, with any optimizer, shards and processes.
func TestTouchedRows(t *testing.T) {
	optimizers := map[string]func() train.Optimizer{
		"sgd":      func() train.Optimizer { return must(train.NewSGD(train.SGDConfig{})) },
		"momentum": func() train.Optimizer { return must(train.NewSGD(train.SGDConfig{Momentum: 0.9})) },
		"decay":    func() train.Optimizer { return must(train.NewSGD(train.SGDConfig{WeightDecay: 0.1})) },
		"adagrad":  func() train.Optimizer { return must(train.NewAdagrad(train.AdagradConfig{})) },
		"adadelta": func() train.Optimizer { return must(train.NewAdadelta(train.AdadeltaConfig{})) },
		"rmsprop":  func() train.Optimizer { return must(train.NewRMSProp(train.RMSPropConfig{})) },
		"adam":     func() train.Optimizer { return must(train.NewAdam(train.AdamConfig{LR: 0.01})) },
	}
	end := func(task train.Task, c train.Config) (string, error) {
		c.Epochs, c.MaxSteps, c.Seed, c.Warn = 4, 7, 3, func(string) {}
		if _, err := train.Fit(context.Background(), task, c); err != nil {
			return "", err
		}
		all, o := state(task), c.Optimizer.State()
		for _, name := range slices.Sorted(maps.Keys(o.Tensors)) {
			all += fmt.Sprintf("%s %x\n", name, o.Tensors[name].Data())
		}
		return all, nil
	}
	for name, make := range lookingUp {
		t.Run(name, func(t *testing.T) {
			for _, o := range slices.Sorted(maps.Keys(optimizers)) {
				clip := train.Clip{Norm: 0.05}
				switch o {
				case "adagrad":
					clip = train.Clip{Value: 0.001}
				case "adam":
					clip.Each = true
				}
				for _, shards := range []int{1, 4} {
					c := train.Config{Shards: shards, Clip: clip, Accumulate: 1 + len(o)%2}
					c.Optimizer = optimizers[o]()
					want := must(end(dense{make().(train.Sharded)}, c))
					c.Optimizer = optimizers[o]()
					require.True(t, want == must(end(make(), c)), "%s, %d shards", o, shards)
					for _, processes := range []int{2, 3, 4} {
						if shards < processes || o != "sgd" && o != "adam" && o != "adagrad" {
							continue
						}
						errs := threads.Run(processes, func(p *threads.Process) error {
							c := c
							c.Optimizer, c.Processes = optimizers[o](), exchange(p)
							task := make()
							if p.Rank() == 1 && processes == 3 { // it does not know what is touched
								task = dense{task.(train.Sharded)}
							}
							got, err := end(task, c)
							if err == nil && got != want {
								return fmt.Errorf("%s: process %d of %d ends otherwise", o,
									p.Rank(), processes)
							}
							return err
						})
						for _, err := range errs {
							require.NoError(t, err)
						}
					}
				}
			}
		})
	}
}

// noisy adds to every number of a gradient, in place.
func noisy(params []gorgonia.ValueGrad) error {
	for _, p := range params {
		g, err := p.Grad()
		if err != nil {
			return err
		}
		for i, x := range g.Data().([]float32) {
			g.Data().([]float32)[i] = x + 0.001
		}
	}
	return nil
}

type noisyTask struct{ train.Sharded }

func (n noisyTask) Next(seed uint64, counter int) (train.Batch, error) {
	return n.Shard(0, 0, seed, counter)
}

func (n noisyTask) Shard(k, shards int, seed uint64, counter int) (b train.Batch, err error) {
	if shards == 0 {
		b, err = n.Sharded.Next(seed, counter)
	} else {
		b, err = n.Sharded.Shard(k, shards, seed, counter)
	}
	if err == nil {
		err = noisy(b.Grads)
	}
	return b, err
}

type noisyOptimizer struct{ train.Optimizer }

func (o noisyOptimizer) Step(params []gorgonia.ValueGrad) error {
	if err := noisy(params); err != nil {
		return err
	}
	return o.Optimizer.Step(params)
}

// Whoever writes to a gradient writes to all of it.
func TestTouchedRowsAndWriters(t *testing.T) {
	for _, shards := range []int{1, 4} {
		end := func(wrap func(train.Sharded) train.Task, inOptimizer bool) string {
			task := lookingUp["language model"]().(train.Sharded)
			c := train.Config{Optimizer: must(train.NewSGD(train.SGDConfig{LR: 0.5})), Epochs: 1,
				MaxSteps: 6,
				Shards:   shards, Clip: train.Clip{Norm: 5}, Warn: func(string) {}}
			if inOptimizer {
				c.Optimizer = noisyOptimizer{c.Optimizer}
			}
			_, err := train.Fit(context.Background(), wrap(task), c)
			require.NoError(t, err)
			return state(task)
		}
		same := func(s train.Sharded) train.Task { return s }
		hide := func(s train.Sharded) train.Task { return dense{s} }
		require.True(t, end(hide, true) == end(same, true), "%d shards, the optimizer writes",
			shards)
		require.True(t, end(func(s train.Sharded) train.Task { return noisyTask{dense{s}} },
			false) ==
			end(func(s train.Sharded) train.Task { return noisyTask{s} }, false),
			"%d shards, the task writes",
			shards)
		require.False(t, end(same, true) == end(same, false))
	}
}

// Parameters so large that each is divided by itself give the bits of one process, whatever way
// numbers travel.
func TestLargeParametersOverProcesses(t *testing.T) {
	fit := func(p train.Processes) (string, error) {
		m := must(lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 300}},
			nineHundred(), 1))
		d := lm.Data{Train: slices.Concat(textsOf(60)...), Batch: 4}
		d.Window.Stride = 5
		task := must(m.Task(d))
		adam := must(train.NewAdam(train.AdamConfig{LR: 0.01}))
		_, err := train.Fit(context.Background(), task, train.Config{Optimizer: adam, Epochs: 1,
			MaxSteps: 5, Shards: 3,
			Processes: p, Clip: train.Clip{Norm: 0.05}, Warn: func(string) {}})
		parts := []any{} // they are long
		for _, param := range task.Params() {
			parts = append(parts, param.Value().Float32s())
		}
		tensors := adam.State().Tensors
		for _, name := range slices.Sorted(maps.Keys(tensors)) {
			parts = append(parts, name, tensors[name].Data())
		}
		return must(train.DigestOf(parts...)), err
	}
	want := must(fit(nil))
	ways := map[string]func(p *threads.Process) train.Processes{
		"at once":  func(p *threads.Process) train.Processes { return p },
		"messages": func(p *threads.Process) train.Processes { return threads.Messages{Process: p} },
		"windows": func(p *threads.Process) train.Processes {
			return threads.Neighbours{Messages: threads.Messages{Process: p}}
		},
	}
	for way, make := range ways {
		errs := threads.Run(2, func(p *threads.Process) error {
			got, err := fit(make(p))
			if err == nil && got != want {
				return fmt.Errorf("process %d ends otherwise", p.Rank())
			}
			return err
		})
		for _, err := range errs {
			require.NoError(t, err, way)
		}
	}
}
