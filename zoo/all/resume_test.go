package all_test

import (
	"context"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/emoji"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/series"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// The changes of data and settings that a resumed training must notice, with what the error calls
// them.
const (
	theSame    = ""
	otherTrain = "training data"
	otherOrder = "training data "
	otherValid = "validation data"
	manyValid  = "much validation data"
	otherWords = "vocabulary"
	otherModel = "configuration of the model"
	otherTask  = "settings of the task"
)

// orders is the numbers from 0 to n−1 in the order of the change.
func orders(n int, change string) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	if change == otherOrder {
		slices.Reverse(order)
	}
	return order
}

// if1 is 1 if the change is the one asked for.
func if1(change, asked string) int {
	if change == asked {
		return 1
	}
	return 0
}

// ids are sequences of ids of a vocabulary of 6, of which ids 3 to 5 come up.
func ids(change string) (train, valid [][]int) {
	for _, i := range orders(12, change) {
		train = append(train, []int{3 + i%3, 3 + (i/3+if1(change, otherTrain))%3, 3 + i/6})
	}
	valid = [][]int{{3, 5 - if1(change, otherValid), 3}, {4, 3, 4}}
	if change == manyValid {
		for i := range 150 {
			valid = append(valid, []int{3 + i%3, 3 + i/7%3, 3 + i/2%3})
		}
	}
	return train, valid
}

func vocabularyFor(change string) *text.Vocabulary {
	words := []string{"a", "b", "c"}
	if change == otherWords {
		words[2] = "d"
	}
	return must(text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS,
		text.Unk}}, words))
}

// dropout tells configurations of one shape apart.
func dropout(change string) float64 { return 0.1 + 0.1*float64(if1(change, otherModel)) }

func batchSeed(change string) uint64 { return uint64(1 + if1(change, otherTask)) }

// rows are rows of 4 numbers in [0, 1].
func rows(change string) (train, valid []float32) {
	for _, i := range orders(12, change) {
		for k := range 4 {
			train = append(train, float32((i*7+k*3+if1(change, otherTrain))%11)/11)
		}
	}
	valid = []float32{0.1, 0.2, 0.3, 0.4 + 0.1*float32(if1(change, otherValid))}
	if change == manyValid {
		for i := range 4 * 800 {
			valid = append(valid, float32(i*i%13)/13)
		}
	}
	return train, valid
}

func emojiPairs(change string) (train, valid []emoji.Pair) {
	words := []string{"sun", "moon", "star"}
	for _, i := range orders(12, change) {
		e := []string{"☀", "☾", "★"}[i%3]
		train = append(train, emoji.Pair{Emoji: e, Phrase: words[i%3] + " " +
			words[(i/3+if1(change, otherTrain))%3], Match: true})
	}
	return train, []emoji.Pair{{Emoji: "☀", Phrase: "sun", Match: true},
		{Emoji: "★", Phrase: words[if1(change, otherValid)], Match: false}}
}

func pictures(change string) (train, valid []caption.Captioned) {
	picture := func(level int) image.Image {
		g := image.NewGray(image.Rect(0, 0, 4, 4))
		g.Pix[5] = uint8(level)
		return g
	}
	captions, held := ids(theSame) // the pictures are what changes
	for i, c := range captions {
		train = append(train, caption.Captioned{Picture: picture(20*i + if1(change, otherTrain)),
			Caption: c})
	}
	if change == otherOrder {
		slices.Reverse(train)
	}
	return train, []caption.Captioned{{Picture: picture(100 + if1(change, otherValid)),
		Caption: held[0]}}
}

// resumable makes the task of each model of the zoo, with a change.
var resumable = map[string]func(change string) (train.Task, error){
	"language model": func(change string) (train.Task, error) {
		learn, valid := ids(change)
		m := must(lm.New(lm.Config{
			Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 4}, IODropout: dropout(change)},
			vocabularyFor(change), 1))
		d := lm.Data{Train: slices.Concat(learn...), Valid: slices.Concat(valid...), Batch: 2}
		d.Window.Stride = 5
		d.Sampled = 2 + if1(change, otherTask)
		return m.Task(d)
	},
	"seq2seq": func(change string) (train.Task, error) {
		learn, valid := ids(change)
		layer := zoo.Recurrent{Cell: "gru", Hidden: 4}
		m := must(seq2seq.New(seq2seq.Config{Encoder: layer, Decoder: layer,
			IODropout: dropout(change)},
			vocabularyFor(theSame), vocabularyFor(change), 1))
		d := seq2seq.Data{Batch: 4, Seed: 1, Teacher: seq2seq.InverseSigmoid(10 +
			float64(if1(change, otherTask)))}
		for _, s := range learn {
			d.Train = append(d.Train, seq2seq.Pair{Source: s, Target: s})
		}
		for _, s := range valid {
			d.Valid = append(d.Valid, seq2seq.Pair{Source: s, Target: s})
		}
		d.BLEU = change == manyValid
		return m.Task(d)
	},
	"seq2seq copying": func(change string) (train.Task, error) {
		learn, valid := ids(change)
		m := must(seq2seq.New(seq2seq.Config{Encoder: zoo.Recurrent{Cell: "gru", Hidden: 4},
			Attention: "luong", Copy: true, IODropout: dropout(change)},
			vocabularyFor(theSame), vocabularyFor(change), 1))
		d := seq2seq.Data{Batch: 4, Seed: batchSeed(change)}
		pairs := func(of [][]int) []seq2seq.Pair { // with a word that no vocabulary has
			var sources, targets [][]string
			for _, s := range of {
				tokens := must(vocabularyFor(theSame).Decode(s))
				sources = append(sources, append(tokens, "new"))
				targets = append(targets, []string{"new", tokens[0]})
			}
			return must(m.Pairs(sources, targets))
		}
		d.Train, d.Valid = pairs(learn), pairs(valid)
		return m.Task(d)
	},
	"joint": func(change string) (train.Task, error) {
		learn, valid := ids(change)
		m := must(label.NewJoint(label.JointConfig{Config: label.Config{Recurrent: zoo.Recurrent{
			Cell: "gru", Hidden: 4}, IODropout: dropout(change)}, CRF: true}, vocabularyFor(change),
			twoLabels(), twoLabels(), 1))
		return m.Task(label.JointData{Train: jointly(learn), Valid: jointly(valid), Batch: 4,
			Seed: batchSeed(change)})
	},
	"HRED": func(change string) (train.Task, error) {
		learn, valid := ids(change)
		m := must(dialogue.New(dialogue.Config{Encoder: zoo.Recurrent{Cell: "gru", Hidden: 4},
			Latent: dialogue.Latent{Width: 2}, IODropout: dropout(change), Copy: 5},
			vocabularyFor(change), 1))
		d := dialogue.Data{Batch: 4, Seed: 1, KLWeight: dialogue.RisingTo(50 +
			20*if1(change, otherTask))}
		for _, s := range learn {
			d.Train = append(d.Train, dialogue.Dialogue{s, s[1:]})
		}
		for _, s := range valid {
			d.Valid = append(d.Valid, dialogue.Dialogue{s, s[1:]})
		}
		return m.Task(d)
	},
	"tagger": func(change string) (train.Task, error) {
		return sequenceTask(change, func(tokens, labels *text.Vocabulary) interface {
			Task(label.Data) (train.Task, error)
		} {
			return must(label.NewTagger(label.TaggerConfig{Config: label.Config{
				Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4}, IODropout: dropout(change)}},
				tokens, labels, 1))
		}, false)
	},
	"classifier": func(change string) (train.Task, error) {
		return sequenceTask(change, func(tokens, labels *text.Vocabulary) interface {
			Task(label.Data) (train.Task, error)
		} {
			return must(label.NewClassifier(label.ClassifierConfig{Config: label.Config{
				Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4}, IODropout: dropout(change)}},
				tokens, labels, 1))
		}, true)
	},
	"forecaster": func(change string) (train.Task, error) {
		learn, valid := rows(change)
		of := func(x []float32) *series.Series {
			s := &series.Series{Names: []string{"x"}}
			for _, v := range x {
				s.Values = append(s.Values, float64(v))
			}
			return s
		}
		scale := &series.Scale{Mean: []float64{0.5}, Deviation: []float64{0.3}}
		m := must(forecast.New(forecast.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4},
			Variables: []string{"x"},
			Lookback:  2, Horizon: 1, IODropout: dropout(change)}, scale, 1))
		return m.Task(forecast.Data{Train: of(learn), Valid: of(valid), Batch: 8,
			Seed: batchSeed(change)})
	},
	"forecaster with gaps": func(change string) (train.Task, error) {
		learn, valid := rows(change)
		of := func(x []float32) *series.Series { // the third is a gap, and every seventh
			s := &series.Series{Names: []string{"x", "known", "static"}}
			for i, v := range x {
				y := float64(v)
				if i%7 == 2 {
					y = math.NaN()
				}
				s.Values = append(s.Values, y, float64(v), 1)
			}
			return s
		}
		scale := &series.Scale{Mean: []float64{0.5, 0.5, 0}, Deviation: []float64{0.3, 0.3, 1}}
		m := must(forecast.New(forecast.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4},
			Variables: []string{"x", "known", "static"}, Known: []string{"known"},
			Static: []string{"static"}, Gaps: forecast.MaskGaps, Quantiles: []float64{0.2, 0.5},
			Lookback: 2, Horizon: 1, IODropout: dropout(change)}, scale, 1))
		s := of(learn)
		return m.Task(forecast.Data{Train: s.Slice(0, 20), More: []*series.Series{s.Slice(20, 48)},
			Valid: of(valid), Batch: 8, Seed: batchSeed(change)})
	},
	"conditional VAE": func(change string) (train.Task, error) {
		learn, valid := rows(change)
		m := must(reduce.NewVAE(reduce.VAEConfig{Features: 3, Condition: 1, Widths: []int{3},
			Code: 2, Beta: dropout(change)}, 1))
		return m.Task(reduce.VAEData{RowData: reduce.RowData{Train: learn, Valid: valid, Batch: 4,
			Seed: batchSeed(change)}})
	},
	"autoencoder": func(change string) (train.Task, error) {
		learn, valid := rows(change)
		m := must(reduce.NewAutoencoder(reduce.AutoencoderConfig{Features: 4, Widths: []int{2},
			Corruption: reduce.Corruption{Kind: reduce.GaussianNoise, Amount: dropout(change)}}, 1))
		return m.Task(reduce.RowData{Train: learn, Valid: valid, Batch: 4, Seed: batchSeed(change)})
	},
	"VAE": func(change string) (train.Task, error) {
		learn, valid := rows(change)
		m := must(reduce.NewVAE(reduce.VAEConfig{Features: 4, Widths: []int{3}, Code: 2,
			Beta: dropout(change)}, 1))
		return m.Task(reduce.VAEData{RowData: reduce.RowData{Train: learn, Valid: valid, Batch: 4,
			Seed: 1}, Warmup: 9 + if1(change, otherTask)})
	},
	"recurrent autoencoder": func(change string) (train.Task, error) {
		learn, valid := rows(change)
		m := must(reduce.NewRecurrentAutoencoder(
			reduce.RecurrentAutoencoderConfig{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4},
				Variables: 2, Window: 2, Code: 2, Forward: change == otherModel}, 1))
		return m.Task(reduce.RowData{Train: learn, Valid: valid, Batch: 4, Seed: batchSeed(change)})
	},
	"captioner": func(change string) (train.Task, error) {
		learn, valid := pictures(change)
		m := must(caption.New(caption.Config{Height: 4, Width: 4, Patch: 2, Hidden: 4, Features: 4,
			Decoder: zoo.Recurrent{Cell: "gru", Hidden: 4}, Dropout: dropout(change)},
			vocabularyFor(change), 1))
		return m.Task(caption.Data{Train: learn, Valid: valid, Batch: 4, Seed: batchSeed(change)})
	},
	"emoji2vec": func(change string) (train.Task, error) {
		learn, valid := emojiPairs(change)
		words := must(vectors.New([]string{"sun", "moon", "star"}, 2, []float32{1, 0, 0, 1, 1, 1}))
		m := must(emoji.New(emoji.Config{Raw: true, Dropout: dropout(change)}, words, learn))
		return m.Task(emoji.Data{Train: learn, Valid: valid, Batch: 4, Seed: batchSeed(change)})
	},
}

// jointly gives sequences a label and tags.
func jointly(all [][]int) (out []label.JointLabelled) {
	for _, s := range all {
		out = append(out, label.JointLabelled{Sequence: label.Sequence{IDs: s}, Label: s[0] % 2,
			Tags: []int{s[0] % 2, s[1] % 2, s[2] % 2}})
	}
	return out
}

func sequenceTask(change string, make func(tokens, labels *text.Vocabulary) interface {
	Task(label.Data) (train.Task, error)
}, once bool) (train.Task, error) {
	learn, valid := ids(change)
	labels := must(text.NewVocabulary(text.VocabularyConfig{}, []string{"X", "Y"}))
	examples := func(all [][]int) (out []label.Labelled) {
		for _, s := range all {
			y := []int{s[0] % 2, s[1] % 2, s[2] % 2}
			if once {
				y = y[:1]
			}
			out = append(out, label.Labelled{Sequence: label.Sequence{IDs: s}, Labels: y})
		}
		return out
	}
	return make(vocabularyFor(change), labels).Task(label.Data{Train: examples(learn),
		Valid: examples(valid), Batch: 4, Seed: batchSeed(change)})
}

// state is every number of a task's weights.
func state(task train.Task) (s string) {
	for _, p := range task.Params() {
		s += fmt.Sprintf("%s %x\n", p.Name(), p.Value().Data())
	}
	return s
}

// content is all that the files of a folder hold.
func content(t *testing.T, dir string) (all string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		all += fmt.Sprintf("%s %x\n", name, must(os.ReadFile(name)))
	}
	return all
}

// A training of any model goes on with the data that it began with, to the bits of one that never
// stopped, and refuses other data of the same sizes, whose checkpoint stays as it is.
func TestResumeWantsTheSameData(t *testing.T) {
	for name, make := range resumable {
		t.Run(name, func(t *testing.T) {
			fit := func(dir, change string, steps int) (string, error) {
				task, err := make(change)
				require.NoError(t, err)
				cp := must(train.OpenCheckpoints(dir, 0))
				defer cp.Close()
				_, err = train.Fit(context.Background(), task, train.Config{
					Optimizer: must(train.NewAdam(train.AdamConfig{LR: 0.01})), Epochs: 3,
					MaxSteps:    steps,
					Checkpoints: cp, Resume: true, Warn: func(string) {},
				})
				return state(task), err
			}
			whole, err := fit(t.TempDir(), theSame, 0)
			require.NoError(t, err)
			dir := t.TempDir()
			_, err = fit(dir, theSame, 2)
			require.NoError(t, err)
			before := content(t, dir)
			for _, change := range []string{otherTrain, otherOrder, otherValid, otherWords,
				otherModel, otherTask} {
				if task, err := make(change); change == otherWords && err == nil {
					other, _ := make(theSame)
					if _, hasWords := digests(task)["vocabulary"]; !hasWords ||
						digests(task)["vocabulary"] == digests(other)["vocabulary"] {
						continue // the model has no words that could be others
					}
				}
				_, err := fit(dir, change, 0)
				require.ErrorContains(t, err,
					"other data, and is left as it is: what differs is the ", "%q", change)
				require.ErrorContains(t, err, strings.TrimSpace(change))
				require.Equal(t, before, content(t, dir), "%q", change)
			}
			resumed, err := fit(dir, theSame, 0)
			require.NoError(t, err)
			require.True(t, whole == resumed, "the resumed training gives other weights")
		})
	}
}

// digests are what a task says of its data.
func digests(task train.Task) map[string]string {
	c := &train.Checkpoint{Counters: map[string]uint64{}, Text: map[string]string{},
		Tensors: map[string]*tensor.Dense{}}
	task.Save(c)
	found := map[string]string{}
	for name, v := range c.Text {
		found[filepath.Base(name)] = v
	}
	return found
}

// must is for what cannot fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
