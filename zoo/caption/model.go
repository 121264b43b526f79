package caption

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"io"
	"math"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// prefix stands before the errors of this package.
const prefix = check.Prefix("zoo: captioner: ")

// Config sizes a Model. The zero value of an optional field is its default.
type Config struct {
	Height int `json:"height"` // of a picture, in pixels
	Width  int `json:"width"`
	// side of the square patches that are looked at; as large as a thing to be named
	Patch int `json:"patch"`
	// from one patch to the next, both ways; default: half of a patch
	Stride   int `json:"stride"`
	Hidden   int `json:"hidden"`   // of the layer that reads a patch; default 256
	Features int `json:"features"` // F, width of what is known of a patch; default 128

	Decoder zoo.Recurrent `json:"decoder"`
	Embed   int           `json:"embed"`           // of the words; default the decoder's width
	Score   cells.Score   `json:"score,omitempty"` // of the attention; default additive
	// of the scores additive and concat; default the decoder's width
	ScoreHidden int `json:"score_hidden,omitempty"`
	// of the features of a patch, and of what the output layer reads
	Dropout float64 `json:"dropout,omitempty"`
	Float64 bool    `json:"float64,omitempty"` // weights of double precision

	// how captions are cut; tokens that are given are brought to its Unicode form
	Text text.Cut `json:"text,omitzero"`
}

// MaxPicture bounds the sides of a picture, and MaxPatches how many patches are looked at.
const (
	MaxPicture = 1 << 12
	MaxPatches = 1 << 12
)

func (c Config) withDefaults() Config {
	c.Decoder = c.Decoder.WithDefaults()
	c.Stride = cmp.Or(c.Stride, max(c.Patch/2, 1))
	c.Hidden, c.Features = cmp.Or(c.Hidden, 256), cmp.Or(c.Features, 128)
	c.Embed = cmp.Or(c.Embed, c.Decoder.Width())
	c.Score = cmp.Or(c.Score, cells.AdditiveScore)
	return c
}

func (c Config) attention() cells.AttentionConfig {
	return cells.AttentionConfig{Score: c.Score, Query: c.Decoder.Width(), Key: c.Features,
		Hidden: c.ScoreHidden}
}

// Validate reports every field that is out of range.
func (c Config) Validate() error {
	c = c.withDefaults()
	var bad check.Problems
	for _, side := range []struct {
		name string
		n    int
	}{{"height", c.Height}, {"width", c.Width}} {
		ok := side.n >= 1 && side.n <= MaxPicture
		bad.Int(side.name, side.n, 1, MaxPicture)
		if ok && c.Patch >= 1 && c.Stride >= 1 {
			bad.That(c.Patch <= side.n && (side.n-c.Patch)%c.Stride == 0,
				"patches of %d every %d pixels do not cover a %s of %d to its end",
				c.Patch, c.Stride, side.name, side.n)
		}
	}
	bad.Int("patch", c.Patch, 1, math.MaxInt)
	bad.Int("stride", c.Stride, 1, math.MaxInt)
	if bad.None() {
		bad.That(c.cells() <= MaxPatches, "%d patches of %d every %d pixels, want at most %d",
			c.cells(), c.Patch, c.Stride, MaxPatches)
	}
	bad.Int("hidden", c.Hidden, 1, cells.MaxWidth)
	bad.Int("features", c.Features, 1, cells.MaxWidth)
	bad.Int("embed", c.Embed, 1, cells.MaxWidth)
	bad.Rate("dropout", c.Dropout)
	bad.In("decoder", c.Decoder.CheckMerge(false))
	bad.In("text", c.Text.Validate())
	if err := c.Decoder.Validate(); err != nil {
		bad.In("decoder", err)
	} else {
		bad.Add(c.attention().Validate())
	}
	return bad.Err()
}

// grid is how many patches lie below each other and side by side.
func (c Config) grid() (rows, cols int) {
	if c.Stride < 1 {
		return 0, 0 // of an empty model
	}
	return (c.Height-c.Patch)/c.Stride + 1, (c.Width-c.Patch)/c.Stride + 1
}

func (c Config) cells() int {
	rows, cols := c.grid()
	return rows * cols
}

// Model says in words what a picture shows, and for each word where it looked (Xu et al., 2015,
// soft attention). The picture is cut into a grid of S overlapping patches x_s, which one small
// network reads, with a vector p_s for the place:
//
//	a_s = relu(relu(x_s·W_1 + b_1)·W_2 + b_2 + p_s)
//	s_0 = tanh(mean of a·W + b), for each layer and part of the state
//	h_t as cells.Bahdanau over the memory a,  logits = [h_t; context]·W + b
//
// Where the paper has the features of a convolutional network trained before on other pictures,
// these layers learn with the rest, from the captions alone.
//
// Its parameters are patch/W_1 [Patch², Hidden], patch/b_1, patch/W_2 [Hidden, F], patch/b_2,
// place/E [S, F], start/l0/W_h …, words/E [V, Embed], attention/…, decoder/l0/…, out/W and out/b.
//
// Its methods other than training are safe for concurrent use.
type Model struct {
	cfg              Config
	words            *text.Vocabulary
	bos, eos         int
	store            *nodes.Store
	w1, b1, w2, b2   *nodes.Param
	place, embedding *nodes.Param
	start            shared.Starts
	attention        *cells.Attention
	decoder          cells.Layers
	out              nodes.Linear
	writers          run.Pool[run.Of[captionSize], *captionWriter]
}

// New makes a model with initial weights drawn from seed. The vocabulary needs <bos> and <eos>.
func New(cfg Config, words *text.Vocabulary, seed uint64) (m *Model, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, prefix.Wrap(err)
	}
	if words == nil {
		return nil, prefix.Errorf("it needs a vocabulary")
	}
	if err := cfg.Text.Check(words); err != nil {
		return nil, prefix.Wrap(err)
	}
	m = &Model{cfg: cfg.withDefaults(), words: words}
	var begins, ends bool
	m.bos, begins = words.ID(text.BOS)
	m.eos, ends = words.ID(text.EOS)
	if !begins || !ends {
		return nil, prefix.Errorf("the vocabulary needs the special tokens %s and %s", text.BOS,
			text.EOS)
	}
	m.store = nodes.NewStore(shared.DtypeOf(cfg.Float64), seed)
	if err := nodes.Try(m.declare); err != nil {
		return nil, prefix.Wrap(err)
	}
	return m, nil
}

func (m *Model) declare() {
	c, root := m.cfg, m.store.Root()
	patch := root.In("patch")
	m.w1 = patch.Param("W_1", nodes.HeNormal(1), c.Patch*c.Patch, c.Hidden)
	m.b1 = patch.Param("b_1", nodes.Zeros(), c.Hidden)
	m.w2 = patch.Param("W_2", nodes.HeNormal(1), c.Hidden, c.Features)
	m.b2 = patch.Param("b_2", nodes.Zeros(), c.Features)
	small := nodes.Uniform(-0.1, 0.1)
	m.place = root.In("place").Param("E", small, c.cells(), c.Features)
	m.embedding = root.In("words").Param("E", small, m.words.Len(), c.Embed)
	m.attention = cells.NewAttention(root.In("attention"), c.attention())
	m.decoder = cells.Layers{Dropout: c.Decoder.Dropout, Residual: c.Decoder.Residual}
	in := c.Embed + c.Features
	for k := range c.Decoder.WithDefaults().Layers {
		cell := c.Decoder.NewCell(root.In("decoder").In("l%d", k), k, in)
		m.decoder.Cells = append(m.decoder.Cells, cell)
		m.start.Add(root.In("start").In("l%d", k), cell, func(int) int { return c.Features })
		in = c.Decoder.LayerWidth(k)
	}
	m.out = nodes.NewLinear(root.In("out"),
		nodes.LinearConfig{In: c.Decoder.Width() + c.Features, Out: m.words.Len()})
}

// look reads patches [S, B, Patch²] and returns what the decoder attends to and the state in
// which its layers start.
func (m *Model) look(patches *nodes.Node) (memory *cells.Memory, start cells.State) {
	S, F := patches.Dim(0), m.cfg.Features
	hidden := nodes.ReLU(nodes.Add(nodes.MatMul(patches, m.w1), m.b1))
	place := nodes.Reshape(patches.Graph().Param(m.place), S, 1, F)
	a := nodes.Add(nodes.MatMul(hidden, m.w2), m.b2, place)
	a = nodes.Dropout(nodes.ReLU(a), m.cfg.Dropout) // [S, B, F]
	start = m.start.From(nodes.Mean(a, 0))
	return m.attention.Over(a, nil, nil), start
}

// logits of outputs of the decoder, [..., H + F] to [..., V].
func (m *Model) logits(y *nodes.Node) *nodes.Node {
	return m.out.Of(nodes.Dropout(y, m.cfg.Dropout))
}

// Graph is a Model in a graph.
type Graph struct {
	Logits  *nodes.Node // [T, B, V]
	Weights *nodes.Node // of the attention, [T, B, S]
}

// Forward builds the model into the graph of its operands: patches of pictures [S, B, Patch²], as
// Patches cuts them, and the words as the decoder reads them, [T, B], each after the one before,
// <bos> first. It panics with a *nodes.BuildError, as package nodes does.
func (m *Model) Forward(patches, wordsIn *nodes.Node, s unroll.Strategy) Graph {
	return m.forward(patches, wordsIn, unroll.Options{Strategy: s})
}

func (m *Model) forward(patches, wordsIn *nodes.Node, how unroll.Options) Graph {
	shared.NeedMade("Captioner", m.store)
	memory, start := m.look(patches)
	decoder := cells.Bahdanau{Layers: m.decoder, Memory: memory}
	r := unroll.Over(decoder).Unroll(nodes.Embedding(m.embedding, wordsIn, -1),
		decoder.Initial(start), how)
	return Graph{Logits: m.logits(r.Y()), Weights: r.Part(len(decoder.Parts()) - 1)}
}

// Cells is S, the number of patches of a picture.
func (m *Model) Cells() int { return m.cfg.cells() }

// Grid is how many patches lie below each other and side by side.
func (m *Model) Grid() (rows, cols int) { return m.cfg.grid() }

// Cell is the patch number i of a picture whose corner is (0, 0); patches count from left to
// right, then downwards.
func (m *Model) Cell(i int) image.Rectangle {
	_, cols := m.cfg.grid()
	if cols == 0 {
		return image.Rectangle{} // of an empty model
	}
	at := image.Pt(i%cols*m.cfg.Stride, i/cols*m.cfg.Stride)
	return image.Rectangle{at, at.Add(image.Pt(m.cfg.Patch, m.cfg.Patch))}
}

// Patches cuts a picture into its patches [S, Patch²], brightness from 0 to 1, row by row.
// Colours become grey. The error is that the picture has another size.
func (m *Model) Patches(picture image.Image) ([]float32, error) {
	pixels, err := m.pixels(picture)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	n := m.cfg.Patch * m.cfg.Patch
	out := make([]float32, m.Cells()*n)
	for s := range m.Cells() {
		cutPatch(m, out[s*n:(s+1)*n], pixels, s)
	}
	return out, nil
}

// checkPicture refuses a picture of another size.
func (m *Model) checkPicture(picture image.Image) error {
	if picture == nil {
		return errors.New("the picture is nil")
	}
	if size := picture.Bounds().Size(); size != image.Pt(m.cfg.Width, m.cfg.Height) {
		return fmt.Errorf("the picture is %d × %d pixels, the model was made for %d × %d", size.X,
			size.Y, m.cfg.Width, m.cfg.Height)
	}
	return nil
}

// pixels are the grey levels of a picture, row by row.
func (m *Model) pixels(picture image.Image) ([]uint8, error) {
	if err := m.checkPicture(picture); err != nil {
		return nil, err
	}
	r, out := picture.Bounds(), make([]uint8, 0, m.cfg.Width*m.cfg.Height)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		if g, ok := picture.(*image.Gray); ok {
			at := g.PixOffset(r.Min.X, y)
			out = append(out, g.Pix[at:at+r.Dx()]...)
			continue
		}
		for x := r.Min.X; x < r.Max.X; x++ {
			out = append(out, grey(picture.At(x, y)))
		}
	}
	return out, nil
}

// cutPatch writes patch s of a picture's pixels to dst.
func cutPatch[F float32 | float64](m *Model, dst []F, pixels []uint8, s int) {
	r, P := m.Cell(s), m.cfg.Patch
	for y := range P {
		from := pixels[(r.Min.Y+y)*m.cfg.Width+r.Min.X:][:P]
		to := dst[y*P:][:P]
		for x, v := range from {
			to[x] = F(v) / 255
		}
	}
}

// Architecture is "Captioner".
func (m *Model) Architecture() string { return "Captioner" }

// Params holds the weights.
func (m *Model) Params() *nodes.Store { return m.store }

// Config is the configuration that the model was made with, defaults filled in.
func (m *Model) Config() Config { return m.cfg }

// Vocabulary holds the words.
func (m *Model) Vocabulary() *text.Vocabulary { return m.words }

// Encode turns the tokens of a caption into ids, for [Captioned]. Those that the vocabulary lacks
// become its <unk>.
func (m *Model) Encode(tokens []string) ([]int, error) {
	if err := shared.Made(m.store); err != nil {
		return nil, prefix.Wrap(err)
	}
	ids, err := m.words.Encode(m.cfg.Text.Formed(tokens))
	if err == nil {
		err = shared.CheckIDs("caption", ids, m.words.Len())
	}
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return ids, nil
}

// Save writes config.json, vocabulary.json and model.safetensors to path; see zoo.Save.
func (m *Model) Save(path string) error { return zoo.Save(path, m) }

// Files are the files that Save writes beside the weights.
func (m *Model) Files() zoo.Files {
	return zoo.Files{Config: m.cfg, Extra: shared.PutCut(map[string]func(io.Writer) error{
		zoo.VocabularyFile: func(w io.Writer) error { _, err := m.words.WriteTo(w); return err },
	}, m.cfg.Text)}
}

func init() { zoo.Register("Captioner", open, zoo.VocabularyFile, zoo.TokeniserFile) }

func open(d *zoo.Dir, cfg Config) (*Model, error) {
	words, err := shared.ReadWords(d, zoo.VocabularyFile, &cfg.Text)
	if err != nil {
		return nil, err
	}
	return New(cfg, words, 0)
}

// Load is Load for a directory that must hold a Model.
func Load(dir string) (*Model, error) { return zoo.LoadAs[*Model](dir, "a Captioner") }
