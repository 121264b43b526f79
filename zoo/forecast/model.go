package forecast

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/strictjson"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/series"
)

// prefix stands before the errors of this package.
const prefix = check.Prefix("zoo: forecaster: ")

// Level is what the values of a window are measured from, so that a series whose level drifts
// looks alike at all steps.
type Level string

const (
	LevelLast Level = "last" // the last value of each variable: the default
	LevelMean Level = "mean" // the mean of each variable over the window
	LevelNone Level = "none" // 0
)

// Gaps is what becomes of values that are not known, NaN in a series.
type Gaps string

const (
	RefuseGaps Gaps = ""     // they are an error: the default
	LastForGap Gaps = "last" // the value before it in the window, or else the first behind it
	MeanForGap Gaps = "mean" // the mean of the training part
	MaskGaps   Gaps = "mask" // as LastForGap, and the model reads which values are such
)

// Config sizes a Model. The zero value of an optional field is its default.
type Config struct {
	zoo.Recurrent
	Variables []string `json:"variables"`         // of the series, by name; all are read
	Targets   []string `json:"targets,omitempty"` // those that are forecast; default all
	Lookback  int      `json:"lookback"`          // steps of the series that are read
	Horizon   int      `json:"horizon"`           // steps that are forecast
	// steps of the series to a step of the recurrence, a divisor of Lookback; default 1
	Patch int `json:"patch"`

	// Shared makes every variable a sequence of its own, read by the same weights, so that the
	// forecast of one does not see the others (channel independence; Nie et al., 2023). Then all
	// are forecast.
	Shared bool `json:"shared,omitempty"`

	// Level is what a window is measured from; default LevelLast.
	Level Level `json:"level"`

	// Known are variables whose values ahead are known, such as holidays and prices. Each step of a
	// window reads them as they are Horizon steps later too, and they are not forecast. They must
	// not be Shared, and Horizon must not be more than Lookback.
	Known []string `json:"known,omitempty"`

	// Static are variables that tell series apart rather than times, such as the size of a shop:
	// they are read as they are at every step, not measured from the level, and not forecast. They
	// must not be Shared, or Known.
	Static []string `json:"static,omitempty"`

	// Gaps says what is read where a value is not known; a target that is not known counts nothing.
	// Default: RefuseGaps.
	Gaps Gaps `json:"gaps,omitempty"`

	// Quantiles are forecast in place of the mean, in ascending order, such as 0.05, 0.5 and 0.95,
	// by the pinball loss; 0.5 must be one of them, and is the forecast.
	Quantiles []float64 `json:"quantiles,omitempty"`

	IODropout float64 `json:"io_dropout,omitempty"` // of what the output layer reads
	Float64   bool    `json:"float64,omitempty"`    // weights of double precision
}

// withDefaults fills in the defaults of fields that are not set.
func (c Config) withDefaults() Config {
	c.Recurrent = c.Recurrent.WithDefaults()
	if len(c.Targets) == 0 {
		c.Targets = c.Variables
		if len(c.Known)+len(c.Static) > 0 {
			c.Targets = slices.DeleteFunc(slices.Clone(c.Variables), func(name string) bool {
				return slices.Contains(c.Known, name) || slices.Contains(c.Static, name)
			})
		}
	}
	c.Patch, c.Level = cmp.Or(c.Patch, 1), cmp.Or(c.Level, LevelLast)
	return c
}

// maxWindow bounds the steps of a window; a longer one is a slip.
const maxWindow = 1 << 16

// Validate reports every field that is out of range.
func (c Config) Validate() error {
	c = c.withDefaults()
	var bad check.Problems
	bad.Add(c.Recurrent.Validate(), c.CheckMerge(false))
	bad.That(len(c.Variables) >= 1 && len(c.Variables) <= series.MaxColumns, "variables are %d, "+
		"want 1 … %d", len(c.Variables), series.MaxColumns)
	distinct := func(what string, names []string) {
		sorted := slices.Sorted(slices.Values(names))
		bad.That(len(slices.Compact(sorted)) == len(names), "%s: a name comes twice in %.200q",
			what, names)
	}
	distinct("variables", c.Variables)
	distinct("targets", c.Targets)
	for _, name := range c.Targets {
		bad.That(slices.Contains(c.Variables, name), "target %q is no variable; they are "+
			"%.200q", name, c.Variables)
	}
	distinct("known", c.Known)
	for _, name := range c.Known {
		bad.That(slices.Contains(c.Variables, name), "known %q is no variable; they are %.200q",
			name, c.Variables)
		bad.That(!slices.Contains(c.Targets, name), "%q is known ahead, and a target", name)
	}
	distinct("static", c.Static)
	for _, name := range c.Static {
		bad.That(slices.Contains(c.Variables, name), "static %q is no variable; they are %.200q",
			name, c.Variables)
		bad.That(!slices.Contains(c.Targets, name) && !slices.Contains(c.Known, name), "%q is "+
			"static, and a target or known ahead", name)
	}
	check.OneOf(&bad, "gaps", c.Gaps, RefuseGaps, LastForGap, MeanForGap, MaskGaps)
	bad.That(len(c.Known)+len(c.Static) == 0 || len(c.Targets) > 0, "every variable is known "+
		"ahead or static, so that there is nothing to forecast")
	bad.That(len(c.Static) == 0 || !c.Shared, "shared reads each variable alone; static must be "+
		"left out")
	bad.That(len(c.Known) == 0 || !c.Shared, "shared reads each variable alone; known must be "+
		"left out")
	bad.That(len(c.Known) == 0 || c.Horizon <= c.Lookback, "known are read as far ahead as "+
		"horizon, %d, which must not be more than lookback, %d", c.Horizon, c.Lookback)
	for i, q := range c.Quantiles {
		bad.That(q > 0 && q < 1 && (i == 0 || q > c.Quantiles[i-1]), "quantiles are %v, want "+
			"numbers in (0, 1) in ascending order", c.Quantiles)
	}
	bad.That(len(c.Quantiles) == 0 || slices.Contains(c.Quantiles, 0.5), "quantiles are %v, want "+
		"0.5 among them: it is the forecast", c.Quantiles)
	bad.That(!c.Shared || slices.Equal(c.Targets, c.Variables), "shared forecasts every "+
		"variable; targets must be left out")
	bad.Int("lookback", c.Lookback, 1, maxWindow)
	bad.Int("horizon", c.Horizon, 1, maxWindow)
	bad.That(c.Patch >= 1 && c.Lookback%max(c.Patch, 1) == 0, "patch is %d, want a divisor of "+
		"lookback, %d", c.Patch, c.Lookback)
	check.OneOf(&bad, "level", c.Level, LevelLast, LevelMean, LevelNone)
	bad.Rate("io_dropout", c.IODropout)
	return bad.Err()
}

// Model reads a window of a series and forecasts the steps behind it, all at once:
//
//	z_t = standardised x_t − level,  h = recurrent layers over z_1 … z_L,  ŷ = h·W + b + level
//
// where the level is measured anew in each window (compare reversible instance normalisation; Kim
// et al., 2022), and several steps may make one step of the recurrence (as in SegRNN; Lin et al.,
// 2023). A Horizon of 1 and one target is regression of a single value.
//
// Its parameters are layers/l0/…, out/W [Hidden, Horizon·Targets·Quantiles] and out/b; if shared,
// out/W is [Hidden, Horizon·Quantiles].
//
// Its methods other than training are safe for concurrent use.
type Model struct {
	cfg      Config
	scale    *series.Scale // of the variables
	targets  []int         // places of the targets among the variables
	known    []int         // places of the known ones
	median   int           // place of 0.5 among the quantiles
	store    *nodes.Store
	layers   unroll.Stack
	out      nodes.Linear
	identity shared.Identity
	idle     run.Pool[run.Of[int], *forecastGraph]
}

// New makes a model with initial weights drawn from seed. Scale is that of the training part, by
// which all series are standardised.
func New(cfg Config, scale *series.Scale, seed uint64) (*Model, error) {
	fail := func(err error) (*Model, error) { return nil, prefix.Wrap(err) }
	if err := cfg.Validate(); err != nil {
		return fail(err)
	}
	if scale == nil {
		return fail(errors.New("it needs the scale of the training part"))
	}
	cfg = cfg.withDefaults()
	if err := scale.Check(len(cfg.Variables)); err != nil {
		return fail(err)
	}
	m := &Model{cfg: cfg, scale: scale, store: nodes.NewStore(shared.DtypeOf(cfg.Float64), seed)}
	m.identity.Is(architecture, []any{cfg, scale}, m.store)
	for _, name := range cfg.Targets {
		m.targets = append(m.targets, slices.Index(cfg.Variables, name))
	}
	for _, name := range cfg.Known {
		m.known = append(m.known, slices.Index(cfg.Variables, name))
	}
	m.median = max(slices.Index(cfg.Quantiles, 0.5), 0)
	in, out := cfg.Patch*m.inputs(), cfg.Horizon*len(cfg.Targets)*m.quantiles()
	if cfg.Shared {
		in, out = cfg.Patch*m.inputs()/len(cfg.Variables), cfg.Horizon*m.quantiles()
	}
	if max(in, out) > cells.MaxWidth {
		return fail(fmt.Errorf("a step of %d numbers and a forecast of %d; at most %d are "+
			"taken", in, out, cells.MaxWidth))
	}
	err := nodes.Try(func() {
		root := m.store.Root()
		m.layers = cfg.Recurrent.Stack(root.In("layers"), in, false)
		m.out = nodes.NewLinear(root.In("out"), nodes.LinearConfig{In: cfg.Width(), Out: out})
	})
	if err != nil {
		return fail(err)
	}
	return m, nil
}

// read is how many numbers a step of a window has: the variables, and the known ones Horizon steps
// later.
func (m *Model) read() int { return len(m.cfg.Variables) + len(m.known) }

// inputs is how many numbers the model reads of a step: with masks two for each of these.
func (m *Model) inputs() int {
	if m.cfg.Gaps == MaskGaps {
		return 2 * m.read()
	}
	return m.read()
}

// quantiles is how many numbers a forecast of a value has.
func (m *Model) quantiles() int { return max(len(m.cfg.Quantiles), 1) }

// Forward builds the model into the graph of its operand, standardised windows [Lookback, B,
// Variables], behind them the known variables of Horizon steps later, and with MaskGaps behind
// these for each number 1 if it is a value and 0 if it fills a gap. It returns standardised
// forecasts [Horizon, B, Targets], or [Horizon, B, Targets, Quantiles] if there are quantiles. It
// panics with a *nodes.BuildError, as package nodes does.
func (m *Model) Forward(x *nodes.Node, s unroll.Strategy) *nodes.Node {
	return m.forward(x, unroll.Options{Strategy: s})
}

func (m *Model) forward(x *nodes.Node, how unroll.Options) *nodes.Node {
	shared.NeedMade("Forecaster", m.store)
	c := m.cfg
	L, B, V := x.Dim(0), x.Dim(1), x.Dim(2)
	if L != c.Lookback || V != m.inputs() {
		hint := ""
		if B == c.Lookback && V == m.inputs() {
			hint = fmt.Sprintf("; x is %v, which looks like [B, T, In]; want [T, B, In]: "+
				"transpose it", x.Shape())
		}
		nodes.Failf("Forecaster", "a window of %d steps of %d numbers: want %d of %d%s", L, V,
			c.Lookback, m.inputs(), hint)
	}
	parts := m.parts(x)
	x, V = parts[0], len(c.Variables)
	var level *nodes.Node // [1, B, V]
	switch c.Level {
	case LevelLast:
		level = nodes.Slice(x, 0, L-1, L)
	case LevelMean:
		level = nodes.MeanKeep(x, 0)
	}
	if level != nil {
		parts[0] = nodes.Sub(x, m.levelled(level))
	}
	rows, width := B, c.Patch*m.inputs()
	if c.Shared {
		rows, width = B*V, width/V
		for i := range parts {
			parts[i] = nodes.Reshape(parts[i], L, rows, 1)
		}
	}
	if x = parts[0]; len(parts) > 1 {
		x = nodes.Concat(-1, parts...)
	}
	if c.Patch > 1 { // the steps of a patch side by side
		x = nodes.Transpose(nodes.Reshape(x, L/c.Patch, c.Patch, rows, width/c.Patch), 0, 2, 1, 3)
		x = nodes.Reshape(x, L/c.Patch, rows, width)
	}
	h := shared.FinalOutput(m.layers, m.layers.Unroll(x, nil, how).Final())
	y := m.out.Of(nodes.Dropout(h, c.IODropout))
	N, Q := len(m.targets), m.quantiles()
	if c.Shared {
		y = nodes.Transpose(nodes.Reshape(y, B, V, c.Horizon*Q), 2, 0, 1)
	} else {
		y = nodes.Transpose(nodes.Reshape(y, B, c.Horizon*Q, N), 1, 0, 2)
	}
	if len(c.Quantiles) > 0 {
		y = nodes.Transpose(nodes.Reshape(y, c.Horizon, Q, B, N), 0, 2, 3, 1)
	}
	if level == nil {
		return y
	}
	if !slices.Equal(c.Targets, c.Variables) {
		var picked []*nodes.Node
		for _, i := range m.targets {
			picked = append(picked, nodes.Slice(level, -1, i, i+1))
		}
		level = nodes.Concat(-1, picked...)
	}
	if len(c.Quantiles) > 0 {
		level = nodes.Reshape(level, 1, B, N, 1)
	}
	return nodes.Add(y, level)
}

// parts are the values of windows, the known variables later, and the masks, as far as there are
// such.
func (m *Model) parts(x *nodes.Node) (parts []*nodes.Node) {
	at := 0
	for _, n := range []int{len(m.cfg.Variables), len(m.known), m.inputs() - m.read()} {
		if n == m.inputs() {
			return []*nodes.Node{x}
		}
		if n > 0 {
			parts = append(parts, nodes.Slice(x, -1, at, at+n))
		}
		at += n
	}
	return parts
}

// levelled is the level of what is measured from it: of static variables it is 0.
func (m *Model) levelled(level *nodes.Node) *nodes.Node {
	if len(m.cfg.Static) == 0 {
		return level
	}
	var has []*nodes.Node
	for _, name := range m.cfg.Variables {
		one := 1.0
		if slices.Contains(m.cfg.Static, name) {
			one = 0
		}
		has = append(has, level.Graph().Const(one, 1))
	}
	return nodes.Mul(level, nodes.Concat(-1, has...))
}

// loss is that of forecasts y as Forward gives them, of the truth [Horizon, B, Targets], where
// known is 1; nil: everywhere.
func (m *Model) loss(y, truth, known *nodes.Node) *nodes.Node {
	mean := func(loss *nodes.Node) *nodes.Node {
		n := nodes.Maximum(nodes.Sum(known), nodes.Scalar(1))
		return nodes.Div(nodes.Sum(nodes.Mul(loss, known)), n)
	}
	if len(m.cfg.Quantiles) == 0 {
		if known != nil {
			return mean(nodes.MSE(y, truth, nodes.ReduceNone))
		}
		return nodes.MSE(y, truth, nodes.ReduceMean)
	}
	var sum *nodes.Node
	for i, q := range m.cfg.Quantiles {
		of := nodes.Reshape(nodes.Slice(y, -1, i, i+1), truth.Shape()...)
		var one *nodes.Node
		if known != nil {
			one = mean(nodes.Pinball(of, truth, q, nodes.ReduceNone))
		} else {
			one = nodes.Pinball(of, truth, q, nodes.ReduceMean)
		}
		if sum != nil {
			one = nodes.Add(sum, one)
		}
		sum = one
	}
	return nodes.Scale(sum, 1/float64(len(m.cfg.Quantiles)))
}

const architecture = "Forecaster"

// Architecture is "Forecaster".
func (m *Model) Architecture() string { return architecture }

// Params holds the weights.
func (m *Model) Params() *nodes.Store { return m.store }

// Config is the configuration that the model was made with, defaults filled in.
func (m *Model) Config() Config { return m.cfg }

// Scale is that by which the variables are standardised.
func (m *Model) Scale() *series.Scale { return m.scale }

// scaleFile holds the scale of a Model.
const scaleFile = "scale.json"

// Save writes config.json, scale.json and model.safetensors to path; see zoo.Save.
func (m *Model) Save(path string) error { return zoo.Save(path, m) }

// Files are the files that Save writes beside the weights.
func (m *Model) Files() zoo.Files {
	return zoo.Files{Config: m.cfg, Extra: map[string]func(io.Writer) error{
		scaleFile: func(w io.Writer) error { return json.NewEncoder(w).Encode(m.scale) },
	}}
}

func init() { zoo.Register(architecture, open, scaleFile) }

func open(d *zoo.Dir, cfg Config) (*Model, error) {
	content, err := d.ReadFile(scaleFile, 1<<20)
	if err != nil {
		return nil, err
	}
	var scale series.Scale
	if err := strictjson.Decode(content, &scale); err != nil {
		return nil, fmt.Errorf("%s: %w", scaleFile, err)
	}
	return New(cfg, &scale, 0)
}

// Load is Load for a directory that must hold a Model.
func Load(dir string) (*Model, error) { return zoo.LoadAs[*Model](dir, "a Forecaster") }
