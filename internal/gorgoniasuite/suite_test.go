package gorgoniasuite

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

//go:embed testdata/hook.go.txt
var hook []byte

//go:embed testdata/compile.go.txt
var compile []byte

const gorgonia = "gorgonia.org/gorgonia"

// Every test and example of Gorgonia passes on graph.Compile, but for those that the table has.
func TestGorgoniasOwnTests(t *testing.T) {
	s := theSuite(t)
	// Without the folder's name in them, the packages are compiled once and then come from the
	// cache.
	command(t, s.dir, "test", "-c", "-trimpath", "-vet=off", "-o", s.binary, ".")
	listed := map[string]bool{}
	names := strings.Fields(s.output(t, "-test.list", "^(Test|Example)"))
	require.Greater(t, len(names), 150)
	for _, name := range names {
		listed[name] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := s.run(name, "")
			reason, excused := cannot[name]
			switch {
			case err == nil && excused:
				t.Errorf("it passes: the table need not say %q", reason)
			case err != nil && excused:
				t.Skip(reason)
			case err != nil:
				t.Errorf("%v\n%s", err, tail(out))
			}
		})
	}
	for name := range cannot {
		require.True(t, listed[name], "the table has %s, which Gorgonia has not", name)
	}
}

// suite is a copy of Gorgonia with its tests compiled.
type suite struct {
	source string // where it is copied from
	dir    string
	binary string // of the tests
}

var copied *suite

func TestMain(m *testing.M) {
	code := m.Run()
	if copied != nil {
		os.RemoveAll(copied.dir)
	}
	os.Exit(code)
}

// theSuite copies Gorgonia's sources once.
func theSuite(t *testing.T) *suite {
	if testing.Short() {
		t.Skip("compiles Gorgonia's tests and runs them in a process each")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command")
	}
	if copied != nil {
		return copied
	}
	checkout, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "gorgoniasuite")
	require.NoError(t, err)
	source := command(t, checkout, "list", "-m", "-f", "{{.Dir}}", gorgonia)
	copied = &suite{strings.TrimSpace(source), dir, filepath.Join(dir, "suite.test")}
	copySources(t, copied.source, dir)
	writeModule(t, checkout, dir)
	patch(t, dir)
	return copied
}

// copySources copies the files of the package and of those below it that its tests import or read.
func copySources(t *testing.T, from, to string) {
	for _, pattern := range []string{"*.go", "*.s", "internal/encoding/*.go", "cuda/*.go",
		"ops/nn/*.go",
		"examples/286/*.go", "examples/logisticregression/*.go",
		"examples/tiny-yolo-v3-coco/data/test_yolo_op/*"} {
		files, err := filepath.Glob(filepath.Join(from, filepath.FromSlash(pattern)))
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, f := range files {
			name, err := filepath.Rel(from, f)
			require.NoError(t, err)
			data, err := os.ReadFile(f)
			require.NoError(t, err)
			write(t, filepath.Join(to, name), data)
		}
	}
}

func write(t *testing.T, name string, data []byte) {
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, data, 0o644))
}

// writeModule makes the copy a module that takes every other one in the version that this module
// has.
func writeModule(t *testing.T, checkout, dir string) {
	mod, err := os.ReadFile(filepath.Join(checkout, "go.mod"))
	require.NoError(t, err)
	mod = regexp.MustCompile(`(?m)^module .*$`).ReplaceAll(mod, []byte("module "+gorgonia))
	mod = regexp.MustCompile(`(?m)^\s*gorgonia\.org/gorgonia .*$`).ReplaceAll(mod, nil)
	mod = fmt.Appendf(mod, "\nrequire github.com/seqzoo/seqzoo v0.0.0\n\n"+
		"replace github.com/seqzoo/seqzoo => %q\n", checkout)
	write(t, filepath.Join(dir, "go.mod"), mod)
	sum, err := os.ReadFile(filepath.Join(checkout, "go.sum"))
	require.NoError(t, err)
	write(t, filepath.Join(dir, "go.sum"), sum)
}

var (
	tapeMachine = regexp.MustCompile(`\bNewTapeMachine\(`)
	tapeType    = regexp.MustCompile(`\*tapeMachine\b`)
)

// patch replaces the machine in the tests. The package cannot import graph, which imports it; an
// external test can.
func patch(t *testing.T, dir string) {
	tests, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	for _, f := range tests {
		src, err := os.ReadFile(f)
		require.NoError(t, err)
		src = tapeMachine.ReplaceAll(src, []byte("NewMachineUnderTest("))
		src = tapeType.ReplaceAll(src, []byte("*MachineUnderTest"))
		write(t, f, src)
	}
	write(t, filepath.Join(dir, "hook_test.go"), hook)
	write(t, filepath.Join(dir, "compile_on_engine_test.go"), compile)
}

// command runs the go command without the network.
func command(t *testing.T, dir string, args ...string) string {
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && strings.Contains(stderr.String(), "module lookup disabled by GOPROXY=off") {
		t.Skipf("Gorgonia's tests need modules that the module cache lacks: %s", &stderr)
	}
	require.NoError(t, err, "go %s: %s", strings.Join(args, " "), &stderr)
	return string(out)
}

func (s *suite) output(t *testing.T, args ...string) string {
	cmd := exec.CommandContext(t.Context(), s.binary, args...)
	cmd.Dir = s.dir
	out, err := cmd.Output()
	require.NoError(t, err)
	return string(out)
}

// run runs one test in a process of its own: on graph.Compile, or on the machine that is named.
func (s *suite) run(name, machine string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.binary, "-test.run", "^"+name+"$", "-test.v")
	cmd.Dir = s.dir
	cmd.Env = environment(machine)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// environment is that of a program which is to run on graph.Compile, or on the machine that is
// named. Gorgonia's tests seed their random numbers, which Go does not allow since 1.24 unless it
// is told so.
func environment(machine string) []string {
	return append(os.Environ(), "SEQZOO_SUITE_MACHINE="+machine,
		"GODEBUG=randseednop=0,randautoseed=0")
}

// tail is the end of what a test printed.
func tail(out string) string {
	const most = 3000
	if len(out) > most {
		return "…" + out[len(out)-most:]
	}
	return out
}
