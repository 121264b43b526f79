package nodes

import (
	"fmt"
	"math"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/rng"
)

// SampledSoftmax is a cross-entropy for training with a large vocabulary: a target competes with a
// few tokens that are drawn anew for each batch, instead of with all (Bengio and Senécal, 2008;
// Jean et al., 2015).
//
// The sample is S distinct ids from the log-uniform distribution
//
//	q(id) = log((id+2)/(id+1)) / log(V+1)
//
// which is close to that of words if ids are given by falling frequency, as text.NewVocabulary
// gives them. So that the scores learned are those of the full softmax, each score is lowered by
// log π(id), where π is the probability that the sample holds the id:
//
//	loss = −log( e^(s_target − log π_target) / Σ e^(s_j − log π_j) ),  j over the target and the sample
//
// A target that the sample holds counts once. The loss is an estimate, biased for a small S, and
// only good for training: measure a model with CrossEntropy over all its scores.
type SampledSoftmax struct {
	V       int // vocabulary
	Samples int // S, in 1 … V
}

// Validate reports every field that is out of range.
func (s SampledSoftmax) Validate() error {
	bad := check.Problems{Prefix: "sampled softmax: "}
	bad.That(s.V >= 1 && s.Samples >= 1 && s.Samples <= s.V,
		"%d samples of a vocabulary of %d; want 1 … V of them", s.Samples, s.V)
	return bad.Err()
}

// absent is added to the score of the target where the sample holds it too. Its exponential is 0.
const absent = -1e9

// SampledBatch is the memory of the inputs of a SampledSoftmax, in the order of Inputs.
type SampledBatch struct {
	IDs    []int     // [n+S]
	Shifts []float64 // [n+S], to be copied to the memory of an input of float32
	Places []int     // [n]
}

// Inputs declares what Loss needs to know of n targets, to be filled by Fill before each run: ids
// and shifts [n+S], and places [n].
func (s SampledSoftmax) Inputs(g *Graph, n int) []*Node {
	if err := s.Validate(); err != nil {
		ops.Failf("SampledSoftmax", "%w", err)
	}
	return []*Node{g.IntInput("scored ids", n+s.Samples), g.Input("scored shifts", n+s.Samples),
		g.IntInput("target places", n)}
}

// Fill draws a sample for a batch of targets from seed and counter, and writes it to the memory of
// Inputs.
func (s SampledSoftmax) Fill(to SampledBatch, targets []int, seed uint64, counter int) error {
	if err := s.Validate(); err != nil {
		return err
	}
	n := len(targets)
	if len(to.IDs) != n+s.Samples || len(to.Shifts) != n+s.Samples || len(to.Places) != n {
		return fmt.Errorf("sampled softmax: %d ids, %d shifts and %d places are not those of "+
			"Inputs for %d targets", len(to.IDs), len(to.Shifts), len(to.Places), n)
	}
	ids, places := to.IDs, to.Places
	tries, place := s.draw(ids[n:], seed, counter)
	for i, id := range targets {
		if id < 0 || id >= s.V {
			return fmt.Errorf("sampled softmax: target %d at position %d is outside 0 … %d", id, i,
				s.V-1)
		}
		at, sampled := place[id]
		if places[i] = 0; sampled {
			places[i] = 1 + at
		}
		ids[i] = id
	}
	for i, id := range ids {
		if i < n && places[i] > 0 {
			to.Shifts[i] = absent
			continue
		}
		q := math.Log1p(1/float64(id+1)) / math.Log(float64(s.V)+1)
		missed := float64(tries) * math.Log1p(-min(q, 1-1e-12))
		to.Shifts[i] = -math.Log(-math.Expm1(missed)) // −log π
	}
	return nil
}

// draw fills samples with distinct ids, and gives the number of tries that it took and where each
// id stands.
func (s SampledSoftmax) draw(samples []int, seed uint64, counter int) (tries int,
	place map[int]int) {
	r := rng.Stream{Key: rng.New(seed).Numbered(uint64(counter)).Named("sampled softmax")}
	place = make(map[int]int, len(samples))
	if len(samples) == s.V { // no need to wait for the rarest
		for id := range samples {
			samples[id], place[id] = id, id
		}
		return math.MaxInt32, place
	}
	// a sample of nearly all would take for ever: the rest is filled up in order
	limit := 64 * min(s.V, math.MaxInt/64)
	scale := math.Log(float64(s.V) + 1)
	for len(place) < len(samples) && tries < limit {
		tries++
		id := s.V - 1
		if x := math.Exp(r.Float64() * scale); x < float64(s.V) { // what an int may not hold
			id = int(x) - 1
		}
		if _, ok := place[id]; !ok {
			samples[len(place)] = id
			place[id] = len(place)
		}
	}
	for id := 0; len(place) < len(samples); id++ {
		if _, ok := place[id]; !ok {
			samples[len(place)] = id
			place[id] = len(place)
		}
	}
	return tries, place
}

// Loss is the mean over n targets of the sampled cross-entropy: x [..., H] with n rows in all,
// table [V, H] and bias [V] give the scores x·tableᵀ + bias, and inputs are those of Inputs. Only
// the rows of the table that are scored are read.
func (s SampledSoftmax) Loss(x, table, bias Operand, inputs []*Node) *Node {
	if len(inputs) != 3 {
		ops.Failf("SampledSoftmax", "%d inputs; want those that Inputs declares", len(inputs))
	}
	h := one("SampledSoftmax", x)
	ids, shifts, places := inputs[0], inputs[1], inputs[2]
	n := places.Dim(0)
	h = Reshape(h, n, h.Dim(-1))
	// one lookup, so that there is one gradient of the table to fill
	rows := Embedding(table, ids, -1)
	biases := Add(Reshape(Embedding(Reshape(bias.in(h.g), s.V, 1), ids, -1), n+s.Samples), shifts)
	own := Add(Sum(Mul(h, Slice(rows, 0, 0, n)), -1), Slice(biases, 0, 0, n))
	others := Add(MatMulT(h, Slice(rows, 0, n, n+s.Samples)), Slice(biases, 0, n, n+s.Samples))
	return CrossEntropy(Concat(1, Reshape(own, n, 1), others), places, CrossEntropyOptions{})
}
