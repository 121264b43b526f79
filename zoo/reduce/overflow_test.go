package reduce

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
)

// huge are rows of 7 numbers at the end of float32's range, after one like those that models know.
func huge() [][]float32 {
	rows := [][]float32{someRows(1, 7, 3), make([]float32, 7), make([]float32, 7),
		make([]float32, 7)}
	for j := range 7 {
		rows[1][j] = 3e38
		rows[2][j] = float32(3e38 * math.Pow(-1, float64(j)))
		rows[3][j] = -3e38
	}
	return rows
}

// Rows that leave the range of a model's numbers are anomalies, or an error that names them, and
// never NaN, which is above no threshold.
func TestRowsThatOverflowAreAnomalies(t *testing.T) {
	for name, m := range reducers(t) {
		t.Run(name, func(t *testing.T) {
			var all []float32
			for _, row := range huge() {
				all = append(all, row...)
			}
			for what, errors := range map[string]func(Reducer, []float32) ([]float64, error){
				"errors": Reducer.Errors, "relative": RelativeErrors,
			} {
				errs, err := errors(m, all)
				require.NoError(t, err)
				require.Len(t, errs, 4)
				alone, err := errors(m, huge()[0])
				require.NoError(t, err)
				require.InDelta(t, alone[0], errs[0], 1e-6, "a row beside others")
				for i, e := range errs {
					require.False(t, math.IsNaN(e), "%s of row %d", what, i)
					if i > 0 && what == "errors" {
						require.Greater(t, e, 1e60, "row %d", i)
					}
				}
			}
			for what, of := range map[string]func([]float32) ([]float32, error){
				"codes": m.Transform, "rows again": func(x []float32) ([]float32, error) {
					return Reconstruct(m, x)
				},
			} {
				y, err := of(all)
				var bad *RowError
				if err != nil {
					require.ErrorAs(t, err, &bad)
					require.NotZero(t, bad.Row)
				}
				for _, v := range y {
					require.True(t, v-v == 0, what)
				}
			}
			codes := make([]float32, m.Codes())
			for i := range codes {
				codes[i] = 3e38
			}
			y, err := m.InverseTransform(codes)
			for _, v := range y {
				require.True(t, v-v == 0, "decoded: %v", err)
			}
		})
	}
	m, err := NewAutoencoder(AutoencoderConfig{Features: 7, Widths: []int{3},
		CodeActivation: "linear"}, 1)
	require.NoError(t, err)
	for _, p := range m.Params().Params() {
		for i := range p.Value().Float32s() {
			p.Value().Float32s()[i] = 1e3
		}
	}
	_, err = MeanError(m, append(huge()[0], huge()[1]...))
	var bad *RowError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, 1, bad.Row)
}

// A bound or a loss that is not finite names the row, and what overflowed first.
func TestValidationNamesTheRowThatOverflows(t *testing.T) {
	x := someRows(40, 7, 1)
	valid := append(someRows(5, 7, 2), huge()[1]...)
	valid = append(valid, someRows(3, 7, 4)...)
	ae, err := NewAutoencoder(AutoencoderConfig{Features: 7, Widths: []int{3},
		Activation: "linear"}, 1)
	require.NoError(t, err)
	vae, err := NewVAE(VAEConfig{Features: 7, Code: 2, Widths: []int{4},
		Likelihood: GaussianDecoder}, 1)
	require.NoError(t, err)
	for name, task := range map[string]func() (train.Task, error){
		"autoencoder": func() (train.Task, error) {
			return ae.Task(RowData{Train: x, Valid: valid})
		},
		"VAE": func() (train.Task, error) {
			return vae.Task(VAEData{RowData: RowData{Train: x, Valid: valid}})
		},
	} {
		task, err := task()
		require.NoError(t, err)
		_, err = task.Validate(context.Background())
		var bad *RowError
		require.ErrorAs(t, err, &bad, name)
		require.Equal(t, 5, bad.Row)
		require.ErrorContains(t, err, "Inf at")
	}
	_, err = vae.Bound(context.Background(), valid)
	require.ErrorContains(t, err, "row 5")
}

// Numbers whose squares are beyond float64 have no components; those whose squares are just within
// have.
func TestPCAOfHugeAndTinyNumbers(t *testing.T) {
	for _, rows := range []int{3, 40} { // by the rows, by their covariances
		for _, standardise := range []bool{false, true} {
			fit := func(unit float64) (*PCA, error) {
				x := make([]float64, 0, rows*7)
				for _, v := range someRows(rows, 7, 1) {
					x = append(x, float64(v)*unit)
				}
				return FitPCA(context.Background(), x,
					PCAConfig{Features: 7, Components: 2, Standardise: standardise})
			}
			want, err := fit(1)
			require.NoError(t, err)
			for _, unit := range []float64{1e-300, 1e-200, 1e-140, 1e-60, 1e60, 1e140, 1e200, 1e308,
				-1e308} {
				m, err := fit(unit)
				if e := math.Abs(math.Log10(math.Abs(unit))); e > 150 && !standardise {
					require.ErrorContains(t, err, "beyond the range of float64", "%g", unit)
				}
				if err != nil {
					continue
				}
				for k, v := range m.Components() {
					require.InDelta(t, math.Abs(want.Components()[k]), math.Abs(v), 1e-6, "%g",
						unit)
				}
			}
		}
	}
	_, err := FitPCA(context.Background(), []float64{1e308, -1e308, -1e308, 1e308, 1e308, 1e308},
		PCAConfig{Features: 2, Components: 1})
	require.Error(t, err)
	still, err := FitPCA(context.Background(), []float64{1, 2, 1, 2},
		PCAConfig{Features: 2, Components: 1})
	require.NoError(t, err)
	require.Equal(t, []float64{0}, still.ExplainedVarianceRatio())
	_, err = PrincipalAngles([]float64{1, math.NaN()}, []float64{1, 0}, 2)
	require.ErrorContains(t, err, "number 1 of basis 1 is NaN")
}
