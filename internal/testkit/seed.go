package testkit

import (
	"flag"
	"os"

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
