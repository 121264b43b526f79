package all_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// saverDir names, in the environment, the directory in which a test process is to save models until
// it is killed.
const saverDir = "SEQZOO_TEST_SAVE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(saverDir); dir != "" {
		saveForEver(dir)
	}
	if models := os.Getenv(jobModels); models != "" {
		if err := trainInJob(models); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// killed is a model that says by its size and its first weights which it is: models with files of
// several kinds and sizes.
func killed(i int) (zoo.Model, error) {
	words, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk, text.BOS,
		text.EOS}}, []string{"a", fmt.Sprint("word", i%4)})
	if err != nil {
		return nil, err
	}
	r := zoo.Recurrent{Cell: "gru", Hidden: 8 + i%8}
	var m zoo.Model
	switch i % 3 {
	case 0:
		m, err = lm.New(lm.Config{Recurrent: r}, words, uint64(i))
	case 1:
		m, err = label.NewTagger(label.TaggerConfig{Config: label.Config{Recurrent: r}}, words,
			words, uint64(i))
	default:
		m, err = seq2seq.New(seq2seq.Config{Encoder: r}, words, words, uint64(i))
	}
	if err == nil {
		m.Params().Params()[0].Value().Float32s()[0] = float32(i)
	}
	return m, err
}

func saveForEver(dir string) {
	for i := range 1 << 20 {
		m, err := killed(i)
		if err == nil {
			err = m.Save(dir)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		if i == 0 {
			fmt.Println("saving")
		}
	}
}

// whole tells whether dir holds one of the models of saveForEver, with all its weights as they
// were.
func whole(dir string) error {
	m, err := zoo.Load(dir)
	if err != nil {
		return err
	}
	i := int(m.Params().Params()[0].Value().Float32s()[0])
	want, err := killed(i)
	if err != nil {
		return err
	}
	if want.Architecture() != m.Architecture() || !maps.EqualFunc(zootest.Weights(want),
		zootest.Weights(m), slices.Equal) {
		return fmt.Errorf("%s is not model %d", m.Architecture(), i)
	}
	return nil
}

// A process that saves over its own model is killed at any moment: one whole model is there each
// time, and the next save leaves nothing else. SEQZOO_KILLS sets how often.
func TestKilledSave(t *testing.T) {
	kills := 40
	if n, err := strconv.Atoi(os.Getenv("SEQZOO_KILLS")); err == nil {
		kills = n
	}
	random := rand.New(rand.NewPCG(1, 1))
	dir := filepath.Join(t.TempDir(), "model")
	for kill := range kills {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), saverDir+"="+dir)
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		said, err := bufio.NewReader(out).ReadString('\n')
		require.True(t, err == nil || errors.Is(err, io.EOF))
		require.Equal(t, "saving\n", said)
		time.Sleep(time.Duration(random.IntN(30_000)) * time.Microsecond)
		require.NoError(t, child.Process.Kill())
		require.ErrorContains(t, child.Wait(), "killed", "it saves until it is killed")
		require.NoError(t, whole(dir), "after kill %d", kill+1)
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	m, err := killed(0)
	require.NoError(t, err)
	require.NoError(t, m.Save(dir))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	require.Equal(t, []string{"config.json", "model.safetensors", "vocabulary.json"}, names)
	t.Logf("%d kills; %d files after the last, %d after the save that followed", kills, len(left),
		len(entries))
}

// A model that is loaded while it is saved is one of those that were saved.
func TestLoadWhileSaving(t *testing.T) {
	dir := t.TempDir()
	m, err := killed(0)
	require.NoError(t, err)
	require.NoError(t, m.Save(dir))
	done := make(chan error)
	go func() {
		for i := range 30 {
			m, err := killed(i)
			if err == nil {
				err = m.Save(dir)
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	loads := 0
	for {
		select {
		case err := <-done:
			require.NoError(t, err)
			t.Logf("%d loads during 30 saves", loads)
			return
		default:
			require.NoError(t, whole(dir))
			loads++
		}
	}
}
