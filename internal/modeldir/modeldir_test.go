package modeldir_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/modeldir"
	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/internal/safefile/safefiletest"
	"github.com/seqzoo/seqzoo/internal/safetensors"
)

var names = []string{modeldir.ConfigFile, "vocabulary.json", "labels.json", "scale.json"}

// model is one of which everything says which it is. Even ones have labels.json, odd ones have
// scale.json, every third shares its vocabulary.json with its neighbours.
func model(i int) modeldir.Model {
	files := map[string][]byte{
		modeldir.ConfigFile: fmt.Appendf(nil, `{"model": %d}`, i),
		"vocabulary.json":   fmt.Appendf(nil, "words of %d", i/3),
	}
	if i%2 == 0 {
		files["labels.json"] = fmt.Appendf(nil, "labels of %d", i)
	} else {
		files["scale.json"] = []byte(strings.Repeat(fmt.Sprint(i), 100_000))
	}
	return modeldir.Model{Files: files, Tensors: []safetensors.Tensor{
		safetensors.New("w", []int{1000}, slicesOf(float32(i))),
	}, Metadata: map[string]string{"format": "pt"}}
}

func slicesOf(v float32) []float32 {
	all := make([]float32, 1000)
	for i := range all {
		all[i] = v
	}
	return all
}

// load tells which model is in dir, and fails if it is not all of one.
func load(dir string) (int, error) {
	d, err := modeldir.Open(dir, names)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	f, err := d.Weights()
	if err == nil {
		err = f.Load()
	}
	if err != nil {
		return 0, err
	}
	w, _ := f.Find("w")
	values, err := safetensors.Values[float32](w)
	if err != nil {
		return 0, err
	}
	i := int(values[0])
	for _, name := range names {
		want, has := model(i).Files[name]
		got, err := d.ReadFile(name, 1<<20)
		if has != (err == nil) || string(got) != string(want) {
			return 0, fmt.Errorf("model %d with another's %s: %w", i, name, err)
		}
	}
	return i, nil
}

// tidy fails if dir holds anything but the files of model i.
func tidy(dir string, i int) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, ok := model(i).Files[e.Name()]; !ok && e.Name() != modeldir.WeightsFile {
			return fmt.Errorf("%s was left behind", e.Name())
		}
	}
	if want := len(model(i).Files) + 1; len(entries) != want {
		return fmt.Errorf("%d files, want %d", len(entries), want)
	}
	return nil
}

// unsynced leaves out what takes time and makes no difference as long as the machine runs.
type unsynced struct{ safefile.FS }

func (unsynced) SyncDir(string) error { return nil }

func (u unsynced) Create(path string) (safefile.File, error) {
	f, err := u.FS.Create(path)
	if err != nil {
		return nil, err
	}
	return unsyncedFile{f}, nil
}

type unsyncedFile struct{ safefile.File }

func (unsyncedFile) Sync() error { return nil }

func TestSaveOverItself(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "日本語")
	for i := range 12 {
		require.NoError(t, modeldir.Save(safefile.OS, dir, model(i), names))
		got, err := load(dir)
		require.NoError(t, err)
		require.Equal(t, i, got)
		require.NoError(t, tidy(dir, i))
	}
}

// What is not the model's stays, even under a name that a model might use.
func TestSaveLeavesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"labels.json", "history.csv", ".seqzoo-notes"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o666))
	}
	for range 2 {
		require.NoError(t, modeldir.Save(safefile.OS, dir, model(1), names))
	}
	for _, name := range []string{"labels.json", "history.csv", ".seqzoo-notes"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, "mine", string(b))
	}
	err := modeldir.Save(safefile.OS, dir, modeldir.Model{Files: map[string][]byte{"x": nil}},
		names)
	require.ErrorContains(t, err, "x is no name")
}

// A loss of power at every call of a save, the disk having kept any part of what was not synced,
// and then again during the save that follows. The old model or the new one is there each time, and
// once a save has ended nothing else is.
func TestCrashAtEveryCall(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	first := t.TempDir()
	require.NoError(t, modeldir.Save(safefile.OS, first, model(0), names))
	disks := []string{first} // after any number of crashes
	crashes := 0
	for round := 1; round <= 2; round++ {
		var next []string
		for _, from := range disks {
			was, err := load(from)
			require.NoError(t, err)
			done := false
			for k := 1; !done; k++ {
				disk, err := safefiletest.ReadDisk(from)
				require.NoError(t, err)
				faulty := &safefiletest.Faulty{FS: disk, At: k, Err: safefiletest.ErrCrash,
					Crash: true}
				err = modeldir.Save(faulty, from, model(round), names)
				done = err == nil
				require.True(t, done || errors.Is(err, safefiletest.ErrCrash), "%v", err)
				for range 3 {
					dir := t.TempDir()
					require.NoError(t, disk.WriteSome(dir, random))
					crashes++
					got, err := load(dir)
					require.NoError(t, err, "round %d, crash at call %d", round, k)
					require.True(t, got == round || got == was && !done,
						"round %d, call %d: model %d", round, k, got)
					if random.IntN(8) == 0 && len(next) < 4 {
						next = append(next, dir)
					}
					last := round + 1 + random.IntN(2)
					if random.IntN(4) == 0 {
						again := t.TempDir()
						require.NoError(t, os.CopyFS(again, os.DirFS(dir)))
						require.NoError(t, modeldir.Save(unsynced{safefile.OS}, again, model(last),
							names))
						require.NoError(t, tidy(again, last))
					}
				}
			}
		}
		disks = next
	}
	t.Logf("%d disks after a crash", crashes)
}

// An error at every call.
func TestErrorAtEveryCall(t *testing.T) {
	for k := 1; ; k++ {
		dir := t.TempDir()
		require.NoError(t, modeldir.Save(unsynced{safefile.OS}, dir, model(0), names))
		faulty := &safefiletest.Faulty{FS: unsynced{safefile.OS}, At: k, Err: syscall.ENOSPC}
		err := modeldir.Save(faulty, dir, model(3), names)
		got, loadErr := load(dir)
		require.NoError(t, loadErr, "call %d", k)
		if err == nil {
			require.Less(t, faulty.Calls, k, "an error was swallowed")
			require.Equal(t, 3, got)
			require.NoError(t, tidy(dir, 3))
			break
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Contains(t, []int{0, 3}, got)
		require.NoError(t, modeldir.Save(unsynced{safefile.OS}, dir, model(5), names))
		require.NoError(t, tidy(dir, 5))
	}
}

// Readers during saves, and several savers at once: every load gives one whole model.
func TestLoadDuringSaves(t *testing.T) {
	dir, fsys := t.TempDir(), unsynced{safefile.OS}
	require.NoError(t, modeldir.Save(fsys, dir, model(0), names))
	var stop atomic.Bool
	var savers, readers sync.WaitGroup
	errs := make(chan error, 8)
	for s := range 2 {
		savers.Go(func() {
			for i := range 40 {
				if err := modeldir.Save(fsys, dir, model(2*i+s), names); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	var loads atomic.Int64
	for range 3 {
		readers.Go(func() {
			for last := false; !last; { // once at least, however late it gets its turn
				last = stop.Load()
				if _, err := load(dir); err != nil {
					errs <- err
					return
				}
				loads.Add(1)
			}
		})
	}
	savers.Wait()
	stop.Store(true)
	readers.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.Positive(t, loads.Load())
	t.Logf("%d loads during 80 saves", loads.Load())
}

func TestDamage(t *testing.T) {
	labels := func(dir string) string { return filepath.Join(dir, "labels.json") }
	for _, c := range []struct {
		want  string
		spoil func(dir string) error
	}{
		{"labels.json does not belong to model.safetensors", func(dir string) error {
			return os.WriteFile(labels(dir), []byte("others"), 0o666)
		}},
		{"labels.json: no such file", func(dir string) error { return os.Remove(labels(dir)) }},
		{"labels.json is not a regular file", func(dir string) error {
			return errors.Join(os.Remove(labels(dir)), os.Mkdir(labels(dir), 0o777))
		}},
		{"lacks its own", change("seqzoo.sha256", "seqzoo.sha257")},
		{"the checksum does not match", change("sha256 labels.json", "sha256 Labels.json")},
		{"model.safetensors: no such file",
			func(dir string) error { return os.Remove(filepath.Join(dir, modeldir.WeightsFile)) }},
	} {
		dir := t.TempDir()
		require.NoError(t, modeldir.Save(unsynced{safefile.OS}, dir, model(0), names))
		require.NoError(t, c.spoil(dir))
		_, err := load(dir)
		require.ErrorContains(t, err, c.want)
	}
}

func change(from, to string) func(dir string) error {
	return func(dir string) error {
		path := filepath.Join(dir, modeldir.WeightsFile)
		b, err := os.ReadFile(path)
		if err == nil && !strings.Contains(string(b), from) {
			err = errors.New(from + " is not there")
		}
		return errors.Join(err, os.WriteFile(path, []byte(strings.Replace(string(b), from, to, 1)),
			0o666))
	}
}

// Weights by another program say nothing of other files, and are taken with those that are there.
func TestWeightsOfAnotherProgram(t *testing.T) {
	dir := t.TempDir()
	m := model(0)
	for name, content := range m.Files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o666))
	}
	require.NoError(t, safefile.Write(safefile.OS, filepath.Join(dir, modeldir.WeightsFile),
		func(w io.Writer) error {
			return safetensors.Write(w, m.Tensors, map[string]string{"format": "pt"})
		}))
	got, err := load(dir)
	require.NoError(t, err)
	require.Zero(t, got)
}
