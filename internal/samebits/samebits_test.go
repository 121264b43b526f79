// Package samebits_test holds what the library computes to the bit. It trains each model of the zoo
// on made-up data from fixed seeds, hashes the weights, and compares the hashes with recorded ones.
// So a change that only moves code, renames it or makes it faster shows that it computes what it
// did before.
//
// Each level of kernels has a file of hashes in testdata. A change that is meant to give other bits
// records them anew and says why in its commit:
//
//	go test ./internal/samebits -update
package samebits_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"hash"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
)

var update = flag.Bool("update", false, "write the hashes of this build to testdata")

// steps is how many updates each model is trained for.
const steps = 200

// model is what every model of the zoo has.
type model interface{ Params() *nodes.Store }

// training makes a model and the task that trains it.
type training func(t *testing.T) (model, train.Task)

// TestSameBits trains everything in trainings at each level of kernels that the machine has. The
// portable kernels round as the compiler chooses instructions, so the lists are of one
// architecture.
func TestSameBits(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skipf("the hashes are those of amd64, and this is %s", runtime.GOARCH)
	}
	if testing.Short() {
		t.Skip("-short: training every model takes seconds, and minutes under the race detector")
	}
	defer kernels.SetLevel(kernels.CurrentLevel())
	for _, level := range []kernels.Level{kernels.Portable, kernels.AVX2, kernels.AVX512} {
		t.Run(level.String(), func(t *testing.T) {
			if !slices.Contains(kernels.Levels(), level) {
				t.Skipf("this machine, or this build, lacks the level %v", level)
			}
			kernels.SetLevel(level)
			compare(t, filepath.Join("testdata", level.String()+".txt"), hashes(t))
		})
	}
}

// hashes trains everything and returns the hash of each by name.
func hashes(t *testing.T) map[string]string {
	got := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(trainings)) {
		m, task := trainings[name](t)
		fit(t, name, task)
		got[name] = hashOf(m)
	}
	maps.Copy(got, wordVectors(t))
	return got
}

// fit trains by Adam with clipped gradients.
func fit(t *testing.T, name string, task train.Task) {
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
	require.NoError(t, err)
	r, err := train.Fit(context.Background(), task, train.Config{
		Optimizer: adam, Epochs: steps, MaxSteps: steps, Seed: 3, Clip: train.Clip{Norm: 1},
	})
	require.NoError(t, err, name)
	require.Equal(t, steps, r.Steps, name)
}

// hashOf is the hash of a model's parameters: their names and the bits of their elements.
func hashOf(m model) string {
	h := sha256.New()
	for _, p := range m.Params().Params() {
		fmt.Fprintln(h, p.Name(), p.Shape())
		write(h, p.Value().Data())
	}
	return short(h)
}

func write(h hash.Hash, data any) {
	if err := binary.Write(h, binary.LittleEndian, data); err != nil {
		panic(err)
	}
}

// short is enough of a hash to tell weights apart.
func short(h hash.Hash) string { return fmt.Sprintf("%x", h.Sum(nil)[:10]) }

// compare holds the hashes to those in a file, or writes them there.
func compare(t *testing.T, path string, got map[string]string) {
	names := slices.Sorted(maps.Keys(got))
	if *update {
		var b strings.Builder
		for _, name := range names {
			fmt.Fprintf(&b, "%s %s\n", got[name], name)
		}
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o644))
		return
	}
	want := read(t, path)
	require.Equal(t, slices.Sorted(maps.Keys(want)), names,
		"the models of %s: run with -update if one came or went", path)
	for _, name := range names {
		if got[name] != want[name] {
			t.Errorf("%s: the weights after %d steps hash to %s, want %s", name, steps, got[name],
				want[name])
		}
	}
}

func read(t *testing.T, path string) map[string]string {
	f, err := os.Open(path)
	require.NoError(t, err, "run with -update to write it")
	defer f.Close()
	out := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		hash, name, ok := strings.Cut(lines.Text(), " ")
		require.True(t, ok, "%s: %q", path, lines.Text())
		out[name] = hash
	}
	return out
}
