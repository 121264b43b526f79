package train

import (
	"math"

	"github.com/seqzoo/seqzoo/internal/check"
)

// Zero means 0 in a field of a configuration whose own 0 selects a default: AdamConfig{Beta1:
// train.Zero}. It is the smallest positive float64, and like every number it survives being written
// to a file.
const Zero = math.SmallestNonzeroFloat64

// or is x, or the default if x is 0.
func or(x, otherwise float64) float64 {
	switch x {
	case 0:
		return otherwise
	case Zero:
		return 0
	}
	return x
}

// ConfigError is all that is wrong with a configuration, a line for each field: what NewAdam, Fit,
// NewBatches and every Validate return for one that is out of range.
type ConfigError = check.Error

// checks gathers everything that is wrong with one configuration.
type checks struct {
	config string
	bad    check.Problems
}

// field notes a field that is not ok; want completes "it must be".
func (c *checks) field(ok bool, name string, value any, want string) {
	c.bad.That(ok, "train: %s.%s is %v; it must be %s", c.config, name, value, want)
}

func (c *checks) rate(name string, value float64) {
	if !nonNegative(value) { // asked first: to pass value on allocates
		c.field(false, name, value, "finite and not negative")
	}
}

func (c *checks) positive(name string, value float64) {
	c.field(value > 0 && !math.IsInf(value, 1), name, value, "finite and more than 0")
}

func (c *checks) factor(name string, value float64) {
	c.field(value > 0 && value <= 1, name, value, "more than 0 and at most 1")
}

func (c *checks) fraction(name string, value float64) {
	c.field(value >= 0 && value < 1, name, value, "at least 0 and less than 1")
}

// eps must not vanish in float32: an element whose gradient is always 0 would become 0/0.
func (c *checks) eps(value float64) {
	const smallest = 0x1p-126
	c.field(value >= smallest && !math.IsInf(value, 1), "Eps", value, "finite and at least 1.2e-38")
}

func (c *checks) err() error { return c.bad.Err() }

// nonNegative is false for NaN too.
func nonNegative(x float64) bool { return x >= 0 && !math.IsInf(x, 1) }
