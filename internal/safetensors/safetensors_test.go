package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	_ "github.com/seqzoo/seqzoo/internal/testkit" // one seed

	"github.com/seqzoo/seqzoo/internal/memtest"
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

// attacks are files that break one rule each. Their headers grow to a megabyte at most.
func attacks() []attack {
	entry := func(dtype, shape, offsets string) string {
		return `{"dtype":"` + dtype + `","shape":` + shape + `,"data_offsets":` + offsets + `}`
	}
	u8 := func(from, to int) string {
		return entry("U8", fmt.Sprintf("[%d]", to-from), fmt.Sprintf("[%d,%d]", from, to))
	}
	many := func(n int, name func(int) string) []byte {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%s":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, name(i))
		}
		return file("{" + b.String()[1:] + "}")
	}
	size := func(n uint64, rest string) []byte {
		return append(binary.LittleEndian.AppendUint64(nil,
			n), rest...)
	}
	return []attack{
		{"empty file", nil, ErrTruncated},
		{"seven bytes", make([]byte, 7), ErrTruncated},
		{"no header", make([]byte, 8), ErrSyntax},
		{"header of 2^63 bytes", size(1<<63, "{}"), ErrTooLarge},
		{"header of 2^64-1 bytes", size(math.MaxUint64, "{}"), ErrTooLarge},
		{"header of 100 MB in 20 bytes", size(100_000_000, "{}          "), ErrTruncated},
		{"header one byte too long", size(3, "{}"), ErrTruncated},
		{"leading space", file(" {}"), ErrSyntax},
		{"byte order mark", file("\xef\xbb\xbf{}"), ErrSyntax},
		{"tail of line ends", file("{}\n"), ErrSyntax},
		{"tail of zeros", file("{}\x00"), ErrSyntax},
		{"second object", file("{}{}"), ErrSyntax},
		{"array", file("[]"), ErrSyntax},
		{"null entry", file(`{"a":null}`), ErrSyntax},
		{"unclosed", file(`{"a":` + u8(0, 1)), ErrSyntax},
		{"unclosed name", file(`{"a`), ErrSyntax},
		{"name ends in escape", file(`{"a\`), ErrSyntax},
		{"comma at the end", file(`{"a":`+u8(0, 1)+`,}`, 1), ErrSyntax},
		{"control character", file("{\"a\n\":" + u8(0, 1) + "}"), ErrSyntax},
		{"half a surrogate", file(`{"\ud83d":`+u8(0, 1)+`}`, 1), ErrSyntax},
		{"surrogates reversed", file(`{"\ude00\ud83d":`+u8(0, 1)+`}`, 1), ErrSyntax},
		{"short escape", file(`{"\u12":`+u8(0, 1)+`}`, 1), ErrSyntax},
		{"unknown escape", file(`{"\x41":`+u8(0, 1)+`}`, 1), ErrSyntax},
		{"invalid UTF-8", file("{\"a\xff\":"+u8(0, 1)+"}", 1), ErrUTF8},
		{"escaped field name", file(`{"a":{"dtype":"U8","shape":[1],"data\u005foffsets":[0,1]}}`,
			1), ErrSyntax},
		{"unknown field", file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"file":"x"}}`,
			1), ErrSyntax},
		{"field twice", file(`{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}`,
			1), ErrSyntax},
		{"no dtype", file(`{"a":{"shape":[1],"data_offsets":[0,1]}}`, 1), ErrSyntax},
		{"no shape", file(`{"a":{"dtype":"U8","data_offsets":[0,1]}}`, 1), ErrSyntax},
		{"no offsets", file(`{"a":{"dtype":"U8","shape":[1]}}`, 1), ErrSyntax},
		{"one offset", file(`{"a":`+entry("U8", "[1]", "[1]")+`}`, 1), ErrSyntax},
		{"three offsets", file(`{"a":`+entry("U8", "[1]", "[0,1,1]")+`}`, 1), ErrSyntax},
		{"fraction", file(`{"a":`+entry("U8", "[1.0]", "[0,1]")+`}`, 1), ErrSyntax},
		{"exponent", file(`{"a":`+entry("U8", "[1e0]", "[0,1]")+`}`, 1), ErrSyntax},
		{"leading zero", file(`{"a":`+entry("U8", "[01]", "[0,1]")+`}`, 1), ErrSyntax},
		{"number in quotes", file(`{"a":`+entry("U8", `["1"]`, "[0,1]")+`}`, 1), ErrSyntax},
		{"metadata not strings", file(`{"__metadata__":{"a":1}}`), ErrSyntax},
		{"metadata null", file(`{"__metadata__":null}`), ErrSyntax},
		{"metadata twice", file(`{"__metadata__":{},"__metadata__":{}}`), ErrDuplicate},
		{"metadata escaped", file(`{"__metadata_\u005f":`+u8(0, 1)+`}`, 1), ErrSyntax},
		{"metadata key twice", file(`{"__metadata__":{"a":"","\u0061":""}}`), ErrDuplicate},
		{"name twice", file(`{"a":`+u8(0, 1)+`,"a":`+u8(1, 2)+`}`, 1, 2), ErrDuplicate},
		{"name twice, escaped", file(`{"a":`+u8(0, 1)+`,"\u0061":`+u8(1, 2)+`}`, 1, 2),
			ErrDuplicate},
		{"dtype unknown", file(`{"a":`+entry("C64", "[1]", "[0,8]")+`}`, 1, 2, 3, 4, 5, 6, 7, 8),
			ErrDType},
		{"dtype in small letters", file(`{"a":`+entry("u8", "[1]", "[0,1]")+`}`, 1), ErrDType},
		{"negative dimension", file(`{"a":`+entry("U8", "[-1]", "[0,1]")+`}`, 1), ErrNegative},
		{"two negative dimensions", file(`{"a":`+entry("U8", "[-1,-1]", "[0,1]")+`}`, 1),
			ErrNegative},
		{"negative offset", file(`{"a":`+entry("U8", "[1]", "[-1,0]")+`}`, 1), ErrNegative},
		{"minus zero", file(`{"a":` + entry("U8", "[-0]", "[0,0]") + `}`), ErrNegative},
		{"dimension of 2^64", file(`{"a":` + entry("U8", "[18446744073709551616]", "[0,0]") + `}`),
			ErrOverflow},
		{"dimension of 10^1000", file(`{"a":` + entry("U8", "[1"+strings.Repeat("0", 1000)+"]",
			"[0,0]") + `}`), ErrOverflow},
		{"2^62 times 4 bytes", file(`{"a":` + entry("F32", "[4611686018427387904]", "[0,0]") + `}`),
			ErrOverflow},
		{"2^32 times 2^32", file(`{"a":` + entry("U8", "[4294967296,4294967296]", "[0,0]") + `}`),
			ErrOverflow},
		{"2^62 times 2^62 times 0", file(`{"a":` +
			entry("U8", "[4611686018427387904,4611686018427387904,0]", "[0,0]") + `}`),
			ErrOverflow},
		{"offsets reversed", file(`{"a":`+entry("U8", "[1]", "[1,0]")+`}`, 1), ErrSize},
		{"shape too small", file(`{"a":`+entry("F32", "[1]", "[0,8]")+`}`, 1, 2, 3, 4, 5, 6, 7, 8),
			ErrSize},
		{"shape too large", file(`{"a":`+entry("F32", "[3]", "[0,8]")+`}`, 1, 2, 3, 4, 5, 6, 7, 8),
			ErrSize},
		{"no value of a scalar", file(`{"a":` + entry("F32", "[]", "[0,0]") + `}`), ErrSize},
		{"1 GB of values in 80 bytes", file(`{"a":` +
			entry("U8", "[1073741824]", "[0,1073741824]") + `}`), ErrTruncated},
		{"one byte missing", file(`{"a":`+u8(0, 3)+`}`, 1, 2), ErrTruncated},
		{"overlap", file(`{"a":`+u8(0, 3)+`,"b":`+u8(2, 4)+`}`, 1, 2, 3, 4), ErrOverlap},
		{"same bytes twice", file(`{"a":`+u8(0, 4)+`,"b":`+u8(0, 4)+`}`, 1, 2, 3, 4), ErrOverlap},
		{"empty tensor inside another", file(`{"a":`+u8(0, 4)+`,"b":`+u8(2, 2)+`}`, 1, 2, 3, 4),
			ErrOverlap},
		{"hole", file(`{"a":`+u8(0, 1)+`,"b":`+u8(2, 4)+`}`, 1, 2, 3, 4), ErrHole},
		{"hole before the first", file(`{"a":`+u8(1, 2)+`}`, 1, 2), ErrHole},
		{"trailing byte", file(`{"a":`+u8(0, 1)+`}`, 1, 2), ErrTrailing},
		{"values without a tensor", file(`{}`, 1), ErrTrailing},
		{"10^5 arrays deep", file(`{"a":` + strings.Repeat("[", 100_000)), ErrSyntax},
		{"10^5 objects deep", file(strings.Repeat(`{"a":`, 100_000)), ErrSyntax},
		{"10^5 deep in a shape", file(`{"a":{"shape":` + strings.Repeat("[", 100_000)), ErrSyntax},
		{"10^5 dimensions", file(`{"a":` + entry("U8", "[1"+strings.Repeat(",1", 100_000)+"]",
			"[0,1]") + `}`), ErrSyntax},
		{"10^4 tensors of nothing", many(10_000, func(i int) string { return fmt.Sprint(i) }),
			ErrCrowded},
		{"5,000 names of 100 letters", many(5_000,
			func(i int) string { return fmt.Sprintf("%0100d", i) }), ErrCrowded},
		{"600 tensors and one without offsets", many(600, func(i int) string {
			if i == 599 {
				return `x":{"dtype":"U8","shape":[]},"599`
			}
			return fmt.Sprint(i)
		}), ErrSyntax},
		{"10^4 names in one", file(`{"` + strings.Repeat(`\"data_offsets"`, 10_000) + `":0}`),
			ErrCrowded},
		{"name of a megabyte", file(`{"`+strings.Repeat("n", 1<<20)+`":`+u8(0, 1)+`}`, 1), nil},
		{"name of a megabyte of escapes", file(`{"`+strings.Repeat(`\n`, 1<<19)+`":`+u8(0, 1)+`}`,
			1), nil},
		{"10^5 keys", file(`{"__metadata__":{"0":""` + func() string {
			var b strings.Builder
			for i := range 100_000 {
				fmt.Fprintf(&b, `,"%x":""`, i+1)
			}
			return b.String()
		}() + `}}`), ErrCrowded},
		{"checksum too short", file(`{"__metadata__":{"` + checksumKey + `":"00"}}`), ErrChecksum},
		{"checksum escaped", file(`{"__metadata__":{"` + checksumKey + `":"\u0030` +
			noChecksum[1:] + `"}}`), ErrChecksum},
		{"checksum of zeros", file(`{"__metadata__":{"` + checksumKey + `":"` + noChecksum + `"}}`),
			ErrChecksum},
	}
}

type attack struct {
	name string
	file []byte
	want error
}

// A named error each, within twice the file's size and 64 kB. The time is shown, not judged: the
// machine may be busy.
func TestAttacks(t *testing.T) {
	var most int
	var slowest time.Duration
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			var err error
			start := time.Now()
			n := memtest.Allocated(2*len(a.file)+memtest.Slack, func() { _, err = load(a.file) })
			slowest = max(slowest, time.Since(start))
			most = max(most, n-2*len(a.file))
			if a.want == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, a.want)
				require.Less(t, len(err.Error()), 400, "an error is to be read")
			}
			require.LessOrEqual(t, n, 2*len(a.file)+memtest.Slack)
		})
	}
	t.Logf("%d files, slowest %v, most memory beyond twice the file %d bytes",
		len(attacks()), slowest, most)
}

// Files at the brink of ErrCrowded: many tensors, axes or keys, and ever more values beside them.
func TestBudget(t *testing.T) {
	var most int
	refused, read := 0, 0
	for n := 1; n <= 1<<13; n *= 2 {
		for _, values := range []int{0, 16 * n, 64 * n, 128 * n, 256 * n, 512 * n} {
			for _, axes := range []int{0, 1, 3, 64} {
				shape := strings.Repeat(",1", axes)[min(1, axes):]
				var b strings.Builder
				fmt.Fprintf(&b, `{"":{"dtype":"U8","shape":[%d],"data_offsets":[0,%[1]d]},"__metadata__":{"":""`, values)
				for i := range n * (axes & 1) {
					fmt.Fprintf(&b, `,"%x":""`, i)
				}
				b.WriteString("}")
				for i := range n * (1 - axes&1) {
					fmt.Fprintf(&b, `,"%x":{"dtype":"U8","shape":[%s],"data_offsets":[%d,%d]}`, i,
						shape, values+i, values+i+1)
				}
				whole := file(b.String()+"}", make([]byte, values+n*(1-axes&1))...)
				var err error
				got := memtest.Allocated(2*len(whole)+memtest.Slack,
					func() { _, err = load(whole) })
				if read++; err != nil {
					require.ErrorIs(t, err, ErrCrowded)
					refused++
				}
				most = max(most, got-2*len(whole))
				require.LessOrEqual(t, got, 2*len(whole)+memtest.Slack,
					"n = %d, %d values, %d axes", n, values, axes)
			}
		}
	}
	t.Logf("%d files, %d refused, most memory beyond twice the file %d bytes", read, refused, most)
}

// No change of a byte, no prefix and no insertion of a file by Write goes unnoticed.
func TestEveryDamageIsNoticed(t *testing.T) {
	whole := written(t, sample(), map[string]string{"format": "pt"})
	files, unchecked := 0, 0
	try := func(what string, at int, b []byte) {
		files++
		f, err := load(b)
		if err == nil { // only if the key of the checksum itself was hit
			require.False(t, f.Checked, "%s at %d", what, at)
			unchecked++
		}
	}
	for i := range whole {
		for _, mask := range []byte{1, 0x20, 0x80, 0xff} {
			b := slices.Clone(whole)
			b[i] ^= mask
			try("flip", i, b)
		}
		try("prefix", i, whole[:i])
		for _, extra := range []byte{0, ' ', '"', whole[i]} {
			try("insertion", i, slices.Insert(slices.Clone(whole), i, extra))
		}
	}
	try("insertion", len(whole), append(slices.Clone(whole), 0))
	t.Logf("%d damaged files of %d bytes: all noticed, %d of them as lacking a checksum", files,
		len(whole), unchecked)
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

// FuzzRead holds: no panic, bounded memory, and what is accepted is what encoding/json sees and is
// written back to the same values.
func FuzzRead(f *testing.F) {
	for _, a := range attacks() {
		if len(a.file) < 4096 {
			f.Add(a.file)
		}
	}
	f.Add(written(f, sample(), nil))
	f.Add(written(f, sample()[:1], map[string]string{"a": "b"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var got *File
		var err error
		memtest.Within(t, len(b), func() { got, err = load(b) })
		if err != nil {
			return
		}
		var header map[string]json.RawMessage
		n := binary.LittleEndian.Uint64(b)
		require.NoError(t, json.Unmarshal(b[8:8+n], &header))
		delete(header, metadataKey)
		require.Len(t, got.Tensors, len(header))
		for _, tensor := range got.Tensors {
			var entry struct {
				DType   string `json:"dtype"`
				Shape   []int  `json:"shape"`
				Offsets [2]int `json:"data_offsets"`
			}
			require.NoError(t, json.Unmarshal(header[tensor.Name], &entry))
			require.Equal(t, entry.DType, tensor.DType)
			require.Equal(t, entry.Shape, tensor.Shape)
			require.Equal(t, b[8+int(n):][entry.Offsets[0]:entry.Offsets[1]], tensor.Data)
		}
		again, err := load(written(t, got.Tensors, got.Metadata))
		require.NoError(t, err)
		require.Equal(t, len(got.Tensors), len(again.Tensors))
		for i, tensor := range got.Tensors {
			require.Equal(t, tensor.Name, again.Tensors[i].Name)
			require.Equal(t, tensor.Data, again.Tensors[i].Data)
		}
	})
}
