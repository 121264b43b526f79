package reduce

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	_ "github.com/seqzoo/seqzoo/internal/testkit" // one seed

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

type buildLoss = func(g *nodes.Graph, x *nodes.Node) *nodes.Node

// reducersOfFive are reducers of rows of 5 numbers, each with the loss of 3 rows.
var reducersOfFive = map[string]func(t *testing.T, seed uint64) (zoo.Model, buildLoss){
	"autoencoder": func(t *testing.T, seed uint64) (zoo.Model, buildLoss) {
		m, err := NewAutoencoder(AutoencoderConfig{
			Features: 5, Widths: []int{4, 2}, Activation: "tanh", CodeActivation: "sigmoid",
			Output: "sigmoid", Corruption: Corruption{Kind: SaltAndPepper, Amount: 0.3}, Float64: true,
		}, seed)
		require.NoError(t, err)
		return m, func(_ *nodes.Graph, x *nodes.Node) *nodes.Node { return m.Forward(x).Loss }
	},
	"tied": func(t *testing.T, seed uint64) (zoo.Model, buildLoss) {
		m, err := NewAutoencoder(AutoencoderConfig{Features: 5, Widths: []int{4, 3, 2},
			Activation: "sigmoid", Loss: "bce", Tied: true, Float64: true}, seed)
		require.NoError(t, err)
		return m, func(_ *nodes.Graph, x *nodes.Node) *nodes.Node { return m.Forward(x).Loss }
	},
	"VAE": func(t *testing.T, seed uint64) (zoo.Model, buildLoss) {
		m, err := NewVAE(VAEConfig{Features: 5, Widths: []int{4}, Code: 2, Activation: "tanh",
			Beta: 2, FreeBits: 0.01, Float64: true}, seed)
		require.NoError(t, err)
		return m, func(_ *nodes.Graph, x *nodes.Node) *nodes.Node {
			return m.Forward(x, nil).Loss
		}
	},
	"recurrent": func(t *testing.T, seed uint64) (zoo.Model, buildLoss) {
		m, err := NewRecurrentAutoencoder(RecurrentAutoencoderConfig{
			Recurrent: zoo.Recurrent{Cell: "lstm", Hidden: 3, Layers: 2}, Variables: 1,
			Window: 5, Code: 2, Float64: true,
		}, seed)
		require.NoError(t, err)
		return m, func(g *nodes.Graph, x *nodes.Node) *nodes.Node {
			x = nodes.Transpose(nodes.Reshape(x, 3, 5, 1), 1, 0, 2)
			lengths := g.IntInput("lengths", 3)
			var f run.Inputs
			copy(f.Ints(lengths), []int{5, 1, 3})
			require.NoError(t, f.Err())
			return m.Forward(x, lengths, unroll.Scan).Loss
		}
	},
}

// The derivative of the loss along a random direction of all parameters, against central
// differences.
func TestReducerGradients(t *testing.T) {
	for name, model := range reducersOfFive {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				m, build := model(t, seed)
				var loss, x *nodes.Node
				require.NoError(t, nodes.Try(func() {
					g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64, Training: true})
					x = g.Input("x", 3, 5)
					loss = build(g, x)
				}))
				step, err := train.NewStep(loss)
				require.NoError(t, err)
				defer step.Close()
				var f run.Inputs
				random := rng.Stream{Key: rng.New(seed).Named(name)}
				values := f.Floats(x)
				require.NoError(t, f.Err())
				for i := range values.Len() {
					values.Set(i, random.Float64())
				}
				run := func() float64 {
					l, err := step.Run(7, 3)
					require.NoError(t, err)
					return l
				}
				run()
				checkAlongADirection(t, m, step, run, &random)
			})
		}
	}
}

// checkAlongADirection compares the gradients of the last run with a difference quotient along a
// random direction.
func checkAlongADirection(t *testing.T, m zoo.Model, step *train.Step, run func() float64,
	random *rng.Stream) {
	var slope float64
	directions := map[string][]float64{}
	for _, p := range step.Grads() {
		g, err := p.Grad()
		require.NoError(t, err)
		d := make([]float64, len(g.Data().([]float64)))
		for i, v := range g.Data().([]float64) {
			d[i] = random.Normal()
			slope += v * d[i]
		}
		directions[p.(interface{ Name() string }).Name()] = d
	}
	move := func(by float64) {
		for _, p := range m.Params().Params() {
			for i, d := range directions[p.Name()] {
				p.Value().Float64s()[i] += by * d
			}
		}
	}
	const h = 1e-5
	move(h)
	up := run()
	move(-2 * h)
	down := run()
	require.InEpsilon(t, slope, (up-down)/(2*h), 1e-6)
}

// drawWord draws one of the words, none, or one that there is not.
func drawWord[S ~string](t *rapid.T, name string, words ...S) S {
	return rapid.SampledFrom(append(slices.Clone(words), "", "x")).Draw(t, name)
}

// Whatever a configuration says, a model comes of it that maps rows to finite rows, or an error.
func TestReducersOfAnyShape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := func(name string) int { return rapid.IntRange(-1, 9).Draw(t, name) }
		flip := func(name string) bool { return rapid.IntRange(0, 3).Draw(t, name) == 0 }
		widths := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 3).Draw(t, "widths")
		var m Reducer
		var err error
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			m, err = NewAutoencoder(AutoencoderConfig{
				Features: width("features"), Widths: widths,
				Activation:     drawWord(t, "activation", shared.Activations...),
				CodeActivation: drawWord(t, "code", shared.Activations...),
				Output:         drawWord(t, "output", Linear, cells.Sigmoid),
				Loss:           drawWord(t, "loss", SquaredError, BinaryCrossEntropy),
				NoBias:         flip("bias"), Tied: flip("tied"),
				Centre: flip("centre"), Standardise: flip("standardise"), Float64: flip("float64"),
				Corruption: Corruption{Kind: drawWord(t, "corruption", GaussianNoise, Masking,
					SaltAndPepper), Amount: rapid.Float64Range(-0.2, 1.2).Draw(t, "amount")},
			}, 1)
		case 1:
			m, err = NewVAE(VAEConfig{
				Features: width("features"), Widths: widths, Code: width("code"),
				Activation:  drawWord(t, "activation", shared.Activations...),
				Likelihood:  drawWord(t, "likelihood", BernoulliDecoder, GaussianDecoder),
				Beta:        rapid.Float64Range(-1, 4).Draw(t, "beta"),
				FreeBits:    rapid.Float64Range(-0.5, 2).Draw(t, "free bits"),
				Standardise: flip("standardise"), Float64: flip("float64"),
			}, 1)
		case 2:
			m, err = NewRecurrentAutoencoder(RecurrentAutoencoderConfig{
				Recurrent: zoo.Recurrent{Cell: drawWord(t, "cell", "rnn", "gru", "lstm"),
					Hidden: width("hidden"), Layers: rapid.IntRange(0, 3).Draw(t, "layers")},
				Variables: width("variables"), Window: width("window"), Code: width("code"),
				Forward:     flip("forward"),
				Standardise: flip("standardise"), Float64: flip("float64"),
			}, 1)
		}
		if err != nil {
			return
		}
		x := someRows(rapid.IntRange(1, 18).Draw(t, "rows"), m.Features(), 1)
		y, err := Reconstruct(m, x)
		require.NoError(t, err)
		require.Len(t, y, len(x))
		errs, err := m.Errors(x)
		require.NoError(t, err)
		for _, e := range errs {
			require.False(t, math.IsNaN(e) || math.IsInf(e, 0))
		}
	})
}
