package images

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/seqzoo/seqzoo/internal/safefile"
)

// MaxBytes is the longest file that the readers take, after decompression.
const MaxBytes = 1 << 31

const (
	unsignedByte = 0x08 // the type of the elements, third byte of the magic number
	chunk        = 1 << 20
)

// Set is a stack of N grey images of one size, with a label for each where there are labels.
type Set struct {
	Rows, Cols int
	Pixels     []uint8 // [N, Rows·Cols], 0 is background
	Labels     []uint8 // [N], or nil
}

// Len is N, the number of images.
func (s *Set) Len() int {
	if s.Rows*s.Cols == 0 {
		return 0
	}
	return len(s.Pixels) / (s.Rows * s.Cols)
}

// At is the pixels of image i, row by row, [Rows·Cols]. They are part of s.
func (s *Set) At(i int) []uint8 {
	n := s.Rows * s.Cols
	return s.Pixels[i*n : (i+1)*n : (i+1)*n]
}

// Floats returns the pixels divided by 255, [N, Rows·Cols].
func (s *Set) Floats() []float32 {
	x := make([]float32, len(s.Pixels))
	for i, p := range s.Pixels {
		x[i] = float32(p) / 255
	}
	return x
}

// Slice is the images from i up to j. It shares its memory with s.
func (s *Set) Slice(i, j int) *Set {
	n := s.Rows * s.Cols
	part := &Set{Rows: s.Rows, Cols: s.Cols, Pixels: s.Pixels[i*n : j*n : j*n]}
	if s.Labels != nil {
		part.Labels = s.Labels[i:j:j]
	}
	return part
}

// ReadLabelled reads a file of images and the file of their labels.
func ReadLabelled(imagesPath, labelsPath string) (*Set, error) {
	s, err := Read(imagesPath)
	if err != nil {
		return nil, err
	}
	if s.Labels, err = ReadLabels(labelsPath); err != nil {
		return nil, err
	}
	if len(s.Labels) != s.Len() {
		return nil, fmt.Errorf("%s has %d labels, %s has %d images: they do not belong together",
			labelsPath, len(s.Labels),
			imagesPath, s.Len())
	}
	return s, nil
}

// Read reads a file of images, IDX with three dimensions [N, Rows, Cols] of unsigned bytes.
func Read(path string) (*Set, error) {
	dims, pixels, err := readFile(path, 3)
	if err != nil {
		return nil, err
	}
	return &Set{Rows: dims[1], Cols: dims[2], Pixels: pixels}, nil
}

// ReadLabels reads a file of labels, IDX with one dimension [N] of unsigned bytes.
func ReadLabels(path string) ([]uint8, error) {
	_, labels, err := readFile(path, 1)
	return labels, err
}

// readFile returns the dimensions and elements of an IDX file of unsigned bytes, which must have
// ndims dimensions.
func readFile(path string, ndims int) ([]int, []uint8, error) {
	f, size, err := safefile.Open(path)
	var other *safefile.NotRegularError
	if errors.As(err, &other) && other.Mode.IsDir() {
		return nil, nil, fmt.Errorf("%s is a directory, not an IDX file", path)
	} else if err != nil {
		return nil, nil, err // says the path and why
	}
	defer f.Close()
	dims, elements, err := read(f, size, ndims)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return dims, elements, nil
}

// read reads an IDX file, plain or compressed, that takes size bytes.
func read(r io.Reader, size int64, ndims int) ([]int, []uint8, error) {
	buffered := bufio.NewReader(r)
	magic, err := buffered.Peek(2)
	if len(magic) == 0 {
		return nil, nil, errors.Join(errors.New("the file is empty"), notEOF(err))
	}
	if string(magic) != "\x1f\x8b" {
		return decode(buffered, min(size, MaxBytes), size, ndims)
	}
	z, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, nil, err
	}
	// Images shrink to a quarter or so: what expands further than this is an attack.
	return decode(z, min(MaxBytes, 64<<20+100*min(size, MaxBytes)), -1, ndims)
}

// decode reads an IDX file of at most limit bytes; held is what it holds, header included, or -1
// where that is unknown.
func decode(r io.Reader, limit, held int64, ndims int) ([]int, []uint8, error) {
	header := make([]byte, 4+4*ndims)
	if _, err := io.ReadFull(r, header[:4]); err != nil {
		return nil, nil, cut(err, "in its magic number")
	}
	switch {
	case header[0] != 0 || header[1] != 0:
		return nil, nil, fmt.Errorf("not an IDX file: it starts with % x, an IDX file with 00 00",
			header[:4])
	case header[2] != unsignedByte:
		return nil, nil, fmt.Errorf("the elements are of type %#02x; unsigned bytes (0x08) are "+
			"what images and labels are", header[2])
	case int(header[3]) != ndims:
		return nil, nil, fmt.Errorf("the file has %s; %s", kind(int(header[3])), wanted(ndims))
	}
	if _, err := io.ReadFull(r, header[4:]); err != nil {
		return nil, nil, cut(err, "in its header")
	}
	dims, total := make([]int, ndims), int64(1)
	for i := range dims {
		dims[i] = int(binary.BigEndian.Uint32(header[4+4*i:]))
		if dims[i] == 0 {
			return nil, nil, fmt.Errorf("the header says %v: there is nothing in it", dims[:i+1])
		}
		if total > MaxBytes/int64(dims[i]) {
			return nil, nil, fmt.Errorf("the header says %v elements, more than the "+
				"limit of %d bytes", dims[:i+1], MaxBytes)
		}
		total *= int64(dims[i])
	}
	if held -= int64(len(header)); held >= 0 && held != total {
		return nil, nil, fmt.Errorf("the header says %v, that is %d bytes, and %d follow it", dims,
			total, held)
	}
	if total > limit {
		return nil, nil, fmt.Errorf("the header says %v, that is %d bytes, more than a file of "+
			"this size can hold (limit %d)",
			dims, total, limit)
	}
	elements, err := readExactly(r, total, held >= 0)
	if err != nil {
		return nil, nil, fmt.Errorf("the header says %v, that is %d bytes: %w", dims, total, err)
	}
	if n, err := io.ReadFull(r, header[:1]); n > 0 {
		return nil, nil, fmt.Errorf("the header says %v, that is %d bytes, and more follow", dims,
			total)
	} else if err != io.EOF { // the checksum of a compressed file is tested here
		return nil, nil, err
	}
	return dims, elements, nil
}

// readExactly reads n bytes. Where it is not sure that they are there, it takes memory for those
// that come rather than for those that were promised.
func readExactly(r io.Reader, n int64, sure bool) ([]byte, error) {
	if sure {
		all := make([]byte, n)
		got, err := io.ReadFull(r, all)
		return all, cut(err, fmt.Sprintf("after %d", got))
	}
	var chunks [][]byte
	for have := int64(0); have < n; {
		// Chunks grow with what has come: many for a large file, and none much larger than a file
		// that ends early.
		c := make([]byte, min(n-have, max(have, 4096), chunk))
		got, err := io.ReadFull(r, c)
		have += int64(got)
		if err != nil {
			return nil, cut(err, fmt.Sprintf("after %d", have))
		}
		chunks = append(chunks, c)
	}
	if len(chunks) == 1 {
		return chunks[0], nil
	}
	all := make([]byte, 0, n)
	for i, c := range chunks {
		all = append(all, c...)
		chunks[i] = nil
	}
	return all, nil
}

// cut is the error of a read that stopped at a place.
func cut(err error, where string) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the file ends %s: %w", where, io.ErrUnexpectedEOF)
	}
	return err
}

func notEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

func kind(ndims int) string {
	switch ndims {
	case 1:
		return "one dimension, as files of labels have"
	case 3:
		return "three dimensions, as files of images have"
	}
	return fmt.Sprintf("%d dimensions", ndims)
}

func wanted(ndims int) string {
	if ndims == 1 {
		return "labels have one"
	}
	return "images have three: number, rows, columns"
}

// Write writes the images as an uncompressed IDX file.
func (s *Set) Write(w io.Writer) error {
	if n := s.Rows * s.Cols; s.Rows < 1 || s.Cols < 1 || len(s.Pixels) == 0 ||
		len(s.Pixels)%n != 0 {
		return fmt.Errorf("images: %d pixels are no images of %d by %d", len(s.Pixels), s.Rows,
			s.Cols)
	}
	return write(w, s.Pixels, s.Len(), s.Rows, s.Cols)
}

// WriteLabels writes labels as an uncompressed IDX file.
func WriteLabels(w io.Writer, labels []uint8) error {
	if len(labels) == 0 || w == nil {
		return errors.New("images: no labels to write, or nowhere to write them")
	}
	return write(w, labels, len(labels))
}

func write(w io.Writer, elements []uint8, dims ...int) error {
	header := []byte{0, 0, unsignedByte, uint8(len(dims))}
	for _, d := range dims {
		if int64(d) > 1<<32-1 {
			return fmt.Errorf("images: a dimension of %d does not fit into an IDX file", d)
		}
		header = binary.BigEndian.AppendUint32(header, uint32(d))
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	_, err := w.Write(elements)
	return err
}
