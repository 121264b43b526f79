package seqzoo_test

import (
	"debug/elf"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// goTool runs the go command and returns what it printed, or skips the test where there is no go
// command.
func goTool(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go command:", err)
	}
	out, err := exec.Command(path, args...).Output()
	if failed, ok := err.(*exec.ExitError); ok {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, failed.Stderr)
	}
	require.NoError(t, err)
	return string(out)
}

// dynamic are the packages that need more: programs that serve pages, and what opens the system's
// MPI library, which no program has but those that are built for it.
var dynamic = []string{"github.com/seqzoo/seqzoo/examples",
	"github.com/seqzoo/seqzoo/examples/serve", "github.com/seqzoo/seqzoo/train/mpi"}

// A program is one static binary, whether or not there is a C compiler: the packages that Go links
// to libc if it can, net, os/user and plugin, are in no program and in no package that others may
// import, nor is any other use of cgo. Servers need net, and package train/mpi the dynamic linker.
func TestNoCgo(t *testing.T) {
	var packages []string
	for p := range strings.Lines(goTool(t, "list", "./...")) {
		p = strings.TrimSpace(p)
		if !strings.Contains(p, "/internal/") && !slices.Contains(dynamic, p) {
			packages = append(packages, p)
		}
	}
	require.Greater(t, len(packages), 20)
	deps := goTool(t, append([]string{"list", "-deps", "-f",
		"{{.ImportPath}} {{if .CgoFiles}}cgo{{end}}"}, packages...)...)
	require.Contains(t, deps, "gorgonia.org/gorgonia ")
	for line := range strings.Lines(deps) {
		path, cgo, _ := strings.Cut(strings.TrimSpace(line), " ")
		require.NotContains(t, []string{"net", "os/user", "plugin", "runtime/cgo"}, path,
			"go list -deps ./... says how it comes in")
		require.Empty(t, cgo, "%s uses cgo", path)
	}
}

func TestStaticBinary(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has binaries that need nothing of the system's libraries")
	}
	if testing.Short() {
		t.Skip("links a program")
	}
	path := filepath.Join(t.TempDir(), "nextword")
	goTool(t, "build", "-o", path, "./examples/nextword")
	binary, err := elf.Open(path)
	require.NoError(t, err)
	defer binary.Close()
	for _, p := range binary.Progs {
		require.NotEqual(t, elf.PT_INTERP, p.Type, "the binary is loaded by a dynamic linker")
		require.NotEqual(t, elf.PT_DYNAMIC, p.Type, "the binary needs libraries")
	}
}
