//go:build linux

package mpi_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train/mpi"
)

var kills = flag.Int("kills", 0, "kill a process of each library's jobs so many times; it takes "+
	"seconds each time")

// A process that is killed at any moment after its job has saved ends the job, and the training
// goes on from its last checkpoint, on as many processes or others, to the same bits.
//
//	go test ./train/mpi -run TestKills -kills 25 -v
func TestKills(t *testing.T) {
	if *kills == 0 {
		t.Skip("-kills is not given: it takes minutes")
	}
	const seed = 22
	random := rand.New(rand.NewPCG(seed, seed))
	for _, l := range launchers(t) {
		out, err := l.run(t, 1, roleVariable+"=learn", "SEQZOO_TEST_MPI_DIR="+t.TempDir())
		want := digestIn(t, out, err)
		done, named, trainings := 0, 0, 0
		var slowest time.Duration
		for done < *kills {
			dir := t.TempDir()
			for range 3 { // and then to its end
				after := time.Duration(random.IntN(600)) * time.Millisecond
				rank := random.IntN(2)
				begun := time.Now()
				out, lost := l.lose(t, dir, syscall.SIGKILL, rank, after, 100*time.Millisecond)
				if !lost {
					continue // it was over
				}
				slowest = max(slowest, time.Since(begun)-after)
				if done++; strings.Contains(out, "rank "+strconv.Itoa(rank)) ||
					strings.Contains(out, "RANK "+strconv.Itoa(rank)) ||
					strings.Contains(out, "PID ") {
					named++
				}
			}
			out, err := l.run(t, 1+random.IntN(4), roleVariable+"=learn",
				"SEQZOO_TEST_MPI_DIR="+dir)
			require.Equal(t, want, digestIn(t, out, err), l.Name)
			trainings++
		}
		t.Logf("%s: %d kills in %d trainings, all of which ended with the same bits; in %d the "+
			"launcher named the process; the longest took %v from its start to its end", l.Name,
			done, trainings,
			named, slowest)
	}
}

// lose starts a job of 2 processes, sends the one of a rank a signal, some time after there is a
// checkpoint, and waits for the job to end by itself; not lost if it did so before. A step takes at
// least pause.
func (l launcher) lose(t *testing.T, dir string, sig syscall.Signal, rank int, after,
	pause time.Duration) (
	out string, lost bool) {
	var all bytes.Buffer
	c := l.start(t, 2, &all, roleVariable+"=learn", "SEQZOO_TEST_MPI_DIR="+dir,
		fmt.Sprint("SEQZOO_TEST_MPI_PAUSE=", pause))
	// clocks of files are coarse
	begun, ended := time.Now().Add(-10*time.Millisecond), make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for late := time.Now().Add(2 * time.Minute); !savedSince(dir, begun); {
		if time.Now().After(late) {
			_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
			t.Fatal("the job saves nothing")
		}
		select {
		case err := <-ended:
			require.NoError(t, err, all.String())
			return all.String(), false
		case <-time.After(5 * time.Millisecond):
		}
	}
	time.Sleep(after)
	victim := processOf(t, dir, rank)
	lost = victim > 0 && syscall.Kill(victim, sig) == nil
	select {
	case err := <-ended:
		if lost = lost && err != nil; !lost {
			require.NoError(t, err, all.String())
		}
	case <-time.After(2 * time.Minute): // it takes seconds; the machine may be slow
		if other := processOf(t, dir, 1-rank); other > 0 {
			_ = syscall.Kill(other, syscall.SIGQUIT) // it writes where it is
			time.Sleep(2 * time.Second)
		}
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		<-ended
		t.Fatalf("the job does not end after process %d got %v: %s", rank, sig, all.String())
	}
	if lost {
		_ = syscall.Kill(victim, syscall.SIGKILL)
	}
	return all.String(), lost
}

// savedSince reports whether a checkpoint was written.
func savedSince(dir string, begun time.Time) bool {
	names, _ := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.ModTime().After(begun) {
			return true
		}
	}
	return false
}

// processOf is the process of a rank whose directory is dir; 0 if there is none.
func processOf(t *testing.T, dir string, rank int) int {
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		env, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		vars := "\x00" + string(env)
		if err == nil && strings.Contains(vars, "\x00SEQZOO_TEST_MPI_DIR="+dir+"\x00") &&
			(strings.Contains(vars, fmt.Sprintf("\x00OMPI_COMM_WORLD_RANK=%d\x00", rank)) ||
				strings.Contains(vars, fmt.Sprintf("\x00PMI_RANK=%d\x00", rank))) {
			return pid
		}
	}
	return 0
}

// A library that is none, or that of another launcher, and programs that differ are told.
func TestWrongLibrariesAndPrograms(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(text, bytes.Repeat([]byte("not a library\n"), 100), 0o600))
	found := launchers(t)
	for _, l := range found {
		other := map[string]string{"mpirun.openmpi": "libmpich.so.12",
			"mpirun.mpich": "libmpi.so.40"}[l.Name]
		cases := map[string]string{"/nowhere/libmpi.so": "/nowhere/libmpi.so: cannot open",
			text: "invalid ELF header", "libm.so.6": "which MPI 3 has"}
		if len(found) == 2 {
			cases[other] = "the library is not that of the launcher"
		}
		for path, want := range cases {
			out, err := l.run(t, 2, roleVariable+"=methods", mpi.LibraryVariable+"="+path)
			require.Error(t, err)
			require.Contains(t, out, want, "%s with %s", l.Name, path)
		}

		self, err := os.ReadFile(must(os.Executable()))
		require.NoError(t, err)
		changed := filepath.Join(t.TempDir(), "changed")
		require.NoError(t, os.WriteFile(changed, append(self, 0), 0o700))
		var all bytes.Buffer
		c := l.Command(t, 1, roleVariable+"=learn", "SEQZOO_TEST_MPI_DIR="+t.TempDir())
		c.Args = append(c.Args, ":", "-n", "1", changed)
		c.Stdout, c.Stderr = &all, &all
		require.Error(t, c.Run())
		require.Contains(t, all.String(), "process 1 on ")
		require.Contains(t, all.String(), "differs in the program (")
	}
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}
