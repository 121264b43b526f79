package reduce

import (
	"errors"
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// The prefixes of the errors of the models and of the functions that take them.
const (
	pcaPrefix         = check.Prefix("zoo: PCA: ")
	autoencoderPrefix = check.Prefix("zoo: autoencoder: ")
	vaePrefix         = check.Prefix("zoo: VAE: ")
	recurrentPrefix   = check.Prefix("zoo: recurrent autoencoder: ")
	corruptionPrefix  = check.Prefix("zoo: corruption: ")
	anglesPrefix      = check.Prefix("zoo: angles: ")
)

// Reducer maps rows of D features to codes of K numbers, and codes back to rows: what PCA,
// Autoencoder and VAE have in common, so that they are compared like with like. Rows lie one behind
// the other, [N, D] in row-major order, and so do codes, [N, K].
//
// A row with NaN or an infinity, and rows that do not fill the width, are errors that say where. So
// are codes and rows that leave the range of float32 on the way: a *RowError.
type Reducer interface {
	zoo.Model
	Features() int // D
	Codes() int    // K

	// Transform returns the codes [N, K] of rows [N, D].
	Transform(x []float32) ([]float32, error)
	// InverseTransform returns the rows [N, D] that codes [N, K] stand for.
	InverseTransform(codes []float32) ([]float32, error)
	// Errors measures how badly each row comes back: its squared error a feature, [N], after
	// standardising if the model does that. It is the anomaly score: high where a row is unlike
	// those that the model was fitted to, and +Inf where the row comes back as no finite number. It
	// is never NaN.
	Errors(x []float32) ([]float64, error)

	// Threshold is the error above which a row is an anomaly; 0: none was set. It is saved with the
	// model.
	Threshold() float64
	SetThreshold(t float64) error
}

// Load is Load for a directory that must hold a Reducer: a PCA, an Autoencoder or a VAE.
func Load(dir string) (Reducer, error) {
	return zoo.LoadAs[Reducer](dir, "a PCA, an Autoencoder or a VAE")
}

var errNoReducer = errors.New("zoo: the model is nil")

// Reconstruct returns rows [N, D] as they come back from their codes.
func Reconstruct(m Reducer, x []float32) ([]float32, error) {
	if m == nil {
		return nil, errNoReducer
	}
	codes, err := m.Transform(x)
	if err != nil {
		return nil, err
	}
	return m.InverseTransform(codes)
}

// RowError is about one row.
type RowError struct {
	Row int // counted from 0
	Err error
}

func (e *RowError) Error() string { return fmt.Sprintf("row %d: %v", e.Row, e.Err) }

// Unwrap returns the cause.
func (e *RowError) Unwrap() error { return e.Err }

// finiteRows is what a model computed, rows of a width, or a *RowError if a number is not finite.
func finiteRows(model string, y []float32, width int, err error) ([]float32, error) {
	if err != nil {
		return nil, err
	}
	for i, v := range y {
		if v-v != 0 {
			return nil, fmt.Errorf("zoo: %s: %w", model, &RowError{i / width, shared.ErrOverflow})
		}
	}
	return y, nil
}

// MeanError is the mean of the Errors of rows [N, D]: the squared error a feature. It is a
// *RowError if one is infinite.
func MeanError(m Reducer, x []float32) (float64, error) {
	if m == nil {
		return 0, errNoReducer
	}
	errs, err := m.Errors(x)
	if err != nil {
		return 0, err
	}
	var sum float64
	for i, e := range errs {
		if sum += e; math.IsInf(sum, 1) {
			return 0, fmt.Errorf("zoo: %w", &RowError{i, shared.ErrOverflow})
		}
	}
	return sum / float64(len(errs)), nil
}

// RelativeErrors is the squared error of each row over the row's own sum of squares, [N]: the share
// of it that is lost. As an anomaly score it does not favour rows with little in them, such as a
// picture of a thin line, which comes back with a small error however wrong. Rows are taken as they
// are, whatever the model does to them; one of zeros has the error of its reconstruction's sum of
// squares, as if its own were 1. As in Errors, a row that comes back as no finite number has +Inf.
func RelativeErrors(m Reducer, x []float32) ([]float64, error) {
	if m == nil {
		return nil, errNoReducer
	}
	d := m.Features()
	var errs []float64
	y, err := Reconstruct(m, x)
	var bad *RowError
	switch {
	case err == nil:
		errs = rowErrors(x, y, d)
	case !errors.As(err, &bad):
		return nil, err
	case len(x) == d:
		return []float64{math.Inf(1)}, nil
	default: // row by row, since some have no reconstruction
		for i := 0; i < len(x); i += d {
			e, err := RelativeErrors(m, x[i:i+d])
			if err != nil {
				return nil, err
			}
			errs = append(errs, e...)
		}
		return errs, nil
	}
	for i := range errs {
		var sum float64
		for _, v := range x[i*d : (i+1)*d] {
			sum += float64(v) * float64(v)
		}
		if errs[i] *= float64(d); sum > 0 {
			errs[i] /= sum
		}
	}
	return errs, nil
}

// Interpolate walks in a straight line from the code of row a to that of row b, both [D], and
// returns what stands at steps places of the way, both ends among them: [steps, D].
func Interpolate(m Reducer, a, b []float32, steps int) ([]float32, error) {
	if steps < 2 || steps > maxWalk {
		return nil, fmt.Errorf("zoo: interpolate: %d steps, want 2 … %d", steps, maxWalk)
	}
	from, err := oneCode(m, a)
	if err != nil {
		return nil, fmt.Errorf("zoo: interpolate: from: %w", err)
	}
	to, err := oneCode(m, b)
	if err != nil {
		return nil, fmt.Errorf("zoo: interpolate: to: %w", err)
	}
	codes := make([]float32, 0, steps*len(from))
	for i := range steps {
		t := float32(i) / float32(steps-1)
		for k := range from {
			codes = append(codes, (1-t)*from[k]+t*to[k])
		}
	}
	return m.InverseTransform(codes)
}

// Traverse changes number k of the code of row x [D], from low to high in equal steps, and returns
// what the codes stand for, [steps, D].
func Traverse(m Reducer, x []float32, k int, low, high float64, steps int) ([]float32, error) {
	if steps < 2 || steps > maxWalk {
		return nil, fmt.Errorf("zoo: traverse: %d steps, want 2 … %d", steps, maxWalk)
	}
	if m == nil {
		return nil, errNoReducer
	}
	if k < 0 || k >= m.Codes() {
		return nil, fmt.Errorf("zoo: traverse: there is no number %d in a code of %d, "+
			"counted from 0", k, m.Codes())
	}
	code, err := oneCode(m, x)
	if err != nil {
		return nil, fmt.Errorf("zoo: traverse: %w", err)
	}
	codes := make([]float32, 0, steps*len(code))
	for i := range steps {
		t := float64(i) / float64(steps-1)
		code[k] = float32((1-t)*low + t*high)
		codes = append(codes, code...)
	}
	return m.InverseTransform(codes)
}

const maxWalk = 1 << 12

func oneCode(m Reducer, x []float32) ([]float32, error) {
	if m == nil {
		return nil, errNoReducer
	}
	if len(x) != m.Features() {
		return nil, fmt.Errorf("a row has %d values, want %d", len(x), m.Features())
	}
	return m.Transform(x)
}

// checkRows reports rows that do not fill their width, or hold NaN or an infinity. What is
// "features" or "numbers".
func checkRows(x []float32, width int, what string) error {
	if width < 1 {
		return shared.ErrEmpty
	}
	if len(x) == 0 {
		return errors.New("there are no rows")
	}
	if len(x)%width != 0 {
		return fmt.Errorf("%d values are no rows of %d %s", len(x), width, what)
	}
	for i, v := range x {
		if v-v != 0 {
			return fmt.Errorf("row %d: number %d of its %s is %v; want finite numbers", i/width,
				i%width, what, v)
		}
	}
	return nil
}

func setThreshold(at *float64, t float64) error {
	if err := checkThreshold(t); err != nil {
		return fmt.Errorf("zoo: %w", err)
	}
	*at = t
	return nil
}

func checkThreshold(t float64) error {
	if !(t >= 0) || math.IsInf(t, 0) {
		return fmt.Errorf("threshold is %g, want a finite number, 0 or more", t)
	}
	return nil
}

// rowErrors is the mean squared difference of each row of x and y, [N, d]; +Inf where y, or x as
// the model sees it, is not finite: NaN would be above no threshold.
func rowErrors(x, y []float32, d int) []float64 {
	errs := make([]float64, len(x)/d)
	for i := range errs {
		var sum float64
		for j := i * d; j < (i+1)*d; j++ {
			e := float64(x[j]) - float64(y[j])
			sum += e * e
		}
		if errs[i] = sum / float64(d); math.IsNaN(errs[i]) {
			errs[i] = math.Inf(1)
		}
	}
	return errs
}

// rowGraphs runs rows through compiled graphs, batch by batch. Many goroutines may use one at a
// time.
type rowGraphs struct {
	pool run.Pool[run.Of[rowShape], *rowGraph]
}

// rowShape is which mapping, and how many rows at a time.
type rowShape struct {
	what string
	B    int
}

type rowGraph struct {
	*run.Step // its output is the result for the rows
	in        run.Floats
}

// Rows run side by side: the least of these that holds them all, and more than the last batch by
// batch.
var rowBatches = []int{1, 16, 256}

// run maps rows [N, in] by what build makes of a node [B, in]. A mapping is known by its name.
func (r *rowGraphs) run(what string, dtype tensor.Dtype, x []float32, in int,
	build func(x *nodes.Node) *nodes.Node) ([]float32, error) {
	var out []float32
	for n := len(x) / in; n > 0; {
		B := rowBatches[len(rowBatches)-1]
		for i := len(rowBatches) - 2; i >= 0 && rowBatches[i] >= n; i-- {
			B = rowBatches[i]
		}
		rows := min(n, B)
		make := func(s run.Of[rowShape]) (*rowGraph, error) {
			return newRowGraph(s.Key.B, in, dtype, build)
		}
		err := r.pool.Do(run.Of[rowShape]{Key: rowShape{what, B}}, make, func(g *rowGraph) error {
			g.in.Fill(0)
			g.in.Put32(0, x[:rows*in])
			if err := g.Run(0, 0); err != nil {
				return err
			}
			out = append(out, g.Output(0).Rows(0, rows).Float32s()...)
			return nil
		})
		if err != nil {
			return nil, err
		}
		x, n = x[rows*in:], n-rows
	}
	return out, nil
}

func newRowGraph(B, in int, dtype tensor.Dtype, build func(x *nodes.Node) *nodes.Node) (r *rowGraph,
	err error) {
	r = &rowGraph{}
	var x, y *nodes.Node
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: dtype})
		x = g.Input("x", B, in)
		y = build(x)
	})
	if err != nil {
		return nil, err
	}
	if r.Step, err = run.New([]*nodes.Node{y}); err != nil {
		return nil, err
	}
	var inputs run.Inputs
	r.in = inputs.Floats(x)
	return r, inputs.Err()
}
