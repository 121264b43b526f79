package main

import (
	"fmt"
	"io"
	"math"

	"github.com/seqzoo/seqzoo/zoo/text"
)

// baselines prints what needs no recurrence: always the commonest class, and for texts naive Bayes
// over their words.
func (d *dataset) baselines(out io.Writer) {
	if d.pictures != nil {
		valid := d.pictures.Slice(d.pictures.Len()-validPictures, d.pictures.Len())
		var counts [256]int
		most := 0
		for _, l := range valid.Labels {
			counts[l]++
			most = max(most, counts[l])
		}
		fmt.Fprintf(out, "always the commonest class: accuracy %.2f %%\n",
			100*float64(most)/float64(valid.Len()))
		return
	}
	b := newBayes(d.unicode, d.train)
	var byBayes, byCount int
	for _, l := range d.valid {
		if b.classify(words(d.unicode, l.Text)) == l.Label {
			byBayes++
		}
		if b.commonest == l.Label {
			byCount++
		}
	}
	n := float64(len(d.valid)) / 100
	fmt.Fprintf(out, "always the commonest class: accuracy %.2f %%; naive Bayes over words: %.2f "+
		"%%\n", float64(byCount)/n, float64(byBayes)/n)
}

// bayes is multinomial naive Bayes with add-one smoothing.
type bayes struct {
	classes   []string // in the order of their first text
	texts     map[string]int
	words     map[string]map[string]int
	total     map[string]int // words of a class
	known     map[string]bool
	commonest string
	n         int
}

func newBayes(form text.Form, lines []text.Labelled) *bayes {
	b := &bayes{texts: map[string]int{}, words: map[string]map[string]int{},
		total: map[string]int{}, known: map[string]bool{}, n: len(lines)}
	for _, l := range lines {
		if b.words[l.Label] == nil {
			b.classes = append(b.classes, l.Label)
			b.words[l.Label] = map[string]int{}
		}
		b.texts[l.Label]++
		for _, w := range words(form, l.Text) {
			b.words[l.Label][w]++
			b.total[l.Label]++
			b.known[w] = true
		}
	}
	for _, c := range b.classes {
		if b.commonest == "" || b.texts[c] > b.texts[b.commonest] {
			b.commonest = c
		}
	}
	return b
}

func (b *bayes) classify(words []string) (best string) {
	high := math.Inf(-1)
	for _, c := range b.classes {
		p := math.Log(float64(b.texts[c]) / float64(b.n))
		for _, w := range words {
			if b.known[w] {
				p += math.Log(float64(b.words[c][w]+1) / float64(b.total[c]+len(b.known)))
			}
		}
		if p > high {
			best, high = c, p
		}
	}
	return best
}
