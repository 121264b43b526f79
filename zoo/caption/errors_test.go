package caption_test

import (
	"context"
	"image"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/zoo"
	zoocaption "github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func TestCaptionerErrors(t *testing.T) {
	gru := zoo.Recurrent{Cell: "gru", Hidden: 3}
	words := signWords(t, [][]string{{"a"}})
	for want, cfg := range map[string]zoocaption.Config{
		"height is 0":                {},
		"width is -1":                {Height: 1, Width: -1, Patch: 1, Decoder: gru},
		"patch is 0":                 {Height: 4, Width: 4, Decoder: gru},
		"do not cover a width of 6":  {Height: 7, Width: 6, Patch: 3, Stride: 2, Decoder: gru},
		"do not cover a height of 2": {Height: 2, Width: 6, Patch: 3, Stride: 1, Decoder: gru},
		"stride is -1": {Height: 3, Width: 3, Patch: 3, Stride: -1,
			Decoder: gru},
		"16777216 patches": {Height: 4096, Width: 4096, Patch: 1, Stride: 1,
			Decoder: gru},
		"features is -2": {Height: 3, Width: 3, Patch: 3, Features: -2,
			Decoder: gru},
		"hidden is 1099511627776": {Height: 3, Width: 3, Patch: 3, Hidden: 1 << 40,
			Decoder: gru},
		"dropout is NaN": {Height: 3, Width: 3, Patch: 3, Dropout: math.NaN(),
			Decoder: gru},
		"decoder: hidden is 0": {Height: 3, Width: 3, Patch: 3},
		"Score is \"hard\"": {Height: 3, Width: 3, Patch: 3, Score: "hard",
			Decoder: gru},
		"keys 128 wide: want equal width": {Height: 3, Width: 3, Patch: 3, Score: "dot",
			Decoder: gru},
	} {
		_, err := zoocaption.New(cfg, words, 1)
		require.ErrorContains(t, err, want)
	}
	small := zoocaption.Config{Height: 3, Width: 3, Patch: 3, Decoder: gru}
	_, err := zoocaption.New(small, zootest.Letters(t, 2), 1)
	require.ErrorContains(t, err, "needs the special tokens <bos> and <eos>")
	_, err = zoocaption.New(small, nil, 1)
	require.ErrorContains(t, err, "needs a vocabulary")

	m := newCaptioner(t, zoocaption.Config{Decoder: gru})
	ctx := context.Background()
	good, other := image.NewGray(image.Rect(0, 0, 9, 6)), image.NewGray(image.Rect(0, 0, 6, 9))
	for want, err := range map[string]error{
		"picture 0: the picture is 6 × 9 pixels, the model was made for 9 × 6": testkit.ErrOf(m.Caption(ctx, other, decode.SearchOptions{})),
		"the picture is nil":              testkit.ErrOf(m.Caption(ctx, nil, decode.SearchOptions{})),
		"captioner: the picture is 6 × 9": testkit.ErrOf(m.Patches(other)),
		"Beam is -1":                      testkit.ErrOf(m.Caption(ctx, good, decode.SearchOptions{Beam: -1})),
		"Max is -1":                       testkit.ErrOf(m.Caption(ctx, good, decode.SearchOptions{Max: -1})),
		"training: picture 1: the picture": testkit.ErrOf(m.Task(zoocaption.Data{Train: []zoocaption.Captioned{{Picture: good},
			{Picture: other}}})),
		"caption has id 99": testkit.ErrOf(m.Task(zoocaption.Data{Train: []zoocaption.Captioned{{good, nil}},
			Valid: []zoocaption.Captioned{{good, []int{99}}}})),
		"there are 0 examples": testkit.ErrOf(m.Task(zoocaption.Data{})),
		"0 examples":           testkit.ErrOf(m.Loss(ctx, nil)),
	} {
		require.ErrorContains(t, err, want)
	}
	none, err := m.CaptionAll(ctx, nil, decode.SearchOptions{})
	require.NoError(t, err)
	require.Empty(t, none)
	stopped, stop := context.WithCancel(ctx)
	stop()
	_, err = m.Caption(stopped, good, decode.SearchOptions{})
	require.ErrorIs(t, err, context.Canceled)

	// Colours become grey, whatever the picture is stored as.
	coloured := image.NewRGBA(image.Rect(0, 0, 9, 6))
	for i := range coloured.Pix {
		coloured.Pix[i] = 255
	}
	p, err := m.Patches(coloured)
	require.NoError(t, err)
	require.Equal(t, slices.Repeat([]float32{1}, len(p)), p)

	dir := t.TempDir()
	require.NoError(t, m.Save(dir))
	_, err = seq2seq.Load(dir)
	require.ErrorContains(t, err, "holds a Captioner, not a Seq2Seq")
	_, err = zoocaption.Load(t.TempDir())
	require.Error(t, err)
}

// A model's configuration says what was left open, of its decoder too.
func TestConfigHasDefaults(t *testing.T) {
	cfg := zoocaption.Config{Height: 4, Width: 4, Patch: 2, Hidden: 2, Features: 2,
		Decoder: zoo.Recurrent{Hidden: 3}}
	m, err := zoocaption.New(cfg, zootest.Letters(t, 3, text.BOS, text.EOS), 1)
	require.NoError(t, err)
	require.Equal(t, zoo.Recurrent{Cell: "lstm", Hidden: 3, Layers: 1}, m.Config().Decoder)
}
