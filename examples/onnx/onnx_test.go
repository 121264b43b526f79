package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// A saved model is exported, inspected, run on JSON, compared with what it gave, imported and
// measured.
func TestCommands(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	words, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}},
		[]string{"a", "b"})
	require.NoError(t, err)
	m, err := lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3}}, words, 1)
	require.NoError(t, err)
	require.NoError(t, m.Save(path("model")))
	require.NoError(t, os.WriteFile(path("in.json"), []byte(`{"ids": {"type": "int64", "dims": [2, 1],
		"data": [1, 2]}, "state_0_l0_h": {"type": "float", "dims": [1, 3], "data": [0, 1, 2]}}`), 0o666))
	c := &command{model: path("model"), onnx: path("m.onnx"), write: path("m.onnx"), opset: 17,
		data: path("in.json"), want: path("out.json"), runs: 2, tolerance: 1e-6,
		sizes: "time=3,batch=2"}
	var out bytes.Buffer
	s := cli.Std{Out: &out}
	ctx := context.Background()
	require.NoError(t, c.export(ctx, s))
	require.NoError(t, c.inspect(ctx, s))
	require.Contains(t, out.String(), "operator  GRU 1 times")
	require.Contains(t, out.String(), "next_state_0_l0_h goes on as state_0_l0_h")
	c.write = path("out.json")
	require.NoError(t, c.run(ctx, s))
	require.NoError(t, c.compare(ctx, s))
	require.Contains(t, out.String(), "logits: greatest difference 0")
	require.NoError(t, c.benchmark(ctx, s))
	c.write = path("again.onnx")
	require.NoError(t, c.again(ctx, s))
	c.onnx = path("again.onnx")
	require.NoError(t, c.compare(ctx, s))
	require.NoError(t, os.WriteFile(path("out.json"), []byte(`{"logits": {"type": "float",
		"dims": [2, 1, 3], "data": [9, 9, 9, 9, 9, 9]}}`), 0o666))
	require.ErrorContains(t, c.compare(ctx, s), `output "logits" differs`)
}
