package reduce

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
)

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
