package lm

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/safetensors"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// saved is the directory of a small language model.
func saved(t testing.TB) (dir string, m *Model) {
	m = newLM(t, Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3}, Level: "char"})
	dir = t.TempDir()
	require.NoError(t, m.Save(dir))
	return dir, m
}

// smallBPE has learned a few pieces.
var smallBPE = func() *text.BPE {
	b, err := text.TrainBPE(context.Background(), text.BPEConfig{Size: 262}, "abc abc abd")
	if err != nil {
		panic(err)
	}
	return b
}()

// A tokeniser that is lost or another one is noticed.
func TestSavedBPE(t *testing.T) {
	dir := t.TempDir()
	m := newLM(t, Config{Recurrent: zoo.Recurrent{Hidden: 3}, Level: "bpe", BPE: smallBPE})
	require.NoError(t, m.Save(dir))
	other, err := text.TrainBPE(context.Background(), text.BPEConfig{Size: 262}, "xyz xyz xyw")
	require.NoError(t, err)
	var file bytes.Buffer
	_, err = other.WriteTo(&file)
	require.NoError(t, err)
	path := filepath.Join(dir, zoo.TokeniserFile)
	require.NoError(t, os.WriteFile(path, file.Bytes(), 0o666))
	_, err = zoo.Load(dir)
	require.ErrorContains(t, err, "tokenizer.json does not belong to model.safetensors")
	require.NoError(t, os.WriteFile(path, []byte("{}\n"), 0o666))
	_, err = zoo.Load(dir)
	require.ErrorContains(t, err, "tokenizer.json: bpe: line 1: not the first line")
	require.NoError(t, os.Remove(path))
	_, err = zoo.Load(dir)
	require.ErrorContains(t, err, "tokenizer.json")
}

func TestSaveLoad(t *testing.T) {
	for _, cfg := range []Config{
		{Recurrent: zoo.Recurrent{Cell: "rnn,activation=relu", Hidden: 1}, Level: "char"},
		{Recurrent: zoo.Recurrent{Cell: "gru,reset_before", Hidden: 5, Layers: 2}, Tied: true},
		{Recurrent: zoo.Recurrent{Cell: "lstm,peephole=diagonal,layer_norm=gate", Hidden: 4,
			Layers: 3, Residual: true, Dropout: 0.1}, Embed: 7, KeepCase: true},
		{Recurrent: zoo.Recurrent{Hidden: 4}, Cutoffs: []int{2, 7}, Div: 3, EmbedStd: 0.5,
			Spaced: true},
		{Recurrent: zoo.Recurrent{Hidden: 3}, Level: "bpe", BPE: smallBPE},
	} {
		m := newLM(t, cfg)
		for _, name := range []string{"a", "with spaces", "日本語", strings.Repeat("x", 200),
			"new/and/deep"} {
			dir := filepath.Join(t.TempDir(), name)
			require.NoError(t, m.Save(dir))
			require.NoError(t, m.Save(dir), "again, over the first")
			again, err := Load(dir)
			require.NoError(t, err)
			require.Equal(t, m.Config(), again.Config())
			require.Equal(t, m.Vocabulary(), again.Vocabulary())
			require.Equal(t, zootest.Weights(m), zootest.Weights(again))
			require.Equal(t, logitsOf(t, m, lmText[:20]), logitsOf(t, again, lmText[:20]),
				"the same logits to the bit")
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			files := 3
			if cfg.BPE != nil {
				files++
			}
			require.Len(t, entries, files)
		}
	}
}

func TestSaveErrors(t *testing.T) {
	_, m := saved(t)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	err := m.Save(filepath.Join(file, "model"))
	require.ErrorIs(t, err, syscall.ENOTDIR)
	require.ErrorContains(t, err, file)
}

func replace(t testing.TB, path, old, new string) {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(b), old)
	require.NoError(t, os.WriteFile(path, bytes.ReplaceAll(b, []byte(old), []byte(new)), 0o666))
}

func TestLoadErrors(t *testing.T) {
	for _, c := range []struct {
		want  string
		spoil func(t *testing.T, dir string)
	}{
		{"config.json: no such file", func(t *testing.T,
			dir string) {
			os.Remove(filepath.Join(dir, "config.json"))
		}},
		{"vocabulary.json: no such file", func(t *testing.T,
			dir string) {
			os.Remove(filepath.Join(dir, "vocabulary.json"))
		}},
		{"model.safetensors: no such file", func(t *testing.T,
			dir string) {
			os.Remove(filepath.Join(dir, "model.safetensors"))
		}},
		{"config.json is not a regular file", func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "config.json")))
			require.NoError(t, os.Mkdir(filepath.Join(dir, "config.json"), 0o777))
		}},
		{"unexpected end of JSON", config(``)},
		{"invalid character", config(`garbage`)},
		{"invalid character", config(`{"architecture": "LanguageModel", "format": 1, "config": {"hidden": 3}} and more`)},
		{"cannot unmarshal", config(`[1]`)},
		{"says no format", config(`null`)},
		{"says no format", config(`{}`)},
		{"says no format", config(`{"format": -1}`)},
		{`architecture "" is unknown`, config(`{"format": 1, "config": {}}`)},
		{`has no "config"`, config(`{"format": 1, "architecture": "LanguageModel"}`)},
		{"null is no value", config(`{"format": 1, "architecture": "LanguageModel", "config": null}`)},
		{"an object expected", config(`{"format": 1, "architecture": "LanguageModel", "config": 7}`)},
		{"was made by model format 2, this is format 1: a newer version",
			config(`{"format": 2, "new": true}`)},
		{`unknown field "lambda"`,
			config(`{"format": 1, "architecture": "LanguageModel", "config": {"hidden": 3}, "lambda": "os.system"}`)},
		{`unknown field "lambda"`,
			config(`{"format": 1, "architecture": "LanguageModel", "config": {"hidden": 3, "lambda": "os.system"}}`)},
		{`the field "Hidden" comes twice`,
			config(`{"format": 1, "architecture": "LanguageModel", "config": {"hidden": 3, "Hidden": 4}}`)},
		{`the field "format" comes twice`,
			config(`{"format": 1, "format": 1, "architecture": "LanguageModel", "config": {}}`)},
		{`architecture "os.system" is unknown; known are `,
			config(`{"format": 1, "architecture": "os.system", "config": {}}`)},
		{"hidden is 0", config(`{"format": 1, "architecture": "LanguageModel", "config": {}}`)},
		{"hidden is 1099511627776",
			config(`{"format": 1, "architecture": "LanguageModel", "config": {"hidden": 1099511627776}}`)},
		{"cannot unmarshal number 1e99",
			config(`{"format": 1, "architecture": "LanguageModel", "config": {"hidden": 1e99}}`)},
		{"exceeded max depth", config(`{"format": 1, "architecture": "LanguageModel", "config": ` +
			strings.Repeat("[", 100_000))},
		{"longer than 1048576 bytes", config(strings.Repeat(" ", 1<<20) + "{}")},
		{"layers/l0/W_ih is [3, 9], the configuration says [3, 12]",
			config(`{"format": 1, "architecture": "LanguageModel", "config": {"cell": "lstm", "hidden": 3, "level": "char"}}`)},
		{"layers/l1/W_ih is missing",
			config(`{"format": 1, "architecture": "LanguageModel", "config": {"cell": "gru", "hidden": 3, "layers": 2, "level": "char"}}`)},
		{"out/W is unknown to this architecture",
			config(`{"format": 1, "architecture": "LanguageModel", "config": {"cell": "gru", "hidden": 3, "tied": true, "level": "char"}}`)},
		{"embed/E is [", func(t *testing.T, dir string) { // a vocabulary of another model
			v, err := text.NewVocabulary(text.VocabularyConfig{}, []string{"x", "y"})
			require.NoError(t, err)
			writeVocabulary(t, dir, v)
			zootest.ForgetDigests(t, dir)
		}},
		{"vocabulary.json does not belong to model.safetensors", func(t *testing.T, dir string) {
			replace(t, filepath.Join(dir, "vocabulary.json"), `["a", `, `["z", `)
		}},
		{"config.json does not belong to model.safetensors", func(t *testing.T, dir string) {
			replace(t, filepath.Join(dir, "config.json"), `"format": 1`, `"format":  1`)
		}},
		{"vocabulary: line 1", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "vocabulary.json"), []byte("{}"),
				0o666))
		}},
		{"model.safetensors", func(t *testing.T, dir string) {
			require.NoError(t, os.Truncate(filepath.Join(dir, "model.safetensors"), 100))
		}},
		{"model.safetensors", func(t *testing.T, dir string) { // one bit of a weight
			path := filepath.Join(dir, "model.safetensors")
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			b[len(b)-1] ^= 1
			require.NoError(t, os.WriteFile(path, b, 0o666))
		}},
	} {
		dir, _ := saved(t)
		c.spoil(t, dir)
		m, err := zoo.Load(dir)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, dir)
		require.Nil(t, m)
	}
	_, err := zoo.Load(filepath.Join(t.TempDir(), "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// config replaces config.json.
func config(s string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(s), 0o666))
		zootest.ForgetDigests(t, dir)
	}
}

func writeVocabulary(t testing.TB, dir string, v *text.Vocabulary) {
	var b bytes.Buffer
	_, err := v.WriteTo(&b)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vocabulary.json"), b.Bytes(), 0o666))
}

func TestLoadWeightsOfAnotherProgram(t *testing.T) {
	dir, m := saved(t)
	zootest.ForgetDigests(t, dir)
	again, err := Load(dir)
	require.NoError(t, err)
	require.Equal(t, zootest.Weights(m), zootest.Weights(again))
}

type otherModel struct{ zoo.Model }

func (otherModel) Architecture() string { return "Other" }

func TestLoadLanguageModelOfAnotherArchitecture(t *testing.T) {
	zoo.Register("Other", func(*zoo.Dir, struct{}) (otherModel, error) {
		return otherModel{&Model{store: nodes.NewStore(nodes.Float32, 1)}}, nil
	})
	dir := t.TempDir()
	config(`{"format": 1, "architecture": "Other", "config": {}}`)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"),
		[]byte(`{"format": 1, "architecture": "Other", "config": {}}`), 0o666))
	var b bytes.Buffer
	require.NoError(t, safetensors.Write(&b, nil, nil))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "model.safetensors"), b.Bytes(), 0o666))
	_, err := Load(dir)
	require.EqualError(t, err, fmt.Sprintf("zoo: %s holds a Other, not a LanguageModel", dir))
}

// A save that stops between two files is noticed, whichever of them are new.
func TestSaveCutShort(t *testing.T) {
	files := []string{"config.json", "vocabulary.json", "model.safetensors"}
	for cut := 1; cut < len(files); cut++ {
		dir, _ := saved(t)
		other := newLM(t, Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3, Dropout: 0.5},
			Level: "char"})
		next := t.TempDir()
		require.NoError(t, other.Save(next))
		for _, name := range files[:cut] {
			b, err := os.ReadFile(filepath.Join(next, name))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o666))
		}
		_, err := zoo.Load(dir)
		require.ErrorContains(t, err, "config.json does not belong")
	}
}

// FuzzLoadConfig: whatever config.json holds, Load gives a model or an error; what it takes it
// writes again.
func FuzzLoadConfig(f *testing.F) {
	dir, _ := saved(f)
	zootest.ForgetDigests(f, dir)
	valid, err := os.ReadFile(filepath.Join(dir, "config.json"))
	require.NoError(f, err)
	f.Add(valid)
	for _, s := range []string{
		``, `{}`, `null`, `{"format": 1, "architecture": "LanguageModel", "config": {"cell": "lstm", "hidden": 3, "peephole": "full"}}`,
		`{"format": 1, "architecture": "LanguageModel", "config": {"cell": "rnn", "hidden": 1048576, "layers": 64, "zoneout": 1e-300}}`,
		`{"format": 1, "architecture": "LanguageModel", "config": {"cell": "gru", "hidden": 46340, "tied": true, "embed": -1}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o666); err != nil {
			t.Skip(err)
		}
		m, err := zoo.Load(dir)
		if err != nil {
			return
		}
		again := t.TempDir()
		require.NoError(t, m.Save(again))
		_, err = zoo.Load(again)
		require.NoError(t, err)
	})
}

// Weights that claim much and take little room on a disk are compared with the configuration before
// they are read.
func TestShapesAreComparedBeforeWeightsAreRead(t *testing.T) {
	const size = 1 << 37 // more than fits into memory
	dir, _ := saved(t)
	header := fmt.Sprintf(`{"embed/E":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]}}`, size/4,
		size)
	path := filepath.Join(dir, "model.safetensors")
	b := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
	require.NoError(t, os.WriteFile(path, b, 0o666))
	if err := os.Truncate(path, int64(len(b))+size); err != nil {
		t.Skipf("no file of that size here: %v", err)
	}
	_, err := zoo.Load(dir)
	require.ErrorContains(t, err, "embed/E is [34359738368], the configuration says [")
}
