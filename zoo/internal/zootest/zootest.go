package zootest

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seqzoo/seqzoo/internal/safetensors"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/stretchr/testify/require"
)

func Weights(m zoo.Model) map[string][]float32 {
	w := map[string][]float32{}
	for _, p := range m.Params().Params() {
		w[p.Name()] = slices.Clone(p.Value().Float32s())
	}
	return w
}

// Small keeps a small model of a package in its testdata/small, whence the tests of all models take
// it (zoo/all), and holds that a file once kept loads. SEQZOO_UPDATE=1 writes the file.
func Small(t testing.TB, m zoo.Model) {
	t.Helper()
	file := filepath.Join("testdata", "small", m.Architecture()+".zip")
	if os.Getenv("SEQZOO_UPDATE") != "" {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o777))
		require.NoError(t, m.Save(file))
	}
	kept, err := zoo.Load(file)
	require.NoError(t, err, "SEQZOO_UPDATE=1 go test . writes it")
	require.IsType(t, m, kept)
	require.Equal(t, m.Files().Config, kept.Files().Config)
}

// ForgetDigests writes the weights as another program would, that knows nothing of the files beside
// them.
func ForgetDigests(t testing.TB, dir string) {
	path := filepath.Join(dir, "model.safetensors")
	f, err := safetensors.ReadFile(path)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, safetensors.Write(&b, f.Tensors, nil))
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o666))
}

// Letters is a vocabulary of a … a+n−1 and the special tokens.
func Letters(t *testing.T, n int, specials ...string) *text.Vocabulary {
	var tokens []string
	for i := range n {
		tokens = append(tokens, string(rune('a'+i)))
	}
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: specials}, tokens)
	require.NoError(t, err)
	return v
}

// Scramble gives a model weights that are not small, so that its predictions are not all alike.
func Scramble(m interface{ Params() *nodes.Store }) {
	for _, p := range m.Params().Params() {
		key := rng.New(5).Named(p.Name())
		switch v := p.Value().Data().(type) {
		case []float32:
			for i := range v {
				v[i] = float32(0.7 * key.Normal(uint64(i)))
			}
		case []float64:
			for i := range v {
				v[i] = 0.7 * key.Normal(uint64(i))
			}
		}
	}
}

// CheckGradients holds the gradient of a batch in all weights, along a random direction, to central
// differences. The task must give the same batch again and again.
func CheckGradients(t *testing.T, task train.Task) {
	t.Helper()
	batch := func() train.Batch {
		b, err := task.Next(7, 0)
		require.NoError(t, err)
		return b
	}
	b := batch()
	require.Len(t, b.Grads, len(task.Params()))
	direction := map[string][]float64{}
	slope := 0.
	for _, g := range b.Grads {
		d, err := g.Grad()
		require.NoError(t, err)
		name := g.(interface{ Name() string }).Name()
		key := rng.New(11).Named(name)
		for i, x := range d.Data().([]float64) {
			v := key.Normal(uint64(i))
			direction[name] = append(direction[name], v)
			slope += v * x
		}
	}
	move := func(by float64) float64 {
		for _, p := range task.Params() {
			for i, v := range direction[p.Name()] {
				p.Value().Data().([]float64)[i] += by * v
			}
		}
		return batch().Loss
	}
	const h = 1e-3
	var at [4]float64 // one and two steps up, one and two steps down
	for i, by := range []float64{h, h, -3 * h, -h} {
		at[i] = move(by)
	}
	require.InEpsilon(t, (8*(at[0]-at[2])-(at[1]-at[3]))/(12*h), slope, 1e-6)
}

// Last is the last value of a column of a training's history.
func Last(r *train.Result, column string) float64 {
	_, values := r.History.Column(column)
	return values[len(values)-1]
}
