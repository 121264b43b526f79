package decode

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/check"
)

// Float is the type of logits.
type Float interface{ ~float32 | ~float64 }

// Source gives random numbers, uniform in [0, 1). A *rand.Rand of math/rand/v2 is one.
type Source interface{ Float64() float64 }

// Candidate is a token and its probability.
type Candidate struct {
	ID   int
	Prob float64
}

// Sampler chooses the next token from logits [V]. It filters in this order: logits / Temperature,
// then TopK, then TopP on the probabilities of the tokens that are left. Tokens with equal logits
// rank by id, the lower first; a token whose logit is −Inf is never chosen.
//
// The zero value is greedy. A Sampler keeps scratch memory, which its copies do not share: one
// goroutine at a time may use one, and any number copies of it.
type Sampler struct {
	// Temperature divides the logits: below 1 the likely become likelier. 0 always takes the
	// likeliest token.
	Temperature float64

	// TopK keeps the k likeliest tokens (Fan, Lewis and Dauphin, 2018). 0 keeps all.
	TopK int

	// TopP keeps the smallest set of likeliest tokens whose probability reaches it, the one that
	// crosses it included (nucleus sampling; Holtzman et al., 2020). 0 and 1 keep all.
	TopP float64

	kept  []Candidate // memory of Sample
	owner *Sampler    // whose memory it is: a copy has another address, and takes memory of its own
}

// scratch is memory that no copy of s uses.
func (s *Sampler) scratch() []Candidate {
	if s.owner != s {
		s.owner, s.kept = s, nil
	}
	return s.kept[:0]
}

var errNoSampler = errors.New("sampler: it is nil")

// Validate reports every field that is out of range.
func (s *Sampler) Validate() error {
	bad := check.Problems{Prefix: "sampler: "}
	bad.NotNegative("Temperature", s.Temperature)
	bad.Int("TopK", s.TopK, 0, math.MaxInt)
	if !(s.TopP >= 0 && s.TopP <= 1) {
		bad.That(false, "TopP is %g; it must lie between 0 and 1", s.TopP)
	}
	if s.Temperature == 0 { // always the likeliest token
		const idle = "and Temperature is 0, which always takes the likeliest: set it, to 1 for " +
			"the model's own probabilities"
		bad.That(s.TopK <= 1, "TopK is %d, "+idle, s.TopK)
		bad.That(!(s.TopP > 0 && s.TopP < 1), "TopP is %g, "+idle, s.TopP)
	}
	return bad.Err()
}

// CheckSeed refuses a seed if s draws nothing, since every seed then gives the same.
func (s *Sampler) CheckSeed(seed uint64) error {
	if s == nil {
		return errNoSampler
	}
	var bad check.Problems
	bad.That(seed == 0 || s.Temperature != 0, "Seed is %d, and Temperature is 0, which always "+
		"takes the likeliest and draws nothing: set Temperature, to 1 for the model's own "+
		"probabilities, or leave Seed out", seed)
	return bad.Err()
}

// Sample draws the id of a token. Greedy sampling draws no number, and r may then be nil. The error
// says which field of s is out of range, or which logit is NaN or +Inf. Once s has seen logits of
// this length nothing is allocated.
func Sample[F Float](s *Sampler, logits []F, r Source) (int, error) {
	if s == nil {
		return 0, errNoSampler
	}
	kept, err := collect(s, s.scratch(), logits)
	if err != nil {
		return 0, err
	}
	s.kept = kept
	if s.Temperature > 0 && r == nil {
		return 0, errors.New("sampler: Temperature is above 0 and there is no source of " +
			"random numbers")
	}
	if kept = s.filter(kept, false); len(kept) == 1 {
		return kept[0].ID, nil
	}
	u := r.Float64()
	last := 0 // if rounding leaves a sum below u
	for _, c := range kept {
		if u -= c.Prob; u < 0 {
			return c.ID, nil
		}
		if c.Prob > 0 {
			last = c.ID
		}
	}
	return last, nil
}

// Filter returns the tokens that Sample may draw with their probabilities, which sum to 1,
// likeliest first.
func Filter[F Float](s *Sampler, logits []F) ([]Candidate, error) {
	kept, err := collect(s, nil, logits)
	if err != nil {
		return nil, err
	}
	return s.filter(kept, true), nil
}

// TopN returns the n likeliest tokens (all, if there are fewer) with their probabilities among all
// tokens, likeliest first.
func TopN[F Float](logits []F, n int) ([]Candidate, error) {
	if n < 1 {
		return nil, fmt.Errorf("top %d: at least 1 token must be asked for", n)
	}
	top := math.Inf(-1)
	found := 0
	for id, logit := range logits {
		x := float64(logit)
		if err := checkLogit(id, x); err != nil {
			return nil, err
		}
		if !math.IsInf(x, -1) {
			found++
		}
		top = max(top, x)
	}
	if found == 0 {
		return nil, errNone(len(logits))
	}
	best := selection{kept: make([]Candidate, 0, min(n, found))}
	sum := 0.
	for id, logit := range logits {
		if x := float64(logit); !math.IsInf(x, -1) {
			sum += math.Exp(x - top)
			best.offer(Candidate{id, x})
		}
	}
	out := best.ranked()
	for i := range out {
		out[i].Prob = math.Exp(out[i].Prob-top) / sum
	}
	return out, nil
}

// collect appends the tokens whose logit is not −Inf, with their logits in place of probabilities.
func collect[F Float](s *Sampler, kept []Candidate, logits []F) ([]Candidate, error) {
	if s == nil {
		return nil, errNoSampler
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	for id, logit := range logits {
		x := float64(logit)
		if err := checkLogit(id, x); err != nil {
			return nil, err
		}
		if !math.IsInf(x, -1) {
			kept = append(kept, Candidate{id, x})
		}
	}
	if len(kept) == 0 {
		return nil, errNone(len(logits))
	}
	return kept, nil
}

func checkLogit(id int, x float64) error {
	if math.IsNaN(x) || math.IsInf(x, 1) {
		return fmt.Errorf("sampler: logits[%d] is %g", id, x)
	}
	return nil
}

func errNone(logits int) error {
	return fmt.Errorf("sampler: none of %d logits is above -Inf", logits)
}

// filter removes candidates, and turns the logits of the others into probabilities, in place.
func (s *Sampler) filter(kept []Candidate, sorted bool) []Candidate {
	if s.Temperature == 0 {
		kept[0] = Candidate{slices.MinFunc(kept, byRank).ID, 1} // the first of equals
		return kept[:1]
	}
	switch {
	case s.TopK > 0 && s.TopK < len(kept):
		best := selection{kept: kept[:0:s.TopK]} // each is read before its place is written
		for _, c := range kept {
			best.offer(c)
		}
		kept = best.ranked()
	case sorted:
		slices.SortFunc(kept, byRank)
	}
	top := math.Inf(-1)
	for _, c := range kept {
		top = max(top, c.Prob)
	}
	weight := func(c Candidate) float64 { return math.Exp((c.Prob - top) / s.Temperature) }
	if s.TopP > 0 && s.TopP < 1 {
		kept = nucleus(kept, weight, s.TopP)
	}
	for i, c := range kept {
		kept[i].Prob = weight(c)
	}
	normalise(kept)
	return kept
}

// nucleus is the smallest set of likeliest candidates whose share of all weights reaches p,
// likeliest first.
func nucleus(kept []Candidate, weight func(Candidate) float64, p float64) []Candidate {
	all := 0.
	for _, c := range kept {
		all += weight(c)
	}
	for i := len(kept)/2 - 1; i >= 0; i-- {
		siftDown(kept, i, byRank)
	}
	rest := kept // a heap with the likeliest on top; those taken from it lie behind it
	for sum := 0.; len(rest) > 0 && sum < p; {
		last := len(rest) - 1
		sum += weight(rest[0]) / all
		rest[0], rest[last] = rest[last], rest[0]
		rest = rest[:last]
		siftDown(rest, 0, byRank)
	}
	taken := kept[len(rest):]
	slices.Reverse(taken)
	return taken
}

// byRank puts the likeliest first, and equals by id.
func byRank(a, b Candidate) int {
	if a.Prob != b.Prob {
		return cmp.Compare(b.Prob, a.Prob)
	}
	return cmp.Compare(a.ID, b.ID)
}

func normalise(candidates []Candidate) {
	sum := 0.
	for _, c := range candidates {
		sum += c.Prob
	}
	for i := range candidates {
		candidates[i].Prob /= sum
	}
}

// selection keeps the best of the candidates that it is offered, as many as its memory holds,
// without sorting all of them.
type selection struct{ kept []Candidate } // full, a heap with the worst on top

// byWorst is the reverse of byRank.
func byWorst(a, b Candidate) int { return byRank(b, a) }

func (s *selection) offer(c Candidate) {
	switch n := len(s.kept); {
	case n < cap(s.kept):
		if s.kept = append(s.kept, c); n+1 == cap(s.kept) {
			for i := n / 2; i >= 0; i-- {
				siftDown(s.kept, i, byWorst)
			}
		}
	case byRank(c, s.kept[0]) < 0:
		s.kept[0] = c
		siftDown(s.kept, 0, byWorst)
	}
}

// ranked are those that were kept, best first.
func (s *selection) ranked() []Candidate {
	slices.SortFunc(s.kept, byRank)
	return s.kept
}

// siftDown moves element i of a heap down to its place. The top of the heap is the first by order.
func siftDown(heap []Candidate, i int, order func(a, b Candidate) int) {
	for {
		first := 2*i + 1
		if first >= len(heap) {
			return
		}
		if other := first + 1; other < len(heap) && order(heap[other], heap[first]) < 0 {
			first = other
		}
		if order(heap[i], heap[first]) <= 0 {
			return
		}
		heap[i], heap[first] = heap[first], heap[i]
		i = first
	}
}
