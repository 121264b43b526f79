package testkit

import (
	"flag"
	"os"
	"strconv"
	"testing"

	_ "pgregory.net/rapid" // which has the flag
)

// Tests of properties draw the same examples in every run, so that a run fails for what was changed
// and not by chance. Others are drawn where the environment has a RAPID_SEED, as in the long runs
// of .ci/run, or the flag -rapid.seed is given. Packages that import rapid import this one.
func init() {
	if os.Getenv("RAPID_SEED") == "" {
		if err := flag.Set("rapid.seed", "1"); err != nil {
			panic(err)
		}
	}
}

// SeedRound gives the property tests of a test that checks several times other examples in each
// round, again the same in every run. The seed is what it was when the test ends.
func SeedRound(t testing.TB, round int) {
	f := flag.Lookup("rapid.seed")
	before := f.Value.String()
	t.Cleanup(func() { flag.Set("rapid.seed", before) })
	seed, err := strconv.ParseUint(before, 10, 64)
	if err == nil {
		err = flag.Set("rapid.seed", strconv.FormatUint(seed+uint64(min(round, 1)), 10))
	}
	if err != nil {
		t.Fatal(err)
	}
}
