package decode

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
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

// Sampler chooses the next token from logits [V]. It filters in this order: logits / Temperature, then TopK, then TopP
// on the probabilities of what is left. Tokens with equal logits rank by id, the lower first; a token whose logit is
// −Inf is never chosen.
//
// The zero value is greedy. A Sampler keeps scratch memory: one goroutine at a time.
type Sampler struct {
	// Temperature divides the logits: below 1 the likely become likelier. 0 always takes the likeliest token.
	Temperature float64

	// TopK keeps the k likeliest tokens (Fan, Lewis and Dauphin, 2018). 0 keeps all.
	TopK int

	// TopP keeps the smallest set of likeliest tokens whose probability reaches it, the one that crosses it included
	// (nucleus sampling; Holtzman et al., 2020). 0 and 1 keep all.
	TopP float64

	kept []Candidate // of the last call
}

// Validate reports every field that is out of range.
func (s *Sampler) Validate() error {
	var errs []error
	if !(s.Temperature >= 0) || math.IsInf(s.Temperature, 1) {
		errs = append(errs, fmt.Errorf("sampler: Temperature is %g; it must be finite and not negative", s.Temperature))
	}
	if s.TopK < 0 {
		errs = append(errs, fmt.Errorf("sampler: TopK is %d; it must not be negative", s.TopK))
	}
	if !(s.TopP >= 0 && s.TopP <= 1) {
		errs = append(errs, fmt.Errorf("sampler: TopP is %g; it must lie between 0 and 1", s.TopP))
	}
	return errors.Join(errs...)
}

// Sample draws the id of a token. Greedy sampling draws no number, and r may then be nil. The error says which field of s
// is out of range, or which logit is NaN or +Inf. Once s has seen logits of this length nothing is allocated.
func Sample[F Float](s *Sampler, logits []F, r Source) (int, error) {
	if s.Temperature > 0 && r == nil {
		return 0, errors.New("sampler: Temperature is above 0 and there is no source of random numbers")
	}
	if err := collect(s, logits); err != nil {
		return 0, err
	}
	if s.filter(false); len(s.kept) == 1 {
		return s.kept[0].ID, nil
	}
	u := r.Float64()
	last := 0 // if rounding leaves a sum below u
	for _, c := range s.kept {
		if u -= c.Prob; u < 0 {
			return c.ID, nil
		}
		if c.Prob > 0 {
			last = c.ID
		}
	}
	return last, nil
}

// Filter returns the tokens that Sample may draw with their probabilities, which sum to 1, likeliest first. They hold
// until the next call with s.
func Filter[F Float](s *Sampler, logits []F) ([]Candidate, error) {
	if err := collect(s, logits); err != nil {
		return nil, err
	}
	s.filter(true)
	return s.kept, nil
}

// TopN returns the n likeliest tokens (all, if there are fewer) with their probabilities among all tokens, likeliest
// first.
func TopN[F Float](logits []F, n int) ([]Candidate, error) {
	if n < 1 {
		return nil, fmt.Errorf("top %d: at least 1 token must be asked for", n)
	}
	all, err := Filter(&Sampler{Temperature: 1}, logits)
	if err != nil {
		return nil, err
	}
	return slices.Clone(all[:min(n, len(all))]), nil
}

// collect sets s.kept to the tokens that are possible at all, with their logits for probabilities.
func collect[F Float](s *Sampler, logits []F) error {
	if err := s.Validate(); err != nil {
		return err
	}
	s.kept = s.kept[:0]
	for id, logit := range logits {
		x := float64(logit)
		if math.IsNaN(x) || math.IsInf(x, 1) {
			return fmt.Errorf("sampler: logits[%d] is %g", id, x)
		}
		if !math.IsInf(x, -1) {
			s.kept = append(s.kept, Candidate{id, x})
		}
	}
	if len(s.kept) == 0 {
		return fmt.Errorf("sampler: none of %d logits is above -Inf", len(logits))
	}
	return nil
}

// filter takes s.kept from logits to the probabilities of the tokens that are left.
func (s *Sampler) filter(sorted bool) {
	if s.Temperature == 0 {
		s.kept[0] = Candidate{slices.MinFunc(s.kept, byRank).ID, 1} // the first of equals
		s.kept = s.kept[:1]
		return
	}
	nucleus := s.TopP > 0 && s.TopP < 1
	if sorted || nucleus || s.TopK > 0 && s.TopK < len(s.kept) {
		slices.SortFunc(s.kept, byRank)
	}
	if s.TopK > 0 {
		s.kept = s.kept[:min(s.TopK, len(s.kept))]
	}
	top := slices.MinFunc(s.kept, byRank).Prob
	for i, c := range s.kept {
		s.kept[i].Prob = math.Exp((c.Prob - top) / s.Temperature)
	}
	normalise(s.kept)
	if nucleus {
		n, sum := 0, 0.
		for n < len(s.kept) && sum < s.TopP {
			sum += s.kept[n].Prob
			n++
		}
		s.kept = s.kept[:n]
		normalise(s.kept)
	}
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
