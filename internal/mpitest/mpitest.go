// Package mpitest starts the program of a test as an MPI job, by each launcher that is installed.
package mpitest

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Launcher is a way to start a job.
type Launcher struct {
	Name string
	Args []string // before the program
}

// Launchers are those that are installed. Without any the test is skipped.
func Launchers(t *testing.T) (found []Launcher) {
	t.Helper()
	for _, l := range []Launcher{
		{"mpirun.openmpi", []string{"--oversubscribe", "--bind-to", "none", "--allow-run-as-root"}},
		{"mpirun.mpich", nil},
	} {
		if _, err := exec.LookPath(l.Name); err == nil {
			found = append(found, l)
		}
	}
	if len(found) == 0 {
		t.Skip("no MPI is installed (mpirun.openmpi of openmpi-bin, mpirun.mpich of mpich)")
	}
	return found
}

// Command is a job of n processes of one thread, unless env says otherwise, of the program of the
// test, with these variables.
func (l Launcher) Command(t *testing.T, n int, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command(l.Name, append(append([]string{"-n", strconv.Itoa(n)}, l.Args...), self)...)
	c.Env = append(append(os.Environ(), "GOMAXPROCS=1"), env...)
	return c
}

// Run starts a job and returns what it has written once it has ended.
func (l Launcher) Run(t *testing.T, n int, env ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := l.Command(t, n, env...)
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.String(), err
}
