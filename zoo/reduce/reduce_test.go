package reduce

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
)

// someRows are n rows of d features in [0, 1] that lie near a curve, drawn from seed.
func someRows(n, d int, seed uint64) []float32 {
	random := rng.Stream{Key: rng.New(seed)}
	x := make([]float32, 0, n*d)
	for range n {
		t := 2 * math.Pi * random.Float64()
		for j := range d {
			x = append(x, float32(0.5+0.4*math.Sin(t+float64(j))+0.05*(random.Float64()-0.5)))
		}
	}
	return x
}

// reducers are small models of all kinds for rows of 7 features, fitted or as they are drawn.
func reducers(t testing.TB) map[string]Reducer {
	x := someRows(40, 7, 1)
	out := map[string]Reducer{}
	var err error
	for name, cfg := range map[string]AutoencoderConfig{
		"autoencoder": {Features: 7, Widths: []int{5, 2}, Activation: "tanh", Output: "sigmoid"},
		"tied, float64": {Features: 7, Widths: []int{5, 3, 2}, Tied: true, Loss: "bce",
			Float64: true},
		"linear": {Features: 7, Widths: []int{2}, Centre: true},
		"denoising": {Features: 7, Widths: []int{9},
			Corruption: Corruption{Kind: SaltAndPepper, Amount: 0.2, High: 2}, Standardise: true},
	} {
		out[name], err = NewAutoencoder(cfg, 1)
		require.NoError(t, err)
	}
	for name, cfg := range map[string]VAEConfig{
		"VAE": {Features: 7, Widths: []int{5}, Code: 2},
		"VAE, gaussian": {Features: 7, Widths: []int{6, 5}, Code: 3, Likelihood: "gaussian",
			Standardise: true, Beta: 0.5, FreeBits: 0.1},
		"VAE, shallow": {Features: 7, Code: 1, Float64: true},
	} {
		out[name], err = NewVAE(cfg, 1)
		require.NoError(t, err)
	}
	for name, cfg := range map[string]PCAConfig{
		"PCA": {Features: 7, Components: 2}, "PCA, standardised": {Features: 7, Components: 7,
			Standardise: true},
	} {
		out[name], err = FitPCA(context.Background(), x, cfg)
		require.NoError(t, err)
	}
	out["recurrent"], err = NewRecurrentAutoencoder(RecurrentAutoencoderConfig{
		Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4}, Variables: 1, Window: 7, Code: 2,
		Standardise: true,
	}, 1)
	require.NoError(t, err)
	for name, m := range out { // units that are not those of the model
		switch m := m.(type) {
		case *Autoencoder:
			if m.scaling != nil {
				_, err = m.Task(RowData{Train: x})
			}
		case *VAE:
			if m.scaling != nil {
				_, err = m.Task(VAEData{RowData: RowData{Train: x}})
			}
		case *RecurrentAutoencoder:
			_, err = m.Task(RowData{Train: x})
		}
		require.NoError(t, err, name)
	}
	return out
}

func TestReducers(t *testing.T) {
	x := someRows(300, 7, 2) // more than a batch
	for name, m := range reducers(t) {
		t.Run(name, func(t *testing.T) {
			codes, err := m.Transform(x)
			require.NoError(t, err)
			require.Len(t, codes, 300*m.Codes())
			y, err := m.InverseTransform(codes)
			require.NoError(t, err)
			again, err := Reconstruct(m, x)
			require.NoError(t, err)
			require.Equal(t, y, again)

			// Row by row is the same as all at once, and the errors are those of what comes back.
			for _, i := range []int{0, 17, 255, 256, 299} {
				code, err := m.Transform(x[i*7 : (i+1)*7])
				require.NoError(t, err)
				require.InDeltaSlice(t, codes[i*m.Codes():(i+1)*m.Codes()], code, 1e-5)
			}
			errs, err := m.Errors(x)
			require.NoError(t, err)
			var s *scaling
			switch m := m.(type) {
			case *Autoencoder:
				s = m.scaling
			case *VAE:
				s = m.scaling
			case *PCA:
				s = m.scaling
			case *RecurrentAutoencoder:
				s = m.scaling
			}
			require.InDeltaSlice(t, rowErrors(s.apply(x), s.apply(y), 7), errs, 1e-5)
			mean, err := MeanError(m, x)
			require.NoError(t, err)
			var sum float64
			for _, e := range errs {
				sum += e
			}
			require.InDelta(t, sum/300, mean, 1e-12)

			relative, err := RelativeErrors(m, append(slices.Clone(x[:14]), make([]float32, 7)...))
			require.NoError(t, err)
			for i, of := range rowErrors(x[:14], y[:14], 7) {
				var sum float64
				for _, v := range x[i*7 : (i+1)*7] {
					sum += float64(v) * float64(v)
				}
				require.InEpsilon(t, 7*of/sum, relative[i], 1e-4)
			}
			require.False(t, math.IsNaN(relative[2]) || math.IsInf(relative[2], 0),
				"a row of zeros")

			// Saved and loaded it is the same model.
			require.NoError(t, m.SetThreshold(0.25))
			dir := t.TempDir()
			require.NoError(t, m.Save(dir))
			loaded, err := Load(dir)
			require.NoError(t, err)
			require.Equal(t, 0.25, loaded.Threshold())
			require.Equal(t, m.Architecture(), loaded.Architecture())
			z, err := Reconstruct(loaded, x)
			require.NoError(t, err)
			require.Equal(t, y, z, "to the bit")

			ends, err := Interpolate(m, x[:7], x[7:14], 3)
			require.NoError(t, err)
			require.InDeltaSlice(t, y[:7], ends[:7], 1e-5)
			require.InDeltaSlice(t, y[7:14], ends[14:], 1e-5)
			walk, err := Traverse(m, x[:7], 0, float64(codes[0]), float64(codes[0])+1, 2)
			require.NoError(t, err)
			require.InDeltaSlice(t, y[:7], walk[:7], 1e-5)
			require.NotEqual(t, walk[:7], walk[7:])
		})
	}
}

func TestReducersRefuse(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for name, m := range reducers(t) {
		for want, x := range map[string][]float32{
			"there are no rows":                                    nil,
			"8 values are no rows of 7 features":                   make([]float32, 8),
			"row 1: number 2 of its features is NaN":               {8: 0, 9: nan, 13: 0},
			"row 0: number 6 of its features is -Inf; want finite": {6: inf},
		} {
			_, err := m.Transform(x)
			require.ErrorContains(t, err, want, name)
			_, err = m.Errors(x)
			require.ErrorContains(t, err, want, name)
			_, err = Reconstruct(m, x)
			require.ErrorContains(t, err, want, name)
			_, err = MeanError(m, x)
			require.ErrorContains(t, err, want, name)
			_, err = RelativeErrors(m, x)
			require.ErrorContains(t, err, want, name)
		}
		_, err := m.InverseTransform(make([]float32, m.Codes()*3+1))
		if m.Codes() > 1 {
			require.ErrorContains(t, err, "values are no rows of")
		}
		_, err = m.InverseTransform(nil)
		require.ErrorContains(t, err, "there are no rows")
		row := make([]float32, 7)
		for _, steps := range []int{-1, 1, 1 << 30} {
			_, err = Interpolate(m, row, row, steps)
			require.ErrorContains(t, err, "steps, want 2")
			_, err = Traverse(m, row, 0, 0, 1, steps)
			require.ErrorContains(t, err, "steps, want 2")
		}
		_, err = Interpolate(m, row, row[:6], 2)
		require.ErrorContains(t, err, "to: a row has 6 values, want 7")
		_, err = Traverse(m, row, m.Codes(), 0, 1, 2)
		require.ErrorContains(t, err, "there is no number")
		_, err = Traverse(m, row, 0, 0, math.Inf(1), 2)
		require.Error(t, err)
		for _, bad := range []float64{-1, math.NaN(), math.Inf(1)} {
			require.ErrorContains(t, m.SetThreshold(bad), "threshold is")
		}
	}
	dir := t.TempDir()
	require.NoError(t, reducers(t)["PCA"].Save(dir))
	_, err := LoadVAE(dir)
	require.ErrorContains(t, err, "holds a PCA, not a VAE")
}

func TestReducerConfigErrors(t *testing.T) {
	for want, cfg := range map[string]AutoencoderConfig{
		"features is 0":                      {Widths: []int{1}},
		"features is 1099511627776":          {Features: 1 << 40, Widths: []int{1}},
		"widths is empty":                    {Features: 3},
		"the width of layer 1 is 0":          {Features: 3, Widths: []int{2, 0}},
		"the width of layer 0 is 2147483648": {Features: 3, Widths: []int{1 << 31}},
		"widths names 65 layers":             {Features: 3, Widths: slices.Repeat([]int{2}, 65)},
		`activation is "gelu"`:               {Features: 3, Widths: []int{1}, Activation: "gelu"},
		`code_activation is "x"`:             {Features: 3, Widths: []int{1}, CodeActivation: "x"},
		`output is "tanh"`:                   {Features: 3, Widths: []int{1}, Output: "tanh"},
		`loss is "l1"`:                       {Features: 3, Widths: []int{1}, Loss: "l1"},
		"loss is bce and output linear": {Features: 3, Widths: []int{1}, Loss: "bce",
			Output: "linear"},
		"loss is bce and standardise": {Features: 3, Widths: []int{1}, Loss: "bce",
			Standardise: true},
		"output is sigmoid and standardise": {Features: 3, Widths: []int{1}, Output: "sigmoid",
			Centre: true},
		"standardise and centre are both set": {Features: 3, Widths: []int{1}, Standardise: true,
			Centre: true},
		`kind is "blur"`: {Features: 3, Widths: []int{1},
			Corruption: Corruption{Kind: "blur"}},
		"amount of gaussian noise is -1": {Features: 3, Widths: []int{1},
			Corruption: Corruption{Kind: GaussianNoise, Amount: -1}},
		"amount of masking is 1": {Features: 3, Widths: []int{1},
			Corruption: Corruption{Kind: Masking, Amount: 1}},
		"amount of salt-and-pepper is NaN": {Features: 3, Widths: []int{1},
			Corruption: Corruption{Kind: SaltAndPepper, Amount: math.NaN()}},
		"low or high is set, and only": {Features: 3, Widths: []int{1},
			Corruption: Corruption{Kind: Masking, Amount: 0.1, High: 1}},
		"and no kind": {Features: 3, Widths: []int{1},
			Corruption: Corruption{Amount: 0.1}},
		"threshold is -1": {Features: 3, Widths: []int{1}, Threshold: -1},
	} {
		_, err := NewAutoencoder(cfg, 1)
		require.ErrorContains(t, err, want)
	}
	for want, cfg := range map[string]VAEConfig{
		"features is -3":                   {Features: -3, Code: 1},
		"code is 0":                        {Features: 3},
		"the width of layer 0 is -1":       {Features: 3, Code: 1, Widths: []int{-1}},
		`activation is "linear"`:           {Features: 3, Code: 1, Activation: "linear"},
		`likelihood is "poisson"`:          {Features: 3, Code: 1, Likelihood: "poisson"},
		"likelihood is bernoulli and stan": {Features: 3, Code: 1, Standardise: true},
		"beta is -1":                       {Features: 3, Code: 1, Beta: -1},
		"beta is +Inf":                     {Features: 3, Code: 1, Beta: math.Inf(1)},
		"free_bits is NaN":                 {Features: 3, Code: 1, FreeBits: math.NaN()},
		"threshold is NaN":                 {Features: 3, Code: 1, Threshold: math.NaN()},
	} {
		_, err := NewVAE(cfg, 1)
		require.ErrorContains(t, err, want)
	}
	for want, cfg := range map[string]PCAConfig{
		"features is 0":     {Components: 1},
		"components is 0":   {Features: 3},
		"components is 4":   {Features: 3, Components: 4},
		"threshold is +Inf": {Features: 3, Components: 1, Threshold: math.Inf(1)},
	} {
		_, err := FitPCA(context.Background(), []float64{1, 2, 3, 4, 5, 6}, cfg)
		require.ErrorContains(t, err, want)
	}
	for want, x := range map[string][]float64{
		"0 values are no rows":      nil,
		"5 values are no rows of 2": {1, 2, 3, 4, 5},
		"1 row does not vary":       {1, 2},
		"row 1: feature 0 is NaN":   {1, 2, math.NaN(), 4},
	} {
		_, err := FitPCA(context.Background(), x, PCAConfig{Features: 2, Components: 1})
		require.ErrorContains(t, err, want)
	}
	_, err := FitPCA(context.Background(), make([]float32, 2*9),
		PCAConfig{Features: 9, Components: 3})
	require.ErrorContains(t, err, "2 rows span no 3 components")
	_, err = FitPCA(context.Background(), make([]float32, 9000*9000),
		PCAConfig{Features: 9000, Components: 3})
	require.ErrorContains(t, err, "the covariances of more than 8192")
}

func TestRowTaskErrors(t *testing.T) {
	ae, err := NewAutoencoder(AutoencoderConfig{Features: 2, Widths: []int{1}, Output: "sigmoid"},
		1)
	require.NoError(t, err)
	vae, err := NewVAE(VAEConfig{Features: 2, Code: 1}, 1)
	require.NoError(t, err)
	for want, d := range map[string]RowData{
		"training: there are no rows":         {},
		"training: 3 values are no rows of 2": {Train: []float32{1, 1, 1}},
		"validation: row 0: number 1": {Train: []float32{1, 1},
			Valid: []float32{1, float32(math.NaN())}},
		"training: row 1: feature 0 is -0.1": {Train: []float32{1, 1, -0.1, 0}},
		"validation: row 0: feature 1 is 2":  {Train: []float32{1, 1}, Valid: []float32{1, 2}},
		"the batch is -1":                    {Train: []float32{1, 1}, Batch: -1},
		"the batch is 1099511627776":         {Train: []float32{1, 1}, Batch: 1 << 40},
	} {
		_, err := ae.Task(d)
		require.ErrorContains(t, err, want)
		_, err = vae.Task(VAEData{RowData: d})
		require.ErrorContains(t, err, want)
	}
	_, err = vae.Task(VAEData{RowData: RowData{Train: []float32{1, 1}}, Warmup: -1})
	require.ErrorContains(t, err, "the warmup is -1")
	_, err = vae.Bound(context.Background(), []float32{2, 2})
	require.ErrorContains(t, err, "must be in [0, 1]")
	_, err = vae.Sample(0, 1)
	require.ErrorContains(t, err, "0 rows")
}

// fitRows trains a model on its task.
func fitRows(t testing.TB, task train.Task, c train.Config) *train.Result {
	t.Helper()
	var err error
	if c.Optimizer == nil {
		c.Optimizer, err = train.NewAdam(train.AdamConfig{LR: 0.01})
		require.NoError(t, err)
	}
	r, err := train.Fit(context.Background(), task, c)
	require.NoError(t, err)
	return r
}

// A linear autoencoder ends in the subspace of PCA, tied or not.
func TestLinearAutoencoderIsPCA(t *testing.T) {
	const D, K = 6, 2
	random := rng.Stream{Key: rng.New(3)}
	var x []float32
	for range 400 {
		for j := range D {
			x = append(x, float32(3+random.Normal()*math.Pow(0.6, float64(j))))
		}
	}
	pca, err := FitPCA(context.Background(), x, PCAConfig{Features: D, Components: K})
	require.NoError(t, err)
	want, err := MeanError(pca, x)
	require.NoError(t, err)
	for _, tied := range []bool{false, true} {
		m, err := NewAutoencoder(AutoencoderConfig{Features: D, Widths: []int{K}, Tied: tied,
			Centre: true}, 1)
		require.NoError(t, err)
		task, err := m.Task(RowData{Train: x, Batch: 50})
		require.NoError(t, err)
		cosine, err := train.NewCosine(train.CosineConfig{LR: 0.02, MinLR: 1e-5,
			Total: 200 * task.Len()})
		require.NoError(t, err)
		fitRows(t, task, train.Config{Epochs: 200, Schedule: cosine})
		got, err := MeanError(m, x)
		require.NoError(t, err)
		require.InEpsilon(t, want, got, 0.01)
		require.GreaterOrEqual(t, got, want*(1-1e-6), "nothing linear is better")

		basis := make([]float64, K*D) // the columns of the encoder
		w, _ := m.Params().Get("encoder/l0/W")
		for i, v := range w.Value().Float32s() {
			basis[i%K*D+i/K] = float64(v)
		}
		angles, err := PrincipalAngles(pca.Components(), basis, D)
		require.NoError(t, err)
		require.Less(t, angles[K-1]*180/math.Pi, 5.)
	}
}

// PCA by covariances, and by the rows where they are few, against the definition.
func TestPCA(t *testing.T) {
	for _, size := range [][3]int{{2, 1, 1}, {50, 7, 3}, {700, 5, 5}, {5, 9, 4}, {3, 20, 3},
		{2, 2, 2}} {
		N, D, K := size[0], size[1], size[2]
		x := someRows(N, D, uint64(N))
		for _, standardise := range []bool{false, true} {
			m, err := FitPCA(context.Background(), x,
				PCAConfig{Features: D, Components: K, Standardise: standardise})
			require.NoError(t, err)
			v := m.Components()
			for a := range K {
				largest := 0.
				for j := range D {
					if math.Abs(v[a*D+j]) > math.Abs(largest) {
						largest = v[a*D+j]
					}
				}
				require.Positive(t, largest)
				for b := range K {
					var dot float64
					for j := range D {
						dot += v[a*D+j] * v[b*D+j]
					}
					want := 0.
					if a == b {
						want = 1
					}
					require.InDelta(t, want, dot, 1e-9)
				}
			}
			// The variance of the codes is what was promised, and what is left out is the error.
			codes, err := m.Transform(x)
			require.NoError(t, err)
			variance := m.Variance()
			for k := range K {
				var sum, squares float64
				for i := range N {
					c := float64(codes[i*K+k])
					sum += c
					squares += c * c
				}
				require.InDelta(t, 0, sum/float64(N), 1e-5)
				require.InDelta(t, variance[k], squares/float64(N-1), 1e-5)
			}
			left := 0.
			for _, s := range variance[K:] {
				left += s * float64(N-1) / float64(N*D)
			}
			got, err := MeanError(m, x)
			require.NoError(t, err)
			require.InDelta(t, left, got, 1e-6)
			require.True(t, slices.IsSortedFunc(variance,
				func(a, b float64) int { return -compareFloats(a, b) }))
		}
	}
}

func compareFloats(a, b float64) int {
	if a < b {
		return -1
	} else if a > b {
		return 1
	}
	return 0
}

func TestPrincipalAngles(t *testing.T) {
	angles, err := PrincipalAngles([]float64{1, 0, 0, 0, 1, 0}, []float64{5, 5, 0, 1, -1, 1e-9}, 3)
	require.NoError(t, err)
	require.InDelta(t, 0, angles[0], 1e-12)
	require.InEpsilon(t, 1e-9/math.Sqrt2, angles[1], 1e-6, "small angles too")
	angles, err = PrincipalAngles([]float64{1, 0, 0}, []float64{0, 0, 2}, 3)
	require.NoError(t, err)
	require.InDelta(t, math.Pi/2, angles[0], 1e-12)
	_, err = PrincipalAngles([]float64{1, 0, 2, 0}, []float64{1, 0, 0, 1}, 2)
	require.ErrorContains(t, err, "the rows of basis 1 are not independent")
	_, err = PrincipalAngles([]float64{1, 0}, []float64{1, 0, 0, 1}, 2)
	require.ErrorContains(t, err, "no two bases")
}

func TestCorruption(t *testing.T) {
	const n, d = 3000, 5
	x := make([]float32, n*d)
	for i := range x {
		x[i] = 0.5
	}
	share := func(y []float32, v float32) float64 {
		k := 0
		for _, z := range y {
			if z == v {
				k++
			}
		}
		return float64(k) / float64(len(y))
	}
	y, err := Corruption{Kind: Masking, Amount: 0.3}.Apply(x, d, 1)
	require.NoError(t, err)
	require.InDelta(t, 0.3, share(y, 0), 0.02)
	require.InDelta(t, 0.7, share(y, 0.5), 0.02)
	y, err = Corruption{Kind: SaltAndPepper, Amount: 0.4}.Apply(x, d, 1)
	require.NoError(t, err)
	require.InDelta(t, 0.2, share(y, 0), 0.02)
	require.InDelta(t, 0.2, share(y, 1), 0.02)
	require.InDelta(t, 0.6, share(y, 0.5), 0.02)
	y, err = Corruption{Kind: SaltAndPepper, Amount: 0.4, Low: -3, High: 7}.Apply(x, d, 1)
	require.NoError(t, err)
	require.InDelta(t, 0.2, share(y, -3), 0.02)
	require.InDelta(t, 0.2, share(y, 7), 0.02)
	c := Corruption{Kind: GaussianNoise, Amount: 2}
	y, err = c.Apply(x, d, 1)
	require.NoError(t, err)
	var sum, squares float64
	for _, v := range y {
		sum += float64(v)
		squares += float64(v-0.5) * float64(v-0.5)
	}
	require.InDelta(t, 0.5, sum/(n*d), 0.05)
	require.InDelta(t, 4, squares/(n*d), 0.15)
	again, err := c.Apply(x, d, 1)
	require.NoError(t, err)
	require.Equal(t, y, again)
	other, err := c.Apply(x, d, 2)
	require.NoError(t, err)
	require.NotEqual(t, y, other)
	require.NotEqual(t, y[:256*d], y[256*d:512*d], "each batch has noise of its own")

	same, err := Corruption{}.Apply(x, d, 1)
	require.NoError(t, err)
	require.Equal(t, x, same)
	_, err = c.Apply(x, 0, 1)
	require.ErrorContains(t, err, "rows of 0 features")
	_, err = c.Apply(x[:7], d, 1)
	require.ErrorContains(t, err, "no rows of 5")
	_, err = Corruption{Kind: "x"}.Apply(x, d, 1)
	require.ErrorContains(t, err, `kind is "x"`)
}

// rowModels make models that train, with noise of every kind, and their tasks.
func rowModels(t testing.TB) map[string]func() (Reducer, train.Task) {
	x, valid := someRows(50, 7, 1), someRows(10, 7, 2) // 50 rows are 3 batches of 16 and one of 2
	return map[string]func() (Reducer, train.Task){
		"denoising": func() (Reducer, train.Task) {
			m, err := NewAutoencoder(AutoencoderConfig{
				Features: 7, Widths: []int{5, 2}, Corruption: Corruption{Kind: GaussianNoise,
					Amount: 0.1}, Standardise: true,
			}, 1)
			require.NoError(t, err)
			task, err := m.Task(RowData{Train: x, Valid: valid, Batch: 16})
			require.NoError(t, err)
			return m, task
		},
		"VAE": func() (Reducer, train.Task) {
			m, err := NewVAE(VAEConfig{Features: 7, Widths: []int{5}, Code: 2}, 1)
			require.NoError(t, err)
			task, err := m.Task(VAEData{RowData: RowData{Train: x, Valid: valid, Batch: 16},
				Warmup: 10})
			require.NoError(t, err)
			return m, task
		},
	}
}

// Interrupted after any step and resumed, a training ends with the bits of one that never stopped.
func TestRowTrainingResumes(t *testing.T) {
	for name, start := range rowModels(t) {
		t.Run(name, func(t *testing.T) {
			m, task := start()
			fitRows(t, task, train.Config{Epochs: 3, Seed: 5})
			for stop := 1; stop < 12; stop += 2 {
				dir := t.TempDir()
				var resumed Reducer
				for part, limit := range []int{stop, 0} {
					var task train.Task
					resumed, task = start()
					checkpoints, err := train.OpenCheckpoints(dir, 0)
					require.NoError(t, err)
					fitRows(t, task, train.Config{Epochs: 3, Seed: 5, MaxSteps: limit,
						Checkpoints: checkpoints, SaveEvery: 1, Resume: part > 0})
					require.NoError(t, checkpoints.Close())
				}
				require.Equal(t, zootest.Weights(m), zootest.Weights(resumed),
					"stopped after step %d", stop)
			}
		})
	}
}

// A denoising autoencoder brings noisy rows nearer to the clean ones than they were; a VAE's bound
// falls, and what it draws looks like the data.
func TestRowModelsLearn(t *testing.T) {
	const d = 8
	x, test := someRows(600, d, 1), someRows(200, d, 2)
	c := Corruption{Kind: GaussianNoise, Amount: 0.3}
	m, err := NewAutoencoder(AutoencoderConfig{Features: d, Widths: []int{32, 8}, Output: "sigmoid",
		Corruption: c}, 1)
	require.NoError(t, err)
	task, err := m.Task(RowData{Train: x, Batch: 50})
	require.NoError(t, err)
	fitRows(t, task, train.Config{Epochs: 30})
	noisy, err := c.Apply(test, d, 9)
	require.NoError(t, err)
	clean, err := Reconstruct(m, noisy)
	require.NoError(t, err)
	mean := func(errs []float64) (sum float64) {
		for _, e := range errs {
			sum += e / float64(len(errs))
		}
		return sum
	}
	require.Less(t, mean(rowErrors(clean, test, d)), 0.3*mean(rowErrors(noisy, test, d)))

	v, err := NewVAE(VAEConfig{Features: d, Widths: []int{32}, Code: 2, Likelihood: "gaussian",
		Standardise: true}, 1)
	require.NoError(t, err)
	vt, err := v.Task(VAEData{RowData: RowData{Train: x, Valid: test, Batch: 50}})
	require.NoError(t, err)
	before, err := v.Bound(context.Background(), test)
	require.NoError(t, err)
	r := fitRows(t, vt, train.Config{Epochs: 40})
	after, err := v.Bound(context.Background(), test)
	require.NoError(t, err)
	require.Less(t, after.Total(), before.Total()-1)
	_, losses := r.History.Column("valid_loss")
	require.InDelta(t, after.Total(), losses[len(losses)-1], 1e-9)
	drawn, err := v.Sample(200, 4)
	require.NoError(t, err)
	for j := range d {
		var sum float64
		for i := range 200 {
			sum += float64(drawn[i*d+j]) / 200
		}
		require.InDelta(t, 0.5, sum, 0.15)
	}
	again, err := v.Sample(200, 4)
	require.NoError(t, err)
	require.Equal(t, drawn, again)

	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = v.Bound(cancelled, test)
	require.ErrorIs(t, err, context.Canceled)
}

// One model, many goroutines.
func TestReducersConcurrently(t *testing.T) {
	x := someRows(33, 7, 3)
	for name, m := range reducers(t) {
		want, err := Reconstruct(m, x)
		require.NoError(t, err)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var failed error
		for range 8 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for range 5 {
					got, err := Reconstruct(m, x)
					if err == nil && !slices.Equal(want, got) {
						err = errors.New(name + ": another result")
					}
					if err != nil {
						mu.Lock()
						failed = err
						mu.Unlock()
					}
				}
			}()
		}
		wg.Wait()
		require.NoError(t, failed)
	}
}

// FuzzLoadReducer: whatever config.json says, Load gives a model or an error.
func FuzzLoadReducer(f *testing.F) {
	dirs := map[string]string{}
	for name, m := range reducers(f) {
		dir := f.TempDir()
		require.NoError(f, m.Save(dir))
		zootest.ForgetDigests(f, dir)
		config, err := os.ReadFile(filepath.Join(dir, "config.json"))
		require.NoError(f, err)
		f.Add(name, config)
		dirs[name] = dir
	}
	for _, s := range []string{
		`{"format": 1, "architecture": "PCA", "config": {"features": 1048576, "components": 1048576}}`,
		`{"format": 1, "architecture": "VAE", "config": {"features": 7, "code": 2, "widths": [1048576, 1048576]}}`,
		`{"format": 1, "architecture": "Autoencoder", "config": {"features": 7, "widths": [], "threshold": -1}}`,
	} {
		f.Add("PCA", []byte(s))
	}
	f.Fuzz(func(t *testing.T, name string, config []byte) {
		dir, ok := dirs[name]
		if !ok {
			return
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), config, 0o666))
		m, err := Load(dir)
		if err != nil {
			return
		}
		_, err = m.Transform(make([]float32, m.Features()))
		require.NoError(t, err)
	})
}

// β rises batch by batch to its full weight.
func TestVAEWarmup(t *testing.T) {
	m, err := NewVAE(VAEConfig{Features: 3, Code: 2, Beta: 2}, 1)
	require.NoError(t, err)
	x := someRows(4, 3, 1)
	task, err := m.Task(VAEData{RowData: RowData{Train: x, Batch: 4}, Warmup: 4})
	require.NoError(t, err)
	var losses []float64
	for counter := range 6 {
		b, err := task.Next(1, counter)
		require.NoError(t, err)
		require.Equal(t, 4, b.Count)
		losses = append(losses, b.Loss)
	}
	// The noise differs from batch to batch, and the divergence does not: warm-up adds a quarter of
	// β·KL a batch.
	var kl float64
	mu, logvar, err := m.Posterior(x)
	require.NoError(t, err)
	for i := range mu {
		v := float64(logvar[i])
		kl += 0.5 * (float64(mu[i])*float64(mu[i]) + math.Exp(v) - 1 - v) / 4
	}
	b, err := m.Task(VAEData{RowData: RowData{Train: x, Batch: 4}})
	require.NoError(t, err)
	for counter, warm := range []float64{0, 0.25, 0.5, 0.75, 1, 1} {
		full, err := b.Next(1, counter)
		require.NoError(t, err)
		require.InDelta(t, full.Loss-(1-warm)*2*kl, losses[counter], 1e-4)
	}
}
