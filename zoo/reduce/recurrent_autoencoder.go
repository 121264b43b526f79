package reduce

import (
	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// RecurrentAutoencoderConfig sizes a RecurrentAutoencoder. The zero value of an optional field is
// its default.
type RecurrentAutoencoderConfig struct {
	zoo.Recurrent     // of the encoder and of the decoder
	Variables     int `json:"variables"` // V, measured at each step
	// steps of a row, where the model is used as a Reducer: D = Window·V
	Window int `json:"window"`
	Code   int `json:"code"` // K, the width of a code
	// decode from the first step to the last; otherwise the last comes first
	Forward bool `json:"forward,omitempty"`
	// bring the variables to mean 0 and variance 1 first
	Standardise bool `json:"standardise,omitempty"`
	Float64     bool `json:"float64,omitempty"` // weights of 64 bits
	// the error above which a series is an anomaly; 0: not chosen. See SetThreshold
	Threshold float64 `json:"threshold,omitempty"`
}

// MaxSteps bounds a series, or a window of one, that is read as a whole; a longer one is a slip.
const MaxSteps = 1 << 16

// Validate reports every field that is out of range.
func (c RecurrentAutoencoderConfig) Validate() error {
	var bad check.Problems
	bad.Add(c.Recurrent.Validate(), c.CheckMerge(false), checkThreshold(c.Threshold))
	bad.Int("variables", c.Variables, 1, cells.MaxWidth)
	bad.Int("window", c.Window, 1, MaxSteps)
	bad.Int("code", c.Code, 1, cells.MaxWidth)
	if bad.None() {
		bad.That(c.Window <= cells.MaxWidth/c.Variables,
			"window·variables is %d·%d, want at most %d", c.Window, c.Variables, cells.MaxWidth)
	}
	return bad.Err()
}

// RecurrentAutoencoder reads a series of any length into one code, and writes the series again from
// that code alone (Srivastava, Mansimov and Salakhutdinov, 2015; for anomalies Malhotra et al.,
// 2016):
//
//	h_T = the top layer's last output of encoder layers over x,  code = h_T·W + b
//	decoder layers from the state tanh(code·W_k + b_k), which read the code at every step,  y_t = h_t·V + c
//
// Unless told otherwise the decoder writes the last step first, which is the one that the encoder
// has just read.
//
// A series is its steps one behind the other, [T, V]. As a Reducer the model maps rows that are
// windows of Window steps.
//
// Its parameters are encoder/l0/…, code/W [H, K], code/b, start/l0/W_h [K, H], start/l0/b_h, … of
// each part of each layer's state, decoder/l0/…, out/W [H, V], out/b and, if it standardises,
// input/mean and input/scale [V].
//
// Its methods other than training and SetThreshold are safe for concurrent use.
type RecurrentAutoencoder struct {
	cfg              RecurrentAutoencoderConfig
	store            *nodes.Store
	encoder, decoder unroll.Stack
	code, out        nodes.Linear
	start            shared.Starts
	scaling          *scaling
	graphs           run.Pool[seriesShape, *seriesGraph]
}

var _ Reducer = (*RecurrentAutoencoder)(nil)

// NewRecurrentAutoencoder makes a model with initial weights drawn from seed.
func NewRecurrentAutoencoder(cfg RecurrentAutoencoderConfig, seed uint64) (*RecurrentAutoencoder,
	error) {
	if err := cfg.Validate(); err != nil {
		return nil, recurrentPrefix.Wrap(err)
	}
	cfg.Recurrent = cfg.Recurrent.WithDefaults()
	m := &RecurrentAutoencoder{cfg: cfg, store: nodes.NewStore(shared.DtypeOf(cfg.Float64), seed)}
	if err := nodes.Try(m.declare); err != nil {
		return nil, recurrentPrefix.Wrap(err)
	}
	return m, nil
}

func (m *RecurrentAutoencoder) declare() {
	c, root := m.cfg, m.store.Root()
	if c.Standardise {
		m.scaling = newScaling(root.In("input"), c.Variables, false)
	}
	m.encoder = c.Recurrent.Stack(root.In("encoder"), c.Variables, false)
	m.code = nodes.NewLinear(root.In("code"), nodes.LinearConfig{In: c.Width(), Out: c.Code})
	m.decoder = c.Recurrent.Stack(root.In("decoder"), c.Code, false)
	for k, l := range m.decoder.Layers {
		m.start.Add(root.In("start").In("l%d", k), l, func(int) int { return c.Code })
	}
	m.out = nodes.NewLinear(root.In("out"), nodes.LinearConfig{In: c.Width(), Out: c.Variables})
}

func (m *RecurrentAutoencoder) encode(x, lengths *nodes.Node, s unroll.Strategy) *nodes.Node {
	final := m.encoder.Unroll(x, nil, unroll.Options{Strategy: s, Lengths: lengths}).Final()
	return m.code.Of(shared.FinalOutput(m.encoder, final))
}

func (m *RecurrentAutoencoder) decode(code, lengths *nodes.Node, T int,
	s unroll.Strategy) *nodes.Node {
	B, K := code.Dim(0), m.cfg.Code
	x := nodes.Broadcast(nodes.Reshape(code, 1, B, K), T, B, K)
	init := m.start.From(code)
	return m.out.Of(m.decoder.Unroll(x, init, unroll.Options{Strategy: s, Lengths: lengths,
		Reverse: !m.cfg.Forward}).Y())
}

// RecurrentAutoencoderGraph is a RecurrentAutoencoder in a graph.
type RecurrentAutoencoderGraph struct {
	Code   *nodes.Node // [B, K]
	Output *nodes.Node // [T, B, V]; behind the end of a series it means nothing
	Loss   *nodes.Node // squared error, summed over the steps and variables, mean over the series
}

// Forward builds the model into the graph of series x [T, B, V] of lengths [B]. It panics with a
// *nodes.BuildError, as package nodes does.
func (m *RecurrentAutoencoder) Forward(x, lengths *nodes.Node,
	s unroll.Strategy) (g RecurrentAutoencoderGraph) {
	shared.NeedMade("RecurrentAutoencoder", m.store)
	g.Code = m.encode(x, lengths, s)
	g.Output = m.decode(g.Code, lengths, x.Dim(0), s)
	mask := nodes.LengthMask(lengths, x.Dim(0))
	x = nodes.Select(mask, x, nodes.Scalar(0)) // what stands behind the end of a series is not read
	squares := nodes.Mul(nodes.MSE(g.Output, x, nodes.ReduceNone), mask)
	g.Loss = nodes.Scale(nodes.Sum(squares), 1/float64(x.Dim(1)))
	return g
}

// Architecture is "RecurrentAutoencoder".
func (m *RecurrentAutoencoder) Architecture() string { return "RecurrentAutoencoder" }

// Params holds the weights.
func (m *RecurrentAutoencoder) Params() *nodes.Store { return m.store }

// Config is the configuration that the model was made with, defaults filled in.
func (m *RecurrentAutoencoder) Config() RecurrentAutoencoderConfig { return m.cfg }

// Features is D, the width of a row: a window of all variables.
func (m *RecurrentAutoencoder) Features() int { return m.cfg.Window * m.cfg.Variables }

// Codes is K, the width of a code.
func (m *RecurrentAutoencoder) Codes() int { return m.cfg.Code }

// Threshold is the error above which a series is an anomaly; 0: none was set.
func (m *RecurrentAutoencoder) Threshold() float64 { return m.cfg.Threshold }

// SetThreshold sets the error above which a series is an anomaly. Choose it on data kept apart from
// the training's.
func (m *RecurrentAutoencoder) SetThreshold(t float64) error {
	return setThreshold(&m.cfg.Threshold, t)
}

// seriesShape is a use of the model, the steps, and how many series at a time.
type seriesShape struct {
	use  string
	T, B int
}

// The uses of the model.
const (
	encodeSeries = "encode"
	decodeSeries = "decode"
	bothWays     = "both"
	trainSeries  = "train"
	validSeries  = "validate"
)

// seriesGraph is the graph of a shape; what its use has no need of is nil.
type seriesGraph struct {
	// its output, but in training and validation, is codes [B, K] or series [T, B, V]
	*run.Step
	measured  *train.Step // the same with the loss, in training and validation
	x, codes  run.Floats  // what it is fed: series [T, B, V], codes [B, K]
	lengths   []int
	variables int
}

func (s seriesShape) Round() seriesShape {
	s.T, s.B = run.Round(s.T), run.Round(s.B)
	return s
}

func (s seriesShape) Serves(request seriesShape) bool {
	return s.use == request.use && s.T >= request.T && s.B >= request.B
}

func (s seriesShape) Cost() int { return s.T * s.B }

func (m *RecurrentAutoencoder) compile(shape seriesShape) (*seriesGraph, error) {
	return m.compileWith(shape, nil)
}

func (m *RecurrentAutoencoder) compileWith(shape seriesShape, o graph.Option) (s *seriesGraph,
	err error) {
	var options []graph.Option
	if o != nil {
		options = append(options, o)
	}
	s = &seriesGraph{variables: m.cfg.Variables}
	var x, codes, lengths, out, loss *nodes.Node
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype(),
			Training: shape.use == trainSeries, Rows: shape.B})
		lengths = g.IntInput("lengths", shape.B)
		if shape.use == decodeSeries {
			codes = g.Input("codes", shape.B, m.cfg.Code)
			out = m.decode(codes, lengths, shape.T, unroll.Scan)
			return
		}
		x = g.Input("x", shape.T, shape.B, m.cfg.Variables)
		switch shape.use {
		case encodeSeries:
			out = m.encode(x, lengths, unroll.Scan)
		case bothWays:
			out = m.Forward(x, lengths, unroll.Scan).Output
		default:
			loss = m.Forward(x, lengths, unroll.Scan).Loss
		}
	})
	if err != nil {
		return nil, err
	}
	if loss == nil {
		s.Step, err = run.New([]*nodes.Node{out}, options...)
	} else if s.measured, err = train.NewStepWith(train.StepConfig{Options: options}, loss); err == nil {
		s.Step = s.measured.Step
	}
	if err != nil {
		return nil, err
	}
	var in run.Inputs
	s.lengths = in.Ints(lengths)
	if x != nil {
		s.x = in.Floats(x)
	} else {
		s.codes = in.Floats(codes)
	}
	return s, in.Err()
}

// feed writes series into the graph; those that are missing have no length.
func (s *seriesGraph) feed(series [][]float32) {
	s.x.Fill(0)
	clear(s.lengths)
	B := len(s.lengths)
	for b, x := range series {
		s.lengths[b] = len(x) / s.variables
		for t := range s.lengths[b] {
			s.x.Put32((t*B+b)*s.variables, x[t*s.variables:(t+1)*s.variables])
		}
	}
}

// Save writes config.json and model.safetensors to path; see zoo.Save.
func (m *RecurrentAutoencoder) Save(path string) error { return zoo.Save(path, m) }

func init() { zoo.Register("RecurrentAutoencoder", openRecurrentAutoencoder) }

func openRecurrentAutoencoder(_ *zoo.Dir, cfg RecurrentAutoencoderConfig) (*RecurrentAutoencoder,
	error) {
	return NewRecurrentAutoencoder(cfg, 0)
}
