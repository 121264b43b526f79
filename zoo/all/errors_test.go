package all

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/reduce"
)

// saved is the directory of a small model whose configuration edit may have changed.
func saved(t *testing.T, edit func(config string) string) string {
	dir := filepath.Join(t.TempDir(), "model")
	m, err := reduce.NewVAE(reduce.VAEConfig{Features: 3, Widths: []int{2}, Code: 1}, 1)
	require.NoError(t, err)
	require.NoError(t, m.Save(dir))
	path := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	changed := edit(string(text))
	if changed == string(text) {
		return dir
	}
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(path, []byte(changed), 0o644))
	return dir
}

// An error that a caller may want to act on is of a kind, whatever it reads like, and of no other
// kind.
func TestKindsOfErrors(t *testing.T) {
	replace := func(old, with string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, with, 1) }
	}
	load := func(edit func(string) string) error {
		_, err := zoo.Load(saved(t, edit))
		return err
	}
	kinds := []error{zoo.ErrArchitecture, zoo.ErrFormat, zoo.ErrMisfit, os.ErrNotExist,
		metrics.ErrLength}
	for name, c := range map[string]struct {
		kind error
		err  error
	}{
		"an unknown architecture": {zoo.ErrArchitecture,
			load(replace(`"architecture": "`, `"architecture": "x`))},
		"another architecture": {zoo.ErrArchitecture, func() error {
			_, err := forecast.Load(saved(t, func(s string) string { return s }))
			return err
		}()},
		"a newer format": {zoo.ErrFormat, load(replace(`"format": 1`, `"format": 99`))},
		"no format":      {zoo.ErrFormat, load(replace(`"format": 1`, `"format": 0`))},
		"another width":  {zoo.ErrMisfit, load(replace(`"code": 1`, `"code": 2`))},
		"no such model": {os.ErrNotExist, func() error {
			_, err := zoo.Load(filepath.Join(t.TempDir(), "none"))
			return err
		}()},
		"lists of lengths": {metrics.ErrLength, func() error {
			_, err := metrics.Accuracy([]int{1}, []int{1, 2})
			return err
		}()},
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, c.err)
			for _, kind := range kinds {
				require.Equal(t, kind == c.kind, errors.Is(c.err, kind), "%v: %v", kind, c.err)
			}
		})
	}
}

// A configuration that says a million bytes is not quoted whole.
func TestErrorsOfLongConfigurations(t *testing.T) {
	long := strings.Repeat("gru/", 70_000)
	for _, field := range []string{`"architecture": "VAE"`, `"activation": "tanh"`} {
		name, _, _ := strings.Cut(field, ": ")
		dir := saved(t, func(config string) string {
			require.Contains(t, config, name)
			return regexp.MustCompile(name+`: "[^"]*"`).ReplaceAllString(config, name+`: "`+long+`"`)
		})
		zootest.ForgetDigests(t, dir)
		_, err := zoo.Load(dir)
		require.ErrorContains(t, err, "gru/gru/")
		require.ErrorContains(t, err, "model")
		require.Less(t, len(err.Error()), 3000)
	}
}
