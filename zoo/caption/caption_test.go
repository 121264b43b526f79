package caption_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	zoocaption "github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
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

// numbers are the elements of a parameter in double precision.
func numbers(m zoo.Model, name string) []float64 {
	p, ok := m.Params().Get(name)
	if !ok {
		panic(name)
	}
	return p.Value().Data().([]float64)
}

// mulVec is x·W.
func mulVec(x, w []float64) []float64 {
	out := make([]float64, len(w)/len(x))
	for i, a := range x {
		for j := range out {
			out[j] += a * w[i*len(out)+j]
		}
	}
	return out
}

func sumOf(xs ...[]float64) []float64 {
	out := slices.Clone(xs[0])
	for _, x := range xs[1:] {
		for i := range out {
			out[i] += x[i]
		}
	}
	return out
}

func each(x []float64, f func(float64) float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = f(v)
	}
	return out
}

// The loss is that of the equations, written as loops; and both ways to unroll give it.
func TestCaptionerIsItsEquations(t *testing.T) {
	m := newCaptioner(t, zoocaption.Config{
		Stride: 3, Hidden: 5, Features: 4, Embed: 2, Decoder: zoo.Recurrent{Cell: "rnn", Hidden: 3},
		ScoreHidden: 6, Float64: true,
	})
	for _, p := range m.Params().Params() {
		key := rng.New(8).Named(p.Name())
		v := p.Value().Data().([]float64)
		for i := range v {
			v[i] = key.Normal(uint64(i)) / 2
		}
	}
	begin, _ := m.Vocabulary().ID(text.BOS)
	numbers(m, "out/b")[begin] = -40 // Caption leaves it out
	pictures, captions, _ := signs(3, 7)
	captions[1] = captions[1][:1]
	relu := func(x float64) float64 { return max(x, 0) }
	sum, n := 0.0, 0
	for i, picture := range pictures {
		patches, err := m.Patches(picture)
		require.NoError(t, err)
		require.Len(t, patches, m.Cells()*9)
		mean := make([]float64, 4)
		var a [][]float64
		for s := range m.Cells() {
			x := make([]float64, 9)
			for k := range x {
				x[k] = float64(patches[s*9+k])
				at := m.Cell(s).Min.Add(image.Pt(k%3, k/3)).Add(picture.Bounds().Min)
				require.InDelta(t, float64(picture.(*image.Gray).GrayAt(at.X, at.Y).Y)/255, x[k],
					1e-6)
			}
			h := each(sumOf(mulVec(x, numbers(m, "patch/W_1")), numbers(m, "patch/b_1")), relu)
			a = append(a, each(sumOf(mulVec(h, numbers(m, "patch/W_2")), numbers(m, "patch/b_2"),
				numbers(m, "place/E")[s*4:s*4+4]), relu))
			for k := range mean {
				mean[k] += a[s][k] / float64(m.Cells())
			}
		}
		h := each(sumOf(mulVec(mean, numbers(m, "start/l0/W_h")), numbers(m, "start/l0/b_h")),
			math.Tanh)
		ids, err := m.Vocabulary().Encode(captions[i])
		require.NoError(t, err)
		end, _ := m.Vocabulary().ID(text.EOS)
		last := begin
		for _, id := range append(ids, end) {
			weights, total := make([]float64, m.Cells()), 0.0
			for s := range a {
				e := each(sumOf(mulVec(h, numbers(m, "attention/W_q")),
					mulVec(a[s], numbers(m, "attention/W_k"))), math.Tanh)
				weights[s] = math.Exp(mulVec(e, numbers(m, "attention/v"))[0])
				total += weights[s]
			}
			context := make([]float64, 4)
			for s := range a {
				for k := range context {
					context[k] += weights[s] / total * a[s][k]
				}
			}
			x := append(slices.Clone(numbers(m, "words/E")[2*last:2*last+2]), context...)
			h = each(sumOf(mulVec(x, numbers(m, "decoder/l0/W_ih")),
				mulVec(h, numbers(m, "decoder/l0/W_hh")), numbers(m, "decoder/l0/b")), math.Tanh)
			logits := sumOf(mulVec(append(slices.Clone(h), context...), numbers(m, "out/W")),
				numbers(m, "out/b"))
			all := 0.0
			for _, l := range logits {
				all += math.Exp(l)
			}
			sum += math.Log(all) - logits[id]
			n++
			last = id
		}
	}
	examples := captioned(t, m, pictures, captions)
	loss, err := m.Loss(context.Background(), examples)
	require.NoError(t, err)
	require.InDelta(t, sum/float64(n), loss, 1e-6) // the brightness of a pixel is float32 above
	task, err := m.Task(zoocaption.Data{Train: examples, Unroll: unroll.Expand})
	require.NoError(t, err)
	b, err := task.Next(0, 0)
	require.NoError(t, err)
	require.InDelta(t, loss, b.Loss, 1e-12)
	require.Equal(t, n, b.Count)
	gradientAlong(t, task)

	// A caption is worth what the model thinks of it.
	found, err := m.Caption(context.Background(), pictures[0],
		decode.SearchOptions{Beam: 4, Best: 4, Max: 6})
	require.NoError(t, err)
	require.NotEmpty(t, found)
	for _, c := range found {
		require.Len(t, c.Maps, len(c.Tokens))
		for _, row := range c.Maps {
			total := 0.0
			for _, w := range row {
				total += w
			}
			require.InDelta(t, 1, total, 1e-12)
			require.Len(t, row, m.Cells())
		}
		if c.Ended {
			loss, err := m.Loss(context.Background(),
				captioned(t, m, pictures[:1], [][]string{c.Tokens}))
			require.NoError(t, err)
			require.InDelta(t, -loss*float64(len(c.Tokens)+1), c.LogProb, 1e-9)
		}
	}
}

// gradientAlong holds the gradients of a task whose batches are all alike to finite differences
// along random directions, in double precision.
func gradientAlong(t *testing.T, task train.Task) {
	t.Helper()
	at := func() (float64, []float64) {
		b, err := task.Next(5, 7)
		require.NoError(t, err)
		var all []float64
		for _, p := range b.Grads {
			g, err := p.Grad()
			require.NoError(t, err)
			all = append(all, g.Data().([]float64)...)
		}
		return b.Loss, all
	}
	_, first := at()
	gradient := slices.Clone(first)
	b, err := task.Next(5, 7)
	require.NoError(t, err)
	for seed := range uint64(3) {
		move := func(by float64) {
			i := uint64(0)
			for _, p := range b.Grads {
				v := p.Value().(*tensor.Dense).Data().([]float64)
				for k := range v {
					v[k] += by * rng.New(seed).Normal(i)
					i++
				}
			}
		}
		want, norm := 0.0, 0.0
		for i, g := range gradient {
			want += g * rng.New(seed).Normal(uint64(i))
			norm += g * g
		}
		const h = 1e-5
		move(h)
		above, _ := at()
		move(-2 * h)
		below, _ := at()
		move(h)
		require.InDelta(t, want, (above-below)/(2*h), 1e-6*math.Sqrt(norm), "seed %d", seed)
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
	for want, run := range map[string]func() error{
		"picture 0: the picture is 6 × 9 pixels, the model was made for 9 × 6": func() error {
			_, err := m.Caption(ctx, other, decode.SearchOptions{})
			return err
		},
		"the picture is nil": func() error {
			_,
				err := m.Caption(ctx, nil, decode.SearchOptions{})
			return err
		},
		"captioner: the picture is 6 × 9": func() error { _, err := m.Patches(other); return err },
		"Beam is -1": func() error {
			_,
				err := m.Caption(ctx, good, decode.SearchOptions{Beam: -1})
			return err
		},
		"Max is -1": func() error {
			_,
				err := m.Caption(ctx, good, decode.SearchOptions{Max: -1})
			return err
		},
		"training: picture 1: the picture": func() error {
			_, err := m.Task(zoocaption.Data{Train: []zoocaption.Captioned{{Picture: good},
				{Picture: other}}})
			return err
		},
		"caption has id 99": func() error {
			_, err := m.Task(zoocaption.Data{Train: []zoocaption.Captioned{{good, nil}},
				Valid: []zoocaption.Captioned{{good, []int{99}}}})
			return err
		},
		"there are 0 examples": func() error { _, err := m.Task(zoocaption.Data{}); return err },
		"0 examples":           func() error { _, err := m.Loss(ctx, nil); return err },
	} {
		require.ErrorContains(t, run(), want)
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

// A model's configuration says what was left open, of its decoder too.
func TestConfigHasDefaults(t *testing.T) {
	cfg := zoocaption.Config{Height: 4, Width: 4, Patch: 2, Hidden: 2, Features: 2,
		Decoder: zoo.Recurrent{Hidden: 3}}
	m, err := zoocaption.New(cfg, zootest.Letters(t, 3, text.BOS, text.EOS), 1)
	require.NoError(t, err)
	require.Equal(t, zoo.Recurrent{Cell: "lstm", Hidden: 3, Layers: 1}, m.Config().Decoder)
}
