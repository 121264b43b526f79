package images_test

import (
	"bytes"
	"compress/gzip"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/memtest"
	"github.com/seqzoo/seqzoo/zoo/images"
)

func small() *images.Set {
	return &images.Set{Rows: 2, Cols: 3, Pixels: []uint8{0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5,
		6}, Labels: []uint8{7, 9}}
}

func idx(t testing.TB, s *images.Set) []byte {
	var b bytes.Buffer
	require.NoError(t, s.Write(&b))
	return b.Bytes()
}

func gzipped(t testing.TB, content []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(content)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

func file(t testing.TB, content []byte) string {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, content, 0o644))
	return path
}

func TestReadsWhatItWrites(t *testing.T) {
	want := small()
	var labels bytes.Buffer
	require.NoError(t, images.WriteLabels(&labels, want.Labels))
	for name, pack := range map[string]func([]byte) []byte{
		"plain": func(b []byte) []byte { return b },
		"gzip":  func(b []byte) []byte { return gzipped(t, b) },
	} {
		t.Run(name, func(t *testing.T) {
			got, err := images.ReadLabelled(file(t, pack(idx(t, want))),
				file(t, pack(labels.Bytes())))
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.Equal(t, 2, got.Len())
			require.Equal(t, []uint8{1, 2, 3, 4, 5, 6}, got.At(1))
			require.Equal(t, []float32{0, 0.2, 0.4, 0.6, 0.8, 1}, got.Floats()[:6])
			require.Equal(t, &images.Set{Rows: 2, Cols: 3, Pixels: want.Pixels[6:],
				Labels: []uint8{9}}, got.Slice(1, 2))
		})
	}
}

func TestALargeFileTakesTwiceItsBytes(t *testing.T) {
	large := &images.Set{Rows: 100, Cols: 101, Pixels: make([]uint8, 500*100*101)}
	for i := range large.Pixels {
		large.Pixels[i] = uint8(i * i >> 3)
	}
	for _, content := range [][]byte{idx(t, large), gzipped(t, idx(t, large))} {
		path := file(t, content)
		var got *images.Set
		var err error
		// A decompressor makes new tables for every block, which are garbage at once: a
		// thirty-second is for them.
		memtest.Within(t, len(large.Pixels)+len(large.Pixels)/32,
			func() { got, err = images.Read(path) })
		require.NoError(t, err)
		require.True(t, bytes.Equal(large.Pixels, got.Pixels))
	}
}

func TestBadFiles(t *testing.T) {
	good := idx(t, small())
	with := func(at int, b ...byte) []byte {
		return append(append(bytes.Clone(good[:at]), b...), good[at+len(b):]...)
	}
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"empty": {nil, "the file is empty"},
		"text": {[]byte("5,0,0,0,0\n"),
			"not an IDX file: it starts with 35 2c 30 2c"},
		"magic cut": {good[:3], "the file ends in its magic number"},
		"type": {with(2, 0x0d),
			"the elements are of type 0x0d; unsigned bytes (0x08)"},
		"labels": {with(3, 1),
			"the file has one dimension, as files of labels have; images have three: " +
				"number, rows, columns"},
		"dimensions": {with(3, 4), "the file has 4 dimensions; images have three"},
		"header cut": {good[:13], "the file ends in its header"},
		"truncated": {good[:20],
			"the header says [2 2 3], that is 12 bytes, and 4 follow it"},
		"too long": {append(bytes.Clone(good), 1),
			"the header says [2 2 3], that is 12 bytes, and 13 follow it"},
		"count lies": {with(7, 200),
			"the header says [200 2 3], that is 1200 bytes, and 12 follow it"},
		"count is huge": {with(4, 255, 255, 255, 255), "elements, more than the limit"},
		"product overflows": {with(4, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
			255), "more than the limit"},
		"no images": {with(4, 0, 0, 0, 0),
			"the header says [0]: there is nothing in it"},
		"no columns": {with(12, 0, 0, 0, 0),
			"the header says [2 2 0]: there is nothing in it"},
		"gzip, header only": {[]byte{0x1f, 0x8b}, "unexpected EOF"},
		"gzip, no content":  {gzipped(t, nil), "the file ends in its magic number"},
		"gzip, content cut": {gzipped(t, good[:20]),
			"the header says [2 2 3], that is 12 bytes: the file ends after 4"},
		"gzip, cut":           {gzipped(t, good)[:30], "unexpected EOF"},
		"gzip, count lies":    {gzipped(t, with(6, 2)), "the file ends after 12"},
		"gzip, more follows":  {gzipped(t, append(bytes.Clone(good), 1)), "and more follow"},
		"gzip, count is huge": {gzipped(t, with(4, 127, 0, 0)), "more than the limit"},
		"gzip, count is large": {gzipped(t, with(4, 2, 0, 0)),
			"more than a file of this size can hold"},
		"gzip, bad checksum": {func() []byte {
			b := gzipped(t, good)
			b[len(b)-6]++
			return b
		}(), "checksum"},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t, c.content)
			var err error
			memtest.Within(t, len(c.content), func() { _, err = images.Read(path) })
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, path)
		})
	}
	_, err := images.Read(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = images.Read(t.TempDir())
	require.ErrorContains(t, err, "is a directory")

	var labels bytes.Buffer
	require.NoError(t, images.WriteLabels(&labels, []uint8{1, 2, 3}))
	_, err = images.ReadLabelled(file(t, good), file(t, labels.Bytes()))
	require.ErrorContains(t, err, "has 3 labels")
	_, err = images.ReadLabels(file(t, good))
	require.ErrorContains(t, err, "as files of images have; labels have one")
}

func TestWriteRefusesWhatIsNoImages(t *testing.T) {
	require.ErrorContains(t, (&images.Set{}).Write(io.Discard), "0 pixels are no images of 0 by 0")
	require.ErrorContains(t, (&images.Set{Rows: 2, Cols: 2,
		Pixels: make([]uint8, 5)}).Write(io.Discard), "5 pixels")
	require.ErrorContains(t, images.WriteLabels(io.Discard, nil), "no labels")
	require.Zero(t, (&images.Set{}).Len())
}

func TestGrid(t *testing.T) {
	var b bytes.Buffer
	nan := float32(0)
	nan /= nan
	require.NoError(t, images.Grid{Rows: 1, Cols: 2, Across: 2, Scale: 2}.WritePNG(&b,
		[]float32{0, 1, 0.5, 2, nan, -1}))
	picture, err := png.Decode(&b)
	require.NoError(t, err)
	require.Equal(t, 11, picture.Bounds().Dx()) // two images of four and three lines
	require.Equal(t, 7, picture.Bounds().Dy())
	var got strings.Builder
	for _, y := range []int{0, 1, 2, 4} {
		for x := range 11 {
			r, _, _, _ := picture.At(x, y).RGBA()
			got.WriteByte(map[uint32]byte{0: '.', 128: '+', 255: '#'}[r>>8])
		}
		got.WriteByte('\n')
	}
	require.Equal(t, "+++++++++++\n+..##+++##+\n+..##+++##+\n+....++++++\n", got.String())

	for _, c := range []struct {
		grid images.Grid
		n    int
		want string
	}{
		{images.Grid{}, 4, "cannot be laid out"},
		{images.Grid{Rows: 2, Cols: 2, Across: -1}, 4, "cannot be laid out"},
		{images.Grid{Rows: 2, Cols: 2}, 5, "5 values are no images of 2 by 2"},
		{images.Grid{Rows: 2, Cols: 2}, 0, "0 values"},
		{images.Grid{Rows: 1 << 40, Cols: 1 << 40}, 4, "cannot be laid out"},
		{images.Grid{Rows: 2, Cols: 2, Scale: 10000}, 4, "the limit is"},
	} {
		require.ErrorContains(t, c.grid.WritePNG(io.Discard, make([]float32, c.n)), c.want)
	}
}

func FuzzRead(f *testing.F) {
	good := idx(f, small())
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(gzipped(f, good))
	f.Add(gzipped(f, good)[:30])
	f.Add([]byte("\x00\x00\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add([]byte("\x00\x00\x08\x01\x00\x00\x00\x02ab"))
	path := filepath.Join(f.TempDir(), "file")
	f.Fuzz(func(t *testing.T, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o644))
		s, err := images.Read(path)
		held := len(content)
		if err == nil {
			require.Equal(t, s.Len()*s.Rows*s.Cols, len(s.Pixels))
			require.NotZero(t, s.Len())
			held = max(held, len(s.Pixels))
		}
		// what a broken compressed file expands to is not known here
		if !bytes.HasPrefix(content, []byte{0x1f, 0x8b}) {
			memtest.Within(t, held, func() { _, _ = images.Read(path) })
		}
		_, _ = images.ReadLabels(path)
	})
}

func TestMNIST(t *testing.T) {
	dir := os.Getenv("SEQZOO_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	dir = filepath.Join(dir, "mnist")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no MNIST: %v (SEQZOO_DATA names the folder of the data sets)", err)
	}
	test, err := images.ReadLabelled(filepath.Join(dir, "t10k-images-idx3-ubyte.gz"),
		filepath.Join(dir, "t10k-labels-idx1-ubyte.gz"))
	require.NoError(t, err)
	require.Equal(t, []int{10000, 28, 28}, []int{test.Len(), test.Rows, test.Cols})
	require.Equal(t, []uint8{7, 2, 1, 0, 4, 1, 4, 9}, test.Labels[:8])
}
