// 07-word2vec is a chapter of the course: words as one-hot vectors and as learned ones, and how far
// one can reckon with them.
package main

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

//go:embed *.go *.md
var files embed.FS

func main() { course.Main(files, onehot, learned, arithmetic, amount, plays) }

// onehot makes vectors of words by a product and by a lookup.
func onehot(p *course.Page) error {
	words := []string{"私", "は", "猫", "が", "好き"}
	V, E := len(words), 3
	var ids, hot, product, lookup, loss *nodes.Node
	err := nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Training: true})
		table := nodes.NewStore(nodes.Float32, 1).Root().Param("E", nodes.Uniform(-1, 1), V, E)
		ids = g.IntInput("ids", V)
		hot = nodes.OneHot(ids, V)               // [words, V]
		product = nodes.MatMul(hot, table)       // [words, V]·[V, E]
		lookup = nodes.Embedding(table, ids, -1) // rows of the table
		loss = nodes.Sum(nodes.Square(nodes.Sub(product, lookup)))
	})
	if err != nil {
		return err
	}
	step, difference, err := runOnce(ids, loss, hot, product, lookup)
	if err != nil {
		return err
	}
	defer step.Close()
	var rows [][]any
	for i, word := range words {
		rows = append(rows, []any{word, i, row(step.Output(0), i, V, 0),
			row(step.Output(1), i, E, 2), row(step.Output(2), i, E, 2)})
	}
	p.Table("", []string{"word", "id", "one-hot x", "x·E, a product", "row of E, a lookup"},
		rows...)
	p.Claim("the product and the lookup are the same numbers", difference == 0)
	return nil
}

// small is what learns the small worlds.
var small = word2vec.Config{Dim: 16, Window: 10, MinCount: 1, Sample: 1, LR: 0.05, Epochs: 30}

// learned gives the words of either small world vectors, and shows who is near.
func learned(p *course.Page) error {
	for _, l := range languages {
		text := l.text(3000, 1)
		v, err := learn(p.Context(), small, text)
		if err != nil {
			return err
		}
		p.Verbatim(strings.Join(text[0], " ") + "\n" + strings.Join(text[1], " ") + "\n")
		near, err := neighbours(v, 3, slices.Concat(l.pairs[0][:], l.pairs[1][:], l.pairs[2][:])...)
		if err != nil {
			return err
		}
		p.Verbatim(near)
		if err := drawn(p, l, v); err != nil {
			return err
		}
	}
	return nil
}

// arithmetic asks for king − man + woman, and then all questions of its kind.
func arithmetic(p *course.Page) error {
	var rows [][]any
	for _, l := range languages {
		king, man := l.pairs[0], l.pairs[1]
		says := fmt.Sprintf("%s − %s + %s", king[0], man[0], man[1])
		list, right := "", asked{}
		for seed := range seeds(p) {
			cfg := small
			cfg.Seed = uint64(seed)
			v, err := learn(p.Context(), cfg, l.text(3000, uint64(seed)))
			if err != nil {
				return err
			}
			near, err := search{v}.sums([]string{king[0], man[1]}, []string{man[0]}, 4)
			if err != nil {
				return err
			}
			list += fmt.Sprintf("%s = %s\n", says, firsts(near, 4))
			got, err := ask(search{v}, l.questions())
			if err != nil {
				return err
			}
			right = right.plus(got, 1/float64(seeds(p)))
		}
		p.Verbatim(list)
		rows = append(rows, []any{l.name, percent(right.With), percent(right.Without),
			percent(right.Naive)})
		p.Claim("nearly all sums come out, the given words searched as well: "+l.name,
			right.With > 95)
		p.Value("naive"+l.name, "%s", percent(right.Naive))
	}
	p.Value("questions", "%d", len(languages[0].questions()))
	p.Value("seeds", "%d", seeds(p))
	p.Table("Right answers to all questions a − b + c of a world", []string{"world",
		"all words searched",
		"without the three words", "the word nearest to a"}, rows...)
	return nil
}

// amount asks after reading more and more.
func amount(p *course.Page) error {
	l := languages[0]
	sentences := []float64{25, 50, 100, 200, 400, 800, 1600}[:course.Pick(p, 4, 7, 7)]
	var with, without, naive [][]float64 // by number of sentences, then seed
	for _, n := range sentences {
		var got [3][]float64
		for seed := range seeds(p) {
			cfg := small
			cfg.Seed = uint64(seed)
			v, err := learn(p.Context(), cfg, l.everyone(int(n), uint64(seed)))
			if err != nil {
				return err
			}
			a, err := ask(search{v}, l.questions())
			if err != nil {
				return err
			}
			got[0], got[1], got[2] = append(got[0], a.With), append(got[1], a.Without),
				append(got[2], a.Naive)
		}
		with, without, naive = append(with, got[0]), append(without, got[1]), append(naive, got[2])
		p.Progress("%.0f sentences", n)
	}
	figure := plot.Plot{Title: "What must be read before sums come out", X: "sentences read",
		Y:    "right answers, %",
		LogX: true, YRange: plot.Range{Low: 0, High: 100},
		Alt: "With few sentences few sums come out, somewhat more if the given words are left out; with many all do."}
	figure.AddRuns("all words searched", sentences, turned(with))
	figure.AddRuns("without the three words", sentences, turned(without))
	figure.AddRuns("the word nearest to a", sentences, turned(naive))
	p.Plot(&figure)
	at := slices.Index(sentences, 100)
	p.Value("fewWith", "%.0f %%", mean(with[at]))
	p.Value("fewWithout", "%.0f %%", mean(without[at]))
	p.Claim("leaving out the given words makes it look better", mean(without[at]) > mean(with[at]))
	return nil
}

// plays reads Shakespeare.
func plays(p *course.Page) error {
	text, err := shakespeare()
	if err != nil {
		return err
	}
	text = text[:course.Pick(p, 1500, len(text), len(text))]
	var places, naive []int
	list, same := "", 0
	for seed := range course.Pick(p, 1, 3, 10) {
		v, err := learn(p.Context(), word2vec.Config{Dim: course.Pick(p, 16, 64, 64),
			Epochs: course.Pick(p, 2, 20, 20), Seed: uint64(seed)}, text)
		if err != nil {
			return err
		}
		if seed == 0 {
			near, err := neighbours(v, 4, "king", "father", "sword", "night", "rome")
			if err != nil {
				return err
			}
			p.Verbatim(near)
			p.Value("vocabulary", "%d", v.Len())
		}
		all, err := search{v}.sums([]string{"king", "woman"}, []string{"man"}, v.Len())
		if err != nil {
			return err
		}
		near, err := v.Rank("king", "queen")
		if err != nil {
			return err
		}
		list += "king − man + woman = " + firsts(all, 5) + "\n"
		if all[0].Word == "king" {
			same++
		}
		places = append(places, place(without(all, "king", "man", "woman"), "queen"))
		naive = append(naive, near)
	}
	p.Verbatim(list)
	p.Value("queens", "%s", listed(places))
	p.Value("queensNaive", "%s", listed(naive))
	if p.Size != course.Quick {
		p.Claim("the word nearest to king − man + woman is king itself, with every seed",
			same == len(places))
		p.Claim("queen is not among the first ten with any seed, the given words left out",
			slices.Min(places) > 10)
	}
	return nil
}
