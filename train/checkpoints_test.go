package train

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/internal/safefile/safefiletest"
	"github.com/seqzoo/seqzoo/internal/safetensors"
)

func TestCheckpointsKeepTheLastAndTheBest(t *testing.T) {
	dir := t.TempDir()
	s := openCheckpoints(t, dir, 0)
	_, err := s.Latest()
	require.ErrorIs(t, err, ErrNoCheckpoint)
	_, err = s.Best()
	require.ErrorIs(t, err, ErrNoCheckpoint)
	for step := range 5 {
		require.NoError(t, s.Save(sampleCheckpoint(step)))
	}
	require.NoError(t, s.SaveBest(sampleCheckpoint(1)))
	want := []string{".lock", "best.safetensors", "checkpoint-0000000003.safetensors",
		"checkpoint-0000000004.safetensors"}
	require.Equal(t, want, files(t, dir))
	require.NoError(t, s.Save(sampleCheckpoint(4)), "the same step again")
	require.Equal(t, want, files(t, dir))

	err = s.Save(sampleCheckpoint(2))
	require.ErrorContains(t, err, "checkpoint of step 2: "+dir+" holds one of step 4")
	best, err := s.Best()
	require.NoError(t, err)
	sameCheckpoint(t, sampleCheckpoint(1), best)

	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.ErrorContains(t, s.Save(sampleCheckpoint(9)), "closed")
	for _, name := range []string{"checkpoint-9.safetensors",
		"checkpoint-0000000008.safetensors.bak", "checkpoint-.safetensors",
		"checkpoint--000000001.safetensors", "notes.txt", ".seqzoo-1-1.tmp"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o666))
	}
	s = openCheckpoints(t, dir, 1)
	require.NotContains(t, files(t, dir), ".seqzoo-1-1.tmp")
	latest, err := s.Latest()
	require.NoError(t, err)
	sameCheckpoint(t, sampleCheckpoint(4), latest)
	require.NoError(t, s.Save(sampleCheckpoint(9_999_999_999)))
	require.NoError(t, s.Close())
	s = openCheckpoints(t, dir, 2)
	require.NoError(t, s.Save(sampleCheckpoint(10_000_000_000)), "more digits than usual")
	require.NoError(t, s.Close())
	s = openCheckpoints(t, dir, 2)
	require.Equal(t, []int{9_999_999_999, 10_000_000_000}, s.steps)
	require.Contains(t, files(t, dir), "notes.txt")
	require.NotContains(t, files(t, dir), "checkpoint-0000000004.safetensors")
}

func TestOpenCheckpointsErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenCheckpoints(dir, -1)
	require.ErrorContains(t, err, "the number to keep is -1")
	first := openCheckpoints(t, dir, 1)
	_, err = OpenCheckpoints(dir, 1)
	var locked *safefile.LockedError
	require.ErrorAs(t, err, &locked)
	require.EqualError(t, err, fmt.Sprintf("train: checkpoints: %s is in use by process %d", dir,
		os.Getpid()))
	require.NoError(t, first.Close())
	openCheckpoints(t, dir, 1)

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	_, err = OpenCheckpoints(file, 1)
	require.ErrorContains(t, err, file)
	_, err = OpenCheckpoints("", 1)
	require.Error(t, err)
}

// A damaged file is never passed over for an older one.
func TestLatestNamesTheDamagedFile(t *testing.T) {
	dir := t.TempDir()
	s := openCheckpoints(t, dir, 3)
	for step := range 3 {
		require.NoError(t, s.Save(sampleCheckpoint(step)))
	}
	path := s.path(2)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	damaged := slices.Clone(whole)
	damaged[len(damaged)-3] ^= 4
	for want, content := range map[error][]byte{
		safetensors.ErrChecksum:  damaged,
		safetensors.ErrTruncated: whole[:len(whole)-1],
		safetensors.ErrTrailing:  append(slices.Clone(whole), 0),
	} {
		require.NoError(t, os.WriteFile(path, content, 0o666))
		_, err = s.Latest()
		require.ErrorIs(t, err, want)
		require.ErrorContains(t, err, path)
	}
	require.NoError(t, os.Rename(s.path(1), path))
	_, err = s.Latest()
	require.ErrorContains(t, err, path+" is of step 1: it was renamed")
	require.NoError(t, os.Remove(path))
	_, err = s.Latest()
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, path)
}

// storedSteps opens dir as the next start would, and checks that nothing is left over and all is
// whole.
func storedSteps(t *testing.T, dir string) (steps []int) {
	s, err := OpenCheckpoints(dir, 2)
	require.NoError(t, err)
	defer s.Close()
	for _, name := range files(t, dir) {
		require.NotContains(t, name, ".tmp")
	}
	for _, step := range s.steps {
		c, err := ReadCheckpoint(s.path(step))
		require.NoError(t, err)
		sameCheckpoint(t, sampleCheckpoint(step), c)
	}
	if best, err := s.Best(); err == nil {
		sameCheckpoint(t, sampleCheckpoint(best.Step), best)
		steps = append(steps, -best.Step)
	}
	latest, err := s.Latest()
	require.NoError(t, err)
	require.Equal(t, latest.Step, s.steps[len(s.steps)-1])
	return append(steps, s.steps...)
}

// twoSaved makes a directory with the checkpoints 1 and 2 and with 1 as the best.
func twoSaved(t *testing.T) string {
	dir := t.TempDir()
	s := openCheckpoints(t, dir, 2)
	require.NoError(t, s.Save(sampleCheckpoint(1)))
	require.NoError(t, s.SaveBest(sampleCheckpoint(1)))
	require.NoError(t, s.Save(sampleCheckpoint(2)))
	require.NoError(t, s.Close())
	return dir
}

// A crash at every call of a save, and a disk that kept all, some or nothing of what was not
// synced.
func TestCrashAtEveryCallOfSave(t *testing.T) {
	outcomes := map[string]int{}
	saved := twoSaved(t)
	for k := 1; ; k++ {
		disk, err := safefiletest.ReadDisk(saved)
		require.NoError(t, err)
		s := openCheckpoints(t, saved, 2)
		s.fs = &safefiletest.Faulty{FS: disk, At: k, Err: safefiletest.ErrCrash, Crash: true}
		err = errors.Join(s.Save(sampleCheckpoint(3)), s.SaveBest(sampleCheckpoint(3)))
		require.NoError(t, s.Close())
		for variant := range 4 {
			dir := t.TempDir()
			require.NoError(t, disk.WriteTo(dir, variant&1 > 0, variant&2 > 0))
			got := fmt.Sprint(storedSteps(t, dir))
			require.Contains(t, []string{"[-1 1 2]", "[-1 1 2 3]", "[-1 2 3]", "[-3 2 3]",
				"[-3 1 2 3]"}, got, "crash at call %d", k)
			if err == nil {
				require.Contains(t, got, "3]", "saved, and gone")
				require.Contains(t, got, "[-3", "saved as best, and gone")
			}
			outcomes[got]++
		}
		if err == nil {
			t.Logf("a crash at each of %d calls; best (negative) and steps found after it: %v", k-1,
				outcomes)
			return
		}
		require.ErrorIs(t, err, safefiletest.ErrCrash)
	}
}

// An error at every call of a save. The next save succeeds.
func TestErrorAtEveryCallOfSave(t *testing.T) {
	for k := 1; ; k++ {
		dir := twoSaved(t)
		s := openCheckpoints(t, dir, 2)
		s.fs = &safefiletest.Faulty{FS: safefile.OS, At: k, Err: syscall.ENOSPC}
		err := s.Save(sampleCheckpoint(3))
		if err == nil {
			require.Less(t, s.fs.(*safefiletest.Faulty).Calls, k)
			t.Logf("an error at each of %d calls", k-1)
			return
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.ErrorContains(t, err, dir)
		for _, name := range files(t, dir) {
			require.NotContains(t, name, ".tmp", "left over though the process lives on")
		}
		latest, err := s.Latest()
		require.NoError(t, err)
		sameCheckpoint(t, sampleCheckpoint(latest.Step), latest)
		require.NoError(t, s.Save(sampleCheckpoint(4)), "training goes on")
		require.NoError(t, s.Close())
		steps := storedSteps(t, dir)
		require.Equal(t, 4, steps[len(steps)-1])
		require.Len(t, steps, 3, "the best and two")
	}
}

// A lock that somebody removed while it was held is noticed before a checkpoint is written.
func TestSaveLooksAtTheLock(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows removes no open file")
	}
	dir := t.TempDir()
	s, err := OpenCheckpoints(dir, 0)
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Save(&Checkpoint{Step: 1}))
	require.NoError(t, os.Remove(filepath.Join(dir, ".lock")))
	require.NoError(t, s.Save(&Checkpoint{Step: 2}), "nobody has taken it since")

	require.NoError(t, os.Remove(filepath.Join(dir, ".lock")))
	other, err := OpenCheckpoints(dir, 0)
	require.NoError(t, err)
	defer other.Close()
	require.ErrorContains(t, s.Save(&Checkpoint{Step: 3}), "was removed while this process held it")
	require.ErrorContains(t, s.SaveBest(&Checkpoint{Step: 3}),
		"was removed while this process held it")
	require.NoError(t, other.Save(&Checkpoint{Step: 3}))
}
