package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func fillNoise(x run.Floats, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	for i := range x.Len() {
		x.Set(i, r.NormFloat64())
	}
}

// The words of the reviews, each with what it means; the judgements are kind first, then unkind.
var (
	others = []string{"この", "映画", "本", "は", "と", "昨日", "友人", "が", "言っ", "た",
		"とても", "少し"}
	judgements = []string{"面白い", "楽しい", "美しい", "良い",
		"退屈だ", "ひどい", "悪い", "つまらない"}
	meaning = map[string]string{"この": "this", "映画": "film", "は": "topic",
		"とても": "very", "面白い": "interesting", "と": "that", "昨日": "yesterday",
		"友人": "friend", "が": "subject", "言っ": "say", "た": "past"}
	shown = []string{"この", "映画", "は", "とても", "面白い", "と", "昨日", "友人", "が",
		"言っ", "た"}
)

// review draws as many words as the review that is shown has, in any order, among which one
// judges.
func review(r *rand.Rand) (words []string, kind bool) {
	for range shown {
		words = append(words, others[r.IntN(len(others))])
	}
	at := r.IntN(len(judgements))
	words[r.IntN(len(words))] = judgements[at]
	return words, at < len(judgements)/2
}

// reviews is what the network that judges them does.
type reviews struct {
	Right               float64   // share of reviews that are judged rightly
	Kept, Written, Says []float64 // at each word of the shown one
	At                  map[string]struct{ Kept, Written float64 }
}

func learnReviews(p *course.Page) (out reviews, err error) {
	const units, batch = 4, 32
	ids := map[string]int{}
	for _, w := range slices.Concat(others, judgements) {
		ids[w] = len(ids)
	}
	store := nodes.NewStore(nodes.Float32, 1)
	T := len(shown)
	// build makes the network: ids [T, B] to a verdict after every word [T, B, 1], of which only
	// the last counts
	build := func(B int, training bool) (words, kind, loss *nodes.Node, outputs []*nodes.Node) {
		g := nodes.NewGraph(nodes.Options{Training: training})
		words, kind = g.IntInput("words", T, B), g.Input("kind", B, 1)
		table := store.Root().Param("E", nodes.Normal(0, 1), len(ids), units)
		cell := Config{In: units, Hidden: units}.New(store.Root().In("lstm"))
		verdict := nodes.NewLinear(store.Root().In("out"), nodes.LinearConfig{In: units, Out: 1})
		r := unroll.Over(cell).Unroll(nodes.Embedding(table, words, -1), nil, unroll.Options{})
		says := verdict.Of(r.Y())
		loss = nodes.BCEWithLogits(nodes.TimeSlice(says, T-1), kind, nodes.ReduceMean)
		return words, kind, loss, []*nodes.Node{says, nodes.Mean(r.Part(2), -1),
			nodes.Mean(r.Part(3), -1)}
	}
	var words, kind, loss *nodes.Node
	var outputs []*nodes.Node
	if err = nodes.Try(func() { words, kind, loss, outputs = build(batch, true) }); err != nil {
		return out, err
	}
	step, err := train.NewStep(loss, outputs...)
	if err != nil {
		return out, err
	}
	defer step.Close()
	var in run.Inputs
	wordsIn, kindIn := in.Ints(words), in.Floats(kind)
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
	if err = errors.Join(err, in.Err()); err != nil {
		return out, err
	}
	r := rand.New(rand.NewPCG(7, 7))
	put := func(b int, sentence []string, is bool) {
		for t, w := range sentence {
			wordsIn[t*batch+b] = ids[w]
		}
		kindIn.Set(b, map[bool]float64{true: 1}[is])
	}
	updates := course.Pick(p, 30, 1500, 1500)
	for n := range updates {
		for b := range batch {
			sentence, is := review(r)
			put(b, sentence, is)
		}
		if _, err = step.Run(1, n); err != nil {
			return out, err
		}
		if err = adam.Step(step.Grads()); err != nil {
			return out, err
		}
		if p.Context().Err() != nil {
			return out, p.Context().Err()
		}
	}
	return out, look(&out, step, put, r)
}

// look runs new reviews and keeps the gates at their words; the shown review is the first.
func look(out *reviews, step *train.Step, put func(b int, sentence []string, kind bool),
	r *rand.Rand) error {
	const batch, rounds = 32, 16
	T := len(shown)
	at := map[string]*[3]float64{"very": {}, "judgement": {}, "others": {}}
	right := 0
	for n := range rounds {
		var kinds [batch]bool
		var sentences [batch][]string
		for b := range batch {
			sentence, is := review(r)
			if n+b == 0 {
				sentence, is = shown, true
			}
			put(b, sentence, is)
			kinds[b], sentences[b] = is, sentence
		}
		if _, err := step.Run(1, 1<<20+n); err != nil {
			return err
		}
		says, kept, written := step.Output(0), step.Output(1), step.Output(2)
		for b := range batch {
			if says.At((T-1)*batch+b) > 0 == kinds[b] {
				right++
			}
			for t, word := range sentences[b] {
				a := at["others"]
				if slices.Contains(judgements, word) {
					a = at["judgement"]
				} else if word == "とても" {
					a = at["very"]
				}
				a[0], a[1], a[2] = a[0]+1, a[1]+kept.At(t*batch+b), a[2]+written.At(t*batch+b)
			}
		}
		if n == 0 {
			for t := range T {
				out.Kept = append(out.Kept, kept.At(t*batch))
				out.Written = append(out.Written, written.At(t*batch))
				out.Says = append(out.Says, says.At(t*batch))
			}
		}
	}
	out.Right = float64(right) / (batch * rounds)
	out.At = map[string]struct{ Kept, Written float64 }{}
	for name, a := range at {
		out.At[name] = struct{ Kept, Written float64 }{a[1] / a[0], a[2] / a[0]}
	}
	return nil
}

//go:embed shakespeare.txt.gz
var shakespeare []byte

// learnShakespeare is the loss of each variant on text that it has not seen, for each seed.
func learnShakespeare(p *course.Page) (map[string][]float64, error) {
	z, err := gzip.NewReader(bytes.NewReader(shakespeare))
	if err != nil {
		return nil, err
	}
	all, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	letters := strings.Split(string(all), "")
	v, err := text.NewVocabulary(text.VocabularyConfig{}, letters)
	if err != nil {
		return nil, err
	}
	ids, err := v.Encode(letters)
	if err != nil {
		return nil, err
	}
	learn, valid := course.Pick(p, 2000, 300_000, 300_000), course.Pick(p, 1000, 30_000, 30_000)
	epochs, seeds := course.Pick(p, 1, 2, 4), course.Pick(p, 1, 2, 5)
	hidden := course.Pick(p, 8, 64, 64)
	out := map[string][]float64{}
	for _, variant := range variants {
		spec := variant.Spec
		if p.Size == course.Quick {
			spec = strings.Replace(spec, "hidden=76", "hidden=9", 1)
		}
		for seed := range seeds {
			m, err := lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: spec, Hidden: hidden},
				Level: "char"}, v, uint64(seed+1))
			if err != nil {
				return nil, err
			}
			task, err := m.Task(lm.Data{Train: ids[:learn], Valid: ids[len(ids)-valid:], Batch: 32,
				Window: unroll.Window{Stride: 50}})
			if err != nil {
				return nil, err
			}
			adam, err := train.NewAdam(train.AdamConfig{LR: 0.004})
			if err != nil {
				return nil, err
			}
			r, err := train.Fit(p.Context(), task, train.Config{Optimizer: adam, Epochs: epochs,
				Seed: uint64(seed + 1), Warn: func(string) {}})
			if err != nil {
				return nil, err
			}
			_, losses := r.History.Column("valid_loss")
			out[variant.Name] = append(out[variant.Name], losses[len(losses)-1])
			p.Progress("%s, seed %d: %.3f", variant.Name, seed+1, losses[len(losses)-1])
		}
	}
	return out, nil
}
