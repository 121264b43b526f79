package onnx_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/onnx"
)

// What is no regular file is refused at once, and never waited for; a link to a model is followed.
func TestSpecialFiles(t *testing.T) {
	dir := t.TempDir()
	pipe, device := filepath.Join(dir, "pipe.onnx"), filepath.Join(dir, "device.onnx")
	require.NoError(t, syscall.Mkfifo(pipe, 0o666))
	require.NoError(t, os.Symlink("/dev/zero", device))
	for _, file := range []string{pipe, device, dir} {
		_, err := onnx.Import(file)
		require.ErrorIs(t, err, fs.ErrInvalid, file)
	}
	for _, file := range []string{"pipe.onnx", "device.onnx", "."} {
		_, err := onnx.ImportFS(os.DirFS(dir), file)
		require.Error(t, err, file)
	}
	_, err := onnx.Import(filepath.Join(dir, "absent.onnx"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	model, err := filepath.Abs("testdata/conformance/lstm_plain/model.onnx")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(model, filepath.Join(dir, "link.onnx")))
	_, err = onnx.Import(filepath.Join(dir, "link.onnx"))
	require.NoError(t, err)
}
