package all_test

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/emoji"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/series"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// every is a small model of every architecture, and of the variants whose files differ: those here,
// and those that packages of models keep in their testdata by zootest.Small.
func every() map[string]zoo.Model {
	layer, v := zoo.Recurrent{Cell: "gru", Hidden: 4}, vocabularyFor(theSame)
	bpe := must(text.TrainBPE(context.Background(), text.BPEConfig{Size: 260}, "abab abab"))
	pieces := must(text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}},
		must(bpe.Tokens("abab abab"))))
	words := must(vectors.New([]string{"sun", "moon", "star"}, 2, []float32{1, 0, 0, 1, 1, 1}))
	pairs, _ := emojiPairs(theSame)
	rows, _ := rows(theSame)
	models := map[string]zoo.Model{
		"LanguageModel": must(lm.New(lm.Config{Recurrent: layer}, v, 1)),
		"LanguageModel, pieces": must(lm.New(lm.Config{Recurrent: layer, Level: lm.BytePairs,
			BPE: bpe},
			pieces, 1)),
		"LanguageModel, float64": must(lm.New(lm.Config{Recurrent: layer, Float64: true}, v, 1)),
		"Seq2Seq": must(seq2seq.New(seq2seq.Config{Encoder: layer,
			Attention: "luong"}, v, v, 1)),
		"HRED": must(dialogue.New(dialogue.Config{Encoder: layer,
			Latent: dialogue.Latent{Width: 2}, Float64: true}, v, 1)),
		"SequenceClassifier": must(label.NewClassifier(label.ClassifierConfig{
			Config: label.Config{Recurrent: layer}}, v, twoLabels(), 1)),
		"JointLabeller": must(label.NewJoint(label.JointConfig{Config: label.Config{
			Recurrent: layer}, CRF: true}, v, twoLabels(), twoLabels(), 1)),
		"Tagger": must(label.NewTagger(label.TaggerConfig{Config: label.Config{Recurrent: layer,
			Features: 3}}, nil, twoLabels(), 1)),
		"Forecaster": must(forecast.New(forecast.Config{Recurrent: layer, Variables: []string{"x"},
			Lookback: 3, Horizon: 1},
			&series.Scale{Mean: []float64{0.5}, Deviation: []float64{0.3}}, 1)),
		"Captioner": must(caption.New(caption.Config{Height: 4, Width: 4, Patch: 2, Hidden: 4,
			Features: 4, Decoder: layer}, v, 1)),
		"Emoji2Vec":          must(emoji.New(emoji.Config{Raw: true}, words, pairs)),
		"Emoji2Vec, float64": must(emoji.New(emoji.Config{Float64: true}, words, pairs)),
		"Autoencoder": must(reduce.NewAutoencoder(reduce.AutoencoderConfig{Features: 4,
			Widths: []int{2}, Float64: true}, 1)),
		"VAE": must(reduce.NewVAE(reduce.VAEConfig{Features: 4, Widths: []int{3}, Code: 2}, 1)),
		"RecurrentAutoencoder": must(reduce.NewRecurrentAutoencoder(
			reduce.RecurrentAutoencoderConfig{Recurrent: layer, Variables: 2, Window: 2,
				Code: 2}, 1)),
		"PCA": must(reduce.FitPCA(context.Background(), rows,
			reduce.PCAConfig{Features: 4, Components: 2})),
	}
	for _, file := range must(filepath.Glob("../*/testdata/small/*.zip")) {
		m := must(zoo.Load(file))
		models[m.Architecture()] = m
	}
	return models
}

// kept is all that a model's directory would hold.
func kept(t testing.TB, m zoo.Model) []byte {
	var b bytes.Buffer
	require.NoError(t, zoo.Write(&b, m))
	return b.Bytes()
}

func TestEveryArchitectureIsTried(t *testing.T) {
	_, err := zoo.LoadFS(fstest.MapFS{"m/config.json": {Data: []byte(`{"architecture": "?", "format": 1}`)}}, "m")
	require.ErrorIs(t, err, zoo.ErrArchitecture)
	known := regexp.MustCompile(`known are ([^.]*)\.`).FindStringSubmatch(err.Error())
	require.NotNil(t, known, err)
	tried := map[string]bool{}
	for _, m := range every() {
		tried[m.Architecture()] = true
	}
	require.Equal(t, strings.Split(known[1], ", "), slices.Sorted(maps.Keys(tried)),
		"the test of a model's package calls zootest.Small")
}

// Every model comes back the same from a directory, from one file, from file systems and from a
// reader.
func TestEveryModelFromEverywhere(t *testing.T) {
	for name, m := range every() {
		t.Run(name, func(t *testing.T) {
			zootest.Scramble(m)
			want := kept(t, m)
			dir := t.TempDir()
			in, file := filepath.Join(dir, "in"), filepath.Join(dir, "one.zip")
			require.NoError(t, m.Save(in))
			require.NoError(t, m.Save(file))
			require.NoError(t, m.Save(file)) // over itself
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, content), "the same model gives the same bytes")
			mapped := fstest.MapFS{"a/one.zip": {Data: content}}
			entries, err := os.ReadDir(in)
			require.NoError(t, err)
			for _, e := range entries {
				b, err := os.ReadFile(filepath.Join(in, e.Name()))
				require.NoError(t, err)
				mapped["a/b/"+e.Name()] = &fstest.MapFile{Data: b}
			}
			for from, load := range map[string]func() (zoo.Model, error){
				"directory": func() (zoo.Model, error) { return zoo.Load(in) },
				"file":      func() (zoo.Model, error) { return zoo.Load(file) },
				"os.DirFS":  func() (zoo.Model, error) { return zoo.LoadFS(os.DirFS(in), ".") },
				"sub":       func() (zoo.Model, error) { return zoo.LoadFS(os.DirFS(dir), "in") },
				"DirFS file": func() (zoo.Model, error) {
					return zoo.LoadFS(os.DirFS(dir),
						"one.zip")
				},
				"MapFS":      func() (zoo.Model, error) { return zoo.LoadFS(mapped, "a/b") },
				"MapFS file": func() (zoo.Model, error) { return zoo.LoadFS(mapped, "a/one.zip") },
				"pipe": func() (zoo.Model, error) {
					return zoo.LoadFS(sequential{mapped},
						"a/b")
				},
				"pipe file": func() (zoo.Model, error) {
					return zoo.LoadFS(sequential{mapped},
						"a/one.zip")
				},
				"reader": func() (zoo.Model, error) { return zoo.Read(bytes.NewReader(want)) },
				"slow reader": func() (zoo.Model, error) {
					return zoo.Read(io.MultiReader(bytes.NewReader(want)))
				},
				"clone": func() (zoo.Model, error) { return zoo.Clone(m) },
			} {
				got, err := load()
				require.NoError(t, err, from)
				require.IsType(t, m, got)
				require.True(t, bytes.Equal(want, kept(t, got)), from)
			}
		})
	}
}

// sequential hides that files can be read at any place.
type sequential struct{ fstest.MapFS }

func (s sequential) Open(name string) (fs.File, error) {
	f, err := s.MapFS.Open(name)
	if err != nil {
		return nil, err
	}
	return onlyFile{f}, nil
}

type onlyFile struct{ fs.File }

// What a clone learns its model does not.
func TestCloneIsApart(t *testing.T) {
	for name, m := range every() {
		zootest.Scramble(m)
		want := kept(t, m)
		c, err := zoo.Clone(m)
		require.NoError(t, err, name)
		for _, p := range c.Params().Params() {
			switch v := p.Value().Data().(type) {
			case []float32:
				v[0]++
			case []float64:
				v[0]++
			}
		}
		require.True(t, bytes.Equal(want, kept(t, m)), name)
	}
	lang := every()["LanguageModel"].(*lm.Model)
	c, err := zoo.Clone(lang)
	require.NoError(t, err)
	require.NotSame(t, lang, c)
	_, err = zoo.Clone[zoo.Model](nil)
	require.Error(t, err)
}

func TestAs(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, zoo.Write(&b, every()["Tagger"]))
	_, err := zoo.As[*lm.Model](zoo.Read(&b))
	require.ErrorIs(t, err, zoo.ErrArchitecture)
	require.ErrorContains(t, err, "there is a Tagger, not a *lm.Model")
	_, err = zoo.As[*lm.Model](zoo.Load(t.TempDir()))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = zoo.As[*lm.Model](nil, nil)
	require.ErrorContains(t, err, "there is nothing")
}

//go:embed testdata/embedded
var embedded embed.FS

// A program embeds a model, as a directory and as one file. The files are made anew by
// SEQZOO_UPDATE=1.
func TestEmbeddedModel(t *testing.T) {
	want := must(lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4}},
		must(text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk, text.EOS}},
			[]string{"a", "b"})), 1))
	if os.Getenv("SEQZOO_UPDATE") != "" {
		require.NoError(t, want.Save("testdata/embedded/model"))
		require.NoError(t, want.Save("testdata/embedded/model.zip"))
	}
	for _, name := range []string{"model", "model.zip"} {
		m, err := zoo.As[*lm.Model](zoo.LoadFS(embedded, "testdata/embedded/"+name))
		require.NoError(t, err)
		require.True(t, bytes.Equal(kept(t, want), kept(t, m)), name)
		_, _, err = m.Next("a", 1)
		require.NoError(t, err)
	}
}

// What is no model in one file is refused, and says why; no byte of one can be changed.
func TestDamagedFile(t *testing.T) {
	m := every()["LanguageModel"]
	good := kept(t, m)
	for want, b := range map[string][]byte{
		"no model in one file": []byte("hello"),
		"zip: not a valid zip": {},
	} {
		_, err := zoo.Read(bytes.NewReader(b))
		require.ErrorContains(t, err, want)
	}
	_, err := zoo.Read(nil)
	require.ErrorContains(t, err, "nil")
	require.ErrorContains(t, zoo.Write(nil, m), "nil")
	_, err = zoo.LoadFS(nil, "x")
	require.ErrorContains(t, err, "nil")
	_, err = zoo.LoadFS(os.DirFS(t.TempDir()), "../x")
	require.Error(t, err)
	dir := t.TempDir()
	require.NoError(t, m.Save(dir))
	_, err = zoo.Load(filepath.Join(dir, "config.json"))
	require.ErrorContains(t, err, "load the directory")
	changed := 0
	for i := 0; i < len(good); i += 7 {
		bad := slices.Clone(good)
		bad[i] ^= 0x55
		got, err := zoo.Read(bytes.NewReader(bad))
		if err != nil {
			changed++
		} else { // a byte of the archive that means nothing, such as a time
			require.True(t, bytes.Equal(good, kept(t, got)), "byte %d", i)
		}
		if i%5 == 0 {
			_, err = zoo.Read(bytes.NewReader(good[:i]))
			require.Error(t, err, fmt.Sprint(i))
		}
	}
	require.Greater(t, changed, len(good)/14)
}
