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

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/rng"
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
				testkit.RequireInDelta(t, codes[i*m.Codes():(i+1)*m.Codes()], code, 1e-5)
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
			testkit.RequireInDelta(t, rowErrors(s.apply(x), s.apply(y), 7), errs, 1e-5)
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
			testkit.RequireInDelta(t, y[:7], ends[:7], 1e-5)
			testkit.RequireInDelta(t, y[7:14], ends[14:], 1e-5)
			walk, err := Traverse(m, x[:7], 0, float64(codes[0]), float64(codes[0])+1, 2)
			require.NoError(t, err)
			testkit.RequireInDelta(t, y[:7], walk[:7], 1e-5)
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
