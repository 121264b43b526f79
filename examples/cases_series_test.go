package main_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func init() {
	checks["csv-semicolon"] = func(t *testing.T, c *input) {
		o := c.command(t)
		require.Zero(t, o.code, o)
		require.Contains(t, o.out, "2 variables")
		require.Contains(t, o.messages, "the comma is taken for the decimal mark")
		o = c.command(t, "-separator", "comma")
		require.NotZero(t, o.code, o)
	}
	checks["dates-unordered"] = func(t *testing.T, c *input) {
		o := c.command(t)
		require.Zero(t, o.code, o)
		require.Contains(t, o.messages,
			`warning: a.csv: the times in column "date" run backwards at line 3`)
	}
	checks["skip-typo"] = func(t *testing.T, c *input) {
		command := c.read(t, "command.txt") // the shell takes what stands in quotes for one word
		before, rest, ok := strings.Cut(strings.TrimSpace(command), `"`)
		require.True(t, ok)
		skip, after, _ := strings.Cut(rest, `"`)
		args := slices.Concat(strings.Fields(before), []string{skip}, strings.Fields(after))
		o := c.run(t, "", args[0], args[1:]...)
		require.Zero(t, o.code, o)
		require.Contains(t, o.out, "1 variable")
		last := skip[strings.LastIndexByte(skip, ' ')+1:]
		args[slices.Index(args, skip)] = skip + "x"
		o = c.run(t, "", args[0], args[1:]...)
		require.Equal(t, 1, o.code, o)
		require.Contains(t, o.messages, fmt.Sprintf("there is no column %q to leave out, but %q",
			last+"x", last))
	}
	checks["forecast-gap-dropped"] = func(t *testing.T, c *input) {
		train, _, _ := strings.Cut(c.read(t, "command.txt"), ";")
		args := append(strings.Fields(train), "-quick")
		o := c.run(t, "", args[0], args[1:]...)
		require.Zero(t, o.code, o)
		history := c.read(t, "history_gap.csv")
		lines := strings.Split(history, "\n")
		gap := slices.IndexFunc(lines,
			func(line string) bool { return strings.HasSuffix(line, "NaN") })
		for _, mode := range []string{"-each=false", "-each=true"} {
			o = c.run(t, history, "forecast", "forecast", "-model", "DIR", mode)
			require.Equal(t, 1, o.code, o)
			require.Contains(t, o.messages, fmt.Sprintf("line %d:", gap+1))
		}
		o = c.run(t, history, "forecast", "forecast", "-model", "DIR", "-fill")
		require.Zero(t, o.code, o)
		hour, _, _ := strings.Cut(lines[gap], ",")
		_, before, _ := strings.Cut(lines[gap-1], ",")
		lines[gap] = hour + "," + before
		require.Equal(t, c.run(t, strings.Join(lines, "\n"), "forecast", "forecast", "-model",
			"DIR"), o)
	}
}
