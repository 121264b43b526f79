package native_test

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/internal/testkit"

	"github.com/seqzoo/seqzoo/graph/internal/native"
	"github.com/seqzoo/seqzoo/internal/gorgoniatest"
	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// foreign are the operations that have no translation, by intent.
var foreign = []string{"diagFlatOp"}

// Every node of random graphs with gradients is computed twice from the same operands: by
// Gorgonia's op and by its translation.
func TestTranslationsEqualTheOps(t *testing.T) {
	for dt, tolerance := range map[tensor.Dtype]float64{tensor.Float64: 1e-11,
		tensor.Float32: 2e-5} {
		t.Run(dt.String(), func(t *testing.T) {
			seen := map[string]int{}
			check := func(t *rapid.T) {
				g := gorgoniatest.Draw(t, dt)
				children, err := ops.Children(g.G)
				require.NoError(t, err)
				values := map[*G.Node]G.Value{}
				for _, n := range g.G.AllNodes() {
					if n.Op() == nil || native.IsConstant(n.Op()) {
						values[n] = n.Value()
						if n.Op() == nil {
							continue
						}
					}
					in := make([]G.Value, len(children[n]))
					for i, c := range children[n] {
						in[i] = values[c]
					}
					if slices.Contains(in, nil) {
						continue // an operand that Gorgonia could not compute
					}
					name := reflect.Indirect(reflect.ValueOf(n.Op())).Type().Name()
					want, wantErr := gorgoniatest.Value(n, in)
					got, err := translate(n, children[n], in)
					if err != nil {
						if wantErr == nil {
							require.Contains(t, foreign, name, "%v: %v", n, err)
							values[n] = want
						}
						continue
					}
					if wantErr != nil {
						values[n] = got.Value()
						continue
					}
					w, err := ops.TensorOf(want)
					require.NoError(t, err)
					// Gorgonia's value does not fit its own node
					if ops.Size(w.Shape) != ops.Size(n.Shape()) {
						values[n] = got.Value()
						continue
					}
					// of a scalar −0, Gorgonia's is −1
					if n.Op().String() != "sign" || !zero(in[0]) {
						near(t, w, got, tolerance, n)
					}
					seen[name]++
					values[n] = got.Value()
				}
			}
			wanted := []string{"elemBinOp", "elemUnaryOp", "linAlgBinOp", "tensordotOp", "sumOp",
				"repeatOp", "sizeOp",
				"sliceIncrOp", "atOp", "transposeOp", "concatOp", "reshapeOp", "constantScalar",
				"minBetween", "maxBetween",
				"maxOp", "sliceOp", "softmaxOp", "softmaxDiffOp", "byIndicesOp",
				"byIndicesOpDiffOp"}
			unseen := func(op string) bool { return seen[op] == 0 }
			for round := range 50 { // rare operations may need more graphs than one check draws
				testkit.SeedRound(t, round)
				if rapid.Check(t, check); !slices.ContainsFunc(wanted, unseen) {
					break
				}
			}
			for _, want := range wanted {
				require.Positive(t, seen[want], "no %s among %v", want, seen)
			}
		})
	}
}

func zero(v G.Value) bool { return v.Data() == float64(0) || v.Data() == float32(0) }

func translate(n *G.Node, operands []*G.Node, values []G.Value) (ops.Tensor, error) {
	types := make([]ops.Type, len(operands))
	in := make([]ops.Tensor, len(operands))
	for i, c := range operands {
		types[i] = ops.TypeOf(c)
		v, err := ops.TensorOf(values[i])
		if err != nil {
			return v, err
		}
		v.Shape = types[i].Shape
		in[i] = v
	}
	e, err := native.Translate(n.Op(), types, ops.TypeOf(n))
	if err != nil {
		return ops.Tensor{}, err
	}
	return e.Eval(in)
}

// near compares with a tolerance relative to the largest number.
func near(t require.TestingT, want, got ops.Tensor, tolerance float64, n *G.Node) {
	w, g := gradcheck.Floats(want), gradcheck.Floats(got)
	require.Len(t, g, len(w), "%v", n)
	scale := 1.0
	for _, v := range w {
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			scale = max(scale, math.Abs(v))
		}
	}
	for i := range w {
		if w[i] == g[i] || math.IsNaN(w[i]) && math.IsNaN(g[i]) {
			continue
		}
		require.InDelta(t, w[i], g[i], tolerance*scale, "element %d of %v, %v", i, n, n.Shape())
	}
}
