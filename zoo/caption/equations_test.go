package caption_test

import (
	"context"
	"image"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	zoocaption "github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// numbers are the elements of a parameter in double precision.
func numbers(m zoo.Model, name string) []float64 {
	p, ok := m.Params().Get(name)
	if !ok {
		panic(name)
	}
	return p.Value().Data().([]float64)
}

// mulVec is x·W.
func mulVec(x, w []float64) []float64 {
	out := make([]float64, len(w)/len(x))
	for i, a := range x {
		for j := range out {
			out[j] += a * w[i*len(out)+j]
		}
	}
	return out
}

func sumOf(xs ...[]float64) []float64 {
	out := slices.Clone(xs[0])
	for _, x := range xs[1:] {
		for i := range out {
			out[i] += x[i]
		}
	}
	return out
}

func each(x []float64, f func(float64) float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = f(v)
	}
	return out
}

// The loss is that of the equations, written as loops; and both ways to unroll give it.
func TestCaptionerIsItsEquations(t *testing.T) {
	m := newCaptioner(t, zoocaption.Config{
		Stride: 3, Hidden: 5, Features: 4, Embed: 2, Decoder: zoo.Recurrent{Cell: "rnn", Hidden: 3},
		ScoreHidden: 6, Float64: true,
	})
	for _, p := range m.Params().Params() {
		key := rng.New(8).Named(p.Name())
		v := p.Value().Data().([]float64)
		for i := range v {
			v[i] = key.Normal(uint64(i)) / 2
		}
	}
	begin, _ := m.Vocabulary().ID(text.BOS)
	numbers(m, "out/b")[begin] = -40 // Caption leaves it out
	pictures, captions, _ := signs(3, 7)
	captions[1] = captions[1][:1]
	sum, n := 0.0, 0
	for i, picture := range pictures {
		a, h := lookByEquations(t, m, picture)
		ids, err := m.Vocabulary().Encode(captions[i])
		require.NoError(t, err)
		end, _ := m.Vocabulary().ID(text.EOS)
		for _, loss := range writeByEquations(m, a, h, begin, append(ids, end)) {
			sum += loss
			n++
		}
	}
	examples := captioned(t, m, pictures, captions)
	loss, err := m.Loss(context.Background(), examples)
	require.NoError(t, err)
	require.InDelta(t, sum/float64(n), loss, 1e-6) // the brightness of a pixel is float32 above
	task, err := m.Task(zoocaption.Data{Train: examples, Unroll: unroll.Expand})
	require.NoError(t, err)
	b, err := task.Next(0, 0)
	require.NoError(t, err)
	require.InDelta(t, loss, b.Loss, 1e-12)
	require.Equal(t, n, b.Count)
	gradientAlong(t, task)
	requireCaptionsWorth(t, m, pictures[0])
}

// lookByEquations is what the decoder of a captioner attends to in a picture, by its cells, and the
// state that it starts from.
func lookByEquations(t *testing.T, m *zoocaption.Model, picture image.Image) (a [][]float64,
	h []float64) {
	relu := func(x float64) float64 { return max(x, 0) }
	patches, err := m.Patches(picture)
	require.NoError(t, err)
	require.Len(t, patches, m.Cells()*9)
	mean := make([]float64, 4)
	for s := range m.Cells() {
		x := make([]float64, 9)
		for k := range x {
			x[k] = float64(patches[s*9+k])
			at := m.Cell(s).Min.Add(image.Pt(k%3, k/3)).Add(picture.Bounds().Min)
			require.InDelta(t, float64(picture.(*image.Gray).GrayAt(at.X, at.Y).Y)/255, x[k],
				1e-6)
		}
		h := each(sumOf(mulVec(x, numbers(m, "patch/W_1")), numbers(m, "patch/b_1")), relu)
		a = append(a, each(sumOf(mulVec(h, numbers(m, "patch/W_2")), numbers(m, "patch/b_2"),
			numbers(m, "place/E")[s*4:s*4+4]), relu))
		for k := range mean {
			mean[k] += a[s][k] / float64(m.Cells())
		}
	}
	h = each(sumOf(mulVec(mean, numbers(m, "start/l0/W_h")), numbers(m, "start/l0/b_h")),
		math.Tanh)
	return a, h
}

// writeByEquations is the loss of each token, from the state h of the decoder.
func writeByEquations(m *zoocaption.Model, a [][]float64, h []float64, begin int,
	ids []int) (losses []float64) {
	last := begin
	for _, id := range ids {
		weights, total := make([]float64, m.Cells()), 0.0
		for s := range a {
			e := each(sumOf(mulVec(h, numbers(m, "attention/W_q")),
				mulVec(a[s], numbers(m, "attention/W_k"))), math.Tanh)
			weights[s] = math.Exp(mulVec(e, numbers(m, "attention/v"))[0])
			total += weights[s]
		}
		context := make([]float64, 4)
		for s := range a {
			for k := range context {
				context[k] += weights[s] / total * a[s][k]
			}
		}
		x := append(slices.Clone(numbers(m, "words/E")[2*last:2*last+2]), context...)
		h = each(sumOf(mulVec(x, numbers(m, "decoder/l0/W_ih")),
			mulVec(h, numbers(m, "decoder/l0/W_hh")), numbers(m, "decoder/l0/b")), math.Tanh)
		logits := sumOf(mulVec(append(slices.Clone(h), context...), numbers(m, "out/W")),
			numbers(m, "out/b"))
		all := 0.0
		for _, l := range logits {
			all += math.Exp(l)
		}
		losses = append(losses, math.Log(all)-logits[id])
		last = id
	}
	return losses
}

// requireCaptionsWorth holds that a caption is worth what the model thinks of it.
func requireCaptionsWorth(t *testing.T, m *zoocaption.Model, picture image.Image) {
	t.Helper()
	found, err := m.Caption(context.Background(), picture,
		decode.SearchOptions{Beam: 4, Best: 4, Max: 6})
	require.NoError(t, err)
	require.NotEmpty(t, found)
	for _, c := range found {
		require.Len(t, c.Maps, len(c.Tokens))
		for _, row := range c.Maps {
			total := 0.0
			for _, w := range row {
				total += w
			}
			require.InDelta(t, 1, total, 1e-12)
			require.Len(t, row, m.Cells())
		}
		if c.Ended {
			loss, err := m.Loss(context.Background(),
				captioned(t, m, []image.Image{picture}, [][]string{c.Tokens}))
			require.NoError(t, err)
			require.InDelta(t, -loss*float64(len(c.Tokens)+1), c.LogProb, 1e-9)
		}
	}
}

// gradientAlong holds the gradients of a task whose batches are all alike to finite differences
// along random directions, in double precision.
func gradientAlong(t *testing.T, task train.Task) {
	t.Helper()
	at := func() (float64, []float64) {
		b, err := task.Next(5, 7)
		require.NoError(t, err)
		var all []float64
		for _, p := range b.Grads {
			g, err := p.Grad()
			require.NoError(t, err)
			all = append(all, g.Data().([]float64)...)
		}
		return b.Loss, all
	}
	_, first := at()
	gradient := slices.Clone(first)
	b, err := task.Next(5, 7)
	require.NoError(t, err)
	for seed := range uint64(3) {
		move := func(by float64) {
			i := uint64(0)
			for _, p := range b.Grads {
				v := p.Value().(*tensor.Dense).Data().([]float64)
				for k := range v {
					v[k] += by * rng.New(seed).Normal(i)
					i++
				}
			}
		}
		want, norm := 0.0, 0.0
		for i, g := range gradient {
			want += g * rng.New(seed).Normal(uint64(i))
			norm += g * g
		}
		const h = 1e-5
		move(h)
		above, _ := at()
		move(-2 * h)
		below, _ := at()
		move(h)
		require.InDelta(t, want, (above-below)/(2*h), 1e-6*math.Sqrt(norm), "seed %d", seed)
	}
}
