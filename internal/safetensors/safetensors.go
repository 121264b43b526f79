package safetensors

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seqzoo/seqzoo/internal/filekind"
	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/internal/sysmem"
)

// The errors of files that break the format's rules. They come wrapped in a sentence that names
// the tensor.
var (
	ErrTruncated = errors.New("the file is shorter than it claims")
	ErrTooLarge  = errors.New("larger than the format allows")
	ErrSyntax    = errors.New("the header is not what the format prescribes")
	ErrUTF8      = errors.New("invalid UTF-8")
	ErrDuplicate = errors.New("the name occurs twice")
	ErrDType     = errors.New("unknown or unsuitable dtype")
	ErrNegative  = errors.New("negative number")
	ErrOverflow  = errors.New("the size overflows")
	ErrSize      = errors.New("shape and dtype do not fill the byte range")
	ErrOverlap   = errors.New("tensors overlap")
	ErrHole      = errors.New("there are unused bytes between tensors")
	ErrTrailing  = errors.New("there are bytes after the last tensor")
	ErrCrowded   = errors.New("the header describes more than a file of its size may")
	ErrChecksum  = errors.New("the checksum does not match: the file was damaged or changed")
)

const (
	maxHeader = 100_000_000 // bytes, as in the format's reference reader
	maxFile   = min(1<<40, math.MaxInt)
	maxRank   = 64 // as in PyTorch and NumPy

	// The memory that reading takes beyond the file's own bytes is charged to a budget: see
	// File.CheckRoom.
	slack       = 48 << 10
	tensorBytes = 96  // a Tensor in File.Tensors
	entryBytes  = 256 // an entry of File.Metadata, what a map wastes by growing included
	loadBytes   = 1024

	muchData = 64 << 20 // bytes of values for which the memory that there is is looked at

	metadataKey = "__metadata__"
	checksumKey = "seqzoo.sha256"
)

// Tensor is a named array.
type Tensor struct {
	Name  string
	DType string // "F32", "I64", …
	Shape []int  // empty for a scalar
	Data  []byte // the values, little-endian, row-major

	begin int // offset of Data in the file's data part
}

// File is the content of a safetensors file.
type File struct {
	Tensors  []Tensor // in order of their names; the Data of all share one buffer, and are nil until Load
	Metadata map[string]string
	Checked  bool // whether the file carries the checksum of Write, which Load compares

	header int // bytes
	rest   *unread
}

// unread is what Load needs to read the values behind a header.
type unread struct {
	r      io.Reader
	header []byte
	sum    int // where the digits of the checksum begin in the header, or 0
	data   int // bytes
}

// Find returns the tensor of that name.
func (f *File) Find(name string) (Tensor, bool) {
	i, ok := slices.BinarySearchFunc(f.Tensors, name, func(t Tensor, name string) int {
		return strings.Compare(t.Name, name)
	})
	if !ok {
		return Tensor{}, false
	}
	return f.Tensors[i], true
}

// CheckRoom tells whether a loader that copies the tensors into structures of its own, up to 1 kB
// each besides the values, stays below twice the file and 64 kB. It is so for all files by Write,
// which pads the header of a file of many tiny tensors with spaces; else the error is ErrCrowded.
func (f *File) CheckRoom() error {
	need := (len(f.Tensors) + len(f.Metadata)) * loadBytes
	for _, t := range f.Tensors {
		need += len(t.Name)
	}
	for k, v := range f.Metadata {
		need += len(k) + len(v)
	}
	if need > f.header+slack { // the values are to be copied once, like those of the file
		return fmt.Errorf("safetensors: %d tensors: %w", len(f.Tensors), ErrCrowded)
	}
	return nil
}

// ReadFile reads the regular file at path.
func ReadFile(path string) (*File, error) {
	f, from, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	if err := f.Load(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// OpenFile is ReadHeader for the regular file at path, which Load reads on, and the caller closes.
func OpenFile(path string) (*File, io.Closer, error) {
	r, size, err := safefile.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("safetensors: %w", err)
	}
	f, err := ReadHeader(r, size)
	if err != nil {
		err = fmt.Errorf("%s%s: %w", path, instead(r), err)
		r.Close()
		return nil, nil, err
	}
	return f, r, nil
}

// instead says what a file is that could not be read.
func instead(r io.ReaderAt) string {
	head := make([]byte, filekind.HeadBytes)
	n, _ := r.ReadAt(head, 0)
	if kind := filekind.Of(head[:n]); kind != "" && kind != filekind.Safetensors {
		return " is " + kind + ", not of safetensors"
	}
	return ""
}

// Read reads a file of size bytes.
func Read(r io.ReaderAt, size int64) (*File, error) {
	f, err := ReadHeader(r, size)
	if err != nil {
		return nil, err
	}
	if err := f.Load(); err != nil {
		return nil, err
	}
	return f, nil
}

// ReadHeader reads what a file of size bytes says of itself: names, shapes and metadata, without
// values. They can be looked at before Load takes memory for the values, which may be many in a
// file that takes little room on a disk.
func ReadHeader(r io.ReaderAt, size int64) (*File, error) {
	f, err := readHeader(io.NewSectionReader(r, 0, size), size)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return f, nil
}

func readHeader(r io.Reader, size int64) (*File, error) {
	prefix := make([]byte, 8)
	switch {
	case size < 8:
		return nil, fmt.Errorf("%d bytes: %w", size, ErrTruncated)
	case size > maxFile:
		return nil, fmt.Errorf("%d bytes: %w", size, ErrTooLarge)
	}
	if err := readFull(r, prefix); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(prefix)
	switch {
	case n > maxHeader:
		return nil, fmt.Errorf("header of %d bytes: %w", n, ErrTooLarge)
	case n > uint64(size-8):
		return nil, fmt.Errorf("header of %d bytes in a file of %d: %w", n, size, ErrTruncated)
	}
	header := make([]byte, n)
	if err := readFull(r, header); err != nil {
		return nil, err
	}
	data := int(size) - 8 - len(header)
	f, sum, err := parse(header, data)
	if err != nil {
		return nil, err
	}
	f.Checked = sum > 0
	f.rest = &unread{r, header, sum, data}
	return f, nil
}

// Load reads the values of a file by ReadHeader, from the reader that it was given, and compares
// the checksum if the file has one. It does nothing if the values are there already.
func (f *File) Load() error {
	if f.rest == nil {
		return nil
	}
	if f.rest.data > muchData {
		if free := sysmem.Available(); free > 0 && f.rest.data > free {
			return fmt.Errorf("safetensors: the values take %d bytes, and the process "+
				"may take %d: %w",
				f.rest.data, free, sysmem.ErrMemory)
		}
	}
	data := make([]byte, f.rest.data)
	if err := readFull(f.rest.r, data); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	if header, sum := f.rest.header, f.rest.sum; sum > 0 {
		claimed := string(header[sum : sum+2*sha256.Size])
		if checksum(header, sum, data) != claimed {
			return fmt.Errorf("safetensors: %w", ErrChecksum)
		}
	}
	f.rest = nil
	for i := range f.Tensors {
		t := &f.Tensors[i]
		size, _ := Size(t.DType, t.Shape)
		t.Data = data[t.begin : t.begin+size : t.begin+size]
	}
	return nil
}

func readFull(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated // by another process, since the size was taken
	}
	return err
}

// parse reads a header that is followed by data bytes of values. It returns the tensors without
// their Data, and where in the header the digits of the checksum begin, or 0.
func parse(header []byte, data int) (f *File, sum int, err error) {
	if !utf8.Valid(header) {
		return nil, 0, fmt.Errorf("header: %w", ErrUTF8)
	}
	if len(header) == 0 || header[0] != '{' {
		return nil, 0, fmt.Errorf("header does not begin with {: %w", ErrSyntax)
	}
	c := cursor{b: header, budget: len(header) + data + slack}
	n := bytes.Count(header, []byte(`"data_offsets"`)) // one in each tensor
	c.charge(n * tensorBytes)
	if c.err != nil {
		return nil, 0, fmt.Errorf("%d tensors: %w", n, c.err)
	}
	f = &File{Tensors: make([]Tensor, 0, n), header: len(header)}
	c.object(func(name token) {
		switch {
		case name.is(metadataKey) && f.Metadata == nil:
			f.Metadata, sum = c.metadata()
		case name.is(metadataKey):
			c.fail(ErrDuplicate)
		case len(f.Tensors) < n:
			f.Tensors = append(f.Tensors, c.tensor(name))
		default:
			c.fail(ErrSyntax)
		}
		if c.err != nil {
			c.err = fmt.Errorf("%q: %w", name.raw[:min(len(name.raw), 64)], c.err)
		}
	})
	if c.err == nil && len(bytes.TrimRight(header[c.i:], " ")) > 0 {
		c.fail(ErrSyntax)
	}
	if c.err != nil {
		return nil, 0, fmt.Errorf("header: %w", c.err)
	}
	return f, sum, arrange(f.Tensors, data)
}

// arrange checks that the tensors cover data bytes one after another and that their names differ,
// and leaves them in order of their names.
func arrange(tensors []Tensor, data int) error {
	size := func(t Tensor) int { n, _ := Size(t.DType, t.Shape); return n }
	slices.SortFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(size(a), size(b)))
	})
	end := 0
	for _, t := range tensors {
		if t.begin < end {
			return fmt.Errorf("%.64q begins at %d, before %d: %w", t.Name, t.begin, end, ErrOverlap)
		}
		if t.begin > end {
			return fmt.Errorf("%.64q begins at %d, after %d: %w", t.Name, t.begin, end, ErrHole)
		}
		end += size(t) // the tensor's second offset: no overflow
		if end > data {
			return fmt.Errorf("%.64q ends at %d of %d: %w", t.Name, end, data, ErrTruncated)
		}
	}
	if end < data {
		return fmt.Errorf("%d bytes: %w", data-end, ErrTrailing)
	}
	slices.SortFunc(tensors, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(tensors); i++ {
		if tensors[i].Name == tensors[i-1].Name {
			return fmt.Errorf("%.64q: %w", tensors[i].Name, ErrDuplicate)
		}
	}
	return nil
}

// Size returns the number of bytes that the values of a tensor take.
func Size(dtype string, shape []int) (int, error) {
	n, ok := dtypes[dtype]
	if !ok {
		return 0, fmt.Errorf("%.16q: %w", dtype, ErrDType)
	}
	for _, d := range shape {
		if d < 0 {
			return 0, ErrNegative
		}
		hi, lo := bits.Mul64(uint64(n), uint64(d))
		if hi != 0 || lo > math.MaxInt {
			return 0, ErrOverflow
		}
		n = int(lo)
	}
	return n, nil
}

// Write writes the tensors and the metadata with a checksum of both. The same content gives the
// same bytes, whatever the order of tensors. Read accepts what Write has written: the header is
// checked by Read's own rules.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	if err := write(w, tensors, metadata); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	return nil
}

func write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	metadata = maps.Clone(metadata)
	if metadata == nil {
		metadata = map[string]string{}
	}
	metadata[checksumKey] = noChecksum
	tensors = slices.Clone(tensors)
	slices.SortFunc(tensors, func(a, b Tensor) int { // wide values first, so that all are aligned
		return cmp.Or(cmp.Compare(dtypes[b.DType], dtypes[a.DType]), strings.Compare(a.Name, b.Name))
	})

	header, err := appendJSON([]byte(`{`), metadataKey, metadata)
	if err != nil {
		return err
	}
	begin := 0
	for _, t := range tensors {
		if !utf8.ValidString(t.Name) {
			return fmt.Errorf("name %q: %w", t.Name, ErrUTF8)
		}
		end := begin + len(t.Data)
		header, err = appendJSON(append(header, ','), t.Name, struct {
			DType   string `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets [2]int `json:"data_offsets"`
		}{t.DType, append([]int{}, t.Shape...), [2]int{begin, end}})
		if err != nil {
			return err
		}
		begin = end
	}
	header = append(header, '}')
	pad := max(0, (len(tensors)+len(metadata))*loadBytes-slack) // for CheckRoom
	pad += -(len(header) + pad) & 7
	header = append(header, bytes.Repeat([]byte(" "), pad)...)
	if len(header) > maxHeader {
		return fmt.Errorf("header of %d bytes: %w", len(header), ErrTooLarge)
	}
	_, sum, err := parse(header, begin)
	if err != nil {
		return err
	}

	data := make([][]byte, len(tensors))
	for i, t := range tensors {
		data[i] = t.Data
	}
	copy(header[sum:], checksum(header, sum, data...))
	prefix := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	for _, b := range append([][]byte{prefix, header}, data...) {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// appendJSON appends one member of an object.
func appendJSON(b []byte, key string, value any) ([]byte, error) {
	if m, ok := value.(map[string]string); ok {
		for k, v := range m { // json.Marshal would replace the bytes in question
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return nil, fmt.Errorf("metadata %q: %w", k, ErrUTF8)
			}
		}
	}
	name, err := json.Marshal(key)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return append(append(append(b, name...), ':'), text...), nil
}

var noChecksum = strings.Repeat("0", 2*sha256.Size)

// checksum returns the SHA-256, in hexadecimal digits, of the file in which those digits, at
// header[at:], are zeros. It leaves them so.
func checksum(header []byte, at int, data ...[]byte) string {
	copy(header[at:], noChecksum)
	h := sha256.New()
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header))))
	h.Write(header)
	for _, b := range data {
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))
}
