package rng_test

import (
	"fmt"

	"github.com/seqzoo/seqzoo/rng"
)

// A training draws its noise by step, so that step 1000 has the same noise whether or not the
// training was interrupted before. What is drawn one after another goes on from a number.
func Example() {
	noise := rng.New(1).Named("noise")
	fmt.Printf("%.3f %.3f\n", noise.Numbered(1000).Normal(0), noise.Numbered(1000).Normal(1))

	dice := rng.Stream{Key: rng.New(1).Named("dice")}
	first := dice.Intn(6) + 1
	saved := dice.At
	second := dice.Intn(6) + 1
	resumed := rng.Stream{Key: rng.New(1).Named("dice"), At: saved}
	fmt.Println(first, second, resumed.Intn(6)+1 == second)
	// Output:
	// -0.141 -0.258
	// 4 1 true
}
