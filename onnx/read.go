package onnx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/seqzoo/seqzoo/internal/filekind"
	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/internal/sysmem"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
)

// ErrFormat is the error, under errors.Is, of a file that is no ONNX model, or a broken one.
var ErrFormat = errors.New("not an ONNX model")

// maxDepth is how deep messages may lie in each other: a graph within a node of a graph is four.
const maxDepth = 100

// Import reads the model in a file. Tensors that the file keeps outside of itself are read from its
// folder and from nowhere else. A model that needs an operator which this library lacks is refused
// by an *UnsupportedError that names all of them.
func Import(file string) (*Model, error) {
	f, size, err := safefile.Open(file)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	defer f.Close()
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	defer root.Close()
	p, err := readFile(f, size)
	return imported(p, err, &folder{root.FS(), "."}, file)
}

// ImportFS is Import for a file system.
func ImportFS(fsys fs.FS, name string) (*Model, error) {
	if fsys == nil {
		return nil, errors.New("onnx: the file system is nil")
	}
	f, size, err := openRegular(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	defer f.Close()
	p, err := readFile(f, size)
	return imported(p, err, &folder{fsys, path.Dir(name)}, name)
}

// imported is the model of a file, err if that could not be read.
func imported(p *pb.ModelProto, err error, in *folder, shown string) (*Model, error) {
	var m *Model
	if err == nil {
		m, err = newModel(p, in)
	}
	if err == nil {
		err = m.unsupported()
	}
	if err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", shown, err)
	}
	return m, nil
}

// Decode reads a model from bytes. One that keeps tensors elsewhere is refused.
func Decode(content []byte) (*Model, error) {
	p, err := parse(content)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	m, err := newModel(p, nil)
	if err == nil {
		err = m.unsupported()
	}
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	return m, nil
}

// openRegular opens a regular file. Whatever else is there is looked at without opening it: a pipe
// might never answer.
func openRegular(fsys fs.FS, name string) (f fs.File, size int64, err error) {
	info, err := fs.Stat(fsys, name)
	if err == nil && info.Mode().IsRegular() {
		if f, err = fsys.Open(name); err == nil {
			if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() {
				f.Close()
			}
		}
	}
	if err == nil && !info.Mode().IsRegular() {
		err = &safefile.NotRegularError{Path: name, Mode: info.Mode()}
	}
	if err != nil {
		return nil, 0, err
	}
	return f, info.Size(), nil
}

func readFile(f io.Reader, size int64) (*pb.ModelProto, error) {
	// The bytes, and the messages made of them.
	if need := 3 * size; size > math.MaxInt32 || beyondMemory(need) {
		return nil, fmt.Errorf("%w: %d bytes are more than can be read", ErrFormat, size)
	}
	content := make([]byte, size)
	if _, err := io.ReadFull(f, content); err != nil {
		return nil, err
	}
	return parse(content)
}

// beyondMemory reports whether n bytes are more than there are.
func beyondMemory(n int64) bool {
	have := sysmem.Available() // 0: not known
	return have > 0 && n > int64(have)
}

func parse(content []byte) (*pb.ModelProto, error) {
	p := &pb.ModelProto{}
	o := proto.UnmarshalOptions{RecursionLimit: maxDepth}
	err := o.Unmarshal(content, p)
	if err != nil || p.Graph == nil || p.IrVersion == nil {
		if kind := filekind.Of(content[:min(len(content), filekind.HeadBytes)]); kind != "" {
			return nil, fmt.Errorf("%w: it is %s", ErrFormat, kind)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w, or cut short or damaged: %w", ErrFormat, err)
	}
	if p.Graph == nil || p.IrVersion == nil {
		return nil, fmt.Errorf("%w: it has no graph, or does not say its version", ErrFormat)
	}
	return p, nil
}

// folder is where a model's tensors outside of its file lie.
type folder struct {
	fsys fs.FS
	dir  string
}

// read gives the bytes of a tensor, of which there must be n.
func (f *folder) read(p *pb.TensorProto, n int) ([]byte, error) {
	if f == nil {
		return nil, errors.New("its elements lie outside of the model, which has no folder")
	}
	var location string
	offset, length := int64(0), int64(n)
	for _, e := range p.ExternalData {
		var err error
		switch e.GetKey() {
		case "location":
			location = e.GetValue()
		case "offset":
			offset, err = strconv.ParseInt(e.GetValue(), 10, 64)
		case "length":
			length, err = strconv.ParseInt(e.GetValue(), 10, 64)
		}
		if err != nil {
			return nil, fmt.Errorf("%s %q is no number", e.GetKey(), e.GetValue())
		}
	}
	if !fs.ValidPath(location) {
		return nil, fmt.Errorf("%q is no file in the model's folder", location)
	}
	if length != int64(n) || offset < 0 {
		return nil, fmt.Errorf("%d bytes from %d on, want %d", length, offset, n)
	}
	file, size, err := openRegular(f.fsys, path.Join(f.dir, location))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if size-int64(n) < offset || beyondMemory(int64(n)) {
		return nil, fmt.Errorf("%s has %d bytes: it does not hold %d from %d on", location,
			size, n, offset)
	}
	seeker, ok := file.(io.Seeker)
	if !ok {
		if _, err := io.CopyN(io.Discard, file, offset); err != nil {
			return nil, err
		}
	} else if _, err := seeker.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(file, b)
	return b, err
}
