package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/examples/nextword/data"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// corpus is the text of examples/nextword, its last tenth apart.
type corpus struct {
	words        *text.Vocabulary
	tokens       []string // of the first nine tenths
	train, valid []int
}

// read cuts the text into words, of which the most frequent are known; the others are <unk>.
func read(p *course.Page) (*corpus, error) {
	all, err := data.Text()
	if err != nil {
		return nil, err
	}
	all = all[:course.Pick(p, len(all)/20, len(all), len(all))]
	tokens, err := text.Words{Lower: true, Lines: true}.Tokens(all)
	if err != nil {
		return nil, err
	}
	cut := len(tokens) * 9 / 10
	c := &corpus{tokens: tokens[:cut]}
	c.words, err = text.NewVocabulary(text.VocabularyConfig{MaxSize: course.Pick(p, 200, 1000,
		4588),
		Specials: []string{text.Unk}}, c.tokens)
	if err != nil {
		return nil, err
	}
	if c.train, err = c.words.Encode(c.tokens); err != nil {
		return nil, err
	}
	c.valid, err = c.words.Encode(tokens[cut:])
	return c, err
}

// counts is how often words come in the text, and what comes after them most often.
func (c *corpus) counts(words string) []any {
	after := strings.Fields(words)
	seen, next := 0, map[string]int{}
	for i := len(after); i < len(c.tokens); i++ {
		if slices.Equal(c.tokens[i-len(after):i], after) {
			seen++
			next[c.tokens[i]]++
		}
	}
	var best []lm.TokenProb
	for word, n := range next {
		best = append(best, lm.TokenProb{Token: word, Prob: float64(n) / float64(seen)})
	}
	slices.SortFunc(best, func(a, b lm.TokenProb) int {
		if a.Prob != b.Prob {
			return map[bool]int{true: -1, false: 1}[a.Prob > b.Prob]
		}
		return strings.Compare(a.Token, b.Token)
	})
	return []any{"“… " + words + "”", seen, likeliest(best[:min(3, len(best))])}
}

// likeliest writes words with their probabilities.
func likeliest(words []lm.TokenProb) string {
	var out []string
	for _, w := range words {
		token := w.Token
		if token == "\n" || token == text.EOS {
			token = "⏎"
		}
		out = append(out, fmt.Sprintf("“%s” %s %%", token, course.Digits(100*w.Prob, 2)))
	}
	if out == nil {
		return "–"
	}
	return strings.Join(out, ", ")
}

// newModel makes a model of words with first weights.
func (c *corpus) newModel(cell string, units int, seed uint64) (*lm.Model, error) {
	return lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: cell, Hidden: units}}, c.words, seed)
}

// untrained is the likeliest word after the phrase for a GRU with first weights, by seed.
func untrained(c *corpus) (words []string, err error) {
	for seed := range 5 {
		m, err := c.newModel("gru", 64, uint64(seed+1))
		if err != nil {
			return nil, err
		}
		next, _, err := m.Next(phrase, 1)
		if err != nil {
			return nil, err
		}
		words = append(words, likeliest(next))
	}
	return words, nil
}

func numbered(words []string) (rows [][]any) {
	for i, w := range words {
		rows = append(rows, []any{i + 1, w})
	}
	return rows
}

// Learned is what is kept of the trainings of a cell in one size.
type Learned struct {
	Cell         string
	Units, Steps int
	Milliseconds float64 // a step of the whole task, forward and back, on one core
	Runs         []Training
}

// Training is what is kept of one of them.
type Training struct {
	At, Loss   []float64        // updates, and the mean loss of those since the one before
	Cold, Warm [][]lm.TokenProb // after the phrase alone, and after a hundred words and the phrase
}

// crossing is the number of updates after which a loss was reached, on a straight line between two
// measurements.
func (t Training) crossing(loss float64) float64 {
	for i := 1; i < len(t.At); i++ {
		if a, b := t.Loss[i-1], t.Loss[i]; b <= loss {
			return t.At[i-1] + (a-loss)/(a-b)*(t.At[i]-t.At[i-1])
		}
	}
	return math.NaN()
}

// learnAll trains the three cells in each size; those of a size stand together.
func learnAll(p *course.Page) (out []Learned, err error) {
	c, err := read(p)
	if err != nil {
		return nil, err
	}
	small := course.Pick(p, 8, 64, 64)
	for _, size := range []struct{ units, steps, seeds int }{
		{small, 20, course.Pick(p, 1, 3, 5)}, {small / 2, 20, 1}, {2 * small, 20, 1}, {small, 80,
			1},
	} {
		ms, err := timed(p, 3, func(i int) (*train.Step, error) {
			return wordStep(compared[i].Spec, c.words.Len(), size.units, size.steps)
		})
		if err != nil {
			return nil, err
		}
		for i, cell := range compared[:3] {
			l := Learned{Cell: cell.Name, Units: size.units, Steps: size.steps,
				Milliseconds: ms[i]["all"]}
			for seed := range size.seeds {
				t, err := c.learn(p, cell.Spec, size.units, size.steps, uint64(seed+1))
				if err != nil {
					return nil, err
				}
				l.Runs = append(l.Runs, t)
			}
			out = append(out, l)
		}
	}
	return out, nil
}

// learn trains one model. All cells see the same batches in the same order, and none twice, so that
// the loss of an update is that on new text.
func (c *corpus) learn(p *course.Page, cell string, units, steps int, seed uint64) (out Training,
	err error) {
	m, err := c.newModel(cell, units, seed)
	if err != nil {
		return out, err
	}
	task, err := m.Task(lm.Data{Train: c.train, Batch: tokensAStep / steps,
		Window: unroll.Window{Stride: steps}})
	if err != nil {
		return out, err
	}
	adam, err := train.NewAdam(train.AdamConfig{LR: course.Pick(p, 0.02, 0.003, 0.003)})
	if err != nil {
		return out, err
	}
	look := func() error {
		cold, _, err := m.Next(phrase, 3)
		if err != nil {
			return err
		}
		warm, err := c.after(m)
		out.Cold, out.Warm = append(out.Cold, cold), append(out.Warm, warm)
		return err
	}
	if err := look(); err != nil {
		return out, err
	}
	updates := course.Pick(p, 20, 300, 400)
	every := updates / 10
	result, err := train.Fit(p.Context(), task, train.Config{Optimizer: adam, Epochs: 1,
		MaxSteps: updates,
		Seed:     seed, Clip: train.Clip{Norm: 1}, RecordEvery: every, Warn: func(string) {},
		AfterStep: func(step int) error {
			if step%every != 0 {
				return nil
			}
			p.Progress("%s, %d units, seed %d: %d updates", cell, units, seed, step)
			return look()
		}})
	if err != nil {
		return out, err
	}
	at, loss := result.History.Column("loss")
	for i, step := range at {
		out.At, out.Loss = append(out.At, float64(step)), append(out.Loss, loss[i])
	}
	return out, nil
}

// after is what a model finds likeliest after the phrase, once it has read a hundred words.
func (c *corpus) after(m *lm.Model) ([]lm.TokenProb, error) {
	s, err := m.NewSession()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for _, id := range c.valid[:100] {
		if _, err := s.Step(id); err != nil {
			return nil, err
		}
	}
	if _, err := s.Read(phrase); err != nil {
		return nil, err
	}
	return s.Next(3)
}
