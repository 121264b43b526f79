package all_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	_ "github.com/seqzoo/seqzoo/internal/oddcells"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	_ "github.com/seqzoo/seqzoo/zoo/all"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/series"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// families make a model of every family around layers, or fail.
var families = map[string]func(zoo.Recurrent) (zoo.Model, error){
	"lm": func(r zoo.Recurrent) (zoo.Model, error) {
		return lm.New(lm.Config{Recurrent: r}, vocabularyFor(theSame), 1)
	},
	"tagger": func(r zoo.Recurrent) (zoo.Model, error) {
		return label.NewTagger(label.TaggerConfig{Config: label.Config{Recurrent: r,
			Bidirectional: true}}, vocabularyFor(theSame), twoLabels(), 1)
	},
	"classifier": func(r zoo.Recurrent) (zoo.Model, error) {
		return label.NewClassifier(label.ClassifierConfig{Config: label.Config{Recurrent: r}},
			vocabularyFor(theSame), twoLabels(), 1)
	},
	"joint": func(r zoo.Recurrent) (zoo.Model, error) {
		return label.NewJoint(label.JointConfig{Config: label.Config{Recurrent: r}},
			vocabularyFor(theSame), twoLabels(), twoLabels(), 1)
	},
	"forecaster": func(r zoo.Recurrent) (zoo.Model, error) {
		scale := &series.Scale{Mean: []float64{0.5}, Deviation: []float64{0.3}}
		return forecast.New(forecast.Config{Recurrent: r, Variables: []string{"x"}, Lookback: 3,
			Horizon: 1}, scale, 1)
	},
	"seq2seq": func(r zoo.Recurrent) (zoo.Model, error) {
		return translator(seq2seq.Config{Encoder: r})
	},
	"seq2seq bahdanau": func(r zoo.Recurrent) (zoo.Model, error) {
		return translator(seq2seq.Config{Encoder: r, Bidirectional: true, Attention: "bahdanau",
			Peeky: true})
	},
	"seq2seq luong": func(r zoo.Recurrent) (zoo.Model, error) {
		return translator(seq2seq.Config{Encoder: zoo.Recurrent{Cell: "gru", Hidden: 3}, Decoder: r,
			Attention: "luong"})
	},
	"seq2seq copying": func(r zoo.Recurrent) (zoo.Model, error) {
		return translator(seq2seq.Config{Encoder: r, Attention: "bahdanau", Copy: true})
	},
	"seq2seq into lstm": func(r zoo.Recurrent) (zoo.Model, error) {
		return translator(seq2seq.Config{Encoder: r, Decoder: zoo.Recurrent{Hidden: 4}})
	},
	"hred": func(r zoo.Recurrent) (zoo.Model, error) {
		return dialogue.New(dialogue.Config{Encoder: r, Latent: dialogue.Latent{Width: 2}, Copy: 9},
			vocabularyFor(theSame), 1)
	},
	"captioner": func(r zoo.Recurrent) (zoo.Model, error) {
		return caption.New(caption.Config{Height: 4, Width: 4, Patch: 2, Hidden: 4, Features: 4,
			Decoder: r}, vocabularyFor(theSame), 1)
	},
	"recurrent autoencoder": func(r zoo.Recurrent) (zoo.Model, error) {
		return reduce.NewRecurrentAutoencoder(reduce.RecurrentAutoencoderConfig{Recurrent: r,
			Variables: 2, Window: 2, Code: 2}, 1)
	},
}

func twoLabels() *text.Vocabulary {
	return must(text.NewVocabulary(text.VocabularyConfig{}, []string{"X", "Y"}))
}

func translator(c seq2seq.Config) (zoo.Model, error) {
	v := vocabularyFor(theSame)
	return seq2seq.New(c, v, v, 1)
}

// taskOf gives a model something to learn.
func taskOf(m zoo.Model) (train.Task, error) {
	learn, _ := ids(theSame)
	values, _ := rows(theSame)
	switch m := m.(type) {
	case *lm.Model:
		return m.Task(lm.Data{Train: slices.Concat(learn...), Batch: 2,
			Window: unroll.Window{Stride: 5}})
	case *label.Tagger:
		return m.Task(label.Data{Train: labelled(learn, 3), Batch: 4})
	case *label.Joint:
		return m.Task(label.JointData{Train: jointly(learn), Batch: 4})
	case *label.Classifier:
		return m.Task(label.Data{Train: labelled(learn, 1), Batch: 4})
	case *forecast.Model:
		s := &series.Series{Names: []string{"x"}}
		for _, v := range values {
			s.Values = append(s.Values, float64(v))
		}
		return m.Task(forecast.Data{Train: s, Batch: 8})
	case *seq2seq.Model:
		d := seq2seq.Data{Batch: 4}
		for _, s := range learn {
			d.Train = append(d.Train, seq2seq.Pair{Source: s, Target: s})
		}
		return m.Task(d)
	case *dialogue.Model:
		d := dialogue.Data{Batch: 4}
		for _, s := range learn {
			d.Train = append(d.Train, dialogue.Dialogue{s, s[1:]})
		}
		return m.Task(d)
	case *caption.Model:
		shown, _ := pictures(theSame)
		return m.Task(caption.Data{Train: shown, Batch: 4})
	case *reduce.RecurrentAutoencoder:
		return m.Task(reduce.RowData{Train: values, Batch: 4})
	}
	return nil, fmt.Errorf("no task for a %T", m)
}

func labelled(all [][]int, labels int) (out []label.Labelled) {
	for _, s := range all {
		l := label.Labelled{Sequence: label.Sequence{IDs: s}}
		for i := range labels {
			l.Labels = append(l.Labels, s[i]%2)
		}
		out = append(out, l)
	}
	return out
}

// Every registered cell works in every family: it trains, is saved, and gives the same numbers when
// it is loaded; a beam carries its state.
func TestEveryCellInEveryModel(t *testing.T) {
	for _, cell := range append(cells.Registered(), "indrnn,bounded,lasting,steps=1000000") {
		for name, build := range families {
			t.Run(cell+"/"+name, func(t *testing.T) {
				t.Parallel()
				m, err := build(zoo.Recurrent{Cell: cell, Hidden: 4})
				if cell == "odd-gap" && name == "forecaster" { // which has one variable
					require.ErrorContains(t, err, "In is 1, want a feature beside the gap")
					return
				}
				require.NoError(t, err)
				task, err := taskOf(m)
				require.NoError(t, err)
				learn(t, m, task, 3)
				dir := t.TempDir()
				require.NoError(t, m.Save(dir))
				again, err := zoo.Load(dir)
				require.NoError(t, err)
				require.Equal(t, outcome(t, m), outcome(t, again))
				if m, ok := m.(*seq2seq.Model); ok {
					_, err := m.Translate(context.Background(), []string{"a", "b"},
						decode.SearchOptions{Beam: 2, Max: 3})
					require.NoError(t, err)
				}
			})
		}
	}
}

// Wrappers work around every cell that has what they are for, and in every family.
func TestEveryWrapperInEveryModel(t *testing.T) {
	wrapped := map[string]string{
		"gru":  ",norm,weight_drop=0.3,hidden_dropout=0.2,zoneout=0.1",
		"lstm": ",hidden=5,zoneout=0.2,zoneout_parts=c+h",
		"rnn":  ",weight_drop=0.5,norm", "slstm": ",weight_drop=0.3,zoneout=0.1,zoneout_parts=all",
		"mlstm": ",norm", "mingru": ",norm", "ugrnn": ",hidden_dropout=0.3,norm", "lem": ",weight_drop=0.3",
		"odd-tape": ",norm,weight_drop=0.3,hidden_dropout=0.2,zoneout=0.1,zoneout_parts=tape+clock",
		"odd-blur": ",norm,zoneout=0.2,zoneout_parts=all",
	}
	for cell, options := range wrapped {
		for name, build := range families {
			t.Run(cell+"/"+name, func(t *testing.T) {
				t.Parallel()
				m, err := build(zoo.Recurrent{Cell: cell + options, Hidden: 4})
				require.NoError(t, err)
				task, err := taskOf(m)
				require.NoError(t, err)
				learn(t, m, task, 2)
				dir := t.TempDir()
				require.NoError(t, m.Save(dir))
				again, err := zoo.Load(dir)
				require.NoError(t, err)
				require.Equal(t, outcome(t, m), outcome(t, again))
			})
		}
	}
	for spec, want := range map[string]string{
		"mingru,weight_drop=0.5":          "multiplies its state by no matrix",
		"indrnn,hidden_dropout=0.5":       "multiplies its state by no matrix",
		"gru,weight_drop=1":               "weight_drop is 1",
		"gru,weight_drop=x":               `weight_drop is "x", want a number in [0, 1)`,
		"gru,norm=maybe":                  `norm is "maybe", want true or false`,
		"gru,norm,norm":                   "norm comes twice",
		"gru,zoneout_parts=h":             "zoneout is 0",
		"gru,zoneout=0.1,zoneout_parts=c": "rates of the parts [c]",
	} {
		_, err := families["lm"](zoo.Recurrent{Cell: spec, Hidden: 4})
		require.ErrorContains(t, err, want, spec)
	}
}

// outcome is what one update from the start of the examples makes of a model's weights.
func outcome(t *testing.T, m zoo.Model) float64 {
	task, err := taskOf(m)
	require.NoError(t, err)
	return learn(t, m, task, 1)
}

// learn is the sum of all weights after so many updates.
func learn(t *testing.T, m zoo.Model, task train.Task, updates int) (sum float64) {
	sgd, err := train.NewSGD(train.SGDConfig{LR: 0.01})
	require.NoError(t, err)
	r, err := train.Fit(context.Background(), task, train.Config{Optimizer: sgd, Epochs: updates,
		MaxSteps: updates, Seed: 1, Warn: func(string) {}, RecordEvery: 1})
	require.NoError(t, err)
	require.Equal(t, updates, r.Steps)
	for _, p := range m.Params().Params() {
		for _, x := range p.Value().Float32s() {
			require.False(t, math.IsNaN(float64(x)) || math.IsInf(float64(x), 0), p.Name())
			sum += float64(x)
		}
	}
	return sum
}
