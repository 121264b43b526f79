package main

import (
	"fmt"
	"image"
	"slices"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/decode"
)

// outcome is how a model learned, and what it says of scenes that it had not seen.
type outcome struct {
	Seen, Loss []float64
	Found      [][]string
	Maps       [][][]float64
	Exact      []bool
}

func seeds(p *course.Page) int { return course.Pick(p, 1, 2, 5) }

// tested are the scenes that are described in the end.
func tested(p *course.Page) []scene { return newScenes(2, course.Pick(p, 20, 500, 2000)) }

// trained trains a model, once, and has it describe scenes.
func trained(p *course.Page, attention bool, seed uint64) (outcome, error) {
	return course.Once(p, fmt.Sprintf("attention %v, seed %d", attention, seed),
		func() (out outcome, err error) {
			m, err := newModel(p, attention, seed)
			if err != nil {
				return out, err
			}
			n := course.Pick(p, 200, 7000, 50000)
			err = fit(p, m, newScenes(100+seed, n), newScenes(99, course.Pick(p, 20, 300, 1000)),
				func(r train.Row) error {
					if loss, ok := r.Metrics["valid_loss"]; ok {
						out.Seen = append(out.Seen, float64((len(out.Seen)+1)*n))
						out.Loss = append(out.Loss, loss)
						p.Progress("attention %v, seed %d: %.3f", attention, seed, loss)
					}
					return nil
				})
			if err != nil {
				return out, err
			}
			scenes := tested(p)
			var shown []image.Image
			for _, s := range scenes {
				shown = append(shown, s.Picture)
			}
			found, err := m.CaptionAll(p.Context(), shown, decode.SearchOptions{})
			for i, f := range found {
				out.Found, out.Maps = append(out.Found, f[0].Tokens), append(out.Maps, f[0].Maps)
				out.Exact = append(out.Exact, slices.Equal(f[0].Tokens, scenes[i].Words))
			}
			return out, err
		})
}

// examples are scenes with words as ids.
func examples(m *caption.Model, scenes []scene) ([]caption.Captioned, error) {
	out := make([]caption.Captioned, len(scenes))
	for i, s := range scenes {
		ids, err := m.Vocabulary().Encode(s.Words)
		if err != nil {
			return nil, err
		}
		out[i] = caption.Captioned{Picture: s.Picture, Caption: ids}
	}
	return out, nil
}

// rightOne is the first scene of so many things whose caption has no mistake; 0 if there is none.
func (o outcome) rightOne(things int) int {
	for i, exact := range o.Exact {
		if exact && (len(o.Found[i])+1)/2 == things {
			return i
		}
	}
	return 0
}

// exact is the share of captions without a mistake among scenes of so many things, 0 for all.
func (o outcome) exact(scenes []scene, things int) float64 {
	right, all := 0, 0
	for i, s := range scenes {
		if things == 0 || s.things() == things {
			if all++; o.Exact[i] {
				right++
			}
		}
	}
	return float64(right) / float64(max(all, 1))
}

// inside tells whether the middle of a patch is in a box.
func inside(m *caption.Model, cell int, box image.Rectangle) bool {
	return m.Cell(cell).Min.Add(m.Cell(cell).Max).Div(2).In(box)
}

// onto is the share of the weight that lies on patches whose middle is in a box.
func onto(m *caption.Model, weights []float64, box image.Rectangle) (sum float64) {
	for i, w := range weights {
		if inside(m, i, box) {
			sum += w
		}
	}
	return sum
}

// span is the values of several seeds, shares of 1.
type span []float64

func (s *span) add(v float64) { *s = append(*s, v) }

func (s span) mean() (sum float64) {
	for _, v := range s {
		sum += v / float64(len(s))
	}
	return sum
}

func (s span) String() string {
	low, high := 100*slices.Min(s), 100*slices.Max(s)
	if high-low < 0.05 {
		return fmt.Sprintf("%.1f %%", low)
	}
	return fmt.Sprintf("%.1f … %.1f %%", low, high)
}

// places counts where the words of right captions looked, and states what was found.
func places(p *course.Page, exact map[string]span) error {
	m, err := newModel(p, true, 1)
	if err != nil {
		return err
	}
	scenes := tested(p)
	var at, near, chance span
	for seed := range seeds(p) {
		t, err := trained(p, true, uint64(seed+1))
		if err != nil {
			return err
		}
		now, before, by, n := 0.0, 0.0, 0.0, 0.0
		for i, s := range scenes {
			for k, box := range s.Boxes {
				if !t.Exact[i] || box.Empty() {
					continue
				}
				n++
				by += chanceOf(m, box)
				hit := inside(m, peak(t.Maps[i][k]), box)
				if hit {
					now++
				}
				if hit || k > 0 && inside(m, peak(t.Maps[i][k-1]), box) {
					before++
				}
			}
		}
		n = max(n, 1)
		at.add(now / n)
		near.add(before / n)
		chance.add(by / n)
	}
	p.Table("The patch with the greatest weight is on the shape, in captions without a mistake",
		[]string{"at the shape's name", "there or at the word before", "by chance"},
		[]any{at.String(), near.String(), chance.String()})
	p.Value("at", "%s", at)
	p.Value("chance", "%.0f %%", 100*chance.mean())
	if p.Size != course.Quick {
		p.Claim("the names of shapes looked at their shapes in more than eight of ten cases, for every seed",
			slices.Min(at) > 0.8)
	}
	for _, key := range []string{"att2", "att4", "att0", "the2", "the4", "the0"} {
		p.Value(key, "%.1f %%", 100*exact[key].mean())
	}
	if p.Size != course.Quick {
		p.Claim("four things: with attention more captions are right, for every seed",
			slices.Min(exact["att4"]) > slices.Max(exact["the4"]))
	}
	return nil
}

func peak(weights []float64) int { return slices.Index(weights, slices.Max(weights)) }

// chanceOf is the share of all patches whose middle is in a box.
func chanceOf(m *caption.Model, box image.Rectangle) float64 {
	n := 0
	for cell := range m.Cells() {
		if inside(m, cell, box) {
			n++
		}
	}
	return float64(n) / float64(m.Cells())
}
