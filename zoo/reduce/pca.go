package reduce

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo"
)

// PCAConfig sizes a PCA.
type PCAConfig struct {
	Features   int `json:"features"`   // D
	Components int `json:"components"` // K
	// bring the features to mean 0 and variance 1 first
	Standardise bool `json:"standardise,omitempty"`
	// the error above which a row is an anomaly; 0: not chosen. See SetThreshold
	Threshold float64 `json:"threshold,omitempty"`
}

// maxPCA bounds the features of which the covariances are taken: half a gigabyte.
const maxPCA = 1 << 13

// Validate reports every field that is out of range.
func (c PCAConfig) Validate() error {
	var bad check.Problems
	bad.Int("features", c.Features, 1, cells.MaxWidth)
	if bad.None() {
		bad.Int("components", c.Components, 1, c.Features, "which is features")
	}
	bad.Add(checkThreshold(c.Threshold))
	return bad.Err()
}

// PCA is principal component analysis (Pearson, 1901; Hotelling, 1933): the K directions along
// which rows vary most, which are those from which they come back with the least squared error.
//
//	code = (x − mean)·Vᵀ,  y = code·V + mean,  V [K, D] with orthonormal rows
//
// Its parameters are of 64 bits: mean [D], components V [K, D], each with the largest of its
// numbers positive, variance [D], along each direction, those that were not kept too, rows [1], the
// number of rows that it was fitted to, and, if it standardises, input/mean and input/scale [D].
//
// Its methods other than SetThreshold are safe for concurrent use.
type PCA struct {
	cfg                              PCAConfig
	store                            *nodes.Store
	mean, components, variance, rows *nodes.Param
	scaling                          *scaling
}

var _ Reducer = (*PCA)(nil)

func newPCA(cfg PCAConfig) (*PCA, error) {
	if err := cfg.Validate(); err != nil {
		return nil, pcaPrefix.Wrap(err)
	}
	m := &PCA{cfg: cfg, store: nodes.NewStore(nodes.Float64, 0)}
	err := nodes.Try(func() {
		root := m.store.Root()
		if cfg.Standardise {
			m.scaling = newScaling(root.In("input"), cfg.Features, false)
		}
		m.mean = root.Param("mean", nodes.Zeros(), cfg.Features)
		m.components = root.Param("components", nodes.Zeros(), cfg.Components, cfg.Features)
		m.variance = root.Param("variance", nodes.Zeros(), cfg.Features)
		m.rows = root.Param("rows", nodes.Zeros(), 1)
	})
	if err != nil {
		return nil, pcaPrefix.Wrap(err)
	}
	return m, nil
}

// FitPCA fits a PCA to rows x [N, D], by the eigenvectors of their covariances, or where there are
// no more rows than features by a singular value decomposition of the rows. N must be at least
// Components, and at least 2.
//
// A cancelled context ends it soon with its error; a decomposition that has begun goes on behind it
// until it is done, for which a thousand features take seconds and the most that are taken minutes.
func FitPCA[F float32 | float64](ctx context.Context, x []F, cfg PCAConfig) (*PCA, error) {
	if err := interrupt.Err(ctx); err != nil {
		return nil, pcaPrefix.Wrap(err)
	}
	m, err := newPCA(cfg)
	if err != nil {
		return nil, err
	}
	if err := m.fit(ctx, len(x), func(i int) float64 { return float64(x[i]) }); err != nil {
		return nil, pcaPrefix.Wrap(err)
	}
	return m, nil
}

// fit fits the model to n numbers.
func (m *PCA) fit(ctx context.Context, n int, x func(i int) float64) error {
	D, K := m.cfg.Features, m.cfg.Components
	N := n / D
	switch {
	case n == 0 || n%D != 0:
		return fmt.Errorf("%d values are no rows of %d features", n, D)
	case N < 2:
		return errors.New("1 row does not vary: want at least 2")
	case N < K:
		return fmt.Errorf("%d rows span no %d components: want at least as many rows", N, K)
	case N >= D && D > maxPCA:
		return fmt.Errorf("features is %d: the covariances of more than %d are too many", D, maxPCA)
	}
	mean, deviation := make([]float64, D), make([]float64, D)
	for i := range n {
		if i%checkedEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		v := x(i)
		if v-v != 0 {
			return fmt.Errorf("row %d: feature %d is %v; want finite numbers", i/D, i%D, v)
		}
		mean[i%D] += v / float64(N)
	}
	for j := range deviation {
		deviation[j] = 1
	}
	if m.scaling != nil {
		deviation = deviations(n, x, mean)
		run.ParamFloats(m.scaling.mean).Put64(0, mean)
		run.ParamFloats(m.scaling.scale).Put64(0, deviation)
	} else {
		run.ParamFloats(m.mean).Put64(0, mean)
	}
	run.ParamFloats(m.rows).Put64(0, []float64{float64(N)})
	most := 0.0
	for i := range n {
		most = max(most, math.Abs(x(i)-mean[i%D])/deviation[i%D])
	}
	if square := most * most * float64(n); most != 0 &&
		!(square > 1e-290 && square <= math.MaxFloat64) {
		return fmt.Errorf("numbers differ from the mean of their feature by up to %g, whose "+
			"square is beyond the range of float64; multiply all by a constant first", most)
	}
	centred := func(to []float64, from int) { // rows from on, centred
		for i := range to {
			j := i % D
			to[i] = (x(from*D+i) - mean[j]) / deviation[j]
		}
	}
	directions, variance, err := decompose(ctx, N, D, centred)
	if err != nil {
		return err
	}
	run.ParamFloats(m.variance).Put64(0, variance)
	row := make([]float64, D)
	for k := range K {
		mat.Col(row, k, directions)
		if largest := slices.MaxFunc(row, func(a,
			b float64) int {
			return cmp.Compare(math.Abs(a), math.Abs(b))
		}); largest < 0 {
			for j := range row {
				row[j] = -row[j]
			}
		}
		run.ParamFloats(m.components).Put64(k*D, row)
	}
	return nil
}

// checkedEvery is how many numbers are read between two looks at a context.
const checkedEvery = 1 << 16

// decompose finds the directions [D, ·] along which rows vary, in the columns, and the variance
// along each. What it runs in has its own memory, so that it may be left alone.
func decompose(ctx context.Context, N, D int, centred func(to []float64, from int)) (*mat.Dense,
	[]float64, error) {
	var rows, c []float64
	if N <= D {
		rows = make([]float64, N*D)
		centred(rows, 0)
	} else {
		var err error
		if c, err = covariances(ctx, N, D, centred); err != nil {
			return nil, nil, err
		}
	}
	type found struct {
		directions *mat.Dense
		variance   []float64
		ok         bool
	}
	done := make(chan found, 1)
	go func() {
		var f found
		if N <= D {
			f.directions, f.variance, f.ok = directionsOfRows(N, D, rows)
		} else {
			f.directions, f.variance, f.ok = directionsOfCovariances(D, c)
		}
		done <- f
	}()
	select {
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case f := <-done:
		if !f.ok {
			return nil, nil, errors.New("the decomposition did not converge")
		}
		return f.directions, f.variance, nil
	}
}

// directionsOfRows is for N ≤ D rows: their right singular vectors, and the variance along each.
func directionsOfRows(N, D int, rows []float64) (*mat.Dense, []float64, bool) {
	var svd mat.SVD
	if !svd.Factorize(mat.NewDense(N, D, rows), mat.SVDThin) {
		return nil, nil, false
	}
	var v mat.Dense
	svd.VTo(&v)
	variance := svd.Values(nil)
	for k, s := range variance {
		variance[k] = s * s / float64(N-1)
	}
	return &v, variance, true
}

// covariances are the covariances of the features of N rows, [D, D].
func covariances(ctx context.Context, N, D int, centred func(to []float64, from int)) ([]float64,
	error) {
	block := max(1, min(512, N))
	rows, c := make([]float64, block*D), make([]float64, D*D)
	for from := 0; from < N; from += block {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := min(block, N-from)
		centred(rows[:n*D], from)
		kernels.Gemm(true, false, D, D, n, rows[:n*D], D, rows[:n*D], D, c, D, true)
	}
	for i := range c {
		c[i] /= float64(N - 1)
	}
	return c, nil
}

// directionsOfCovariances is for N > D rows: the eigenvectors of their covariances c, and the
// variance along each.
func directionsOfCovariances(D int, c []float64) (*mat.Dense, []float64, bool) {
	var eigen mat.EigenSym
	if !eigen.Factorize(mat.NewSymDense(D, c), true) {
		return nil, nil, false
	}
	var ascending mat.Dense
	eigen.VectorsTo(&ascending)
	variance := eigen.Values(nil)
	slices.Reverse(variance)
	v := mat.NewDense(D, D, nil)
	for k := range D {
		v.SetCol(k, mat.Col(nil, D-1-k, &ascending))
		variance[k] = max(variance[k], 0) // rounding
	}
	return v, variance, true
}

// Architecture is "PCA".
func (m *PCA) Architecture() string { return "PCA" }

// Params holds the parameters.
func (m *PCA) Params() *nodes.Store { return m.store }

// Config is the configuration that the model was made with.
func (m *PCA) Config() PCAConfig { return m.cfg }

// Features is D, the width of a row.
func (m *PCA) Features() int { return m.cfg.Features }

// Codes is K, the number of components.
func (m *PCA) Codes() int { return m.cfg.Components }

// Threshold is the error above which a row is an anomaly; 0: none was set.
func (m *PCA) Threshold() float64 { return m.cfg.Threshold }

// SetThreshold sets the error above which a row is an anomaly. Choose it on data that the model was
// not fitted to.
func (m *PCA) SetThreshold(t float64) error { return setThreshold(&m.cfg.Threshold, t) }

// Components are the directions [K, D], orthonormal, by falling variance.
func (m *PCA) Components() []float64 { return run.ParamFloats(m.components).Float64s() }

// Mean is the point that the directions start from, [D]; zeros if the model standardises.
func (m *PCA) Mean() []float64 { return run.ParamFloats(m.mean).Float64s() }

// Variance is the variance of the rows, with N−1 degrees of freedom, along all directions, [D]:
// first those of the components, then those that were left out.
func (m *PCA) Variance() []float64 { return run.ParamFloats(m.variance).Float64s() }

// ExplainedVarianceRatio is the share of each component in the variance, [K]; 0 if nothing varied.
func (m *PCA) ExplainedVarianceRatio() []float64 {
	variance := m.Variance()
	var sum float64
	for _, v := range variance {
		sum += v
	}
	ratio := variance[:m.Codes()]
	for k := range ratio {
		if sum > 0 {
			ratio[k] /= sum
		}
	}
	return ratio
}

// SingularValues are the singular values of the centred rows, [D], falling; those after the N-th
// are 0.
func (m *PCA) SingularValues() []float64 {
	s := m.Variance()
	for k, v := range s {
		s[k] = math.Sqrt(v * (run.ParamFloats(m.rows).At(0) - 1))
	}
	return s
}

// Transform returns the codes [N, K] of rows [N, D].
func (m *PCA) Transform(x []float32) ([]float32, error) {
	if err := checkRows(x, m.Features(), "features"); err != nil {
		return nil, pcaPrefix.Wrap(err)
	}
	return finiteRows("PCA", m.transform(m.scaling.apply(x)), m.Codes(), nil)
}

func (m *PCA) transform(x []float32) []float32 {
	D, K := m.Features(), m.Codes()
	mean, v := run.ParamFloats(m.mean).Float64s(), run.ParamFloats(m.components).Float64s()
	return inBlocks(x, D, K, func(rows, codes []float64) {
		for i := range rows {
			rows[i] -= mean[i%D]
		}
		kernels.Gemm(false, true, len(rows)/D, K, D, rows, D, v, D, codes, K, false)
	})
}

// InverseTransform returns the rows [N, D] that codes [N, K] stand for.
func (m *PCA) InverseTransform(codes []float32) ([]float32, error) {
	if err := checkRows(codes, m.Codes(), "code"); err != nil {
		return nil, pcaPrefix.Wrap(err)
	}
	return finiteRows("PCA", m.scaling.restore(m.inverse(codes)), m.Features(), nil)
}

func (m *PCA) inverse(codes []float32) []float32 {
	D, K := m.Features(), m.Codes()
	mean, v := run.ParamFloats(m.mean).Float64s(), run.ParamFloats(m.components).Float64s()
	return inBlocks(codes, K, D, func(codes, rows []float64) {
		kernels.Gemm(false, false, len(codes)/K, D, K, codes, K, v, D, rows, D, false)
		for i := range rows {
			rows[i] += mean[i%D]
		}
	})
}

// inBlocks maps rows [N, in] to rows [N, out], in 64 bits, some at a time.
func inBlocks(x []float32, in, out int, do func(from, to []float64)) []float32 {
	N := len(x) / in
	y := make([]float32, N*out)
	const block = 256
	from, to := make([]float64, min(block, N)*in), make([]float64, min(block, N)*out)
	for i := 0; i < N; i += block {
		n := min(block, N-i)
		for j, v := range x[i*in : (i+n)*in] {
			from[j] = float64(v)
		}
		do(from[:n*in], to[:n*out])
		for j, v := range to[:n*out] {
			y[i*out+j] = float32(v)
		}
	}
	return y
}

// Errors is the squared error a feature of each row, [N], after standardising if the model does
// that.
func (m *PCA) Errors(x []float32) ([]float64, error) {
	if err := checkRows(x, m.Features(), "features"); err != nil {
		return nil, pcaPrefix.Wrap(err)
	}
	x = m.scaling.apply(x)
	return rowErrors(x, m.inverse(m.transform(x)), m.Features()), nil
}

// Save writes config.json and model.safetensors to path; see zoo.Save.
func (m *PCA) Save(path string) error { return zoo.Save(path, m) }

func init() { zoo.Register("PCA", openPCA) }

func openPCA(_ *zoo.Dir, cfg PCAConfig) (*PCA, error) {
	return newPCA(cfg)
}

// PrincipalAngles are the angles between the spaces that the rows of a and of b span, each [K, D]
// with K ≤ D and rows that are independent: K angles from 0 to π/2, rising (Björck and Golub,
// 1973). All are 0 if the spaces are one.
func PrincipalAngles(a, b []float64, features int) ([]float64, error) {
	D := features
	if D < 1 || len(a) == 0 || len(a) != len(b) || len(a)%D != 0 || len(a) > D*D {
		return nil, anglesPrefix.Errorf("%d and %d numbers are no two bases of one size of "+
			"spaces in %d dimensions", len(a), len(b), D)
	}
	K := len(a) / D
	var q [2]*mat.Dense // orthonormal columns [D, K]
	for i, basis := range [][]float64{a, b} {
		if k := slices.IndexFunc(basis, func(v float64) bool { return v-v != 0 }); k >= 0 {
			return nil, anglesPrefix.Errorf("number %d of basis %d is %g; want finite numbers",
				k, i+1, basis[k])
		}
		var svd mat.SVD
		if !svd.Factorize(mat.NewDense(K, D, slices.Clone(basis)).T(), mat.SVDThin) {
			return nil, anglesPrefix.Errorf("the decomposition did not converge")
		}
		if s := svd.Values(nil); !(s[K-1] > 1e-12*s[0]) {
			return nil, anglesPrefix.Errorf("the rows of basis %d are not independent", i+1)
		}
		q[i] = &mat.Dense{}
		svd.UTo(q[i])
	}
	var inner, rest mat.Dense
	inner.Mul(q[0].T(), q[1])
	rest.Mul(q[0], &inner)
	rest.Sub(q[1], &rest) // what of b lies outside of a: its singular values are the sines
	var cosines, sines mat.SVD
	if !cosines.Factorize(&inner, mat.SVDNone) || !sines.Factorize(&rest, mat.SVDNone) {
		return nil, anglesPrefix.Errorf("the decomposition did not converge")
	}
	c, s := cosines.Values(nil), sines.Values(nil)
	angles := make([]float64, K)
	for k := range angles {
		// exact near 0, where the cosine is flat, and near π/2
		angles[k] = math.Atan2(s[K-1-k], c[k])
	}
	return angles, nil
}
