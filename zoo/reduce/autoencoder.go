package reduce

import (
	"cmp"
	"context"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Linear is the activation of a layer that has none, beside those of the cells.
const Linear = shared.Linear

// Loss is the loss that an Autoencoder is trained on.
type Loss string

const (
	SquaredError Loss = "mse" // Σ (y − x)² over the features
	// Σ −x·log y − (1−x)·log(1−y) over features in [0, 1]; the output is a sigmoid
	BinaryCrossEntropy Loss = "bce"
)

// AutoencoderConfig sizes an Autoencoder. The zero value of an optional field is its default.
type AutoencoderConfig struct {
	Features int `json:"features"` // D
	// of the encoder's layers, outermost first; the last is the code. The decoder goes back the
	// same way
	Widths []int `json:"widths"`

	// of the layers between: relu (default), tanh, sigmoid, linear
	Activation cells.Activation `json:"activation,omitempty"`
	// of the code; default linear
	CodeActivation cells.Activation `json:"code_activation,omitempty"`
	// of the reconstruction: linear (default), or sigmoid for features in [0, 1]
	Output cells.Activation `json:"output,omitempty"`
	Loss   Loss             `json:"loss,omitempty"` // mse (default), bce
	NoBias bool             `json:"no_bias,omitempty"`
	// the decoder's weights are the encoder's, transposed
	Tied bool `json:"tied,omitempty"`
	// of the input in training: a denoising autoencoder
	Corruption Corruption `json:"corruption,omitzero"`
	// bring the features to mean 0 first
	Centre bool `json:"centre,omitempty"`
	// bring the features to mean 0 and variance 1 first
	Standardise bool `json:"standardise,omitempty"`
	Float64     bool `json:"float64,omitempty"` // weights of 64 bits
	// the error above which a row is an anomaly; 0: not chosen. See SetThreshold
	Threshold float64 `json:"threshold,omitempty"`
}

func (c AutoencoderConfig) withDefaults() AutoencoderConfig {
	c.Widths = slices.Clone(c.Widths)
	c.Activation = cmp.Or(c.Activation, cells.ReLU)
	c.CodeActivation = cmp.Or(c.CodeActivation, Linear)
	c.Loss = cmp.Or(c.Loss, SquaredError)
	if c.Output == "" {
		c.Output = Linear
		if c.Loss == BinaryCrossEntropy {
			c.Output = cells.Sigmoid
		}
	}
	return c
}

// Validate reports every field that is out of range.
func (c AutoencoderConfig) Validate() error {
	c = c.withDefaults()
	var bad check.Problems
	bad.Int("features", c.Features, 1, cells.MaxWidth)
	bad.That(len(c.Widths) > 0,
		"widths is empty, want those of the encoder's layers, the last the code's")
	bad.Add(shared.CheckWidths("widths", c.Widths))
	check.OneOf(&bad, "activation", c.Activation, shared.Activations...)
	check.OneOf(&bad, "code_activation", c.CodeActivation, shared.Activations...)
	check.OneOf(&bad, "output", c.Output, Linear, cells.Sigmoid)
	bad.Add(c.Corruption.Validate(), checkThreshold(c.Threshold))
	check.OneOf(&bad, "loss", c.Loss, SquaredError, BinaryCrossEntropy)
	if c.Loss == BinaryCrossEntropy {
		bad.That(c.Output == cells.Sigmoid,
			"loss is bce and output %s: want sigmoid, which is a probability", c.Output)
		bad.That(!c.Standardise && !c.Centre,
			"loss is bce and standardise or centre is set: cross-entropy is for features in [0, "+
				"1] as they are")
	}
	bad.That(c.Output != cells.Sigmoid || !c.Standardise && !c.Centre,
		"output is sigmoid and standardise or centre is set: the features leave [0, 1]")
	bad.That(!c.Standardise || !c.Centre,
		"standardise and centre are both set, and the former does both")
	return bad.Err()
}

// Autoencoder squeezes rows of features through a narrow layer, the code, and learns to bring them
// back (Hinton and Salakhutdinov, 2006):
//
//	code = f_K(… f(x·W_0 + b_0) … ),  y = g(… f(code·V_0 + c_0) … )
//
// With linear layers it finds the subspace of PCA (Baldi and Hornik, 1989). With a Corruption it
// reads a corrupted x and is to bring back the clean one (Vincent et al., 2008).
//
// Its parameters are encoder/l0/W [D, Widths[0]], encoder/l0/b, …, decoder/l0/W, decoder/l0/b, …,
// and, if it standardises, input/mean and input/scale [D]. Tied, V_k is the transpose of an
// encoder's W and only the biases are the decoder's own.
//
// Its methods other than training and SetThreshold are safe for concurrent use.
type Autoencoder struct {
	cfg              AutoencoderConfig
	store            *nodes.Store
	encoder, decoder []nodes.Linear
	scaling          *scaling
	graphs           rowGraphs
}

var _ Reducer = (*Autoencoder)(nil)

// NewAutoencoder makes a model with initial weights drawn from seed.
func NewAutoencoder(cfg AutoencoderConfig, seed uint64) (*Autoencoder, error) {
	if err := cfg.Validate(); err != nil {
		return nil, autoencoderPrefix.Wrap(err)
	}
	m := &Autoencoder{cfg: cfg.withDefaults(), store: nodes.NewStore(shared.DtypeOf(cfg.Float64),
		seed)}
	if err := nodes.Try(m.declare); err != nil {
		return nil, autoencoderPrefix.Wrap(err)
	}
	return m, nil
}

func (m *Autoencoder) declare() {
	c, root := m.cfg, m.store.Root()
	if c.Standardise || c.Centre {
		m.scaling = newScaling(root.In("input"), c.Features, !c.Standardise)
	}
	m.encoder = shared.Hidden(root.In("encoder"), c.Features, c.Widths, c.Activation, c.NoBias)
	back := append(slices.Clone(c.Widths[:len(c.Widths)-1]), 0)
	copy(back[1:], back)
	back[0] = c.Features
	slices.Reverse(back) // widths of the decoder's layers: those of the encoder's inputs
	if !c.Tied {
		m.decoder = shared.Hidden(root.In("decoder"), m.Codes(), back, c.Activation, c.NoBias)
		return
	}
	for k := range back {
		m.decoder = append(m.decoder,
			m.encoder[len(back)-1-k].Back(root.In("decoder").In("l%d", k)))
	}
}

func (m *Autoencoder) encode(x *nodes.Node) *nodes.Node {
	last := len(m.encoder) - 1
	return shared.Activate(m.cfg.CodeActivation,
		m.encoder[last].Of(shared.Through(m.encoder[:last], m.cfg.Activation, x)))
}

// logits decodes codes, up to the activation of the output.
func (m *Autoencoder) logits(code *nodes.Node) *nodes.Node {
	last := len(m.decoder) - 1
	return m.decoder[last].Of(shared.Through(m.decoder[:last], m.cfg.Activation, code))
}

func (m *Autoencoder) decode(code *nodes.Node) *nodes.Node {
	return shared.Activate(m.cfg.Output, m.logits(code))
}

// AutoencoderGraph is an Autoencoder in a graph.
type AutoencoderGraph struct {
	Code   *nodes.Node // [B, K]
	Logits *nodes.Node // [B, D], before the output's activation
	Output *nodes.Node // [B, D]
	Loss   *nodes.Node // summed over the features, mean over the rows
}

// Forward builds the model into the graph of rows x [B, D], which it reads corrupted and is to
// bring back clean. It panics with a *nodes.BuildError, as package nodes does.
func (m *Autoencoder) Forward(x *nodes.Node) (g AutoencoderGraph) {
	shared.NeedMade("Autoencoder", m.store)
	g.Code = m.encode(m.cfg.Corruption.Of(x))
	g.Logits = m.logits(g.Code)
	g.Output = shared.Activate(m.cfg.Output, g.Logits)
	if m.cfg.Loss == BinaryCrossEntropy {
		g.Loss = nodes.BCEWithLogits(g.Logits, x, nodes.ReduceSum)
	} else {
		g.Loss = nodes.MSE(g.Output, x, nodes.ReduceSum)
	}
	g.Loss = nodes.Scale(g.Loss, 1/float64(x.Dim(0)))
	return g
}

// Architecture is "Autoencoder".
func (m *Autoencoder) Architecture() string { return "Autoencoder" }

// Params holds the weights.
func (m *Autoencoder) Params() *nodes.Store { return m.store }

// Config is the configuration that the model was made with, defaults filled in.
func (m *Autoencoder) Config() AutoencoderConfig { return m.cfg }

// Features is D, the width of a row.
func (m *Autoencoder) Features() int { return m.cfg.Features }

// Codes is K, the width of a code.
func (m *Autoencoder) Codes() int {
	if len(m.cfg.Widths) == 0 {
		return 0 // of an empty model
	}
	return m.cfg.Widths[len(m.cfg.Widths)-1]
}

// Threshold is the error above which a row is an anomaly; 0: none was set.
func (m *Autoencoder) Threshold() float64 { return m.cfg.Threshold }

// SetThreshold sets the error above which a row is an anomaly. Choose it on data kept apart from
// the training's.
func (m *Autoencoder) SetThreshold(t float64) error { return setThreshold(&m.cfg.Threshold, t) }

// Transform returns the codes [N, K] of rows [N, D].
func (m *Autoencoder) Transform(x []float32) ([]float32, error) {
	if err := checkRows(x, m.Features(), "features"); err != nil {
		return nil, autoencoderPrefix.Wrap(err)
	}
	codes, err := m.run("code", m.scaling.apply(x), m.Features(), m.encode)
	return finiteRows("autoencoder", codes, m.Codes(), err)
}

// InverseTransform returns the rows [N, D] that codes [N, K] stand for.
func (m *Autoencoder) InverseTransform(codes []float32) ([]float32, error) {
	if err := checkRows(codes, m.Codes(), "code"); err != nil {
		return nil, autoencoderPrefix.Wrap(err)
	}
	y, err := m.run("decode", codes, m.Codes(), m.decode)
	return finiteRows("autoencoder", m.scaling.restore(y), m.Features(), err)
}

// Errors is the squared error a feature of each row, [N], after standardising if the model does
// that.
func (m *Autoencoder) Errors(x []float32) ([]float64, error) {
	if err := checkRows(x, m.Features(), "features"); err != nil {
		return nil, autoencoderPrefix.Wrap(err)
	}
	x = m.scaling.apply(x)
	y, err := m.run("both", x, m.Features(),
		func(x *nodes.Node) *nodes.Node { return m.decode(m.encode(x)) })
	if err != nil {
		return nil, err
	}
	return rowErrors(x, y, m.Features()), nil
}

func (m *Autoencoder) run(what string, x []float32, in int,
	build func(*nodes.Node) *nodes.Node) ([]float32, error) {
	y, err := m.graphs.run(what, m.store.Dtype(), x, in, build)
	if err != nil {
		return nil, autoencoderPrefix.Wrap(err)
	}
	return y, nil
}

// Task makes a task for train.Fit. Its loss is that of the configuration, summed over the features;
// its validation measures valid_loss, the same, and valid_mse, the squared error a feature, of rows
// that are corrupted as in training, by noise that is the same each time. It keeps the rows, which
// must not change.
func (m *Autoencoder) Task(d RowData) (train.Task, error) {
	cfg := m.cfg
	cfg.Threshold = 0 // training knows nothing of it
	r := rowModel{store: m.store, cfg: cfg, scaling: m.scaling, width: m.Features(),
		scaled: m.Features(),
		loss:   func(x, _ *nodes.Node) *nodes.Node { return m.Forward(x).Loss }}
	if m.cfg.Output == cells.Sigmoid {
		r.unit = m.Features()
	}
	task, valid, err := r.task(d)
	if err != nil {
		return nil, autoencoderPrefix.Wrap(err)
	}
	if len(valid) > 0 {
		task.Measure = func(ctx context.Context) (map[string]float64, error) {
			loss, err := meanRowLoss(ctx, m.store.Dtype(), valid, m.Features(),
				func(x *nodes.Node) []*nodes.Node {
					g := m.Forward(x)
					return []*nodes.Node{g.Loss, nodes.MSE(g.Output, x, nodes.ReduceMean)}
				})
			if err != nil {
				return nil, err
			}
			return map[string]float64{"valid_loss": loss[0], "valid_mse": loss[1]}, nil
		}
	}
	return task, nil
}

// Save writes config.json and model.safetensors to path; see zoo.Save.
func (m *Autoencoder) Save(path string) error { return zoo.Save(path, m) }

func init() { zoo.Register("Autoencoder", openAutoencoder) }

func openAutoencoder(_ *zoo.Dir, cfg AutoencoderConfig) (*Autoencoder, error) {
	return NewAutoencoder(cfg, 0)
}
