package caption_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	zoocaption "github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// signs are pictures of 6 × 9 pixels with two signs of 3 × 3, a bar or a cross, one left of the
// other at any height, and what a caption of them says.
func signs(n int, seed uint64) (pictures []image.Image, captions [][]string,
	boxes [][2]image.Rectangle) {
	shapes := map[string]string{"bar": "...###...", "cross": "#.#.#.#.#", "post": ".#..#..#."}
	names := []string{"bar", "cross", "post"}
	r := rng.Stream{Key: rng.New(seed)}
	for range n {
		p := image.NewGray(image.Rect(2, 3, 11, 9)) // its corner is not the origin
		var said []string
		var at [2]image.Rectangle
		for k := range 2 {
			name := names[r.Intn(len(names))]
			said = append(said, name)
			x, y := 6*k, r.Intn(4)
			at[k] = image.Rect(x, y, x+3, y+3)
			for i, c := range shapes[name] {
				if c == '#' {
					p.SetGray(2+x+i%3, 3+y+i/3, color.Gray{Y: 255})
				}
			}
		}
		pictures, boxes = append(pictures, p), append(boxes, at)
		captions = append(captions, []string{said[0], "then", said[1]})
	}
	return pictures, captions, boxes
}

func signWords(t testing.TB, captions [][]string) *text.Vocabulary {
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS}},
		captions...)
	require.NoError(t, err)
	return v
}

func captioned(t testing.TB, m *zoocaption.Model, pictures []image.Image,
	captions [][]string) []zoocaption.Captioned {
	out := make([]zoocaption.Captioned, len(pictures))
	for i := range out {
		ids, err := m.Vocabulary().Encode(captions[i])
		require.NoError(t, err)
		out[i] = zoocaption.Captioned{Picture: pictures[i], Caption: ids}
	}
	return out
}

func newCaptioner(t testing.TB, cfg zoocaption.Config) *zoocaption.Model {
	_, captions, _ := signs(50, 1)
	cfg.Height, cfg.Width, cfg.Patch = 6, 9, 3
	m, err := zoocaption.New(cfg, signWords(t, captions), 1)
	require.NoError(t, err)
	return m
}

// What signs there are is learned, attention looks at the one that is named, and a saved model says
// the same, also to many at once.
func TestCaptionerLearns(t *testing.T) {
	m := newCaptioner(t, zoocaption.Config{Stride: 1, Hidden: 24, Features: 16,
		Decoder: zoo.Recurrent{Cell: "gru", Hidden: 24}})
	pictures, captions, _ := signs(600, 1)
	task, err := m.Task(zoocaption.Data{Train: captioned(t, m, pictures, captions)})
	require.NoError(t, err)
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
	require.NoError(t, err)
	_, err = train.Fit(context.Background(), task,
		train.Config{Optimizer: adam, Epochs: 12, Clip: train.Clip{Norm: 1}})
	require.NoError(t, err)

	pictures, captions, boxes := signs(100, 2)
	check := func(m *zoocaption.Model, o decode.SearchOptions) (all [][]zoocaption.Caption) {
		all, err := m.CaptionAll(context.Background(), pictures, o)
		require.NoError(t, err)
		exact, inside := 0, 0
		for i, found := range all {
			if !slices.Equal(found[0].Tokens, captions[i]) {
				continue
			}
			exact++
			for k := range 2 {
				r := m.Cell(found[0].Peak(2 * k))
				if !r.Intersect(boxes[i][k]).Empty() {
					inside++
				}
			}
		}
		t.Logf("%d of 100 exact, attention on the sign %d times of %d", exact, inside, 2*exact)
		require.GreaterOrEqual(t, exact, 95)
		require.Greater(t, inside, 2*exact*9/10)
		return all
	}
	want := check(m, decode.SearchOptions{})
	check(m, decode.SearchOptions{Beam: 3})

	dir := t.TempDir()
	require.NoError(t, m.Save(dir))
	loaded, err := zoocaption.Load(dir)
	require.NoError(t, err)
	require.Equal(t, m.Config(), loaded.Config())
	var wg sync.WaitGroup
	var got [8][][]zoocaption.Caption
	var errs [8]error
	for i := range got {
		wg.Go(func() {
			got[i], errs[i] = loaded.CaptionAll(context.Background(), pictures[:20],
				decode.SearchOptions{})
		})
	}
	wg.Wait()
	for i := range got {
		require.NoError(t, errs[i])
		require.Equal(t, want[:16], got[i][:16])
	}
}

// Random sizes, 1 among them, either build and give the same loss both ways, or are refused by an
// error.
func TestCaptionerShapes(t *testing.T) {
	r := rng.Stream{Key: rng.New(11)}
	built := 0
	for range 30 {
		n := func(most int) int { return 1 + r.Intn(most) }
		cfg := zoocaption.Config{
			Height: n(6), Width: n(6), Patch: n(3), Stride: n(3), Hidden: n(4), Features: n(4),
			Embed: n(4), ScoreHidden: n(3),
			Decoder: zoo.Recurrent{Cell: []string{"rnn", "gru", "lstm", "tree"}[r.Intn(4)],
				Hidden: n(4), Layers: n(2)},
			Score: []cells.Score{"", cells.DotScore, cells.GeneralScore,
				cells.ConcatScore}[r.Intn(4)], Float64: true,
		}
		m, err := zoocaption.New(cfg, zootest.Letters(t, 3, text.BOS, text.EOS), 1)
		if err != nil {
			require.ErrorContains(t, err, "zoo: captioner: ")
			continue
		}
		built++
		var examples []zoocaption.Captioned
		for range n(3) {
			p := image.NewGray(image.Rect(0, 0, cfg.Width, cfg.Height))
			for i := range p.Pix {
				p.Pix[i] = uint8(r.Intn(256))
			}
			var caption []int
			for range r.Intn(4) {
				caption = append(caption, 2+r.Intn(3))
			}
			examples = append(examples, zoocaption.Captioned{Picture: p, Caption: caption})
		}
		var losses [2]float64
		for i, how := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
			task, err := m.Task(zoocaption.Data{Train: examples, Unroll: how})
			require.NoError(t, err)
			b, err := task.Next(1, 0)
			require.NoError(t, err)
			losses[i] = b.Loss
		}
		require.InDelta(t, losses[0], losses[1], 1e-10, "%+v", cfg)
		_, err = m.Caption(context.Background(), examples[0].Picture,
			decode.SearchOptions{Beam: n(3), Max: 3})
		require.NoError(t, err)
	}
	require.Greater(t, built, 3)
}

func TestCaptionerResumes(t *testing.T) {
	pictures, captions, _ := signs(40, 3)
	run := func(dir string, epochs ...int) map[string]any {
		var m *zoocaption.Model
		for i, n := range epochs {
			m = newCaptioner(t, zoocaption.Config{Stride: 3, Hidden: 4, Features: 5,
				Decoder: zoo.Recurrent{Hidden: 4, Layers: 2, Dropout: 0.1}, Dropout: 0.2})
			all := captioned(t, m, pictures, captions)
			task, err := m.Task(zoocaption.Data{Train: all, Valid: all[:7], Batch: 6})
			require.NoError(t, err)
			adam, err := train.NewAdam(train.AdamConfig{})
			require.NoError(t, err)
			checkpoints, err := train.OpenCheckpoints(dir, 0)
			require.NoError(t, err)
			_, err = train.Fit(context.Background(), task,
				train.Config{Optimizer: adam, Epochs: n, Seed: 3, Checkpoints: checkpoints,
					Resume: i > 0})
			require.NoError(t, err)
			require.NoError(t, checkpoints.Close())
		}
		values := map[string]any{}
		for _, p := range m.Params().Params() {
			values[p.Name()] = p.Value().Data()
		}
		return values
	}
	require.Equal(t, run(t.TempDir(), 3), run(t.TempDir(), 1, 3))
}

// A model of pictures in miniature.
func ExampleModel() {
	words, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS}},
		[]string{"dark", "light"})
	if err != nil {
		panic(err)
	}
	m, err := zoocaption.New(zoocaption.Config{Height: 4, Width: 4, Patch: 2, Hidden: 8,
		Features: 8, Decoder: zoo.Recurrent{Hidden: 8}}, words, 1)
	if err != nil {
		panic(err)
	}
	light, dark := image.NewGray(image.Rect(0, 0, 4, 4)), image.NewGray(image.Rect(0, 0, 4, 4))
	for i := range light.Pix {
		light.Pix[i] = 200
	}
	say := func(word string) []int { id, _ := words.ID(word); return []int{id} }
	task, err := m.Task(zoocaption.Data{Train: []zoocaption.Captioned{{light, say("light")},
		{dark, say("dark")}}})
	if err != nil {
		panic(err)
	}
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.02})
	if err != nil {
		panic(err)
	}
	if _, err := train.Fit(context.Background(), task,
		train.Config{Optimizer: adam, Epochs: 60}); err != nil {
		panic(err)
	}
	for _, p := range []image.Image{light, dark} {
		c, err := m.Caption(context.Background(), p, decode.SearchOptions{})
		if err != nil {
			panic(err)
		}
		fmt.Println(strings.Join(c[0].Tokens, " "), len(c[0].Maps[0]), "weights")
	}
	// Output:
	// light 9 weights
	// dark 9 weights
}
