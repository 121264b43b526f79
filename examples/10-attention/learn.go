package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// setting is a translator to train.
type setting struct {
	Attention seq2seq.Attention
	Score     cells.Score
	Passes    int // over the sentences that are learned
	ToEnglish bool
	Seed      uint64
}

// translated is what a translator made of sentences that it had not seen.
type translated struct {
	Source, Truth, Found [][]string
	Means                [][2][]int // what the words of source and truth mean, by number
	Weights              [][][]float64
	Numbers              int // weights of the attention
}

// trained trains a translator, once, and has it translate.
func trained(p *course.Page, s setting) (translated, error) {
	return course.Once(p, fmt.Sprintf("%+v", s), func() (translated, error) { return s.learn(p) })
}

func (s setting) learn(p *course.Page) (out translated, err error) {
	n, tested := course.Pick(p, 300, 16000, 40000), course.Pick(p, 30, 500, 1000)
	// no sentence of the test is one of those that are learned, and the last is the one that is
	// shown
	pairs := append(corpus(1, n+tested), shown())
	var sources, targets [][]string
	for i, pair := range pairs {
		source, target := pair.en, pair.ja
		if s.ToEnglish {
			source, target = target, source
		}
		sources, targets = append(sources, texts(source)), append(targets, texts(target))
		if i >= n {
			out.Means = append(out.Means, [2][]int{meanings(source), meanings(target)})
		}
	}
	m, err := s.model(course.Pick(p, 8, 64, 64), sources, targets)
	if err != nil {
		return out, err
	}
	for _, param := range m.Params().Params() {
		if strings.HasPrefix(param.Name(), "attention/") {
			out.Numbers += param.Value().Shape().TotalSize()
		}
	}
	learned, err := m.Pairs(sources[:n], targets[:n])
	if err != nil {
		return out, err
	}
	task, err := m.Task(seq2seq.Data{Train: learned, Batch: 24, Seed: s.Seed})
	if err != nil {
		return out, err
	}
	schedule, err := train.NewCosine(train.CosineConfig{LR: 0.004, MinLR: 0.00004, Warmup: 50,
		Total: max(100, s.Passes*task.Len())})
	if err != nil {
		return out, err
	}
	adam, err := train.NewAdam(train.AdamConfig{})
	if err != nil {
		return out, err
	}
	p.Progress("%s %s, to English: %v", s.Attention, s.Score, s.ToEnglish)
	if _, err = train.Fit(p.Context(), task, train.Config{Optimizer: adam, Schedule: schedule,
		Epochs: s.Passes,
		Seed:   s.Seed, Clip: train.Clip{Norm: 1}, Warn: func(string) {}}); err != nil {
		return out, err
	}
	out.Source, out.Truth = sources[n:], targets[n:]
	found, err := m.TranslateAll(p.Context(), out.Source, decode.SearchOptions{KeepAttention: true})
	for _, f := range found {
		out.Found, out.Weights = append(out.Found, f[0].Tokens), append(out.Weights, f[0].Alignment)
	}
	return out, err
}

// model is a translator that has not learned anything.
func (s setting) model(hidden int, sources, targets [][]string) (*seq2seq.Model, error) {
	special := text.VocabularyConfig{Specials: []string{text.Unk, text.BOS, text.EOS}}
	from, err := text.NewVocabulary(special, sources...)
	if err != nil {
		return nil, err
	}
	to, err := text.NewVocabulary(special, targets...)
	if err != nil {
		return nil, err
	}
	return seq2seq.New(seq2seq.Config{
		Encoder:       zoo.Recurrent{Cell: "gru", Hidden: hidden / 2},
		Bidirectional: true,
		Decoder:       zoo.Recurrent{Cell: "gru", Hidden: hidden},
		Attention:     s.Attention, Score: s.Score,
		EmbedSource: 32, EmbedTarget: 32, EmbedStd: 1,
	}, from, to, s.Seed)
}

func meanings(words []word) (out []int) {
	for _, w := range words {
		out = append(out, w.means)
	}
	return out
}

// score of the sentences whose source has from … to words, and how many it has on average.
func (t translated) score(from, to int) (bleu, exact, length float64) {
	var b metrics.BLEU
	n, right, words := 0, 0, 0
	for i, source := range t.Source {
		if len(source) < from || len(source) > to {
			continue
		}
		if b.Add(t.Found[i], t.Truth[i]) != nil {
			continue
		}
		n, words = n+1, words+len(source)
		if slices.Equal(t.Found[i], t.Truth[i]) {
			right++
		}
	}
	sentences := float64(max(n, 1))
	return b.Score().BLEU, float64(right) / sentences, float64(words) / sentences
}

// looks is the share of the translated words that mean something for which the attention was
// greatest
// at the word of the source that means it, among sentences that are right.
func (t translated) looks() float64 {
	right, all := 0, 0
	for i, weights := range t.Weights {
		if weights == nil || !slices.Equal(t.Found[i], t.Truth[i]) {
			continue
		}
		source, truth := t.Means[i][0], t.Means[i][1]
		for k, means := range truth {
			if means == 0 {
				continue
			}
			if all++; source[slices.Index(weights[k], slices.Max(weights[k]))] == means {
				right++
			}
		}
	}
	return float64(right) / float64(max(all, 1))
}

// byLength trains a setting with several seeds, and gives for each of the bounds BLEU, the share of
// sentences without a mistake and the middle of the lengths.
func byLength(p *course.Page, s setting, seeds int) (x []float64, bleu [][]float64, exact []float64,
	err error) {
	exact = make([]float64, len(bounds))
	for seed := range seeds {
		s.Seed = uint64(seed + 1)
		t, err := trained(p, s)
		if err != nil {
			return nil, nil, nil, err
		}
		var run []float64
		x = nil
		for i, b := range bounds {
			score, right, mean := t.score(b[0], b[1])
			run, x = append(run, score), append(x, mean)
			exact[i] += right / float64(seeds)
		}
		bleu = append(bleu, run)
	}
	return x, bleu, exact, nil
}
