package main_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func init() {
	// similar asks for the neighbours of a word in a file.
	similar := func(t *testing.T, c *input, file, word string) outcome {
		o := c.run(t, word+"\n", "word2vec", "similar", "-model", file)
		require.Zero(t, o.code, o)
		require.True(t, strings.HasPrefix(o.out, word+"\n    "), o)
		return o
	}
	checks["vectors-bom"] = func(t *testing.T, c *input) {
		similar(t, c, "glove.txt", "the")
		similar(t, c, "w2v.vec", "the")
	}
	checks["vectors-gz"] = func(t *testing.T, c *input) { similar(t, c, "w.vec.gz", "the") }
	checks["vectors-latin1"] = func(t *testing.T, c *input) {
		o := similar(t, c, "w.vec", "the")
		require.Contains(t, o.messages, "2 of 4 words are not UTF-8 and are left out")
	}
	checks["vectors-spaced-token"] = func(t *testing.T, c *input) {
		o := similar(t, c, "glove.txt", "king")
		require.Contains(t, o.messages, "4 words")
		require.Contains(t, o.out, "@example")
	}
	checks["word2vec-case"] = func(t *testing.T, c *input) {
		similar(t, c, "w.vec", "Berlin")
		o := c.run(t, "berlin\n", "word2vec", "similar", "-model", "w.vec")
		require.Contains(t, o.messages, `there is "Berlin"`)
	}
}
