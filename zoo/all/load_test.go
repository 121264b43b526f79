package all_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/memtest"
	"github.com/seqzoo/seqzoo/zoo"
)

// A model that is made or loaded draws no weights: making takes memory for none, and loading for
// the file and the weights alone.
func TestLoadDrawsNothing(t *testing.T) {
	const some = 2 << 20 // graphs that are looked at, vocabularies, configuration
	for _, name := range []string{"lm", "tagger", "hred"} {
		build := families[name]
		t.Run(name, func(t *testing.T) {
			var m zoo.Model
			var err error
			layers := zoo.Recurrent{Cell: "lstm", Hidden: 512, HiddenDropout: 0.1}
			made := memtest.Allocated(some, func() { m, err = build(layers) })
			require.NoError(t, err)
			require.Less(t, made, some)
			size := 4 * m.Params().Count()
			require.Greater(t, size, some, "or the test shows nothing")
			dir := t.TempDir()
			require.NoError(t, m.Save(dir))
			loaded := memtest.Allocated(2*size+some, func() { _, err = zoo.Load(dir) })
			require.NoError(t, err)
			require.Less(t, loaded, 2*size+some)
		})
	}
}
