package onnx_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
)

// FuzzDecode holds reading, and running what could be read, to errors: no file may end the process,
// take memory that it does not fill, or hang.
func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob("testdata/conformance/*/model.onnx")
	more, _ := filepath.Glob(nodeTests + "/test_*/model.onnx")
	for i, file := range append(files, more...) {
		if content, err := os.ReadFile(file); err == nil && i%7 == 0 {
			f.Add(content)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		m, err := onnx.Decode(content)
		if err != nil {
			return
		}
		in := onnx.Values{}
		for _, info := range m.Inputs() {
			n := 1
			var shape []int
			for _, d := range info.Shape {
				size := d.Size
				if size < 0 {
					size = 2
				}
				if size > 16 || n > 4096 {
					return
				}
				shape, n = append(shape, size), n*size
			}
			if info.Type == onnx.String {
				in[info.Name] = onnx.Strings(make([]string, n), shape...)
			} else {
				in[info.Name] = onnx.Of(info.Type, make([]float32, n), shape...)
			}
		}
		var bug host.Bug
		if _, err := m.Run(in); errors.As(err, &bug) {
			t.Fatalf("%v\n%s", bug, bug.Stack)
		}
	})
}

// FuzzTensor holds tensors in files beside models to the same.
func FuzzTensor(f *testing.F) {
	files, _ := filepath.Glob("testdata/conformance/*/test_data_set_0/input_0.pb")
	for _, file := range files {
		if content, err := os.ReadFile(file); err == nil {
			f.Add(content)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		name, x, err := onnx.DecodeNamed(content)
		if err != nil {
			return
		}
		again, err := onnx.EncodeTensor(name, x)
		if err != nil {
			t.Fatal(err)
		}
		if _, y, err := onnx.DecodeNamed(again); err != nil || y.String() != x.String() {
			t.Fatal(x, y, err)
		}
	})
}
