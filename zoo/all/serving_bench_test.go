package all_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// Loading a language model of 64 MB: two layers of 1,024.
func BenchmarkLoad(b *testing.B) {
	words := make([]string, 500)
	for i := range words {
		words[i] = "w" + string(rune('a'+i%26)) + string(rune('a'+i/26))
	}
	v, err := text.NewVocabulary(text.VocabularyConfig{}, words)
	require.NoError(b, err)
	m, err := lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "lstm", Hidden: 1024, Layers: 2}}, v, 1)
	require.NoError(b, err)
	dir := b.TempDir() + "/model"
	require.NoError(b, m.Save(dir))
	b.SetBytes(int64(4 * m.Params().Count()))
	for b.Loop() {
		_, err := zoo.Load(dir)
		require.NoError(b, err)
	}
}
