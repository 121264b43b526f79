package reduce

import (
	"fmt"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
)

// CorruptionKind says how a Corruption changes a number.
type CorruptionKind string

const (
	GaussianNoise CorruptionKind = "gaussian"        // x + Amount·ε, ε standard normal
	Masking       CorruptionKind = "masking"         // 0 with probability Amount
	SaltAndPepper CorruptionKind = "salt-and-pepper" // Low or High, each with probability Amount/2
)

// Corruption is the noise that a denoising autoencoder is to take away (Vincent et al., 2008 and
// 2010). The zero value is none.
type Corruption struct {
	Kind   CorruptionKind `json:"kind,omitempty"`   // GaussianNoise, Masking or SaltAndPepper
	Amount float64        `json:"amount,omitempty"` // standard deviation, or probability
	Low    float64        `json:"low,omitempty"`    // pepper
	High   float64        `json:"high,omitempty"`   // salt; 0 and 1 if both are 0
}

// Validate reports every field that is out of range.
func (c Corruption) Validate() error {
	finite := func(x float64) bool { return x-x == 0 }
	bad := check.Problems{Prefix: "corruption: "}
	switch c.Kind {
	case "":
		bad.That(c == Corruption{}, "amount, low or high is set, and no kind: want %s, %s or %s",
			GaussianNoise, Masking, SaltAndPepper)
		return bad.Err()
	case GaussianNoise:
		bad.That(c.Amount > 0 && finite(c.Amount),
			"the amount of gaussian noise is %g, want a standard deviation above 0", c.Amount)
	case Masking, SaltAndPepper:
		bad.That(c.Amount > 0 && c.Amount < 1,
			"the amount of %s is %g, want a probability in (0, 1)", c.Kind, c.Amount)
	default:
		check.OneOf(&bad, "kind", c.Kind, GaussianNoise, Masking, SaltAndPepper)
		return bad.Err()
	}
	bad.That(c.Kind == SaltAndPepper || c.Low == 0 && c.High == 0,
		"low or high is set, and only %s has them, not %s", SaltAndPepper, c.Kind)
	bad.That(finite(c.Low) && finite(c.High), "low is %g and high is %g, want finite numbers",
		c.Low, c.High)
	return bad.Err()
}

// Of is x, corrupted by the noise of its graph.
func (c Corruption) Of(x *nodes.Node) *nodes.Node {
	noise := func(kind nodes.NoiseKind, p float64) *nodes.Node {
		return x.Graph().Noise(nodes.NoiseRequest{Label: "corruption", Kind: kind, P: p,
			Shape: x.Shape()})
	}
	switch c.Kind {
	case GaussianNoise:
		return nodes.Add(x, nodes.Scale(noise(nodes.StandardNormal, 0), c.Amount))
	case Masking:
		return nodes.Mul(x, noise(nodes.Bernoulli, 1-c.Amount))
	case SaltAndPepper:
		low, high := c.Low, c.High
		if low == 0 && high == 0 {
			high = 1
		}
		u := noise(nodes.UniformNoise, 0)
		// low where u < Amount/2, else high
		grain := nodes.Affine(nodes.Less(u, nodes.Scalar(c.Amount/2)), low-high, high)
		return nodes.Select(nodes.Less(u, nodes.Scalar(c.Amount)), grain, x)
	}
	return x
}

// Apply returns rows [N, features], corrupted by noise drawn from seed: what a denoising
// autoencoder is tested on.
func (c Corruption) Apply(x []float32, features int, seed uint64) ([]float32, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("zoo: %w", err)
	}
	if features < 1 {
		return nil, corruptionPrefix.Errorf("rows of %d features, want at least 1", features)
	}
	if err := checkRows(x, features, "features"); err != nil {
		return nil, corruptionPrefix.Wrap(err)
	}
	const B = 256
	g, err := newRowGraph(B, features, nodes.Float32, c.Of)
	if err != nil {
		return nil, corruptionPrefix.Wrap(err)
	}
	defer g.Close()
	key := uint64(rng.New(seed).Named("apply")) // other noise than a training by the same seed has
	var out []float32
	for batch := 0; len(x) > 0; batch++ {
		n := min(len(x), B*features)
		g.in.Put32(0, x[:n])
		if err := g.Run(key, batch); err != nil {
			return nil, corruptionPrefix.Wrap(err)
		}
		out = append(out, g.Output(0).Float32s()[:n]...)
		x = x[n:]
	}
	return out, nil
}
