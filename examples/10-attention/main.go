// 10-attention is a chapter of the course: what attention does for long sentences, between English
// and Japanese, where it looks, and what its scores are.
package main

import (
	"embed"
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
)

//go:embed *.go *.md
var files embed.FS

func main() { course.Main(files, sentences, byHand, lengths, alignments, scores) }

// sentences shows what is to be translated.
func sentences(p *course.Page) error {
	pairs := corpus(1, 2000)
	slices.SortStableFunc(pairs, func(a, b pair) int { return len(a.en) - len(b.en) })
	for _, at := range []int{50, 900, 1700} {
		p.Verbatim(lines(texts(pairs[at].en)) + "\n" + lines(texts(pairs[at].ja)))
	}
	moved, words := 0.0, 0.0
	for _, pair := range pairs {
		for i, w := range pair.en {
			if k := slices.IndexFunc(pair.ja,
				func(v word) bool { return v.means == w.means }); w.means > 0 {
				moved += math.Abs(float64(i)/float64(len(pair.en)) - float64(k)/float64(len(pair.ja)))
				words++
			}
		}
	}
	p.Value("moved", "%.0f %%", 100*moved/words)
	p.Value("shortest", "%d", len(pairs[0].en))
	p.Value("longest", "%d", len(pairs[len(pairs)-1].en))
	return nil
}

// score says how well a query fits a key.
type score func(query, key []float64) float64

// look is all of attention: a weight for each place, and the mean of the places by these weights.
func look(s score, query []float64, places [][]float64) (weights, context []float64) {
	sum := 0.0
	for _, place := range places {
		w := math.Exp(s(query, place))
		weights, sum = append(weights, w), sum+w
	}
	context = make([]float64, len(places[0]))
	for i, place := range places {
		weights[i] /= sum
		for k, v := range place {
			context[k] += weights[i] * v
		}
	}
	return weights, context
}

// byHand compares the three scores in plain loops with those of package cells.
func byHand(p *course.Page) error {
	query, places := draw(4, 0), [][]float64{draw(4, 1), draw(4, 2), draw(4, 3)}
	var rows [][]any
	apart := 0.0
	for _, name := range []cells.Score{cells.DotScore, cells.GeneralScore, cells.AdditiveScore} {
		theirs, w, err := library(name, query, places)
		if err != nil {
			return err
		}
		weights, _ := look(map[cells.Score]score{
			cells.DotScore:     func(q, k []float64) float64 { return dot(q, k) },
			cells.GeneralScore: func(q, k []float64) float64 { return dot(times(q, w["W"]), k) },
			cells.AdditiveScore: func(q, k []float64) float64 {
				return dot(tanh(plus(times(q, w["W_q"]), times(k, w["W_k"]))), w["v"])
			},
		}[name], query, places)
		row := []any{string(name)}
		for i, weight := range weights {
			row = append(row, fmt.Sprintf("%.3f", weight))
			apart = max(apart, math.Abs(weight-theirs[i]))
		}
		rows = append(rows, row)
	}
	p.Table("Weights of three places for one query", []string{"score", "place 1", "place 2",
		"place 3"}, rows...)
	p.Claim("the loops and package cells agree", apart < 1e-9)
	return nil
}

// The settings that the chapter compares; each is trained when it is first asked for.
var (
	none     = setting{Attention: seq2seq.NoAttention, Passes: 5}
	bahdanau = setting{Attention: seq2seq.BahdanauAttention, Passes: 1}
	back     = setting{Attention: seq2seq.BahdanauAttention, Passes: 2, ToEnglish: true}
	backNone = setting{Attention: seq2seq.NoAttention, Passes: 5, ToEnglish: true}
)

// bounds are the lengths of sources that are measured together.
var bounds = [][2]int{{1, 10}, {11, 16}, {17, 22}, {23, 28}, {29, 34}, {35, 60}}

// lengths measures translations by the length of what is translated.
func lengths(p *course.Page) error {
	figure := plot.Plot{Title: "Translations by the length of the source", X: "words of the source",
		Y: "BLEU, %", YRange: plot.Range{High: 100},
		Alt: "With attention BLEU stays high to thirty words and more; without, it falls from the shortest sentences on."}
	var rows [][]any
	bleu := map[string][][]float64{}
	for _, c := range []struct {
		name, key string
		s         setting
		seeds     int
	}{
		{"English → Japanese, attention", "ja", bahdanau, 2}, {"English → Japanese, none", "jaNone",
			none, 2},
		{"Japanese → English, attention", "en", back, 1}, {"Japanese → English, none", "enNone",
			backNone, 1},
	} {
		x, runs, exact, err := byLength(p, c.s, course.Pick(p, 1, c.seeds, 5))
		if err != nil {
			return err
		}
		figure.AddRuns(c.name, x, runs)
		bleu[c.key] = runs
		row := []any{c.name}
		for _, e := range exact {
			row = append(row, fmt.Sprintf("%.0f %%", 100*e))
		}
		rows = append(rows, row)
	}
	head := []string{"sentences without a mistake"}
	for _, b := range bounds {
		head = append(head, fmt.Sprintf("%d … %d", b[0], b[1]))
	}
	p.Plot(&figure)
	p.Table("By words of the source", head, rows...)
	if err := survivors(p); err != nil {
		return err
	}
	return state(p, bleu)
}

// alignments draws where each word of one translation looked, in both directions.
func alignments(p *course.Page) error {
	for _, c := range []struct {
		s                    setting
		title, from, to, key string
	}{
		{bahdanau, "Where each Japanese word looked", "English source", "Japanese translation",
			"looksJa"},
		{back, "Where each English word looked", "Japanese source", "English translation",
			"looksEn"},
	} {
		c.s.Seed = 1
		t, err := trained(p, c.s)
		if err != nil {
			return err
		}
		last := len(t.Source) - 1 // the sentence that is shown
		if p.Size != course.Quick || !c.s.ToEnglish {
			p.Map(&plot.Map{Title: c.title, X: c.from, Y: c.to, Scale: "weight", High: 1, Gap: 1,
				Values: t.Weights[last], Rows: t.Found[last], Cols: t.Source[last],
				Alt: "A map with a row for each word of the translation: nearly all weight lies on the one word that means the same."})
		}
		p.Value(c.key, "%.1f %%", 100*t.looks())
		if p.Size != course.Quick {
			p.Claim(c.title+": nine times in ten at the word that means the same", t.looks() > 0.9)
			p.Claim(c.title+": the sentence is translated rightly", slices.Equal(t.Found[last],
				t.Truth[last]))
		}
	}
	return nil
}

// scores compares decoders that look before their step and after it, and the scores.
func scores(p *course.Page) error {
	var rows [][]any
	for _, c := range []struct {
		name string
		s    setting
	}{
		{"before the step (Bahdanau)", bahdanau},
		{"after the step (Luong)", setting{Attention: seq2seq.LuongAttention,
			Score: cells.GeneralScore, Passes: 1}},
		{"after the step (Luong)", setting{Attention: seq2seq.LuongAttention, Score: cells.DotScore,
			Passes: 1}},
	} {
		c.s.Seed = 1
		t, err := trained(p, c.s)
		if err != nil {
			return err
		}
		score := c.s.Score
		if score == "" {
			score = cells.AdditiveScore
		}
		all, _, _ := t.score(1, 60)
		long, _, _ := t.score(23, 60)
		rows = append(rows, []any{c.name, string(score), t.Numbers, fmt.Sprintf("%.1f", all),
			fmt.Sprintf("%.1f", long),
			fmt.Sprintf("%.1f %%", 100*t.looks())})
		p.Value("bleu-"+string(score), "%.1f", all)
		p.Value("looks-"+string(score), "%.0f %%", 100*t.looks())
		p.Value("numbers-"+string(score), "%d", t.Numbers)
	}
	p.Table("", []string{"looks", "score", "its weights", "BLEU", "BLEU, 23 words and more",
		"greatest at the word that means the same"}, rows...)
	return nil
}
