package reduce

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/seqzoo/seqzoo/cells"
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
	bad.Add(c.Recurrent.Validate(), checkThreshold(c.Threshold))
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

// checkSeries reports series that cannot be read.
func (m *RecurrentAutoencoder) checkSeries(series [][]float32) error {
	if len(series) == 0 {
		return errors.New("there are no series")
	}
	for i, x := range series {
		if err := checkRows(x, m.cfg.Variables, "variables"); err != nil {
			return fmt.Errorf("series %d: step and variable: %w", i, err)
		}
		if T := len(x) / m.cfg.Variables; T > MaxSteps {
			return fmt.Errorf("series %d has %d steps; at most %d are read", i, T, MaxSteps)
		}
	}
	return nil
}

// EncodeSeries returns the codes [N, K] of N series [T, V] of any lengths.
func (m *RecurrentAutoencoder) EncodeSeries(series [][]float32) ([]float32, error) {
	if err := m.checkSeries(series); err != nil {
		return nil, recurrentPrefix.Wrap(err)
	}
	var codes []float32
	err := m.run(encodeSeries, scaled(m.scaling, series), nil, nil,
		func(g *seriesGraph, n int, _ []int) {
			codes = append(codes, g.Output(0).Rows(0, n).Float32s()...)
		})
	return finiteRows("recurrent autoencoder", codes, m.cfg.Code, err)
}

// DecodeSeries writes the series [T, V] of the given lengths T that codes [N, K] stand for.
func (m *RecurrentAutoencoder) DecodeSeries(codes []float32, lengths []int) ([][]float32, error) {
	fail := func(err error) ([][]float32, error) {
		return nil,
			recurrentPrefix.Wrap(err)
	}
	if err := checkRows(codes, m.cfg.Code, "code"); err != nil {
		return fail(err)
	}
	if n := len(codes) / m.cfg.Code; n != len(lengths) {
		return fail(fmt.Errorf("%d codes and %d lengths: want as many", n, len(lengths)))
	}
	for i, T := range lengths {
		if T < 1 || T > MaxSteps {
			return fail(fmt.Errorf("length %d is %d, want 1 … %d", i, T, MaxSteps))
		}
	}
	series, err := m.written(decodeSeries, nil, codes, lengths)
	if err != nil {
		return nil, err
	}
	for i, x := range series {
		if _, err := finiteRows("", m.scaling.restore(x), len(x), nil); err != nil {
			return fail(&RowError{i, shared.ErrOverflow})
		}
	}
	return series, nil
}

// StepErrors is the squared error a variable of each step of series, [T] each, after standardising
// if the model does that.
func (m *RecurrentAutoencoder) StepErrors(series [][]float32) ([][]float64, error) {
	if err := m.checkSeries(series); err != nil {
		return nil, recurrentPrefix.Wrap(err)
	}
	x := scaled(m.scaling, series)
	y, err := m.written(bothWays, x, nil, nil)
	if err != nil {
		return nil, err
	}
	errs := make([][]float64, len(x))
	for i := range x {
		errs[i] = rowErrors(x[i], y[i], m.cfg.Variables)
	}
	return errs, nil
}

// windows cuts rows [N, D] into series.
func (m *RecurrentAutoencoder) windows(x []float32) (series [][]float32, err error) {
	if err := checkRows(x, m.Features(), "features"); err != nil {
		return nil, recurrentPrefix.Wrap(err)
	}
	for d := m.Features(); len(x) > 0; x = x[d:] {
		series = append(series, x[:d:d])
	}
	return series, nil
}

// Transform returns the codes [N, K] of windows [N, D].
func (m *RecurrentAutoencoder) Transform(x []float32) ([]float32, error) {
	series, err := m.windows(x)
	if err != nil {
		return nil, err
	}
	return m.EncodeSeries(series)
}

// InverseTransform returns the windows [N, D] that codes [N, K] stand for.
func (m *RecurrentAutoencoder) InverseTransform(codes []float32) ([]float32, error) {
	lengths := make([]int, len(codes)/max(m.cfg.Code, 1))
	for i := range lengths {
		lengths[i] = m.cfg.Window
	}
	series, err := m.DecodeSeries(codes, lengths)
	if err != nil {
		return nil, err
	}
	x := make([]float32, 0, len(series)*m.Features())
	for _, s := range series {
		x = append(x, s...)
	}
	return x, nil
}

// Errors is the squared error a step and variable of each window, [N], after standardising if the
// model does that.
func (m *RecurrentAutoencoder) Errors(x []float32) ([]float64, error) {
	series, err := m.windows(x)
	if err != nil {
		return nil, err
	}
	steps, err := m.StepErrors(series)
	if err != nil {
		return nil, err
	}
	errs := make([]float64, len(steps))
	for i, of := range steps {
		for _, e := range of {
			errs[i] += e / float64(len(of))
		}
	}
	return errs, nil
}

// scaled is series as the model sees them.
func scaled(s *scaling, series [][]float32) [][]float32 {
	if s == nil {
		return series
	}
	out := make([][]float32, len(series))
	for i, x := range series {
		out[i] = s.apply(x)
	}
	return out
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

func (m *RecurrentAutoencoder) compile(shape seriesShape) (s *seriesGraph, err error) {
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
		s.Step, err = run.New([]*nodes.Node{out})
	} else if s.measured, err = train.NewStep(loss); err == nil {
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

// run runs series, or codes with lengths, through graphs of one use, some at a time, and calls each
// with the graph, how many of its B are real, and their lengths.
func (m *RecurrentAutoencoder) run(use string, series [][]float32, codes []float32, lengths []int,
	each func(g *seriesGraph, n int, lengths []int)) error {
	const most = 64
	if lengths == nil {
		for _, x := range series {
			lengths = append(lengths, len(x)/m.cfg.Variables)
		}
	}
	for len(lengths) > 0 {
		n := min(len(lengths), most)
		shape := seriesShape{use: use, B: most}
		if n == 1 {
			shape.B = 1
		}
		for _, T := range lengths[:n] {
			shape.T = max(shape.T, shared.Lengths.Up(T))
		}
		g, err := m.graphs.Take(shape, m.compile)
		if err != nil {
			return recurrentPrefix.Wrap(err)
		}
		if series != nil {
			g.feed(series[:n])
			series = series[n:]
		} else {
			g.codes.Fill(0)
			clear(g.lengths)
			g.codes.Put32(0, codes[:n*m.cfg.Code])
			copy(g.lengths, lengths[:n])
			codes = codes[n*m.cfg.Code:]
		}
		if err := g.Run(0, 0); err != nil {
			return recurrentPrefix.Wrap(err)
		}
		each(g, n, lengths[:n])
		m.graphs.Put(shape, g)
		lengths = lengths[n:]
	}
	return nil
}

// written is the series that come out of a use of the model, as the model sees them.
func (m *RecurrentAutoencoder) written(use string, series [][]float32, codes []float32,
	lengths []int) (out [][]float32, err error) {
	V := m.cfg.Variables
	err = m.run(use, series, codes, lengths, func(g *seriesGraph, n int, lengths []int) {
		y := g.Output(0)
		B := len(g.lengths)
		for b := range n {
			x := make([]float32, lengths[b]*V)
			for t := range lengths[b] {
				y.Read32((t*B+b)*V, x[t*V:(t+1)*V])
			}
			out = append(out, x)
		}
	})
	return out, err
}

// SeriesData says on what a RecurrentAutoencoder is trained. The zero value of an optional field is
// its default.
type SeriesData struct {
	Train [][]float32 // series [T, V], of any lengths
	Valid [][]float32 // empty: nothing is validated
	Batch int         // series side by side; default 32
	Seed  uint64      // of the order
}

// Task makes a task for train.Fit from windows: rows [N, D]. See SeriesTask.
func (m *RecurrentAutoencoder) Task(d RowData) (train.Task, error) {
	x, err := m.windows(d.Train)
	if err != nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	s := SeriesData{Train: x, Batch: d.Batch, Seed: d.Seed}
	if len(d.Valid) > 0 {
		if s.Valid, err = m.windows(d.Valid); err != nil {
			return nil, fmt.Errorf("validation: %w", err)
		}
	}
	return m.SeriesTask(s)
}

// SeriesTask makes a task for train.Fit. Its loss is the squared error, summed over steps and
// variables, mean over the series; its validation measures valid_loss, the same, and valid_mse, the
// squared error a step and variable. It keeps the series, which must not change.
func (m *RecurrentAutoencoder) SeriesTask(d SeriesData) (train.Task, error) {
	fail := func(err error) (train.Task, error) {
		return nil, recurrentPrefix.Wrap(err)
	}
	if err := m.checkSeries(d.Train); err != nil {
		return fail(fmt.Errorf("training: %w", err))
	}
	if len(d.Valid) > 0 {
		if err := m.checkSeries(d.Valid); err != nil {
			return fail(fmt.Errorf("validation: %w", err))
		}
	}
	if d.Batch < 0 || d.Batch > 1<<16 {
		return fail(fmt.Errorf("the batch is %d, want 1 … %d, or 0 for the default", d.Batch,
			1<<16))
	}
	if m.scaling != nil {
		var all []float32
		for _, x := range d.Train {
			all = append(all, x...)
		}
		m.scaling.fit(all)
	}
	x, valid := scaled(m.scaling, d.Train), scaled(m.scaling, d.Valid)
	lengths := make([]int, len(x))
	for i := range x {
		lengths[i] = len(x[i])
	}
	batches, err := train.NewBatches(len(x), lengths,
		train.BatchesConfig{Batch: cmp.Or(d.Batch, 32), Seed: d.Seed, Bucket: 20})
	if err != nil {
		return fail(err)
	}
	cfg := m.cfg
	cfg.Threshold = 0 // training knows nothing of it
	data, err := shared.NewTaskData(shared.TaskParts{
		Train: d.Train, Valid: d.Valid, Model: cfg, Settings: []any{cmp.Or(d.Batch, 32), d.Seed},
	})
	if err != nil {
		return fail(err)
	}
	data.Empty(d.Valid != nil, len(d.Valid))
	shared.Overlap(&data, d.Train, d.Valid, shared.NoPrint.Floats)
	graphs := run.NewCache(m.compile)
	batch := func(use string, series [][]float32, p shared.Rows, seed uint64,
		counter int) (b train.Batch, err error) {
		examples := p.Examples()
		shape, some := seriesShape{use: use, B: len(examples)}, make([][]float32, len(examples))
		for i, e := range examples {
			some[i] = series[e]
			shape.T = max(shape.T, shared.Lengths.Up(len(series[e])/m.cfg.Variables))
		}
		g, err := graphs.Get(shape)
		if err != nil {
			return b, err
		}
		g.feed(some)
		b.Count = len(examples)
		b.Loss, err = g.measured.RunRows(seed, counter, p.From, len(p.Batch))
		b.Grads = g.measured.Grads()
		return b, err
	}
	task := &shared.ExampleTask{TaskData: data, Weights: m.store.Params(), Order: batches}
	task.RunBatch = func(p shared.Rows, seed uint64, counter int) (train.Batch, error) {
		return batch(trainSeries, x, p, seed, counter)
	}
	if len(valid) > 0 {
		values := 0
		for _, v := range valid {
			values += len(v)
		}
		task.Measure = func(ctx context.Context) (map[string]float64, error) {
			batches, err := train.NewBatches(len(valid), nil,
				train.BatchesConfig{Batch: 64, InOrder: true})
			if err != nil {
				return nil, err
			}
			loss, err := shared.MeanLoss(ctx, batches, func(examples []int) (train.Batch, error) {
				return batch(validSeries, valid, shared.Whole(examples), 0, 0)
			})
			if err != nil {
				return nil, err
			}
			return map[string]float64{"valid_loss": loss,
				"valid_mse": loss * float64(len(valid)) / float64(values)}, nil
		}
	}
	return task, nil
}

// Save writes config.json and model.safetensors to path; see zoo.Save.
func (m *RecurrentAutoencoder) Save(path string) error { return zoo.Save(path, m) }

func init() { zoo.Register("RecurrentAutoencoder", openRecurrentAutoencoder) }

func openRecurrentAutoencoder(_ *zoo.Dir, cfg RecurrentAutoencoderConfig) (*RecurrentAutoencoder,
	error) {
	return NewRecurrentAutoencoder(cfg, 0)
}
