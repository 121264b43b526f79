package word2vec

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo/text"
)

// A text that comes sentence by sentence gives the bits that it gives at hand: model, extension and
// phrases.
func TestFromAStream(t *testing.T) {
	sentences := topics(300)
	var lines strings.Builder
	for _, words := range sentences {
		lines.WriteString(strings.Join(words, " ") + "\n")
	}
	path := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(path, []byte(lines.String()), 0o666))
	streamed := text.Sentences(path, nil)
	each(t, func(t *testing.T, cfg Config) {
		cfg.Dim, cfg.Epochs, cfg.Unicode = 8, 2, text.NFC
		learned := func(from *Model) (at, one *Model) {
			var err error
			if from == nil {
				at = must(New(t.Context(), cfg, sentences))
				one, err = NewFrom(t.Context(), cfg, streamed)
			} else {
				at = must(from.Extend(t.Context(), ExtendConfig{}, sentences))
				one, err = from.ExtendFrom(t.Context(), ExtendConfig{}, streamed)
			}
			require.NoError(t, err)
			require.NoError(t, at.Train(t.Context(), sentences, TrainOptions{}))
			require.NoError(t, one.TrainFrom(t.Context(), streamed, TrainOptions{}))
			require.Equal(t, at, one)
			return at, one
		}
		at, _ := learned(nil)
		learned(at)
	})
	want := must(FindPhrases(t.Context(), PhrasesConfig{MinCount: 1, Threshold: 0.1}, sentences))
	require.Positive(t, want.Len())
	got := must(FindPhrasesFrom(t.Context(), PhrasesConfig{MinCount: 1, Threshold: 0.1}, streamed))
	require.Equal(t, want, got)
}

// A stream that fails ends what ranges over it, with the number of the sentence; a training has not
// begun then.
func TestStreamsThatFail(t *testing.T) {
	broken := errors.New("the disk is gone")
	fails := func(yield func([]string, error) bool) {
		if yield([]string{"a", "b"}, nil) && yield(nil, broken) {
			t.Error("it goes on behind an error")
		}
	}
	sentences := [][]string{{"a", "b"}, {"b", "a"}}
	cfg := Config{Dim: 2, MinCount: 1, Epochs: 1, Sample: 1}
	m := must(New(t.Context(), cfg, sentences))
	for name, of := range map[string]func(iter.Seq2[[]string, error]) error{
		"new": func(s iter.Seq2[[]string, error]) error {
			_, err := NewFrom(t.Context(), cfg, s)
			return err
		},
		"train": func(s iter.Seq2[[]string, error]) error {
			return m.TrainFrom(t.Context(), s, TrainOptions{})
		},
		"extend": func(s iter.Seq2[[]string, error]) error {
			_, err := m.ExtendFrom(t.Context(), ExtendConfig{}, s)
			return err
		},
		"phrases": func(s iter.Seq2[[]string, error]) error {
			_, err := FindPhrasesFrom(t.Context(), PhrasesConfig{}, s)
			return err
		},
	} {
		err := of(fails)
		require.ErrorIs(t, err, broken, name)
		require.ErrorContains(t, err, "word2vec: ", name)
		require.Regexp(t, `(sentence|sequence) 1: `, err.Error(), name)
		require.ErrorContains(t, of(nil), "no sentences", name)
	}
	require.NoError(t, m.Train(t.Context(), sentences, TrainOptions{}))
}

// Nothing keeps the sentences of a text that comes one by one: what is counted of it are words of
// their own.
func TestAStreamIsNotKept(t *testing.T) {
	live := func() int {
		runtime.GC()
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		return int(now.HeapAlloc)
	}
	const sentences, most = 150, 4 << 20 // of 80 kB each
	before := live()
	streamed := func(yield func([]string, error) bool) {
		for i := range sentences {
			line := fmt.Sprintf("word%d ", i) + strings.Repeat("sun moon ", 9000)
			if i == sentences-1 && live() > before+most {
				t.Errorf("%d bytes are kept of a text", live()-before)
			}
			if !yield(strings.Fields(line), nil) {
				return
			}
		}
	}
	_, err := NewFrom(t.Context(), Config{Dim: 2, MinCount: 1}, streamed)
	require.NoError(t, err)
	_, err = FindPhrasesFrom(t.Context(), PhrasesConfig{}, streamed)
	require.NoError(t, err)
}
