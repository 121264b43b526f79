package golden_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// family says how the cases of a file are run.
type family struct {
	run   func(*goldenRun)
	modes []mode
}

var families = map[string]family{
	"rnn":             {runRecurrent, unrolled},
	"lstm":            {runRecurrent, unrolled},
	"gru":             {runRecurrent, unrolled},
	"lengths":         {runRecurrent, unrolled},
	"tbptt":           {runTruncated, unrolled},
	"norm_dropout":    {runNormDropout, unrolled},
	"optim":           {runOptim, unrolled},
	"binary_addition": {runBinaryAddition, unrolled},
	"losses":          {runLosses, plain},
	"embedding":       {runEmbedding, plain},
	"word2vec":        {runWord2Vec, plain},
	"initialisers":    {runInitialisers, once},
	"attention":       {runAttention, attentions},
	"decode":          {runDecode, unrolled},
	"seq2seq":         {runSeq2Seq, unrolled},
	"hred":            {runHRED, unrolled},
	"vae":             {runVAE, plain},
	"label":           {runLabel, unrolled},
	"forecast":        {runForecast, unrolled},
}

// mode is one way to run a case.
type mode struct {
	name     string
	dtype    tensor.Dtype
	strategy unroll.Strategy
}

var (
	unrolled = []mode{
		{"scan/float64", nodes.Float64, unroll.Scan},
		{"expand/float64", nodes.Float64, unroll.Expand},
		{"scan/float32", nodes.Float32, unroll.Scan},
		{"expand/float32", nodes.Float32, unroll.Expand},
	}
	plain = []mode{{"float64", nodes.Float64, 0}, {"float32", nodes.Float32, 0}}
	once  = []mode{{"float64", nodes.Float64, 0}}
)

// goldenTotal is the number of cases under testdata.
const goldenTotal = 592 + 63

// TestGolden holds the library to the reference numbers of testdata, or of the folder GOLDEN_DIR:
// every case of every file, and in it every output, the loss and every gradient by name. A case
// that the library does not know, be it by its family, a setting, an input or an output, fails by
// its name, and the others run.
func TestGolden(t *testing.T) {
	dir, given := directory()
	paths, err := filesUnder(dir)
	require.NoError(t, err)
	require.NotEmpty(t, paths, "no *.json in %s", dir)

	total := 0
	for _, path := range paths {
		file, err := readFile(path)
		total += len(file.Cases)
		t.Run(cmp.Or(file.Family, filepath.Base(path)), func(t *testing.T) {
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			for _, raw := range file.Cases {
				t.Run(nameOf(raw), func(t *testing.T) {
					c := readCase(t, raw)
					name := c.family(file.Family)
					family, ok := families[name]
					require.True(t, ok, "%s: unknown family %q", path, name)
					for _, m := range family.modes {
						t.Run(m.name, func(t *testing.T) {
							runGolden(t, family, name, c, m)
						})
					}
				})
			}
		})
	}
	t.Logf("%d cases", total)
	if !given {
		require.Equal(t, goldenTotal, total)
	}
}

// goldenRun is a case being run in one mode.
type goldenRun struct {
	*testing.T
	goldenCase
	mode
	family string
	config settings

	store  *nodes.Store
	theirs map[string][]part // where the parameters of the case are in store, by PyTorch's name
	g      *nodes.Graph
	given  map[string]*nodes.Node // inputs that have a gradient
	used   map[string]bool        // inputs
	nodes  map[string]*nodes.Node // outputs
	held   map[string]bool        // which of output, loss and gradient were compared
	rtol   float64
	atol   float64

	instead func(loss *nodes.Node) // of check; nil: check
}

func runGolden(t *testing.T, f family, name string, c goldenCase, m mode) {
	defer func() {
		if p := recover(); p != nil { // so that a malformed case fails alone
			t.Fatalf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	r := newRun(t, name, c, m)
	require.NoError(t, nodes.Try(func() { f.run(r) }))
	r.config.done()
	for name := range c.Inputs {
		require.True(t, r.used[name], "input %q is not used", name)
	}
	for name := range c.Params {
		require.Contains(t, r.theirs, name, "parameter %q is not used", name)
	}
	require.True(t, r.held["output"] || len(c.Outputs) == 0, "no output was compared")
	require.True(t, r.held["loss"] || c.Loss == nil, "the loss was not compared")
	require.True(t, r.held["gradient"] || len(c.Grads) == 0, "no gradient was compared")
}

func newRun(t *testing.T, name string, c goldenCase, m mode) *goldenRun {
	r := &goldenRun{
		T: t, goldenCase: c, mode: m, family: name, config: newSettings(t, c.Config),
		store: nodes.NewStore(m.dtype, 1), theirs: map[string][]part{},
		given: map[string]*nodes.Node{}, used: map[string]bool{}, nodes: map[string]*nodes.Node{},
		held: map[string]bool{},
		rtol: 1e-9, atol: 1e-12,
	}
	if m.dtype == nodes.Float32 {
		r.rtol, r.atol = 1e-4, 1e-5
	}
	delete(r.config.keys, "family")
	return r
}

// trajectory widens the tolerance of float32, in which errors build up from step to step.
func (r *goldenRun) trajectory() {
	if r.dtype == nodes.Float32 {
		r.rtol = 1e-3
	}
}

// start begins the graph.
func (r *goldenRun) start(o nodes.Options) *nodes.Graph {
	o.Dtype = r.dtype
	o.Training = o.Training || r.instead != nil // for train.NewStep
	r.g = nodes.NewGraph(o)
	return r.g
}

// raw is an input as it stands in the file.
func (r *goldenRun) raw(name string, shape ...int) []float64 {
	r.Helper()
	a, ok := r.Inputs[name]
	require.True(r, ok, "there is no input %q", name)
	require.Equal(r, fmt.Sprint(shape), fmt.Sprint(a.Shape), "input %q", name)
	r.used[name] = true
	return a.Data
}

// has reports whether the case has an input.
func (r *goldenRun) has(name string) bool { _, ok := r.Inputs[name]; return ok }

// input is an input with a gradient, constant one without, and ints one of integers.
func (r *goldenRun) input(name string, shape ...int) *nodes.Node {
	n := r.constant(name, shape...)
	r.given[name] = n
	return n
}

func (r *goldenRun) constant(name string, shape ...int) *nodes.Node {
	return r.bind(r.g.Input(name, shape...), r.raw(name, shape...))
}

func (r *goldenRun) ints(name string, shape ...int) *nodes.Node {
	require.Equal(r, "int", r.Inputs[name].Dtype, "input %q", name)
	return r.bind(r.g.IntInput(name, shape...), r.raw(name, shape...))
}

func (r *goldenRun) bind(n *nodes.Node, data []float64) *nodes.Node {
	v := tensor.New(tensor.Of(n.Dtype()), tensor.WithShape(n.Shape()...))
	fill(v, data)
	require.NoError(r, gorgonia.Let(n.Gorgonia(), v))
	return n
}

// output names a node of the graph as an output of the case.
func (r *goldenRun) output(name string, n *nodes.Node) { r.nodes[name] = n }

// cotangentLoss is Σ output∘dOut_output over the outputs that have such an input.
func (r *goldenRun) cotangentLoss() (loss *nodes.Node) {
	for _, name := range slices.Sorted(maps.Keys(r.nodes)) {
		y := r.nodes[name]
		if !r.has("dOut_" + name) {
			continue
		}
		s := nodes.Sum(nodes.Mul(y, r.constant("dOut_"+name, y.Shape()...)))
		if loss != nil {
			s = nodes.Add(loss, s)
		}
		loss = s
	}
	require.NotNil(r, loss, "there are no cotangents")
	return loss
}

// check runs the graph and compares everything: outputs, loss and gradients.
func (r *goldenRun) check(loss *nodes.Node) {
	if r.instead != nil {
		r.instead(loss)
		return
	}
	keep := []*gorgonia.Node{loss.Gorgonia()}
	for _, n := range r.nodes {
		keep = append(keep, n.Gorgonia())
	}
	inputs := slices.Sorted(maps.Keys(r.given))
	params := r.store.Params()
	var wrt []nodes.Operand
	for _, name := range inputs {
		wrt = append(wrt, r.given[name])
	}
	for _, p := range params {
		wrt = append(wrt, p)
	}
	derivatives := r.g.Gradients(loss, wrt...)
	for _, d := range derivatives {
		keep = append(keep, d.Gorgonia())
	}
	r.load(r.Params)
	r.compute(keep...)

	outputs := map[string]array{}
	for name, n := range r.nodes {
		outputs[name] = arrayOf(n)
	}
	r.compareAll("output", r.Outputs, outputs)
	r.compareLoss(arrayOf(loss).Data[0])
	if strings.Contains(r.Label, "_huge") && r.dtype == nodes.Float32 {
		r.held["gradient"] = true // or so: a logit of 1e4 is known to 1e-3 in float32
		return
	}
	ours := map[*nodes.Param][]float64{}
	for i, p := range params {
		ours[p] = arrayOf(derivatives[len(inputs)+i]).Data
	}
	grads := r.gather(ours)
	for i, name := range inputs {
		grads[name] = arrayOf(derivatives[i])
	}
	r.compareAll("gradient", r.Grads, grads)
}

// compute runs the graph for the nodes in keep.
func (r *goldenRun) compute(keep ...*gorgonia.Node) {
	m, err := graph.Compile(r.g.Expr(), graph.Keep(keep...))
	require.NoError(r, err)
	defer m.Close()
	require.NoError(r, m.RunAll())
}

// compareAll wants the same names on both sides, and close values.
func (r *goldenRun) compareAll(kind string, want, got map[string]array) {
	r.Helper()
	require.Equal(r, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)), kind+"s")
	r.held[kind] = true
	for name, w := range want {
		r.compare(kind+" "+name, w, got[name])
	}
}

func (r *goldenRun) compareLoss(got float64) {
	r.Helper()
	require.NotNil(r, r.Loss, "the case has no loss")
	r.held["loss"] = true
	r.compare("loss", array{Data: []float64{*r.Loss}}, array{Data: []float64{got}})
}

// compare wants |got − want| ≤ atol + rtol·max|want|, and integers exact.
func (r *goldenRun) compare(what string, want, got array) {
	r.Helper()
	require.Equal(r, fmt.Sprint(want.Shape), fmt.Sprint(got.Shape), "shape of %s", what)
	require.Len(r, got.Data, len(want.Data), what)
	largest := 0.0
	for _, w := range want.Data {
		largest = max(largest, math.Abs(w))
	}
	tolerance := r.atol + r.rtol*largest
	if want.Dtype == "int" {
		tolerance = 0
	}
	for i, w := range want.Data {
		if g := got.Data[i]; !(math.Abs(g-w) <= tolerance) { // so that NaN fails
			r.Fatalf("%s: element %d of %v is %.17g, want %.17g, which is %.2g apart; %.2g "+
				"is allowed", what, i, want.Shape, g, w, math.Abs(g-w), tolerance)
		}
	}
}
