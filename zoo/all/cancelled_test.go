package all_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/text/japanese"
	"github.com/seqzoo/seqzoo/zoo/vectors"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

// looks is a context that is cancelled once it was looked at so often.
type looks struct {
	context.Context
	left int
}

func (l *looks) Err() error {
	if l.left--; l.left < 0 {
		return context.Canceled
	}
	return nil
}

// cancelling is a reader that cancels a context when it is first read.
type cancelling struct {
	io.Reader
	io.ReaderAt
	cancel func()
}

func (c cancelling) Read(b []byte) (int, error) { c.cancel(); return c.Reader.Read(b) }
func (c cancelling) ReadAt(b []byte, at int64) (int, error) {
	c.cancel()
	return c.ReaderAt.ReadAt(b, at)
}

// fewVectors are vectors of four words, and their file.
func fewVectors(t *testing.T) (*vectors.Vectors, string) {
	v, err := vectors.New([]string{"a", "b", "c", "d"}, 2, []float32{1, 0, 0, 1, 1, 1, 2, 1})
	require.NoError(t, err)
	var file strings.Builder
	require.NoError(t, v.Write(&file, vectors.Text))
	return v, file.String()
}

// longCalls are calls that take a while, by name.
func longCalls(t *testing.T) map[string]func(context.Context) error {
	long := strings.Repeat("lorem ipsum 猫である dolor. ", 3000)
	words := strings.Fields(long)
	sentences := [][]string{words}
	rows := make([]float32, 300_000)
	for i := range rows {
		rows[i] = float32(i*i%97) + float32(i%7)
	}
	bpe, err := text.TrainBPE(context.Background(), text.BPEConfig{Size: 260}, long)
	require.NoError(t, err)
	nfc, err := text.Cut{Level: japanese.Level, Unicode: text.NFC}.Tokeniser()
	require.NoError(t, err)
	v, file := fewVectors(t)
	cut := func(tokeniser text.Tokeniser) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := text.TokensContext(ctx, tokeniser, long)
			return err
		}
	}
	return map[string]func(context.Context) error{
		"TrainBPE": func(ctx context.Context) error {
			_, err := text.TrainBPE(ctx, text.BPEConfig{Size: 300}, long)
			return err
		},
		"NewVocabulary": func(ctx context.Context) error {
			_, err := text.NewVocabularyContext(ctx, text.VocabularyConfig{}, words)
			return err
		},
		"words": cut(text.Words{}), "characters": cut(text.Chars{}), "pieces": cut(bpe),
		"Japanese": cut(japanese.Words{}), "in a form": cut(nfc),
		"FindPhrases": func(ctx context.Context) error {
			_, err := word2vec.FindPhrases(ctx, word2vec.PhrasesConfig{}, sentences)
			return err
		},
		"word2vec.New": func(ctx context.Context) error {
			_, err := word2vec.New(ctx, word2vec.Config{}, sentences)
			return err
		},
		"FitPCA of many rows": func(ctx context.Context) error {
			_, err := reduce.FitPCA(ctx, rows, reduce.PCAConfig{Features: 3, Components: 1})
			return err
		},
		"FitPCA of few rows": func(ctx context.Context) error {
			_, err := reduce.FitPCA(ctx, rows, reduce.PCAConfig{Features: 150_000 / 3,
				Components: 1})
			return err
		},
		"vectors.Read": func(ctx context.Context) error {
			_, err := vectors.Read(ctx, strings.NewReader(file), int64(len(file)),
				vectors.ReadOptions{})
			return err
		},
		"Analogies": func(ctx context.Context) error {
			_, err := v.Analogies(ctx, strings.NewReader(": x\na b c d\n"))
			return err
		},
		"Pairs": func(ctx context.Context) error {
			_, err := v.Pairs(ctx, strings.NewReader("a\tb\t1\nc\td\t2\na\tc\t3\n"))
			return err
		},
	}
}

// What may take seconds ends with the error of its context: cancelled before, and in the midst of
// it. A nil context is refused.
func TestCancelledCalls(t *testing.T) {
	for name, call := range longCalls(t) {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, call(context.Background()))
			cancelled, cancel := context.WithCancel(context.Background())
			cancel()
			require.ErrorIs(t, call(cancelled), context.Canceled)
			require.ErrorIs(t, call(&looks{context.Background(), 1}), context.Canceled,
				"in the midst of it")
			require.ErrorContains(t, call(nil), "the context is nil")
		})
	}
}

// What is cancelled while it reads ends.
func TestCancelledWhileReading(t *testing.T) {
	v, file := fewVectors(t)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := vectors.Read(ctx, cancelling{nil, strings.NewReader(file), cancel},
		int64(len(file)), vectors.ReadOptions{})
	require.ErrorIs(t, err, context.Canceled)
	ctx, cancel = context.WithCancel(context.Background())
	_, err = v.Analogies(ctx, cancelling{strings.NewReader(": x\na b c d\n"), nil, cancel})
	require.ErrorIs(t, err, context.Canceled)
	ctx, cancel = context.WithCancel(context.Background())
	_, err = v.Pairs(ctx, cancelling{strings.NewReader("a\tb\t1\nc\td\t2\na\tc\t3\n"), nil, cancel})
	require.ErrorIs(t, err, context.Canceled)
	_, err = text.TokensContext(context.Background(), nil, "a")
	require.ErrorContains(t, err, "there is no tokeniser")
}
