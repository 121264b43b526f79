//go:build unix

package all_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/safetensors"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/emoji"
	"github.com/seqzoo/seqzoo/zoo/images"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/series"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/vectors"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

// Everything that reads a file by its name.
var readers = map[string]func(path string) error{
	"text.ReadFile": func(path string) error { _, err := text.ReadFile(path); return err },
	"text.LoadVocabulary": func(path string) error {
		_, err := text.LoadVocabulary(path)
		return err
	},
	"text.LoadBPE": func(path string) error { _, err := text.LoadBPE(path); return err },
	"series.ReadFile": func(path string) error {
		_, err := series.ReadFile(path, series.Options{})
		return err
	},
	"vectors.ReadFile": func(path string) error {
		_, err := vectors.ReadFile(context.Background(), path, vectors.ReadOptions{})
		return err
	},
	"images.Read":       func(path string) error { _, err := images.Read(path); return err },
	"images.ReadLabels": func(path string) error { _, err := images.ReadLabels(path); return err },
	"safetensors": func(path string) error {
		_, err := safetensors.ReadFile(path)
		return err
	},
	"checkpoint": func(path string) error {
		_, err := train.ReadCheckpoint(path)
		return err
	},
	"word2vec.OpenVectors": func(path string) error {
		_, err := word2vec.OpenVectors(context.Background(), path)
		return err
	},
	"text.Columns":  func(path string) error { _, err := text.Columns{}.Read(path); return err },
	"text.Parallel": func(path string) error { _, err := text.ReadParallel(path, path); return err },
	"text.Sentences": func(path string) (err error) {
		for _, e := range text.Sentences(path, nil) {
			err = e
		}
		return err
	},
	"text.ReadDialogues": func(path string) error {
		_, err := text.ReadDialogues(path)
		return err
	},
	"text.ReadLabelled":  func(path string) error { _, err := text.ReadLabelled(path); return err },
	"text.ReadTagged":    func(path string) error { _, err := text.ReadTagged(path); return err },
	"zoo.ReadEmojiPairs": func(path string) error { _, err := emoji.ReadPairs(path); return err },
	"zoo.ImportTorch": func(path string) error {
		s := nodes.NewStore(nodes.Float32, 1)
		s.Root().In("embed").Param("E", nodes.Zeros(), 2, 3)
		return zoo.ImportTorch(path, s, zoo.TorchModule{Torch: "encoder", Path: "embed"})
	},
}

// What may stand where a file is expected, with a name for each.
var specials = []string{"pipe", "zero", "tty", "random", "null", "directory", "socket", "absent"}

func special(dir, kind string) (path string, err error) {
	path = filepath.Join(dir, kind)
	switch kind {
	case "pipe":
		err = syscall.Mkfifo(path, 0o666)
	case "zero", "random", "null", "tty":
		path = "/dev/" + kind
	case "directory":
		err = os.Mkdir(path, 0o777)
	case "socket":
		var l *net.UnixListener
		if l, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"}); err == nil {
			l.SetUnlinkOnClose(false)
			err = l.Close()
		}
	}
	return path, err
}

// replaceBy puts what kind says in the place of path, itself or behind links, or a link that leads
// back to itself.
func replaceBy(path, kind string, links int) error {
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), "s")
	if err != nil {
		return err
	}
	if links > 3 {
		return os.Symlink(path, path)
	}
	target, err := special(dir, kind)
	if err != nil {
		return err
	}
	for n := range links {
		link := filepath.Join(dir, fmt.Sprint("link", n))
		if err := os.Symlink(target, link); err != nil {
			return err
		}
		target = link
	}
	if links == 0 && kind == "absent" {
		return nil
	}
	if links == 0 && filepath.Dir(target) == dir {
		return os.Rename(target, path)
	}
	return os.Symlink(target, path)
}

// refused fails unless read ends with an error that names the path, within the time that a person
// would call at once.
func refused(t *testing.T, what, path string, read func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- read() }()
	select {
	case err := <-done:
		require.Error(t, err, what)
		require.ErrorContains(t, err, filepath.Base(path), what)
		ok := errors.Is(err, fs.ErrInvalid) || errors.Is(err, fs.ErrNotExist) ||
			errors.Is(err, syscall.ELOOP) ||
			errors.Is(err, word2vec.ErrNoModel)
		isDir, _ := os.Stat(path)
		require.True(t, ok || isDir != nil && isDir.IsDir(), "%s: %v", what, err)
	case <-time.After(20 * time.Second): // an answer takes microseconds; a machine may be busy
		t.Fatalf("%s hangs", what)
	}
}

// Pipes, devices, sockets, directories and links to them, and links that lead nowhere, are refused
// at once by all that reads a file.
func TestSpecialFiles(t *testing.T) {
	cases := 0
	for name, read := range readers {
		for _, kind := range specials {
			for links := range 5 {
				if kind != "pipe" && links > 1 && links+len(kind) != 8 { // a sample of the rest
					continue
				}
				path := filepath.Join(t.TempDir(), "file")
				require.NoError(t, replaceBy(path, kind, links))
				refused(t, fmt.Sprintf("%s of a %s behind %d links", name, kind, links), path,
					func() error { return read(path) })
				cases++
			}
		}
	}
	t.Logf("%d cases", cases)
}

// The same in place of each file of a model, and of a directory of checkpoints.
func TestSpecialFilesInModels(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	words, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}},
		[]string{"a", "b"})
	require.NoError(t, err)
	m, err := lm.New(lm.Config{Recurrent: zoo.Recurrent{Hidden: 3}}, words, 1)
	require.NoError(t, err)
	for _, kind := range specials {
		for _, name := range []string{"config.json", "vocabulary.json", "model.safetensors"} {
			dir := t.TempDir()
			require.NoError(t, m.Save(dir))
			path := filepath.Join(dir, name)
			require.NoError(t, replaceBy(path, kind, random.IntN(5)))
			refused(t, kind+" for "+name, path, func() error {
				_, err := zoo.Load(dir)
				return err
			})
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "checkpoint-0000000003.safetensors")
		require.NoError(t, replaceBy(path, kind, random.IntN(5)))
		refused(t, kind+" for a checkpoint", path, func() error {
			s, err := train.OpenCheckpoints(dir, 0)
			if err != nil {
				return err
			}
			defer s.Close()
			_, err = s.Latest()
			return err
		})
		lock := filepath.Join(dir, ".lock")
		if kind != "absent" {
			require.NoError(t, replaceBy(lock, kind, random.IntN(5)))
			refused(t, kind+" for a lock", lock, func() error {
				_, err := train.OpenCheckpoints(dir, 0)
				return err
			})
		}
	}
}
