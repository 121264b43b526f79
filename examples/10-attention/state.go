package main

import (
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/course"
)

// survivors shows a long sentence as it is translated with attention and without, and counts what
// of the translations without it is right.
func survivors(p *course.Page) error {
	with, err := trained(p, seeded(bahdanau))
	if err != nil {
		return err
	}
	without, err := trained(p, seeded(none))
	if err != nil {
		return err
	}
	show := 0
	for i, source := range with.Source {
		if len(source) >= 22 && len(source) <= 24 && slices.Equal(with.Found[i], with.Truth[i]) {
			show = i
			break
		}
	}
	for _, t := range []struct {
		says  string
		words []string
	}{{"A sentence:", with.Source[show]}, {"as it should be:", with.Truth[show]},
		{"with attention:", with.Found[show]}, {"without attention:", without.Found[show]}} {
		p.Printf("%s\n", t.says)
		p.Verbatim(lines(t.words))
	}
	verbs, content, words := 0, 0, 0
	long := 0
	for i, found := range without.Found {
		if len(without.Source[i]) < 17 {
			continue
		}
		if long++; len(found) > 0 && strings.HasSuffix(found[len(found)-1], "た") {
			verbs++
		}
		for k, means := range without.Means[i][1] {
			if means == 0 {
				continue
			}
			if words++; slices.Contains(found, without.Truth[i][k]) {
				content++
			}
		}
	}
	p.Value("verbs", "%.0f %%", 100*float64(verbs)/float64(max(long, 1)))
	p.Value("content", "%.0f %%", 100*float64(content)/float64(max(words, 1)))
	return nil
}

func seeded(s setting) setting {
	s.Seed = 1
	return s
}

// state says what the lengths show.
func state(p *course.Page, bleu map[string][][]float64) error {
	last := len(bounds) - 1
	at := func(key string, i int) (scores []float64) { // of all seeds
		for _, run := range bleu[key] {
			scores = append(scores, run[i])
		}
		return scores
	}
	mean := func(key string, i int) (sum float64) {
		for _, score := range at(key, i) {
			sum += score / float64(len(bleu[key]))
		}
		return sum
	}
	for _, key := range []string{"ja", "jaNone", "en", "enNone"} {
		p.Value(key+"-short", "%.0f", mean(key, 0))
		p.Value(key+"-long", "%.0f", mean(key, last-1))
	}
	if p.Size == course.Quick {
		return nil
	}
	for _, to := range []struct{ key, says string }{{"ja", "English → Japanese"}, {"en", "Japanese → English"}} {
		p.Claim(to.says+": up to 10 words, BLEU with attention is above 98", slices.Min(at(to.key, 0)) > 98)
		p.Claim(to.says+": 29 to 34 words, BLEU with attention is more than twice that without, for every seed",
			slices.Min(at(to.key, last-1)) > 2*slices.Max(at(to.key+"None", last-1)))
	}
	return nil
}

// lines is words in lines that are short enough for a phone.
func lines(words []string) string {
	const columns = 36
	var b strings.Builder
	at := 0
	for i, w := range words {
		width := 0
		for _, r := range w {
			width++
			if r > 0x2000 { // a Japanese letter takes two
				width++
			}
		}
		switch {
		case i == 0:
		case at+1+width > columns:
			b.WriteByte('\n')
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(w)
		at += width
	}
	return b.String() + "\n"
}
