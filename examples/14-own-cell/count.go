package main

import (
	"math/rand/v2"
	"strings"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

var (
	small = strings.Fields("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen " +
		"fifteen sixteen seventeen eighteen nineteen")
	tens = strings.Fields("- - twenty thirty forty fifty sixty seventy eighty ninety")
)

// word says a number below a hundred.
func word(n int) string {
	switch {
	case n < 20:
		return small[n]
	case n%10 == 0:
		return tens[n/10]
	}
	return tens[n/10] + "-" + small[n%10]
}

// counted counts in words, ten numbers from a place, then from another.
func counted(runs int, seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 14))
	var b strings.Builder
	for range runs {
		from := r.IntN(90)
		for n := range 10 {
			b.WriteString(word(from+n) + ", ")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// counting learns a language model of characters whose cells are of a spec, and returns its loss on
// numbers that are counted from other places.
func counting(p *course.Page, spec string, seed uint64) (*lm.Model, float64, error) {
	letters := strings.Split(counted(course.Pick(p, 20, 600, 1000), seed), "")
	var all strings.Builder // so that every letter of every number is known
	for n := range 100 {
		all.WriteString(word(n) + ", \n")
	}
	v, err := text.NewVocabulary(text.VocabularyConfig{}, strings.Split(all.String(), ""))
	if err != nil {
		return nil, 0, err
	}
	m, err := lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: spec, Hidden: 64}, Level: "char"}, v,
		seed)
	if err != nil {
		return nil, 0, err
	}
	ids, err := v.Encode(letters)
	if err != nil {
		return nil, 0, err
	}
	task, err := m.Task(lm.Data{Train: ids, Batch: 16, Window: unroll.Window{Stride: 50}})
	if err != nil {
		return nil, 0, err
	}
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.008})
	if err != nil {
		return nil, 0, err
	}
	_, err = train.Fit(p.Context(), task, train.Config{Optimizer: adam, Epochs: course.Pick(p, 1,
		12, 30), Seed: seed,
		Warn: func(string) {}})
	if err != nil {
		return nil, 0, err
	}
	other, err := v.Encode(strings.Split(counted(50, 1000), ""))
	if err != nil {
		return nil, 0, err
	}
	e, err := m.Measure(p.Context(), other, lm.MeasureOptions{})
	p.Progress("%s, seed %d: %.3f", spec, seed, e.Loss)
	return m, e.Loss, err
}
