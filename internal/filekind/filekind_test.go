package filekind_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/filekind"
)

func TestOf(t *testing.T) {
	for head, want := range map[string]string{
		"PK\x03\x04\x14": "zip", "\x80\x02}q\x00": "pickle", "\x80\x04\x95": "pickle",
		"\x93NUMPY\x01": "NumPy", "\xba\x16\x4f\x2f\x0c\x00": "fastText",
		"\x89HDF\r\n\x1a\n": "HDF5", "GGUF\x03": "GGUF", "\x1f\x8b\x08": "gzip",
		"\xff\xfea\x00": "UTF-16", "\x20\x00\x00\x00ORTM\x00": "ONNX Runtime",
		"\x1c\x00\x00\x00TFL3\x14":                        "TensorFlow Lite",
		"\x40\x00\x00\x00\x00\x00\x00\x00{\"a\":":         "safetensors",
		"version https://git-lfs.github.com/spec/v1\noid": "git-lfs",
	} {
		require.Contains(t, filekind.Of([]byte(head)), want, "%q", head)
	}
	for head, want := range map[string]string{"\n<!DOCTYPE html>": "HTML", "<HTML><head>": "HTML",
		"\ufeff {\"a\": 1}": "JSON", "[[1]]": "JSON", "<?xml": "XML"} {
		require.Contains(t, filekind.Of([]byte(head)), want, "%q", head)
	}
	for _, head := range []string{"", "P", "\x80", "the 0.1 0.2", "GGUF 0.1 0.2", "{ 0.1 0.2",
		"[ 1 2", "3 3\nthe 1 2 3", strings.Repeat(" ", 2000) + "{"} {
		require.Empty(t, filekind.Of([]byte(head)), "%q", head)
	}
}
