// A user's program around cells of their own, in models of the zoo.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"path/filepath"
	"slices"
	"strings"

	"example.org/user/mycells"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	_ "github.com/seqzoo/seqzoo/zoo/all"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/series"
	"github.com/seqzoo/seqzoo/zoo/text"
)

var _ cells.Config = mycells.FastConfig{}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func main() {
	cell := flag.String("cell", "fast", "spec of the layers: "+strings.Join(cells.Registered(),
		", "))
	dir := flag.String("dir", "", "where to save")
	flag.Parse()
	r := zoo.Recurrent{Cell: *cell, Hidden: 5, HiddenDropout: 0.1, WeightDrop: 0.1, Zoneout: 0.1,
		ZoneoutParts: "all"}
	v := must(text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS,
		text.Unk}}, []string{"a", "b", "c"}))
	names := must(text.NewVocabulary(text.VocabularyConfig{}, []string{"X", "Y"}))
	ids := []int{3, 4, 5, 3}

	language := must(lm.New(lm.Config{Recurrent: r, Level: "char"}, v, 1))
	learn(language, must(language.Task(lm.Data{Train: slices.Repeat(ids, 20), Batch: 2,
		Window: unroll.Window{Stride: 5}})), *dir)

	translator := must(seq2seq.New(seq2seq.Config{Encoder: r, Attention: seq2seq.BahdanauAttention}, v, v, 1))
	learn(translator, must(translator.Task(seq2seq.Data{Train: []seq2seq.Pair{{Source: ids,
		Target: ids}}})), *dir)
	must(translator.Translate(context.Background(), []string{"a", "b"},
		decode.SearchOptions{Beam: 3, Max: 5}))

	tagger := must(label.NewTagger(label.TaggerConfig{Config: label.Config{Recurrent: r,
		Bidirectional: true}}, v, names, 1))
	tagged := label.Labelled{Sequence: label.Sequence{IDs: ids}, Labels: []int{0, 1, 1, 0}}
	learn(tagger, must(tagger.Task(label.Data{Train: []label.Labelled{tagged}})), *dir)

	talk := must(dialogue.New(dialogue.Config{Encoder: r}, v, 1))
	learn(talk, must(talk.Task(dialogue.Data{Train: []dialogue.Dialogue{{ids, ids}}})), *dir)

	scale := &series.Scale{Mean: []float64{0}, Deviation: []float64{1}}
	forecaster := must(forecast.New(forecast.Config{Recurrent: r, Variables: []string{"x"},
		Lookback: 3, Horizon: 1}, scale, 1))
	values := &series.Series{Names: []string{"x"}, Values: []float64{0, 1, 0, 1, 0, 1, 0, 1, 0, 1}}
	learn(forecaster, must(forecaster.Task(forecast.Data{Train: values})), *dir)
}

// learn trains a model for three updates, saves it, loads it again and compares its weights.
func learn(m zoo.Model, task train.Task, dir string) {
	r := must(train.Fit(context.Background(), task,
		train.Config{Optimizer: must(train.NewAdam(train.AdamConfig{LR: 0.01})),
			Epochs: 3, MaxSteps: 3, Warn: func(string) {}}))
	dir = filepath.Join(dir, m.Architecture())
	if err := m.Save(dir); err != nil {
		log.Fatal(err)
	}
	again := must(zoo.Load(dir))
	for i, p := range again.Params().Params() {
		if !slices.Equal(p.Value().Float32s(), m.Params().Params()[i].Value().Float32s()) {
			log.Fatalf("%s differs", p.Name())
		}
	}
	fmt.Println(m.Architecture(), r.Steps)
}
