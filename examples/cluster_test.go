package main_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/mpitest"
)

// onCluster are short trainings of programs that docs/cluster.md starts on several processes.
var onCluster = []struct {
	args string
	data map[string]string
}{
	{"languagemodel train -preset wikitext2 -shards 4 -save model -data a -quick",
		both("a", strings.Repeat("the cat sat on the mat .\nit slept .\n", 60))},
	{"translate train -shards 4 -save model -source a -target b -valid-source a " +
		"-valid-target b -quick",
		both("a", strings.Repeat("x y\ny\n", 20), "b", strings.Repeat("X Y\nY\n", 20))},
	{"dialogue train -shards 4 -save model -data a -hold-out 5 -quick",
		both("a", strings.Repeat("x y\ty x\n", 30))},
	{"word2vec train -save model -data a -quick", both("a", strings.Repeat("a b c d e f g a c e\n",
		90))},
}

// The lines by which docs/cluster.md builds and starts a training on one machine, as they stand
// there but for short data and the name of the program, give the model that one process gives.
func TestLinesOfCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	if runtime.NumCPU() < 2 {
		t.Skip("two processes have one core, to which mpirun does not bind both")
	}
	launchers := mpitest.Launchers(t)
	doc, err := os.ReadFile("../docs/cluster.md")
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(doc), "On one machine")
	_, rest, _ = strings.Cut(rest, "```sh\n")
	block, _, _ := strings.Cut(rest, "```")
	lines := strings.Split(strings.TrimSpace(block), "\n")
	require.Len(t, lines, 2)
	const binary, given = "-o languagemodel",
		"./languagemodel train -preset wikitext2 -shards 4 -save model"
	require.Contains(t, lines[0], binary)
	require.True(t, strings.HasPrefix(lines[1], "mpirun ") && strings.HasSuffix(lines[1], given),
		lines[1])
	require.True(t, strings.HasPrefix(onCluster[0].args, strings.TrimPrefix(given, "./")))
	for _, p := range onCluster {
		name, _, _ := strings.Cut(p.args, " ")
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			line := strings.Replace(lines[0], binary, "-o '"+filepath.Join(dir, name)+"'", 1)
			shell(t, "..", strings.ReplaceAll(line, "languagemodel", name))
			train := func(start string) map[string]string {
				in := t.TempDir()
				for file, content := range p.data {
					require.NoError(t, os.WriteFile(filepath.Join(in, file), []byte(content),
						0o600))
				}
				require.NoError(t, os.Symlink(filepath.Join(dir, name), filepath.Join(in, name)))
				shell(t, in, start+"./"+p.args)
				return filesOf(t, filepath.Join(in, "model"))
			}
			want := train("")
			for _, l := range launchers {
				start := strings.TrimSuffix(strings.Replace(lines[1], "mpirun", l.Name, 1), given)
				require.Equal(t, want, train(start), l.Name)
			}
		})
	}
}

// A process that ends by an error before it has joined the others has them end too, and says why:
// MPICH's launcher would leave them waiting for it.
func TestOneProcessFails(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a program")
	}
	launchers := mpitest.Launchers(t)
	dir := t.TempDir()
	program, data := filepath.Join(dir, "languagemodel"), filepath.Join(dir, "text")
	shell(t, "..", "CGO_ENABLED=0 go build -tags mpi -o '"+program+"' ./examples/languagemodel")
	require.NoError(t, os.WriteFile(data, []byte(strings.Repeat("the cat sat .\n", 1000)), 0o600))
	trains := []string{"-n", "1", program, "train", "-data", data, "-shards", "2", "-hidden", "8",
		"-epochs", "1000000"}
	for _, l := range launchers {
		for said, mistake := range map[string][]string{
			"-wrong":        {"-n", "1", program, "train", "-wrong"},
			"no such file ": {"-n", "1", program, "train", "-data", filepath.Join(dir, "absent")},
		} {
			for _, both := range [][][]string{{trains, mistake}, {mistake, trains}} {
				ctx, stop := context.WithTimeout(t.Context(), 4*time.Minute)
				args := slices.Concat(l.Args, both[0], []string{":"}, both[1])
				c := exec.CommandContext(ctx, l.Name, args...)
				c.Env = append(os.Environ(), "GOMAXPROCS=1")
				out, err := c.CombinedOutput()
				require.NoError(t, ctx.Err(), "%s %s", l.Name, out)
				require.Error(t, err)
				require.Contains(t, string(out), strings.TrimSpace(said), l.Name)
				stop()
			}
		}
	}
}

// shell runs a line in a folder.
func shell(t *testing.T, dir, line string) {
	t.Helper()
	c := exec.Command("sh", "-c", line)
	c.Dir = dir
	c.Env = append(os.Environ(), "GOMAXPROCS=1", "OMPI_ALLOW_RUN_AS_ROOT=1",
		"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
		"OMPI_MCA_btl_vader_single_copy_mechanism=none") // some containers forbid it
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s\n%s", line, out)
}

// filesOf are the models that a program has saved at a path.
func filesOf(t *testing.T, path string) map[string]string {
	t.Helper()
	c := &input{filepath.Dir(path)}
	files := map[string]string{}
	for name, content := range c.model(t) {
		if base := filepath.Base(name); !strings.Contains(base, "checkpoint") {
			files[base] = content
		}
	}
	require.NotEmpty(t, files)
	return files
}
