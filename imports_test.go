package seqzoo_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const thisModule = "github.com/seqzoo/seqzoo"

// room is a package, or all that a pattern of path.Match names, and the packages of the module that
// it may import.
type room struct {
	path    string
	imports string
}

// What groups of rooms may import.
const (
	everywhere  = "rng internal/* internal/ops/*"
	description = "nodes cells unroll " + everywhere
	data        = "zoo/text zoo/metrics zoo/vectors zoo/series zoo/images "
	model       = "zoo zoo/decode zoo/internal/shared " + data + "run train graph " + description
)

// rooms is every package of the module, the top of the house first. Imports go down this list: a
// package may import what stands below it, of the packages that its line allows. A new package is a
// new line. Tests may import what they need.
var rooms = []room{
	{".", ""},
	{"golden", ""},
	{"examples", "course"},
	{"examples/*", "examples/cli examples/nextword/* examples/binaryaddition/* onnx zoo/* " +
		"zoo/text/* rng plot course course/* " + model},
	{"examples/cli", "train/mpi " + model},
	{"examples/cli/clitest", everywhere},
	{"examples/binaryaddition/adder", "run train " + description},
	{"examples/*/*", ""},
	{"course/coursetest", "course"},
	{"course", "plot"},
	{"plot", ""},
	{"benchmarks/step", "benchmarks cells graph"},
	{"benchmarks/every", "benchmarks cells graph"},
	{"benchmarks/dropin", "graph " + everywhere},
	{"benchmarks", "graph " + description},

	// Models to and from ONNX. No other room imports it, so that none links protobuf code.
	{"onnx", "onnx/internal/* zoo/* " + model},
	{"onnx/internal/host", "onnx/internal/pb " + everywhere},
	{"onnx/internal/pb", ""},

	// Models: a package a family.
	{"zoo/all", "zoo/*"},
	{"zoo/*", model},
	{"zoo/word2vec", "nodes " + data + everywhere},
	{"zoo/internal/zootest", model},
	{"zoo", "zoo/internal/shared run " + description},
	{"zoo/internal/shared", "zoo/decode zoo/text run train graph " + description},

	// What models read, write and are measured by: no engine but what decodes.
	{"zoo/decode", "run nodes cells " + everywhere},
	{"zoo/images", everywhere},
	{"zoo/vectors", "zoo/text zoo/metrics " + everywhere},
	{"zoo/series", "zoo/text " + everywhere},
	{"zoo/metrics", everywhere},
	{"zoo/text/japanese", "zoo/text"},
	{"zoo/text", everywhere},

	// The running half knows no model, and the engine no nodes.
	{"train/mpi", everywhere},
	{"train", "run graph " + description},
	{"run", "graph " + description},
	{"internal/gradcheck", "nodes graph " + everywhere},
	{"internal/owncells", "cells nodes"},
	{"internal/oddcells", "cells nodes"},

	// The symbolic half never imports the engine.
	{"unroll", "cells nodes nodes/internal/* " + everywhere},
	{"cells", "nodes nodes/internal/* " + everywhere},
	{"internal/steps", "nodes internal/steps/lent " + everywhere},
	{"nodes", "internal/steps/lent nodes/internal/* " + everywhere},
	{"nodes/internal/*", everywhere},

	{"graph", "graph/internal/* " + everywhere},
	{"graph/internal/plan", "graph/internal/* " + everywhere},
	{"graph/internal/vm", everywhere},
	{"graph/internal/lower", "graph/internal/native graph/internal/ir graph/internal/pass " +
		everywhere},
	{"graph/internal/native", everywhere},
	{"graph/internal/optimise", "graph/internal/ir graph/internal/pass " + everywhere},
	{"graph/internal/pass", ""},
	{"graph/internal/ir", everywhere},

	// What all may use: operations, kernels, files, random numbers, and helpers of tests.
	{"internal/gorgoniatest", everywhere},
	{"internal/modeldir", everywhere},
	{"internal/safetensors", everywhere},
	{"internal/safefile/*", "internal/safefile"},
	{"internal/steps/lent", everywhere},
	{"internal/ops", everywhere},
	{"internal/*", "rng"},
	{"rng", ""},
}

// roomOf is the room that is the package, or else the first whose pattern it fits.
func roomOf(pkg string) int {
	if at := slices.IndexFunc(rooms, func(r room) bool { return r.path == pkg }); at >= 0 {
		return at
	}
	return slices.IndexFunc(rooms, func(r room) bool {
		fits, err := path.Match(r.path, pkg)
		return err == nil && fits
	})
}

// list runs go list and returns its lines.
func list(t *testing.T, arguments ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, arguments...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// Every package stands in the list of rooms and imports what its line allows, from below.
func TestImports(t *testing.T) {
	used := map[int]bool{}
	for _, line := range list(t, "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...") {
		words := strings.Fields(line)
		pkg := strings.TrimPrefix(strings.TrimPrefix(words[0], thisModule), "/")
		if pkg == "" {
			pkg = "."
		}
		at := roomOf(pkg)
		if at < 0 {
			t.Errorf("package %s has no line in the list of rooms", pkg)
			continue
		}
		used[at] = true
		allowed := strings.Fields(rooms[at].imports)
		for _, imported := range words[1:] {
			imported, ours := strings.CutPrefix(imported, thisModule+"/")
			if !ours {
				continue
			}
			fits := func(pattern string) bool { ok, _ := path.Match(pattern, imported); return ok }
			if !slices.ContainsFunc(allowed, fits) {
				t.Errorf("%s imports %s, and may import %q", pkg, imported, rooms[at].imports)
			}
			if below := roomOf(imported); below <= at {
				t.Errorf("%s imports %s, which does not stand below it", pkg, imported)
			}
		}
	}
	for i, r := range rooms {
		if !used[i] && !strings.HasSuffix(r.path, "*") {
			t.Errorf("the room %s is empty", r.path)
		}
	}
}

// What describes, runs and decodes links nothing of a training, such as its progress bar and its
// handler of signals, and what runs graphs knows no model.
func TestInferenceLinksNoTraining(t *testing.T) {
	for _, pkg := range []string{"graph", "nodes", "cells", "unroll", "run", "zoo/decode"} {
		deps := list(t, "-deps", "./"+pkg)
		for _, dep := range deps {
			ours, within := strings.CutPrefix(dep, thisModule+"/")
			require.False(t, dep == "os/signal" || within && ours == "train", "%s links %s", pkg,
				dep)
			if pkg != "zoo/decode" {
				require.False(t, within && strings.HasPrefix(ours, "zoo"), "%s links %s", pkg, dep)
			}
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "main.go")
	require.NoError(t, os.WriteFile(file, []byte(inference), 0o600))
	deps := list(t, "-deps", file)
	require.Contains(t, deps, thisModule+"/run")
	require.NotContains(t, deps, thisModule+"/train")
	require.NotContains(t, deps, "os/signal")
	out, err := exec.Command("go", "vet", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// inference is a program that describes a step of a model of its own, loads its weights and writes.
const inference = `package main

import (
	"context"
	"fmt"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/zoo/decode"
)

func main() {
	store := nodes.NewStore(nodes.Float32, 1) // weights are read into its parameters
	root := store.Root()
	cell := cells.NewGRU(root.In("l0"), cells.GRUConfig{In: 8, Hidden: 16})
	table := root.Param("E", nodes.Normal(0, 1), 20, 8)
	out := root.Param("W", nodes.XavierUniform(1), 16, 20)
	g := nodes.NewGraph(nodes.Options{})
	var step decode.StepGraph
	err := nodes.Try(func() {
		step.Tokens = g.IntInput("tokens", 1)
		step.State = cells.State{g.Input("state", 1, 16)}
		step.Next = cell.Step(nodes.Embedding(table, step.Tokens, -1), step.State)
		step.Logits = nodes.MatMul(step.Next[0], out)
	})
	if err != nil {
		panic(err)
	}
	stepper, err := decode.NewRecurrent(step)
	if err != nil {
		panic(err)
	}
	defer stepper.Close()
	stepper.Start(nil)[0].Fill(0)
	found, err := decode.Generate(context.Background(), stepper, []int{1}, decode.GenerateOptions{
		Options: decode.Options{End: 0, Max: 5},
	})
	fmt.Println(found, err)
}
`

// What draws examples by rapid draws the same ones in every run: internal/testkit sees to it.
func TestOneSeed(t *testing.T) {
	format := `{{.ImportPath}}{{range .TestImports}} {{.}}{{end}}{{range .XTestImports}} {{.}}{{end}}`
	for _, line := range list(t, "-f", format, "./...") {
		words := strings.Fields(line)
		if slices.Contains(words, "pgregory.net/rapid") {
			require.Contains(t, words, thisModule+"/internal/testkit", "tests of %s", words[0])
		}
	}
}

// Slices are compared by testkit.RequireInDelta: testify's own comparison passes for what is too
// short, or empty.
func TestSlicesAreCompared(t *testing.T) {
	for _, file := range filesUnder(t, ".", ".go") {
		if strings.HasPrefix(file, "internal/testkit/") {
			continue
		}
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		require.False(t, strings.Contains(string(source), ".InDelta"+"Slice("),
			"%s compares by require.InDeltaSlice", file)
	}
}
