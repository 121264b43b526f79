package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/rng"
)

// run is the program with arguments and standard input.
func run(in string, args ...string) (out, messages string, err error) {
	var o, m bytes.Buffer
	err = program().Run(context.Background(), args,
		cli.Std{In: strings.NewReader(in), Out: &o, Messages: &m})
	return o.String(), m.String(), err
}

func TestPairs(t *testing.T) {
	r := rng.Stream{Key: rng.New(1)}
	for range 500 {
		source, target := reversal(&r)
		words := strings.Fields(source)
		slices.Reverse(words)
		require.Equal(t, target, strings.Join(words, " "))

		source, target = date(&r)
		found := false
		for _, f := range dateFormats {
			if day, err := time.Parse(f.layout, source); err == nil &&
				day.Format(time.DateOnly) == target {
				found = true
			}
		}
		require.True(t, found || strings.HasSuffix(target,
			source[strings.LastIndex(source, "/")+1:]) || len(source) < 9, "%s %s", source, target)
	}
	for name, want := range map[string]string{"addition": "+", "dates": "-"} {
		task, err := findTask(name)
		require.NoError(t, err)
		train, valid, test, err := task.corpus(300, 100, 3)
		require.NoError(t, err)
		seen := map[string]bool{}
		for _, p := range []pairs{train, valid, test} {
			for i, s := range p.sources {
				require.False(t, seen[strings.Join(s, "")])
				seen[strings.Join(s, "")] = true
				require.Contains(t, strings.Join(s, "")+strings.Join(p.targets[i], ""), want)
			}
		}
		require.Len(t, seen, 500)
		again, _, _, err := task.corpus(300, 100, 3)
		require.NoError(t, err)
		require.Equal(t, train, again)
	}
}

func TestQuick(t *testing.T) {
	for _, c := range []struct{ task, variant, question string }{
		{"reversal", "attention", "1 2 3"}, {"addition", "peeky", "1+2"},
		{"dates", "attention", "2/3/75"}, {"addition", "plain", "1+2"},
	} {
		t.Run(c.task+" "+c.variant, func(t *testing.T) {
			dir := t.TempDir()
			plot := filepath.Join(dir, "plot.svg")
			out, _, err := run("", "train", "-quick", "-task", c.task, "-variant", c.variant,
				"-save", dir, "-draw", plot)
			require.NoError(t, err)
			require.Regexp(t, `(?m)^    1 +\d+\.\d\d$`, out)
			require.FileExists(t, plot)

			source, target, model := filepath.Join(dir, "s"), filepath.Join(dir, "t"),
				filepath.Join(dir, c.variant)
			_, _, err = run("", "generate", "-task", c.task, "-n", "20", "-source", source,
				"-target", target)
			require.NoError(t, err)
			out, _, err = run("", "evaluate", "-model", model, "-source", source, "-target", target)
			require.NoError(t, err)
			require.Contains(t, out, "20 questions: ")
			require.Equal(t, c.task == "reversal", strings.Contains(out, "mirrored"))

			out, messages, err := run(c.question+"\n\n", "answer", "-model", model)
			require.NoError(t, err)
			require.Equal(t, 2, strings.Count(out, "\n"))
			require.Contains(t, messages, "line 2: ")
			_, _, err = run(c.question, "answer", "-model", model, "-draw",
				filepath.Join(dir, "drawn"))
			if c.task == "addition" {
				require.ErrorContains(t, err, "has no attention")
				return
			}
			require.NoError(t, err)
			require.FileExists(t, filepath.Join(dir, "drawn", "1.svg"))
		})
	}
}

func TestMistakes(t *testing.T) {
	const dir = "." // so that no argument has its name, which may have spaces
	t.Chdir(t.TempDir())
	_, _, err := run("", "train", "-quick", "-task", "addition", "-variant", "plain", "-save", dir)
	require.NoError(t, err)
	model := filepath.Join(dir, "plain")
	one, two := filepath.Join(dir, "1"), filepath.Join(dir, "2")
	require.NoError(t, os.WriteFile(one, []byte("1+2\n"), 0o600))
	require.NoError(t, os.WriteFile(two, []byte("3\n4\n"), 0o600))
	for _, c := range []struct{ args, want string }{
		{"train -task division", `-task is "division"; want one of reversal, addition, dates`},
		{"train -task dates -variant peeky", "want one of none, attention"},
		{"train -cell elman", `cell is "elman"`},
		{"train -lr -7", "-lr is -7"},
		{"evaluate", "-model is missing"},
		{"evaluate -model " + dir, "config.json"},
		{"evaluate -model " + model + " -source x", "go together"},
		{"evaluate -model " + model + " -source " + one + " -target " + two, "2: 2; each needs"},
		{"evaluate -model " + model + " -source " + two + " -target " + two, ""},
		{"generate -n 0", "-n is 0"},
		{"generate", "-source is missing"},
	} {
		_, _, err := run("", strings.Fields(c.args)...)
		if c.want == "" {
			require.NoError(t, err, c.args)
			continue
		}
		require.ErrorContains(t, err, c.want, c.args)
	}
	_, messages, err := run("1+x\n", "answer", "-model", model)
	require.NoError(t, err)
	require.Contains(t, messages, `line 1: `)
	require.Contains(t, messages, "x")
	require.NoError(t, os.WriteFile(filepath.Join(model, styleFile), []byte(`{"task": "division"}`),
		0o600))
	_, _, err = run("", "evaluate", "-model", model)
	require.ErrorContains(t, err, "style.json: -task is")
}
