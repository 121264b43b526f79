package train_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
)

type written string

func (w written) WriteTo(to io.Writer) (int64, error) {
	n, err := io.WriteString(to, string(w))
	return int64(n), err
}

type hidden struct{ w written }

// Every two of these differ in something.
func TestDigestOf(t *testing.T) {
	one := 1
	big := make([]float32, 100_003)
	changed := append([]float32(nil), big...)
	changed[99_999] = 1
	seen := map[string]int{}
	for i, v := range []any{
		nil, 0, 1, int8(1), uint(1), 1.0, float32(1), true, false, "", "1", 1i, &one, (*int)(nil),
		[]int(nil), []int{0}, []int{0, 0}, []int{0, 1}, []int{1, 0}, [2]int{1, 0}, []int32{1, 0},
		[]float64{1, 0}, []float32{1, 0},
		[][]int{{1}, {}}, [][]int{{}, {1}}, [][]int{{1}}, []string{"a", "b"}, []string{"ab", ""},
		[]string{"", "ab"}, []byte("ab"),
		[]any{1, "a"}, []any{"a", 1}, map[string]int{"a": 1, "b": 2},
		map[string]int{"a": 2, "b": 1}, map[string]int{},
		struct{ a, b []int }{[]int{1}, nil}, struct{ a, b []int }{nil, []int{1}}, written("a"),
		written("b"), big, changed, big[1:],
	} {
		digest, err := train.DigestOf(v)
		require.NoError(t, err)
		require.Len(t, digest, 32)
		if j, ok := seen[digest]; ok {
			t.Errorf("values %d and %d have the digest %s", j, i, digest)
		}
		seen[digest] = i
		again, err := train.DigestOf(v)
		require.NoError(t, err)
		require.Equal(t, digest, again)
	}
	for range 20 { // the order of a map does not count
		a, b := map[int]int{}, map[int]int{}
		for i := range 20 {
			a[i], b[19-i] = i, 19-i
		}
		require.Equal(t, must(train.DigestOf(a)), must(train.DigestOf(b)))
	}
	require.NotEqual(t, must(train.DigestOf("a", "bc")), must(train.DigestOf("ab", "c")))
	loop := []any{nil, nil}
	loop[0], loop[1] = loop, loop
	type list struct{ left, right *list }
	ring := &list{}
	ring.left, ring.right = ring, ring
	for want, v := range map[string]any{
		"a func() has no digest": []any{func() {}}, "a chan int has": make(chan int),
		"give it by itself":             hidden{"x"},
		"a []interface {} holds itself": loop, "holds itself": ring,
	} {
		_, err := train.DigestOf(v)
		require.ErrorContains(t, err, want)
	}
}

// ending is an io.WriterTo that cancels a context.
type ending struct{ cancel func() }

func (e ending) WriteTo(io.Writer) (int64, error) { e.cancel(); return 0, nil }

// A context ends a digest, whatever is at hand.
func TestDigestOfContext(t *testing.T) {
	const n = 1 << 20
	for _, v := range []any{1, make([]int, n), make([]int32, n), make([]float32, n),
		make([]float64, n), make([]byte, n), make([]string, n), make([][]int, n), make([]bool, n),
		[3]int{}, map[int][]int{1: make([]int, n)}, written("a")} {
		ctx, cancel := context.WithCancel(t.Context())
		digest, err := train.DigestOfContext(ctx, v)
		require.NoError(t, err)
		require.Equal(t, must(train.DigestOf(v)), digest)
		_, err = train.DigestOfContext(ctx, ending{cancel}, v)
		require.ErrorIs(t, err, context.Canceled, "%T", v)
		_, err = train.DigestOfContext(ctx, v)
		require.ErrorIs(t, err, context.Canceled)
	}
	var none context.Context
	_, err := train.DigestOfContext(none, 1)
	require.ErrorContains(t, err, "the context is nil")
	// of checkpoints that exist
	require.Equal(t, "f38085fe3e7a5c34c7fc9db9f78c7f10",
		must(train.DigestOf([]int32{1, -2, 3, 1 << 30, -1 << 31})))
}

// labelled is a bowl whose data have digests.
type labelled struct {
	*bowl
	digests map[string]string
}

func (l *labelled) Save(c *train.Checkpoint) {
	l.bowl.Save(c)
	for part, digest := range l.digests {
		c.SetDigest(part, digest)
	}
}

func (*labelled) Warnings() []string { return []string{"it is a bowl"} }

// A checkpoint of other data is refused and left as it is; one that does not tell its data is gone
// on from with a warning.
func TestResumeLooksAtTheData(t *testing.T) {
	dir := t.TempDir()
	var warned []string
	run := func(epochs int, digests map[string]string) (err error) {
		warned = nil
		cp := must(train.OpenCheckpoints(dir, 0))
		defer cp.Close()
		_, err = train.Fit(context.Background(), &labelled{newBowl(7), digests}, train.Config{
			Optimizer: adam(0.1), Epochs: epochs, Checkpoints: cp, Resume: true,
			Warn: func(m string) { warned = append(warned, m) },
		})
		return err
	}
	content := func() (all string) {
		names, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
		require.NoError(t, err)
		for _, name := range names {
			all += fmt.Sprintf("%s %x\n", name, must(os.ReadFile(name)))
		}
		return all
	}
	require.NoError(t, run(1, nil))
	require.Equal(t, []string{"it is a bowl"}, warned)
	require.NoError(t, run(2, nil))
	require.Contains(t, warned[1], "gives no digest")
	require.NoError(t, run(3, map[string]string{"training data": "1", "vocabulary": "2"}))
	require.Contains(t, warned[1], "checked that it is with the same training data, vocabulary")
	require.NoError(t, run(4, map[string]string{"training data": "1", "vocabulary": "2"}))
	require.Len(t, warned, 1)
	before := content()
	for want, digests := range map[string]map[string]string{
		"what differs is the vocabulary. Resume": {"training data": "1",
			"vocabulary": "3"},
		"what differs is the training data, the vocabulary. Resume": {"training data": "2"},
	} {
		require.ErrorContains(t, run(5, digests), want)
		require.Equal(t, before, content())
	}
	require.NoError(t, run(5, map[string]string{"training data": "1", "vocabulary": "2",
		"labels": "9"}))
	require.Contains(t, warned[1], "the same labels")
}

// Without Warn nothing is lost: the progress and the result tell. The library prints nothing by
// itself.
func TestWarningsWithoutWarn(t *testing.T) {
	var b, logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	r, err := train.Fit(context.Background(), &labelled{newBowl(7), nil}, train.Config{
		Optimizer: adam(0.1), Epochs: 1, Progress: train.NewProgress(&b, "bowl", "batches")})
	require.NoError(t, err)
	require.Equal(t, []string{"it is a bowl"}, r.Warnings)
	require.Contains(t, b.String(), "bowl warning: it is a bowl\n")
	require.Empty(t, logged.String())
	require.Nil(t, train.Warnings(newBowl(1)))
	r, err = train.Fit(context.Background(), newBowl(7), train.Config{
		Optimizer: adam(0.1), Epochs: 1, SaveEvery: 5})
	require.NoError(t, err)
	require.Equal(t, []string{"SaveEvery is 5, and there are no Checkpoints to save to: it " +
		"does nothing"}, r.Warnings)
}

func BenchmarkDigestOf(b *testing.B) {
	ids := make([]int, 1<<20)
	b.SetBytes(int64(8 * len(ids)))
	for b.Loop() {
		if _, err := train.DigestOf(ids); err != nil {
			b.Fatal(err)
		}
	}
}
