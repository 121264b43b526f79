package main

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
)

// letters are the tokens of sources, from their ends if they are read so, or of targets.
func letters(all []pair, target, backwards bool) (out [][]string) {
	for _, p := range all {
		s := p.Source
		if target {
			s = p.Target
		}
		tokens := strings.Split(s, "")
		if backwards {
			slices.Reverse(tokens)
		}
		out = append(out, tokens)
	}
	return out
}

// answers are what a model writes for sources, greedily or by a beam.
func answers(ctx context.Context, m *seq2seq.Model, t task, pairs []pair, beam int) ([]decode.Found,
	error) {
	found, err := m.TranslateAll(ctx, letters(pairs, false, t.backwards),
		decode.SearchOptions{Beam: beam, Max: 30})
	if err != nil {
		return nil, err
	}
	var out []decode.Found
	for _, f := range found {
		out = append(out, f[0])
	}
	return out, nil
}

// right is the share of answers that are right to the last letter, in percent.
func right(found []decode.Found, pairs []pair) float64 {
	n := 0
	for i, f := range found {
		if f.Ended && strings.Join(f.Tokens, "") == pairs[i].Target {
			n++
		}
	}
	return 100 * float64(n) / float64(len(pairs))
}

// rightLetters is the share of letters that are right, by their place, in percent.
func rightLetters(found []decode.Found, pairs []pair, places int) []float64 {
	out := make([]float64, places)
	for i, f := range found {
		for k := range out {
			if k < len(f.Tokens) && f.Tokens[k] == pairs[i].Target[k:k+1] {
				out[k] += 100 / float64(len(pairs))
			}
		}
	}
	return out
}

// Whole is a whole answer, and how likely the model takes it to be.
type Whole struct {
	Text string
	P    float64
}

// Runs is what the models did.
type Runs struct {
	Right    map[string]float64 // exact answers by task, in percent
	Samples  map[string][]pair  // some sources, and what was written
	ByLength [][]float64        // of reversals of 2, 3, … digits, for each seed
	Date     []float64          // of the letters of dates, by place
	Source   string             // of the addition that is shown
	Steps    []Whole            // its letters, one by one, each given those before
	Best     []Whole            // its likeliest answers as a beam finds them
	Beams    map[int]Beamed     // dates, by width
}

// Beamed is what a beam does for dates: its width 1 is greedy.
type Beamed struct{ Right, LogProb float64 }

// widths are those of the beams that are compared.
var widths = []int{1, 2, 5}

// runAll trains a model for every task, and asks it.
func runAll(p *course.Page) (out Runs, err error) {
	out = Runs{Right: map[string]float64{}, Samples: map[string][]pair{}, Beams: map[int]Beamed{}}
	for _, t := range tasks {
		learned, apart := t.pairs(course.Pick(p, 300, t.train, 5*t.train), 500, 1)
		m, err := learn(p, t, learned, course.Pick(p, 1, t.epochs, t.epochs), 1)
		if err != nil {
			return out, err
		}
		found, err := answers(p.Context(), m, t, apart, 0)
		if err != nil {
			return out, err
		}
		out.Right[t.name] = right(found, apart)
		for i := range 3 {
			out.Samples[t.name] = append(out.Samples[t.name], pair{apart[i].Source,
				strings.Join(found[i].Tokens, "")})
		}
		p.Progress("%s: %.0f %%", t.name, out.Right[t.name])
		switch t.name {
		case "reversal":
			err = out.lengths(p, m, t)
			for seed := 2; seed <= course.Pick(p, 1, 3, 5) && err == nil; seed++ {
				if m, err = learn(p, t, learned, t.epochs, uint64(seed)); err == nil {
					err = out.lengths(p, m, t)
				}
			}
		case "addition":
			err = out.search(p, m, t, apart, found)
		case "dates":
			out.Date = rightLetters(found, apart, 10)
			err = out.beams(p, m, t, apart)
		}
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// lengths asks for reversals of each length, longer ones than were learned included.
func (out *Runs) lengths(p *course.Page, m *seq2seq.Model, t task) error {
	r := rand.New(rand.NewPCG(3, 3))
	var by []float64
	for n := 2; n <= longest+4; n++ {
		var pairs []pair
		for range 200 {
			pairs = append(pairs, reversal(r, n))
		}
		found, err := answers(p.Context(), m, t, pairs, 0)
		if err != nil {
			return err
		}
		by = append(by, right(found, pairs))
	}
	out.ByLength = append(out.ByLength, by)
	return nil
}

// beams writes all dates with beams.
func (out *Runs) beams(p *course.Page, m *seq2seq.Model, t task, pairs []pair) error {
	for _, width := range widths {
		found, err := answers(p.Context(), m, t, pairs, width)
		if err != nil {
			return err
		}
		b := Beamed{Right: right(found, pairs)}
		for _, f := range found {
			b.LogProb += f.LogProb / float64(len(found))
		}
		out.Beams[width] = b
	}
	return nil
}

// search looks at the addition of which the model is least sure.
func (out *Runs) search(p *course.Page, m *seq2seq.Model, t task, pairs []pair,
	greedy []decode.Found) error {
	at := 0
	for i, f := range greedy {
		if f.LogProb < greedy[at].LogProb {
			at = i
		}
	}
	out.Source = pairs[at].Source
	rest := greedy[at].LogProb
	for i, letter := range greedy[at].Tokens {
		rest -= greedy[at].LogProbs[i]
		out.Steps = append(out.Steps, Whole{letter, math.Exp(greedy[at].LogProbs[i])})
	}
	out.Steps = append(out.Steps, Whole{"<eos>", math.Exp(rest)})
	best, err := m.Translate(p.Context(), letters(pairs[at:at+1], false, t.backwards)[0],
		decode.SearchOptions{Beam: 5, Best: 4, Max: 30})
	if err != nil {
		return err
	}
	for _, f := range best {
		out.Best = append(out.Best, Whole{strings.Join(f.Tokens, ""), math.Exp(f.LogProb)})
	}
	return nil
}

// product is the probability of all letters together.
func product(letters []Whole) float64 {
	p := 1.0
	for _, l := range letters {
		p *= l.P
	}
	return p
}
