// Package examples_test runs the programs as a user does, in processes of their own, on small
// inputs that each stand for a kind of file or of slip.
package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// inputs is the folder of the inputs, a folder each with command.txt, which says what is run on
// them.
const inputs = "testdata/cases"

// originals holds inputs of the same names and the same kinds, or is absent.
const originals = "../../shared/cases"

// checks says, for each input, what must come of it.
var checks = map[string]func(t *testing.T, c *input){}

// input is a copy of one folder, in which programs may write.
type input struct{ dir string }

func TestCases(t *testing.T) {
	var names []string
	if entries, err := os.ReadDir(originals); err == nil {
		for _, e := range entries {
			if e.IsDir() {
				names = append(names, e.Name())
			}
		}
	}
	names = append(names, slices.Collect(maps.Keys(checks))...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		t.Run(name, func(t *testing.T) {
			if checks[name] == nil { // a case of others, which this version does not know
				require.NoDirExists(t, filepath.Join(inputs, name), "a case without a check")
				t.Skip("no check says what is expected of this case")
			}
			for kind, folder := range map[string]string{"copy": inputs, "original": originals} {
				t.Run(kind, func(t *testing.T) {
					c := &input{t.TempDir()}
					err := os.CopyFS(c.dir, os.DirFS(filepath.Join(folder, name)))
					if folder == originals && errors.Is(err, os.ErrNotExist) {
						t.Skip("there is no ", originals)
					}
					require.NoError(t, err)
					checks[name](t, c)
				})
			}
		})
	}
}

// file is the path of a file of the input.
func (c *input) file(name string) string { return filepath.Join(c.dir, name) }

// read is the content of a file of the input.
func (c *input) read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(c.file(name))
	require.NoError(t, err)
	return string(b)
}

// outcome is what came of a program: standard output, standard error and the exit status.
type outcome struct {
	out, messages string
	code          int
}

func (o outcome) String() string {
	return fmt.Sprintf("exit status %d\n%s\n%s", o.code, o.out, o.messages)
}

// command runs what command.txt says, which must be a single program without redirection, with more
// arguments behind it.
func (c *input) command(t *testing.T, more ...string) outcome {
	t.Helper()
	args := append(strings.Fields(c.read(t, "command.txt")), more...)
	return c.run(t, "", args[0], args[1:]...)
}

// run runs a program of examples in the folder of the input.
func (c *input) run(t *testing.T, in, program string, args ...string) (o outcome) {
	t.Helper()
	cmd := exec.Command(build(t, program), args...)
	var out, messages bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.dir, strings.NewReader(in), &out, &messages
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
	}
	return outcome{out.String(), messages.String(), cmd.ProcessState.ExitCode()}
}

var programs struct {
	sync.Mutex
	dir   string
	built map[string]string
}

// build is the path of a program, which is built by the first call for it.
func build(t *testing.T, program string) string {
	t.Helper()
	programs.Lock()
	defer programs.Unlock()
	if path := programs.built[program]; path != "" {
		return path
	}
	path := filepath.Join(programs.dir, program+".exe") // a name that every system takes
	out, err := exec.Command("go", "build", "-o", path, "./"+program).CombinedOutput()
	require.NoError(t, err, "%s", out)
	programs.built[program] = path
	return path
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "seqzoo-examples-")
	if err != nil {
		panic(err)
	}
	programs.dir, programs.built = dir, map[string]string{}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}
