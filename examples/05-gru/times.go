package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

const tokensAStep = 640 // words that an update learns from: the batch times the length of a window

var lengths = []int{20, 80}

func widths(p *course.Page) []int {
	return course.Pick(p, []int{8, 12, 16, 24}, []int{16, 64, 128, 256}, []int{16, 64, 128, 512})
}

// newCell makes a cell of the library by its spec.
func newCell(s *nodes.Scope, spec string, in, hidden int) cells.Cell {
	config, err := cells.Parse(spec)
	if err != nil {
		panic(&nodes.BuildError{Op: "cell", Msg: err.Error(), Err: err})
	}
	return config.Sized(in, hidden).New(s)
}

// difference is how far the outputs of a cell lie from those of the library's GRU with the same
// weights.
func difference(newCell func(s *nodes.Scope, in, hidden int) cells.Cell) (most float64, err error) {
	const T, B, H = 20, 4, 16
	var x *nodes.Node
	var outputs []*nodes.Node
	store := nodes.NewStore(nodes.Float32, 1)
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{})
		x = g.Input("x", T, B, H)
		for _, c := range []cells.Cell{newCell(store.Root().In("ours"), H, H),
			cells.NewGRU(store.Root().In("library"), cells.GRUConfig{In: H, Hidden: H})} {
			outputs = append(outputs, unroll.Over(c).Unroll(x, nil, unroll.Options{}).Y())
		}
	})
	if err != nil {
		return 0, err
	}
	for _, name := range []string{"W_ih", "W_hh", "b", "b_hn"} {
		from, _ := store.Get("ours/" + name)
		to, _ := store.Get("library/" + name)
		if err := run.ParamFloats(to).Copy(run.ParamFloats(from)); err != nil {
			return 0, err
		}
	}
	step, err := run.New(outputs)
	if err != nil {
		return 0, err
	}
	defer step.Close()
	var in run.Inputs
	noise(in.Floats(x))
	if err := errors.Join(in.Err(), step.Run(0, 0)); err != nil {
		return 0, err
	}
	ours, library := step.Output(0).Float64s(), step.Output(1).Float64s()
	for i := range ours {
		most = max(most, math.Abs(ours[i]-library[i]))
	}
	return most, nil
}

func noise(x run.Floats) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range x.Len() {
		x.Set(i, r.NormFloat64())
	}
}

// layerStep is a training step of a layer that reads as many numbers as it has units.
func layerStep(spec string, B, T, in, H int) (*train.Step, error) {
	var loss, x *nodes.Node
	err := nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Training: true})
		x = g.Input("x", T, B, in)
		cell := newCell(nodes.NewStore(nodes.Float32, 1).Root(), spec, in, H)
		loss = nodes.Mean(nodes.Square(unroll.Over(cell).Unroll(x, nil, unroll.Options{}).Y()))
	})
	if err != nil {
		return nil, err
	}
	s, err := train.NewStep(loss)
	if err != nil {
		return nil, err
	}
	var in2 run.Inputs
	noise(in2.Floats(x))
	_, err = s.Run(0, 0)
	return s, errors.Join(err, in2.Err())
}

// wordStep is a training step of the whole task: an embedding, the layer, the output layer and its
// softmax.
func wordStep(spec string, V, H, T int) (*train.Step, error) {
	B := tokensAStep / T
	store := nodes.NewStore(nodes.Float32, 1)
	var loss, ids, targets *nodes.Node
	err := nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Training: true})
		ids, targets = g.IntInput("ids", T, B), g.IntInput("targets", T, B)
		table := store.Root().In("embedding").Param("E", nodes.Normal(0, 0.1), V, H)
		cell := newCell(store.Root().In("layer"), spec, H, H)
		h := unroll.Over(cell).Unroll(nodes.Embedding(table, ids, -1), nil, unroll.Options{}).Y()
		out := nodes.NewLinear(store.Root().In("out"), nodes.LinearConfig{In: H, Out: V})
		g.Within("out", func() {
			loss = nodes.CrossEntropy(out.Of(h), targets, nodes.CrossEntropyOptions{})
		})
	})
	if err != nil {
		return nil, err
	}
	s, err := train.NewStep(loss)
	if err != nil {
		return nil, err
	}
	var in run.Inputs
	a, b := in.Ints(ids), in.Ints(targets)
	for i := range a {
		a[i], b[i] = i*37%V, i*91%V
	}
	_, err = s.Run(0, 0)
	return s, errors.Join(err, in.Err())
}

// least times several steps in turns, and gives the time of each by the part of the model, in
// milliseconds on one core. Of each instruction the least time counts: what it takes when nothing
// disturbs it.
func least(p *course.Page, steps []*train.Step) (ms []map[string]float64, err error) {
	times := make([][]time.Duration, len(steps))
	parts := make([][]string, len(steps))
	for range course.Pick(p, 1, 4, 10) {
		for i, s := range steps {
			profile, err := s.Machine().Profile(course.Pick(p, 1, 3, 5))
			if err != nil {
				return nil, err
			}
			if times[i] == nil {
				for _, t := range profile.Instructions {
					times[i], parts[i] = append(times[i], t.Time), append(parts[i], partOf(t.Path))
				}
			}
			for k, t := range profile.Instructions {
				times[i][k] = min(times[i][k], t.Time)
				if t.InLoop {
					parts[i][k] = "" // that of the loop has it
				}
			}
		}
		if p.Context().Err() != nil {
			return nil, p.Context().Err()
		}
	}
	for i := range steps {
		of := map[string]float64{}
		for k, t := range times[i] {
			if parts[i][k] != "" {
				of[parts[i][k]] += milliseconds(t)
				of["all"] += milliseconds(t)
			}
		}
		ms = append(ms, of)
	}
	return ms, nil
}

// partOf is the part of the model that an instruction computes for.
func partOf(path string) string {
	for _, part := range []string{"out", "layer", "embedding"} {
		if strings.Contains(path, part) {
			return part
		}
	}
	return "other"
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// timed makes steps, times them and closes them.
func timed(p *course.Page, n int, newStep func(i int) (*train.Step,
	error)) (ms []map[string]float64, err error) {
	var steps []*train.Step
	defer func() {
		for _, s := range steps {
			err = errors.Join(err, s.Close())
		}
	}()
	for i := range n {
		s, err := newStep(i)
		if err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	return least(p, steps)
}

func timeLayers(p *course.Page) (map[string][]float64, error) {
	out := map[string][]float64{}
	for _, T := range lengths {
		for _, H := range widths(p) {
			ms, err := timed(p, len(compared), func(i int) (*train.Step, error) {
				return layerStep(compared[i].Spec, tokensAStep/T, T, H, H)
			})
			if err != nil {
				return nil, err
			}
			for _, m := range ms {
				out[fmt.Sprint(T, H)] = append(out[fmt.Sprint(T, H)], m["all"])
			}
			p.Progress("%d steps, %d units", T, H)
		}
	}
	return out, nil
}

// WholeTime is the time of a step of the whole task, in milliseconds.
type WholeTime struct {
	Words                 int
	Cell                  string
	Layer, Softmax, Total float64
	LayerRatio, Ratio     float64 // to the RNN
}

func timeWhole(p *course.Page) (out []WholeTime, err error) {
	H := course.Pick(p, 16, 128, 128)
	for _, V := range course.Pick(p, []int{50, 200}, []int{1000, 4000, 16000}, []int{1000, 4000,
		16000, 33278}) {
		ms, err := timed(p, 3, func(i int) (*train.Step, error) {
			return wordStep(compared[i].Spec,
				V, H, lengths[0])
		})
		if err != nil {
			return nil, err
		}
		for i, m := range ms {
			out = append(out, WholeTime{V, compared[i].Name, m["layer"], m["out"], m["all"],
				m["layer"] / ms[0]["layer"], m["all"] / ms[0]["all"]})
		}
		p.Progress("%d words", V)
	}
	return out, nil
}
