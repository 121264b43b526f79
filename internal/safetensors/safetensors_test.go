package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/internal/sysmem"
	_ "github.com/seqzoo/seqzoo/internal/testkit"
)

// file joins a header and values as the format does.
func file(header string, data ...byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func load(b []byte) (*File, error) { return Read(bytes.NewReader(b), int64(len(b))) }

func written(t testing.TB, tensors []Tensor, metadata map[string]string) []byte {
	var b bytes.Buffer
	require.NoError(t, Write(&b, tensors, metadata))
	return b.Bytes()
}

func sample() []Tensor {
	return []Tensor{
		New("encoder/l0/W_ih", []int{2, 3}, []float32{1, -2, 3.5, float32(math.Inf(1)), 1e-45,
			float32(math.NaN())}),
		New("b", []int{1, 2}, []float64{math.Pi, math.Copysign(0, -1)}),
		New("step", nil, []int64{math.MinInt64}),
		New("counter", []int{1}, []uint64{math.MaxUint64}),
		New("labels", []int{3}, []int32{-1, 0, math.MaxInt32}),
		New("日本 \"q\"\\\n😀<", []int{0, 7}, []uint8{}),
		New("bytes", []int{3}, []uint8{0, 1, 255}),
	}
}

// Values for which there is no memory are refused before any is taken.
func TestMemory(t *testing.T) {
	before := sysmem.Available
	t.Cleanup(func() { sysmem.Available = before })
	sysmem.Available = func() int { return 1 << 20 }
	const size = 128 << 20
	b := file(fmt.Sprintf(`{"x":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]}}`, size/4, size))
	f, err := ReadHeader(bytes.NewReader(b), int64(len(b)+size))
	require.NoError(t, err)
	require.ErrorIs(t, f.Load(), sysmem.ErrMemory)
}

func TestRoundTrip(t *testing.T) {
	metadata := map[string]string{"format": "pt", "note \t": "a\u2028b 日本 😀"}
	b := written(t, sample(), metadata)
	f, err := load(b)
	require.NoError(t, err)
	require.True(t, f.Checked)
	require.Equal(t, metadata, f.Metadata)
	require.Len(t, f.Tensors, len(sample()))
	for _, want := range sample() {
		got, ok := f.Find(want.Name)
		require.True(t, ok, want.Name)
		require.Equal(t, want.DType, got.DType)
		require.True(t, slices.Equal(want.Shape, got.Shape), want.Name)
		require.Equal(t, want.Data, got.Data, want.Name)
	}
	_, ok := f.Find("absent")
	require.False(t, ok)

	backwards := sample()
	slices.Reverse(backwards)
	require.Equal(t, b, written(t, backwards, metadata), "the order of tensors must not matter")
	require.Equal(t, b, written(t, f.Tensors, f.Metadata), "what was read is written alike")

	path := filepath.Join(t.TempDir(), "a.safetensors")
	require.NoError(t, os.WriteFile(path, b, 0o666))
	g, err := ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, f, g)

	long := map[string]string{"history": strings.Repeat("1,2\n\"<", 200_000)}
	f, err = load(written(t, nil, long))
	require.NoError(t, err)
	require.Equal(t, long, f.Metadata)
	require.NoError(t, g.CheckRoom())
}

func TestRoundTripRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringN(0, 20,
			-1).Filter(func(s string) bool { return s != metadataKey }),
			0, 12, rapid.ID).Draw(t, "names")
		var tensors []Tensor
		for _, name := range names {
			shape := rapid.SliceOfN(rapid.IntRange(0, 5), 0, 4).Draw(t, "shape")
			n, _ := Size("U8", shape)
			values := rapid.SliceOfN(rapid.Uint64(), n, n).Draw(t, "values")
			tensors = append(tensors, New(name, shape, values))
		}
		metadata := rapid.MapOfN(rapid.String(), rapid.String(), 0, 5).Draw(t, "metadata")
		delete(metadata, checksumKey)
		var b bytes.Buffer
		require.NoError(t, Write(&b, tensors, metadata))
		f, err := load(b.Bytes())
		require.NoError(t, err)
		require.Equal(t, metadata, f.Metadata)
		require.NoError(t, f.CheckRoom())
		for _, want := range tensors {
			got, ok := f.Find(want.Name)
			require.True(t, ok)
			require.Equal(t, want.Data, got.Data)
		}
	})
}

// Every value of the two half formats against arithmetic in float64.
func TestHalves(t *testing.T) {
	all := make([]byte, 0, 1<<17)
	for i := range 1 << 16 {
		all = binary.LittleEndian.AppendUint16(all, uint16(i))
	}
	for _, c := range []struct {
		dtype    string
		exp, man int
	}{{"F16", 5, 10}, {"BF16", 8, 7}} {
		got, err := Values[float32](Tensor{DType: c.dtype, Shape: []int{1 << 16}, Data: all})
		require.NoError(t, err)
		for i, v := range got {
			e, m := i>>c.man&(1<<c.exp-1), i&(1<<c.man-1)
			bias := 1<<(c.exp-1) - 1
			want := math.Ldexp(float64(1<<c.man|m), e-bias-c.man)
			switch {
			case e == 0:
				want = math.Ldexp(float64(m), 1-bias-c.man)
			case e == 1<<c.exp-1 && m != 0:
				require.True(t, v != v, "%s %04x", c.dtype, i)
				continue
			case e == 1<<c.exp-1:
				want = math.Inf(1)
			}
			if i>>15 == 1 {
				want = -want
			}
			require.Equal(t, math.Float32bits(float32(want)), math.Float32bits(v), "%s %04x",
				c.dtype, i)
		}
	}
}

func TestValues(t *testing.T) {
	f64 := New("x", []int{2}, []float64{1, 2})
	got, err := Values[float64](f64)
	require.NoError(t, err)
	require.Equal(t, []float64{1, 2}, got)
	_, err = Values[float32](f64)
	require.ErrorIs(t, err, ErrDType)
	_, err = Values[float64](Tensor{DType: "BF16", Shape: []int{1}, Data: []byte{0, 0}})
	require.ErrorIs(t, err, ErrDType)
	_, err = Values[float32](Tensor{DType: "I16", Shape: []int{1}, Data: []byte{0, 0}})
	require.ErrorIs(t, err, ErrDType)
	for _, bad := range []Tensor{{}, {DType: "F64", Shape: []int{2}, Data: make([]byte, 15)},
		{DType: "F64", Shape: []int{-1}}, {DType: "F64", Shape: []int{math.MaxInt, math.MaxInt}}} {
		_, err = Values[float64](bad)
		require.ErrorIs(t, err, ErrSize)
	}
}

func TestWriteRefuses(t *testing.T) {
	one := func(name string) Tensor { return New(name, []int{1}, []uint8{1}) }
	for name, c := range map[string]struct {
		tensors  []Tensor
		metadata map[string]string
		want     error
	}{
		"twice the same name": {[]Tensor{one("a"), one("a")}, nil, ErrDuplicate},
		"name of the header":  {[]Tensor{one(metadataKey)}, nil, ErrDuplicate},
		"name not UTF-8":      {[]Tensor{one("\xff")}, nil, ErrUTF8},
		"metadata not UTF-8":  {nil, map[string]string{"a": "\xff"}, ErrUTF8},
		"key not UTF-8":       {nil, map[string]string{"\xff": ""}, ErrUTF8},
		"dtype":               {[]Tensor{{Name: "a", DType: "F31"}}, nil, ErrDType},
		"too few values": {[]Tensor{{Name: "a", DType: "F32", Shape: []int{2},
			Data: make([]byte, 4)}}, nil, ErrSize},
		"negative": {[]Tensor{{Name: "a", DType: "F32", Shape: []int{-2}}}, nil,
			ErrNegative},
		"overflow": {[]Tensor{{Name: "a", DType: "F32", Shape: []int{math.MaxInt, 4}}},
			nil, ErrOverflow},
		"65 axes": {[]Tensor{{Name: "a", DType: "U8",
			Shape: slices.Repeat([]int{1}, 65), Data: []byte{1}}}, nil, ErrSyntax},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			require.ErrorIs(t, Write(&b, c.tensors, c.metadata), c.want)
			require.Zero(t, b.Len(), "nothing is written before all is checked")
		})
	}
}

// Files of other programs: no checksum, other orders, white space, escapes.
func TestForeignFiles(t *testing.T) {
	f, err := load(file("{}"))
	require.NoError(t, err)
	require.False(t, f.Checked)
	require.Empty(t, f.Tensors)

	f, err = load(file("{ \"w\\u00e9\\ud83d\\ude00\\/\" :\n{\"data_offsets\": [ 4 ,\t8 ], \"dtype\":\"I8\", \"shape\":[2,\r2]},"+
		`"e":{"dtype":"F64","shape":[3,0],"data_offsets":[4,4]},`+
		`"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}, "__metadata__":{}}   `, 0, 0, 0x80,
		0x3f, 1, 2, 3, 4))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "e", "wé😀/"}, []string{f.Tensors[0].Name, f.Tensors[1].Name,
		f.Tensors[2].Name})
	v, err := Values[float32](f.Tensors[0])
	require.NoError(t, err)
	require.Equal(t, []float32{0, 1}, v)
	require.Equal(t, []byte{1, 2, 3, 4}, f.Tensors[2].Data)
}

func TestReadFileRefuses(t *testing.T) {
	dir := t.TempDir()
	_, err := ReadFile(filepath.Join(dir, "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = ReadFile(dir)
	require.ErrorContains(t, err, dir+" is not a regular file")
	path := filepath.Join(dir, "short 日本.safetensors")
	require.NoError(t, os.WriteFile(path, []byte("abc"), 0o666))
	_, err = ReadFile(path)
	require.ErrorIs(t, err, ErrTruncated)
	require.ErrorContains(t, err, path)
}

// Spaces, other scripts, long names.
func TestPaths(t *testing.T) {
	for _, name := range []string{"with spaces", "日本語", strings.Repeat("x", 200)} {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, written(t, sample(), nil), 0o666))
		_, err := ReadFile(path)
		require.NoError(t, err)
	}
}

// A file that shrinks while it is read.
func TestShrunk(t *testing.T) {
	b := written(t, sample(), nil)
	_, err := Read(bytes.NewReader(b[:len(b)-1]), int64(len(b)))
	require.ErrorIs(t, err, ErrTruncated)
}
