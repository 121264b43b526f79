package cells_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
)

type mguConfig struct {
	In, Hidden int
	Rate       float64 `json:"rate,omitempty"`
}

func (c mguConfig) Sized(in, hidden int) cells.Config { c.In, c.Hidden = in, hidden; return c }
func (c mguConfig) Validate() error                   { return nil }
func (c mguConfig) New(s *nodes.Scope) cells.Cell {
	return newMinimalGatedUnit(s, c.In,
		c.Hidden)
}

func init() { cells.Register("mgu", mguConfig{}) }

func TestParse(t *testing.T) {
	for spec, want := range map[string]cells.Config{
		"gru":                         cells.GRUConfig{},
		"gru,reset_before":            cells.GRUConfig{ResetBefore: true},
		" gru , reset_before=true":    cells.GRUConfig{ResetBefore: true},
		"lstm,peephole=full,coupled":  cells.LSTMConfig{Peephole: cells.Full, Coupled: true},
		"lstm,projection=3":           cells.LSTMConfig{Projection: 3},
		"rnn,activation=relu,no_bias": cells.RNNConfig{Activation: cells.ReLU, NoBias: true},
		"lem,dt=0.5":                  cells.LEMConfig{Dt: 0.5},
		"indrnn,steps=9":              cells.IndRNNConfig{Steps: 9},
		"indrnn,steps=9,bounded,lasting,input_std=0.001": cells.IndRNNConfig{Steps: 9, Bounded: true,
			Lasting: true, InputStd: 0.001},
		"minlstm,memory=600": cells.MinLSTMConfig{Memory: 600},
		"mgu":                mguConfig{},
		"mgu,rate=0.25":      mguConfig{Rate: 0.25},
	} {
		got, err := cells.Parse(spec)
		require.NoError(t, err, spec)
		require.Equal(t, want, got, spec)
		again, err := cells.Spec(got)
		require.NoError(t, err)
		parsed, err := cells.Parse(again)
		require.NoError(t, err, again)
		require.Equal(t, want, parsed, "%s, written as %s", spec, again)
	}
	for spec, want := range map[string]string{
		"":                                    `the cell "" is not registered; known are `,
		"lstn":                                `the cell "lstn" is not registered`,
		"gru,reset":                           `the cell gru has no option "reset"; it has memory, no_bias, reset_before, uniform`,
		"gru,":                                `the cell gru has no option ""`,
		"gru,no_bias,no_bias":                 "the option no_bias comes twice",
		"gru,no_bias=maybe":                   `the option no_bias is "maybe", want a value of type bool`,
		"lem,dt=fast":                         `the option dt is "fast", want a value of type float64`,
		"lem,dt=NaN":                          "want a finite number",
		"lem,dt":                              "the option dt needs a value",
		"lstm,projection=1e3":                 `the option projection is "1e3", want a value of type int`,
		"gru,In=3":                            `no option "In"`,
		"lstm,projection=9999999999999999999": "want a value of type int",
	} {
		_, err := cells.Parse(spec)
		require.ErrorContains(t, err, want, spec)
	}
}

// Every registered cell is built from its name alone for any widths, and has the width that was
// asked for.
func TestRegistered(t *testing.T) {
	names := cells.Registered()
	require.True(t, slices.IsSorted(names))
	require.Subset(t, names, []string{"rnn", "gru", "lstm", "mgu"})
	for _, name := range names {
		for _, z := range sizes {
			cfg, err := cells.Parse(name)
			require.NoError(t, err)
			in := z.In + 1
			cfg = cfg.Sized(in, z.H)
			require.NoError(t, cfg.Validate(), name)
			o := newStep(t, nodes.Float32, z.B, in, true, cfg.New)
			if name != "odd-tape" { // which is wider
				require.Equal(t, z.H, o.cell.Parts()[0].Width, name)
			}
			require.Len(t, o.next, len(o.cell.Parts()))
			for i, p := range o.cell.Parts() {
				require.Equal(t, []int{z.B, p.Width}, o.next[i].Shape(), "%s: %s", name, p.Name)
			}
		}
		cfg, _ := cells.Parse(name)
		if name != "mgu" && name != "nested" {
			require.Error(t, cfg.Sized(0, 3).Validate(), name)
			require.Error(t, cfg.Sized(3, cells.MaxWidth+1).Validate(), name)
		}
	}
}

type badConfig struct {
	mguConfig
	Options []int `json:"options"`
}

// Common are options that two cells have.
type Common struct {
	Depth int    `json:"depth"`
	Mode  string `json:"mode"`
}

// nestedConfig embeds its options, and has tags on its widths too.
type nestedConfig struct {
	mguConfig
	Common
	Width int  `json:"hidden"`
	On    bool `json:"on"`
}

func (c nestedConfig) Sized(in, hidden int) cells.Config {
	c.In, c.Hidden, c.Width = in, hidden, hidden
	return c
}

func init() { cells.Register("nested", nestedConfig{Common: Common{Depth: 2}, On: true}) }

// Options of an embedded struct are the cell's, and widths are none, whatever their tags: one that
// is named would be written over.
func TestOptionsOfEmbeddedStructs(t *testing.T) {
	require.Equal(t, []string{"depth", "mode", "on", "rate"}, cells.Options("nested"))
	got, err := cells.Parse("nested,depth=3,mode=deep,on=false,rate=0.5")
	require.NoError(t, err)
	require.Equal(t, nestedConfig{mguConfig: mguConfig{Rate: 0.5},
		Common: Common{Depth: 3, Mode: "deep"}}, got)
	spec, err := cells.Spec(got.Sized(4, 5))
	require.NoError(t, err)
	require.Equal(t, "nested,rate=0.5,depth=3,mode=deep,on=false", spec)
	_, err = cells.Parse("nested,hidden=3")
	require.ErrorContains(t, err, `no option "hidden"; it has depth, mode, on, rate`)
}

// What Spec writes Parse reads as the same, or Spec says that it cannot.
func TestSpecOfOddValues(t *testing.T) {
	for _, mode := range []string{"true", "false", "", " a", "a b", "日本", "1"} {
		c := nestedConfig{Common: Common{Mode: mode}}
		spec, err := cells.Spec(c)
		require.NoError(t, err)
		again, err := cells.Parse(spec)
		require.NoError(t, err, spec)
		require.Equal(t, c, again, spec)
	}
	for _, c := range []nestedConfig{{Common: Common{Mode: "a,b"}}, {Common: Common{Mode: "a "}},
		{Common: Common{Mode: "a/b"}}, {mguConfig: mguConfig{Rate: math.NaN()}},
		{mguConfig: mguConfig{Rate: math.Inf(-1)}}} {
		_, err := cells.Spec(c)
		require.ErrorContains(t, err, "which a spec cannot hold")
	}
}

type taggedConfig struct {
	mguConfig
	Inner Common `json:"inner"`
}

type twiceConfig struct {
	mguConfig
	Common
	How string `json:"mode"`
}

type spacedConfig struct {
	mguConfig
	Slope float64 `json:"a=b"`
}

// A configuration with an option that no spec can set is refused where it is registered.
func TestRegisterOddOptions(t *testing.T) {
	for want, c := range map[string]cells.Config{
		"the option inner is of cells_test.Common":           taggedConfig{},
		"two options are called mode":                        twiceConfig{},
		`the option "a=b"; want a name without =, / and spa`: spacedConfig{},
	} {
		func() {
			defer func() { require.Contains(t, recover(), want) }()
			cells.Register("odd-options", c)
		}()
	}
}

func TestRegisterTwice(t *testing.T) {
	for name, c := range map[string]cells.Config{
		"gru": mguConfig{}, "": mguConfig{}, "a b": mguConfig{}, "a/b": mguConfig{}, "x": nil,
		"y": &mguConfig{}, "z": badConfig{},
	} {
		require.Panics(t, func() { cells.Register(name, c) }, name)
	}
	_, err := cells.Spec(badConfig{})
	require.ErrorContains(t, err, "is not registered")
}

// Memory and Uniform are said once for all cells that have them.
func TestStart(t *testing.T) {
	for _, spec := range []string{"gru,memory=1", "lstm,memory=-3", "gru,memory=2000000",
		"lstm,memory=10,uniform"} {
		cfg, err := cells.Parse(spec)
		require.NoError(t, err)
		require.ErrorContains(t, cfg.Sized(1, 1).Validate(), "Memory", spec)
	}
	for _, spec := range []string{"rnn,uniform", "gru,uniform", "lstm,uniform,coupled"} {
		cfg, err := cells.Parse(spec)
		require.NoError(t, err)
		store := nodes.NewStore(nodes.Float64, 1)
		cfg.Sized(3, 16).New(store.Root())
		for _, p := range store.Params() {
			for _, v := range p.Value().Data().([]float64) {
				require.LessOrEqual(t, max(v, -v), 0.25, "%s %s", spec, p.Name())
			}
		}
	}
}
