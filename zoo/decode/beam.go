package decode

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/seqzoo/seqzoo/internal/check"
)

// BeamOptions say how Beam searches. The zero value of an optional field is its default.
type BeamOptions struct {
	Options
	Width int // K: hypotheses that are kept
	Best  int // hypotheses to return of each source at most; default Width

	// Alpha is the strength of the length normalisation, and Beta that of the coverage penalty,
	// which needs attention (Wu et al., 2016):
	//
	//	score = log p / ((5 + length)/6)^Alpha + Beta·Σ_s log min(1, Σ_t attention_ts)
	//
	// 0 is none. A place without any attention counts as 10⁻¹⁰ in the penalty.
	Alpha, Beta float64

	// EarlyStop ends the search of a source as soon as Width hypotheses have ended. Otherwise the
	// search goes on until no live hypothesis can reach a better score than these, or to Max
	// tokens.
	EarlyStop bool

	// Each, if set, is called after every step with the best hypothesis of a source so far, ended
	// or not.
	Each func(source int, best Hypothesis)
}

func (o BeamOptions) check(starts []int) error {
	bad := check.Problems{Prefix: "decode: "}
	bad.Add(o.Options.check(starts))
	bad.Int("Width", o.Width, 1, 1<<20)
	bad.Optional("Best", o.Best, 1, o.Width, "which is Width, or 0 for Width")
	bad.NotNegative("Alpha", o.Alpha)
	bad.NotNegative("Beta", o.Beta)
	return bad.Err()
}

// Beam searches for the likeliest sequences of each source, which starts from the token starts[b].
// The model has Width rows a source: those of source b are b·Width … (b+1)·Width−1, and the state
// of a row only ever goes to a row of the same source. Some rows may be idle.
//
// At each step all extensions of the live hypotheses of a source are ranked by log-probability.
// Extensions among the best 2·Width that end are finished, and the best Width others live on; at
// Max tokens the live hypotheses are finished as they are. Beam returns the finished hypotheses
// with the best scores, best first; there may be fewer than Best. A cancelled context ends the
// search: Beam then returns the hypotheses so far, unended ones too, and the context's error.
func Beam(ctx context.Context, s Stepper, starts []int, o BeamOptions) ([][]Hypothesis, error) {
	if err := o.check(starts); err != nil {
		return nil, err
	}
	K := o.Width
	sources := make([]*search, len(starts))
	rows := identity(len(starts) * K)
	from, tokens := slices.Clone(rows), make([]int, len(rows))
	for i := range tokens {
		tokens[i] = starts[i/K]
	}
	for b := range sources {
		sources[b] = &search{o: &o, row: b * K, live: []*path{{}}}
	}
	var err error
	for length := 1; length <= o.Max && slices.ContainsFunc(sources, (*search).going); length++ {
		var p Prediction
		if p, err = step(ctx, s, from, tokens); err != nil {
			break
		}
		copy(from, rows) // of rows that are idle
		for b, src := range sources {
			if !src.going() {
				continue
			}
			if err = src.extend(p, from, tokens); err != nil {
				return nil, err
			}
			if o.Each != nil {
				o.Each(b, src.best().hypothesis(&o))
			}
		}
	}
	out := make([][]Hypothesis, len(sources))
	for b, src := range sources {
		for _, p := range src.live {
			src.finish(p)
		}
		best := K
		if o.Best > 0 {
			best = o.Best
		}
		for _, r := range src.done.ranked[:min(best, len(src.done.ranked))] {
			out[b] = append(out[b], r.of.hypothesis(&o))
		}
	}
	return out, err
}

// path is a hypothesis: the last token of it, and the path to the one before.
type path struct {
	before         *path // nil at the start
	token, row     int   // the token, and the row of the model that before was in
	length         int
	logProb, total float64
	attention      []float64 // of the step that chose token
	looked         []float64 // sum of all attention so far; nil without Beta
}

// score of a path by the options of the search.
func (p *path) score(o *BeamOptions) float64 {
	score := p.total / math.Pow(float64(5+p.length)/6, o.Alpha)
	for _, a := range p.looked {
		score += o.Beta * math.Log(min(1, max(a, 1e-10)))
	}
	return score
}

func (p *path) hypothesis(o *BeamOptions) Hypothesis {
	h := Hypothesis{LogProb: p.total, Score: p.score(o), Ended: p.length > 0 && p.token == o.End}
	for ; p.length > 0; p = p.before {
		h.Tokens, h.LogProbs = append(h.Tokens, p.token), append(h.LogProbs, p.logProb)
		if p.attention != nil {
			h.Attention = append(h.Attention, p.attention)
		}
	}
	slices.Reverse(h.Tokens)
	slices.Reverse(h.LogProbs)
	slices.Reverse(h.Attention)
	return h
}

// search is the beam of one source.
type search struct {
	o    *BeamOptions
	row  int     // the first of its rows
	live []*path // the best first; the k-th is in row+k
	done top[*path]
}

func (s *search) going() bool { return len(s.live) > 0 }

// extend takes the search one token further and says which token each row reads next, from which
// row's state.
func (s *search) extend(p Prediction, from, tokens []int) error {
	candidates := top[path]{size: 2 * s.o.Width}
	for k, h := range s.live {
		logProbs := p.Logits[s.row+k]
		if err := s.o.logProbs(logProbs); err != nil {
			return fmt.Errorf("decode: row %d: %w", s.row+k, err)
		}
		attention := p.attention(s.row + k)
		if s.o.Beta > 0 && attention == nil {
			return fmt.Errorf("decode: Beta is %g, and there is no attention whose "+
				"coverage it could reward", s.o.Beta)
		}
		looked := s.look(h, attention)
		attention = s.o.kept(attention)
		for id, lp := range logProbs {
			if total := h.total + lp; !math.IsInf(lp, -1) && candidates.takes(total) {
				candidates.add(total, path{h, id, s.row + k, h.length + 1, lp, total, attention,
					looked})
			}
		}
	}
	for _, h := range s.live {
		// The extensions have sums of their own; kept along a path, they would be as large as
		// attention.
		h.looked = nil
	}
	s.live = nil
	for _, r := range candidates.ranked {
		switch c := r.of; {
		case c.token == s.o.End:
			s.finish(&c)
		case len(s.live) < s.o.Width:
			row := s.row + len(s.live)
			from[row], tokens[row] = c.row, c.token
			s.live = append(s.live, &c)
		}
	}
	if s.settled() {
		s.live = nil
	}
	return nil
}

// look adds up attention along a path.
func (s *search) look(h *path, attention []float64) []float64 {
	if s.o.Beta == 0 {
		return nil
	}
	sum := slices.Clone(attention)
	for i, a := range h.looked {
		sum[i] += a
	}
	return sum
}

func (s *search) finish(p *path) {
	s.done.size = s.o.Width
	if score := p.score(s.o); s.done.takes(score) {
		s.done.add(score, p)
	}
}

// settled reports whether the finished hypotheses are the result. A live hypothesis can only lose
// log-probability, so its score is at most its log-probability now at the greatest length.
func (s *search) settled() bool {
	if len(s.live) == 0 || len(s.done.ranked) < s.o.Width {
		return false
	}
	best := *s.live[0]
	best.length, best.looked = s.o.Max, nil
	return s.o.EarlyStop || s.done.ranked[s.o.Width-1].score >= best.score(s.o)
}

// best is the best path so far.
func (s *search) best() *path {
	var best top[*path]
	best.size = 1
	for _, d := range s.done.ranked {
		best.add(d.score, d.of)
	}
	for _, p := range s.live {
		if score := p.score(s.o); best.takes(score) {
			best.add(score, p)
		}
	}
	return best.ranked[0].of
}

// top keeps the best of the elements that it is given, best first; of equals, the first.
type top[T any] struct {
	size   int
	ranked []ranked[T]
}

type ranked[T any] struct {
	of    T
	score float64
}

func (t *top[T]) takes(score float64) bool {
	return len(t.ranked) < t.size || score > t.ranked[t.size-1].score
}

func (t *top[T]) add(score float64, of T) {
	at := sort.Search(len(t.ranked), func(i int) bool { return t.ranked[i].score < score })
	if at == t.size {
		return
	}
	if len(t.ranked) == t.size {
		// Otherwise all would move to make room for an element that is dropped.
		t.ranked = t.ranked[:t.size-1]
	}
	t.ranked = slices.Insert(t.ranked, at, ranked[T]{of, score})
}
