package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Labels of texts and of tokens.
func init() {
	checks["classify-swapped"] = func(t *testing.T, c *input) {
		o := c.command(t)
		require.Zero(t, o.code, o)
		require.Contains(t, o.messages, "warning: there are 40 labels for 40 texts (100 %)")
		require.Contains(t, o.messages, "In a file the columns are label TAB text")
		require.Contains(t, o.messages,
			"warning: 40 of the 40 validation examples (100 %) are training examples too")
	}
	checks["conll-tab-comment"] = func(t *testing.T, c *input) {
		o := c.command(t)
		require.Zero(t, o.code, o)
		require.Contains(t, o.out, "1 sentences, 2 tokens to learn from")
		require.Contains(t, o.out, "2 tags, vocabulary 3,")
		require.Contains(t, o.messages,
			"a.tsv: germeval, 4 columns parted by tabs; tokens are column 2 (TOKEN), tags "+
				"column 3 (NER)")
	}
	checks["conll2003-space"] = func(t *testing.T, c *input) {
		o := c.command(t)
		require.Zero(t, o.code, o)
		require.Contains(t, o.out, "2 sentences, 6 tokens to learn from")
		require.Contains(t, o.messages,
			"conll2003, 4 columns parted by spaces; tokens are column 1 (TOKEN), tags "+
				"column 4 (NER)")
		require.Regexp(t, `(?m)^NNP `, c.command(t, "-tag", "pos").out)
	}
	checks["conllu-silent"] = func(t *testing.T, c *input) {
		o := c.command(t)
		require.Zero(t, o.code, o)
		require.Contains(t, o.out, "1 sentences, 7 tokens to learn from")
		require.Contains(t, o.messages,
			"conllu, 10 columns parted by tabs; tokens are column 2 (FORM), tags column 4 "+
				"(UPOS); 1 lines of ranges")
		require.Regexp(t, `(?m)^NOUN `, o.out)
		require.NotRegexp(t, `(?m)^(_|SpaceAfter=No) `, o.out)
		require.Regexp(t, `(?m)^NN `, c.command(t, "-tag", "xpos").out)
	}
}

// Texts beside each other, dialogues and standard input.
func init() {
	checks["parallel-blank-line"] = func(t *testing.T, c *input) {
		o := c.command(t)
		require.Equal(t, 1, o.code, o)
		require.Contains(t, o.messages, "s.txt: line 3 is empty\n-skip-blank leaves such pairs out")
		o = c.command(t, "-skip-blank", "-min-count", "1")
		require.Zero(t, o.code, o)
		require.Contains(t, o.messages,
			"s.txt and t.txt: left out are pairs: 1 with a blank side (line 3)")
		require.Contains(t, o.messages, "3 pairs to train on")
		o = c.command(t, "-skip-blank", "-min-count", "1", "-max-words", "1")
		require.Equal(t, 1, o.code, o)
		require.Contains(t, o.messages,
			"all pairs of lines are left out: 1 with a blank side (line 3), 3 with a side of "+
				"more than 1 tokens (lines 1, 2, 4)")
	}
	checks["dialogue-japanese"] = func(t *testing.T, c *input) {
		o := c.command(t)
		require.Zero(t, o.code, o)
		require.Regexp(t,
			`warning: \d\d\.\d % of the \d+ tokens of the training dialogues are <unk>.*Japanese`,
			o.messages)
		o = c.command(t, "-level", "ja", "-save", "ja")
		require.Zero(t, o.code, o)
		require.NotContains(t, o.messages, "<unk>")
		o = c.run(t, "駅はどこですか。\n", "dialogue", "reply", "-model", "ja")
		require.Zero(t, o.code, o)
		require.NotContains(t, o.messages, "unknown words")
	}
	checks["ner-entity-f1"] = func(t *testing.T, c *input) {
		o := c.run(t, "", "tag", "train", "-data", "mini.tsv", "-valid", "mini.tsv", "-quick",
			"-min-count", "1", "-save", "DIR")
		require.Zero(t, o.code, o)
		o = c.run(t, "", "tag", "evaluate", "-model", "DIR", "-data", "mini.tsv")
		require.Zero(t, o.code, o)
		require.Contains(t, o.out, "count tokens, not whole entities")
	}
	checks["stdin-not-utf8"] = func(t *testing.T, c *input) {
		write := func(name, content string) {
			require.NoError(t, os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o666))
		}
		write("tags.tsv", strings.Repeat("a\tX\nb\tY\nc\tX\n\n", 40))
		write("texts.tsv", strings.Repeat("X\ta b\nY\tb c\n", 40))
		write("words.vec", "3 2\na 1 0\nb 0 1\nc 1 1\n")
		require.Zero(t, c.run(t, "", "tag", "train", "-data", "tags.tsv", "-valid", "tags.tsv",
			"-quick", "-save", "tagger").code)
		require.Zero(t, c.run(t, "", "classify", "train", "-data", "texts.tsv", "-valid",
			"texts.tsv", "-quick", "-save", "classifier").code)
		lines, mark := c.read(t, "lines.txt"), c.read(t, "bom.txt")
		const refused = "line 2: byte 0x83 at offset 6 is not UTF-8\n"
		o := c.run(t, lines, "tag", "tag", "-model", "tagger", "-show", "slash")
		require.Regexp(t, `^a/[XY] b/[XY] c/[XY]\n\n`, o.out)
		require.Contains(t, o.messages, refused)
		o = c.run(t, lines, "classify", "classify", "-model", "classifier")
		require.Equal(t, 1, strings.Count(o.out, "\n"), o)
		require.Contains(t, o.messages, refused)
		require.Regexp(t, `^a/`, c.run(t, mark, "tag", "tag", "-model", "tagger", "-show",
			"slash").out)
		o = c.run(t, mark, "word2vec", "similar", "-model", "words.vec")
		require.NotContains(t, o.out+o.messages, "\ufeff", o)
		o = c.run(t, lines, "word2vec", "similar", "-model", "words.vec")
		require.Contains(t, o.messages, refused)
	}
}
