package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/memtest"
)

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
