package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/internal/safefile"
)

// ErrNoCheckpoint says that a directory holds none yet.
var ErrNoCheckpoint = errors.New("there is no checkpoint")

// Checkpoints is a directory of checkpoints that one process at a time may write to. It keeps the
// last few and, apart from them, the best. A crash at any moment, a full disk, a loss of power:
// what was saved before remains whole. It is for one goroutine.
type Checkpoints struct {
	dir   string
	keep  int
	fs    safefile.FS
	lock  *safefile.Lock
	steps []int // those on disk, ascending
}

// OpenCheckpoints opens dir, which is made if need be, to keep that many of the last checkpoints;
// 0 means 2. If another process has it open, the error tells which. What a crash has left
// unfinished is removed.
func OpenCheckpoints(dir string, keep int) (*Checkpoints, error) {
	s := &Checkpoints{dir: dir, keep: keep, fs: safefile.OS}
	if keep == 0 {
		s.keep = 2
	}
	if err := s.open(); err != nil {
		s.Close()
		return nil, fmt.Errorf("train: checkpoints: %w", err)
	}
	return s, nil
}

func (s *Checkpoints) open() (err error) {
	if s.keep < 0 {
		return fmt.Errorf("the number to keep is %d, and must not be negative", s.keep)
	}
	if err := safefile.MkdirAll(s.fs, s.dir); err != nil {
		return err
	}
	if s.lock, err = safefile.LockDir(s.dir); err != nil {
		return err
	}
	if err := safefile.Clean(s.fs, s.dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		digits := strings.TrimSuffix(strings.TrimPrefix(e.Name(), "checkpoint-"), ".safetensors")
		if step, err := strconv.Atoi(digits); err == nil && e.Name() == checkpointName(step) {
			s.steps = append(s.steps, step)
		}
	}
	slices.Sort(s.steps)
	return nil
}

func checkpointName(step int) string { return fmt.Sprintf("checkpoint-%010d.safetensors", step) }

func (s *Checkpoints) path(step int) string { return filepath.Join(s.dir, checkpointName(step)) }

// Close lets another process open the directory.
func (s *Checkpoints) Close() error {
	if s.lock == nil {
		return nil
	}
	err := s.lock.Close()
	s.lock = nil
	return err
}

// Save writes c, durably, and then removes the oldest beyond those to keep. One of the same step
// is replaced; one of a later step in the directory is an error, as that would remain the latest.
// After an error all that was saved before is still there, and training and saving may go on.
func (s *Checkpoints) Save(c *Checkpoint) error {
	if c == nil {
		return errors.New("train: the checkpoint is nil")
	}
	if n := len(s.steps); n > 0 && c.Step < s.steps[n-1] {
		return fmt.Errorf("train: checkpoint of step %d: %s holds one of step %d; resume from that "+
			"or use another directory", c.Step, s.dir, s.steps[n-1])
	}
	path := s.path(c.Step)
	err := s.write(path, c)
	// it is there even if only the last sync failed
	if _, absent := os.Stat(path); err == nil || absent == nil {
		if !slices.Contains(s.steps, c.Step) {
			s.steps = append(s.steps, c.Step)
		}
	}
	if err != nil {
		return err
	}
	for len(s.steps) > s.keep {
		if err := s.fs.Remove(s.path(s.steps[0])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("train: an old checkpoint: %w", err)
		}
		s.steps = s.steps[1:]
	}
	return nil
}

// SaveBest replaces the best checkpoint by c.
func (s *Checkpoints) SaveBest(c *Checkpoint) error { return s.write(s.bestPath(), c) }

func (s *Checkpoints) write(path string, c *Checkpoint) error {
	if s.lock == nil {
		return fmt.Errorf("train: checkpoint %s: the directory is closed, or OpenCheckpoints has "+
			"not opened it", path)
	}
	if err := s.lock.Check(); err != nil {
		return fmt.Errorf("train: checkpoint %s: %w", path, err)
	}
	if err := safefile.Write(s.fs, path, c.Write); err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	return nil
}

// Latest returns the checkpoint of the highest step, or ErrNoCheckpoint. If its file is damaged
// the error names it, and the one before is not taken in its stead: a save is whole or absent, so
// something else went wrong, and to go on from an older state is for the user to decide, by
// removing the file.
func (s *Checkpoints) Latest() (*Checkpoint, error) { return s.latest(nil) }

// Steps lists the steps of the checkpoints in the directory, ascending, without the best one.
func (s *Checkpoints) Steps() []int { return slices.Clone(s.steps) }

// latest is Latest, which asks fits before it reads values; nil: nobody.
func (s *Checkpoints) latest(fits func(*outline) error) (*Checkpoint, error) {
	if len(s.steps) == 0 {
		return nil, fmt.Errorf("train: %s: %w", s.dir, ErrNoCheckpoint)
	}
	step := s.steps[len(s.steps)-1]
	c, err := readCheckpoint(s.path(step), func(o *outline) error {
		if o.Step = step; fits == nil {
			return nil
		}
		return fits(o)
	})
	if err == nil && c.Step != step {
		return nil, fmt.Errorf("train: checkpoint %s is of step %d: it was renamed", s.path(step),
			c.Step)
	}
	return c, err
}

// Best returns what SaveBest wrote last, or ErrNoCheckpoint.
func (s *Checkpoints) Best() (*Checkpoint, error) { return s.best(nil) }

// best is Best, which asks fits before it reads values; nil: nobody.
func (s *Checkpoints) best(fits func(*outline) error) (*Checkpoint, error) {
	c, err := readCheckpoint(s.bestPath(), fits)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("train: %s: %w", s.bestPath(), ErrNoCheckpoint)
	}
	return c, err
}

func (s *Checkpoints) bestPath() string { return filepath.Join(s.dir, "best.safetensors") }
