// 11-hred is a chapter of the course: models of dialogues that remember, their bland replies, and a
// latent variable against these.
package main

import (
	"embed"
	"fmt"
	"strings"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/plot"
)

//go:embed *.go *.md
var files embed.FS

func main() { course.Main(files, dialogues, memory, beside, bland, collapse) }

// dialogues shows what is learned.
func dialogues(p *course.Page) error {
	for _, t := range learned(p)[:3] {
		p.Verbatim(t.String())
	}
	return nil
}

// The variants of a model of dialogues that the chapter compares. All but HRED have a latent
// variable of 16 numbers.
var (
	hred     = variant{Name: "HRED"}
	alone    = variant{Name: "VHRED, nothing done", Latent: 16}
	annealed = variant{Name: "VHRED, weight of KL rising", Latent: 16, Annealing: 6}
	helped   = variant{Name: "VHRED, rising, free bits, words hidden", Latent: 16, Annealing: 6,
		FreeBits: 0.1, WordDropout: 0.25}
)

// memory asks what only the first turn tells.
func memory(p *course.Page) error {
	talks := asked(p)
	plain, err := trainedSeq2Seq(p)
	if err != nil {
		return err
	}
	right := map[string]float64{"seq2seq": remembers(talks, plain.Replies[0])}
	rows := [][]any{{"seq2seq", "the last turn", percent(right["seq2seq"])}}
	least := 1.0
	for _, v := range []variant{hred, helped} {
		name, _, _ := strings.Cut(v.Name, ",")
		for seed := range seeds(p) {
			o, err := trained(p, v, seed)
			if err != nil {
				return err
			}
			share := remembers(talks, o.Replies[0])
			right[name] += share / float64(seeds(p))
			least = min(least, share)
		}
		rows = append(rows, []any{name, "all turns", percent(right[name])})
	}
	p.Table("Which animal do I have?", []string{"model", "reads", "right replies"}, rows...)
	p.Value("right-seq2seq", "%s", percent(right["seq2seq"]))
	p.Value("right-HRED", "%s", percent(right["HRED"]))
	p.Value("right-VHRED", "%s", percent(right["VHRED"]))
	if p.Size != course.Quick {
		p.Claim("seq2seq is right in less than a third: it has to guess one of six",
			right["seq2seq"] < 1.0/3)
		p.Claim("HRED and VHRED are right in more than nine of ten, for every seed", least > 0.9)
	}
	return nil
}

// beside shows one dialogue of each kind beside three models.
func beside(p *course.Page) error {
	talks := asked(p)
	plain, h, v, err := three(p)
	if err != nil {
		return err
	}
	for _, i := range some(talks) {
		text := ""
		for k, turn := range talks[i].Turns[:3] {
			text += "<><"[k:k+1] + " " + strings.Join(turn, " ") + "\n"
		}
		said := func(r [][]string) string { return strings.Join(r[i], " ") }
		text += fmt.Sprintf("\nseq2seq  %s\nHRED     %s\n",
			said(plain.Replies[0]), said(h.Replies[0]))
		for _, draw := range v.Shown[i] {
			text += "VHRED    " + strings.Join(draw, " ") + "\n"
		}
		p.Verbatim(text)
	}
	return nil
}

// bland measures how varied the replies to open questions are, and whether they fit.
func bland(p *course.Page) error {
	talks := asked(p)
	plain, h, v, err := three(p)
	if err != nil {
		return err
	}
	var rows [][]any
	by := map[string]variety{}
	for _, c := range []struct {
		key, name string
		replies   [][]string
	}{
		{"seq2seq", "seq2seq, likeliest words", plain.Replies[0]},
		{"HRED", "HRED, likeliest words", h.Replies[0]},
		{"VHRED", "VHRED, latent drawn, likeliest words", v.Replies[0]},
		{"drawn", "HRED, words drawn", h.Replies[1]},
		{"truth", "what was said indeed", truth(talks)},
	} {
		m := measure(talks, c.replies)
		by[c.key] = m
		rows = append(rows, []any{c.name, course.Digits(m.Distinct1, 2),
			course.Digits(m.Distinct2, 2), percent(m.Most), percent(m.Fits)})
		p.Value("most-"+c.key, "%s", percent(m.Most))
		p.Value("distinct-"+c.key, "%s", course.Digits(m.Distinct2, 2))
		p.Value("fits-"+c.key, "%s", percent(m.Fits))
	}
	p.Table("Replies to open questions", []string{"", "distinct-1", "distinct-2",
		"most frequent reply", "fits the animal"}, rows...)
	if p.Size != course.Quick {
		p.Claim("HRED gives one reply in more than nine of ten cases", by["HRED"].Most > 0.9)
		least := 1.0
		for seed := range seeds(p) {
			if v, err = trained(p, helped, seed); err != nil {
				return err
			}
			least = min(least, measure(talks, v.Replies[0]).Distinct2)
		}
		p.Claim("VHRED's distinct-2 is at least five times HRED's, for every seed",
			least > 5*by["HRED"].Distinct2)
	}
	return nil
}

// collapse follows the divergence of the latent variable, with and without help.
func collapse(p *course.Page) error {
	figure := plot.Plot{Title: "What the latent variable says of a reply", X: "dialogues seen",
		Y:   "KL, nats a turn",
		Alt: "With nothing done KL is nothing from the first pass on; with a rising weight it falls as the weight rises; with free bits and words hidden it stays."}
	var rows [][]any
	last := map[string]float64{}
	for _, c := range []variant{alone, annealed, helped} {
		o, err := trained(p, c, 0)
		if err != nil {
			return err
		}
		figure.Curves = append(figure.Curves, plot.Curve{Name: c.Name, X: o.Seen, Y: o.KL})
		m := measure(asked(p), o.Replies[0])
		last[c.Name] = o.KL[len(o.KL)-1]
		rows = append(rows, []any{c.Name, fmt.Sprintf("%.2f", last[c.Name]),
			course.Digits(m.Distinct2, 2), percent(m.Most),
			percent(remembers(asked(p), o.Replies[0]))})
	}
	p.Plot(&figure)
	p.Table("", []string{"trained with", "KL at the end", "distinct-2", "most frequent reply",
		"remembers the animal"}, rows...)
	p.Value("kl-alone", "%.3f", last[alone.Name])
	p.Value("kl-annealed", "%.2f", last[annealed.Name])
	p.Value("kl-helped", "%.2f", last[helped.Name])
	if p.Size != course.Quick {
		p.Claim("with nothing done the latent variable collapses", last[alone.Name] < 0.05)
		p.Claim("with free bits and hidden words it does not", last[helped.Name] > 1)
	}
	return nil
}
