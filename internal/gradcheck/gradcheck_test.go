package gradcheck_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/nodes"
)

// quadratic is Σ (x·W)² with a parameter.
func quadratic(g *nodes.Graph, in []*nodes.Node) *nodes.Node {
	w := nodes.NewStore(g.Dtype(), 1).Root().Param("W", nodes.XavierUniform(1), 3, 2)
	return nodes.Sum(nodes.Square(nodes.MatMul(in[0], w)))
}

func TestCheckAcceptsRightGradients(t *testing.T) {
	gradcheck.Check(t, quadratic, gradcheck.Between(-1, 1, 1, 4, 3))
	gradcheck.Check(t, gradcheck.Gradient(quadratic), gradcheck.Between(-1, 1, 1, 4, 3))
	gradcheck.Check(t, func(_ *nodes.Graph, in []*nodes.Node) *nodes.Node {
		return nodes.Mul(in[0],
			in[1])
	},
		gradcheck.Between(1, 2, 1), gradcheck.Between(1, 2, 2))
}

// failing remembers that a test failed instead of failing.
type failing struct{ failed bool }

func (*failing) Helper()                 {}
func (f *failing) Errorf(string, ...any) { f.failed = true }
func (f *failing) FailNow()              { f.failed = true; panic(f) }

func TestCheckRefusesWrongGradients(t *testing.T) {
	for name, build := range map[string]gradcheck.Build{
		"a part without gradient": func(_ *nodes.Graph, in []*nodes.Node) *nodes.Node {
			return nodes.Sum(nodes.Mul(in[0], nodes.StopGradient(in[0])))
		},
		"one element of many": func(g *nodes.Graph, in []*nodes.Node) *nodes.Node {
			x := in[0]
			return nodes.Sum(nodes.Add(x, nodes.Concat(1, g.Zeros(2, 1),
				nodes.StopGradient(nodes.Slice(x, 1, 1, 2)))))
		},
		"NaN": func(_ *nodes.Graph, in []*nodes.Node) *nodes.Node {
			return nodes.Sum(nodes.Log(nodes.Shift(in[0], -5)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := &failing{}
			func() {
				defer func() { _ = recover() }()
				gradcheck.Check(f, build, gradcheck.Between(-1, 1, 1, 2, 2))
			}()
			require.True(t, f.failed)
		})
	}
}
