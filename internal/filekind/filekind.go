// Package filekind says what a file is that is not what was wanted, by how it begins.
package filekind

import (
	"bytes"
	"strings"
)

// HeadBytes is how much of a file Of looks at.
const HeadBytes = 512

// Safetensors is the kind that the library writes.
const Safetensors = "a safetensors file"

// Pointer is a small text that stands for a file.
const Pointer = "a pointer of git-lfs, which stands for the file itself: git lfs pull fetches that"

// magics are how files of bytes begin.
var magics = []struct{ begin, kind string }{
	{"PK\x03\x04", "a zip archive, as torch.save and many downloads are"},
	{"\x1f\x8b", "compressed by gzip"},
	{"BZh91AY&SY", "compressed by bzip2"},
	{"\xfd7zXZ\x00", "compressed by xz"},
	{"\x28\xb5\x2f\xfd", "compressed by zstd"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive"},
	{"\x80\x02", "a pickle, as Python, gensim and old versions of PyTorch write"},
	{"\x80\x03", "a pickle, as Python and gensim write"},
	{"\x80\x04", "a pickle, as Python and gensim write"},
	{"\x80\x05", "a pickle, as Python and gensim write"},
	{"\x93NUMPY", "an array of NumPy (.npy), as gensim writes beside a pickle"},
	{"\xba\x16\x4f\x2f", "a model in fastText's own form (.bin); the .vec file that " +
		"belongs to it is text"},
	{"\x89HDF\r\n\x1a\n", "an HDF5 file"},
	{"GGUF\x02", "a GGUF file"},
	{"GGUF\x03", "a GGUF file"},
	{"tjgg", "a file of old llama.cpp (ggjt)"},
	{"\xff\xfe", "text in UTF-16"},
	{"\xfe\xff", "text in UTF-16"},
	{"\x89PNG", "a picture (PNG)"},
	{"%PDF-", "a PDF document"},
	{"ARROW1\x00", "an Arrow file"},
	{"PAR1\x15", "a Parquet file"},
}

// Of names what a file is that begins with head, such as "a zip archive", "" if that is not known.
// A file of text may begin so by chance, and should be asked after only once it could not be read.
func Of(head []byte) string {
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.begin)) {
			return m.kind
		}
	}
	if len(head) > 8 {
		switch string(head[4:8]) {
		case "ORTM":
			return "a model in ONNX Runtime's own form (.ort); the .onnx that it was " +
				"made of is wanted"
		case "TFL3":
			return "a model of TensorFlow Lite"
		}
	}
	if len(head) > 8 && bytes.HasPrefix(head[8:], []byte(`{"`)) &&
		bytes.Equal(head[4:8], make([]byte, 4)) {
		return Safetensors
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head[:min(len(head), HeadBytes)], []byte("\ufeff")),
		" \t\r\n")
	text := strings.ToLower(string(head[:min(len(head), 64)]))
	switch {
	case strings.HasPrefix(text, "version https://git-lfs"):
		return Pointer
	case strings.HasPrefix(text, "<!doctype html"), strings.HasPrefix(text, "<html"):
		return "a page of HTML, such as a server sends in place of a file"
	case strings.HasPrefix(text, "<?xml"):
		return "XML"
	}
	compact := strings.Join(strings.Fields(text), "")
	for _, begin := range [...]string{`{"`, "{}", "[{", "[[", `["`} {
		if strings.HasPrefix(compact, begin) {
			return "JSON"
		}
	}
	return ""
}
