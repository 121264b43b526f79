package main

import (
	"strconv"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// episodes make a stream of tokens: symbols, blanks, a question, the same symbols again, and so on.
// The symbols come again as tokens to predict, so a language model learns them like anything that
// repeats.
type episodes struct {
	vocabulary         *text.Vocabulary
	lag, show, symbols int
	blank, question    int // ids
	ids                []int
}

func newEpisodes(lag, show, symbols int) (*episodes, error) {
	e := &episodes{lag: lag, show: show, symbols: symbols}
	var names []string
	for i := range symbols {
		names = append(names, strconv.Itoa(i))
	}
	var err error
	if e.vocabulary, err = text.NewVocabulary(text.VocabularyConfig{Specials: []string{"blank",
		"question"}}, names); err != nil {
		return nil, err
	}
	e.blank, e.question = 0, 1
	e.ids, err = e.vocabulary.Encode(names)
	return e, err
}

// period is the tokens of an episode. Symbol i is read at step i and, the question being read at
// step lag, must be predicted at step lag + i.
func (e *episodes) period() int { return e.lag + 1 + e.show }

// draw is so many episodes, which depend on nothing but their number and the seed.
func (e *episodes) draw(n int, seed uint64) []int {
	r := rng.Stream{Key: rng.New(seed).Named("episodes")}
	ids := make([]int, 0, n*e.period())
	for range n {
		at := len(ids)
		for range e.show {
			ids = append(ids, e.ids[r.Intn(e.symbols)])
		}
		for range e.lag - e.show {
			ids = append(ids, e.blank)
		}
		ids = append(append(ids, e.question), ids[at:at+e.show]...)
	}
	return ids
}

// recalled is the share of symbols that the model finds likeliest when they are asked for, in a
// stream of new episodes.
func (e *episodes) recalled(m *lm.Model, n int, seed uint64) (float64, error) {
	s, err := m.NewSession()
	if err != nil {
		return 0, err
	}
	defer s.Close()
	right, asked := 0, 0
	ids := e.draw(n, seed)
	for i, id := range ids[:len(ids)-1] {
		logits, err := s.Step(id)
		if err != nil {
			return 0, err
		}
		if at := i % e.period(); at < e.lag || at >= e.lag+e.show {
			continue
		}
		best := 0
		for k, x := range logits {
			if x > logits[best] {
				best = k
			}
		}
		asked++
		if best == ids[i+1] {
			right++
		}
	}
	return float64(right) / float64(asked), nil
}
