package oddcells_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/zoo"
)

// mistake is what a cell of a user does otherwise than a cell should.
type mistake struct {
	sized    func(c wrongConfig) cells.Config
	validate func(c wrongConfig) error
	new      func(c wrongConfig) cells.Cell
	parts    func(c wrongConfig) []cells.Part
	free     []string
	role     func() cells.Role
	step     func(c *wrong, x *nodes.Node, s cells.State) *nodes.Node
}

// wrongConfig is the configuration of a plain RNN with a mistake.
type wrongConfig struct {
	In, Hidden int
	*mistake
}

func (c wrongConfig) Sized(in, hidden int) cells.Config {
	c.In, c.Hidden = in, hidden
	if c.sized != nil {
		return c.sized(c)
	}
	return c
}

func (c wrongConfig) Validate() error {
	if c.validate != nil {
		return c.validate(c)
	}
	return nil
}

func (c wrongConfig) New(s *nodes.Scope) cells.Cell {
	if c.new != nil {
		return c.new(c)
	}
	return &wrong{wrongConfig: c, w: s.Param("w", nodes.XavierUniform(1), c.In, c.Hidden),
		u: s.Param("u", nodes.XavierUniform(1), c.Hidden, c.Hidden)}
}

type wrong struct {
	wrongConfig
	w, u  *nodes.Param
	calls int
	kept  *nodes.Node
}

func (c *wrong) Parts() []cells.Part {
	if c.parts != nil {
		return c.parts(c.wrongConfig)
	}
	return []cells.Part{{Name: "h", Width: c.Hidden}}
}

func (c *wrong) FreeParts() []string { return c.free }

func (c *wrong) Role(leaf string) cells.Role {
	switch {
	case c.role != nil:
		return c.role()
	case leaf == "w":
		return cells.OfInput
	}
	return cells.OfState
}

func (c *wrong) Step(x *nodes.Node, s cells.State) cells.State {
	c.calls++
	if c.step != nil {
		return cells.State{c.step(c, x, s)}
	}
	return cells.State{c.right(x, s)}
}

func (c *wrong) right(x *nodes.Node, s cells.State) *nodes.Node {
	return nodes.Tanh(nodes.Add(nodes.MatMul(x, c.w), nodes.MatMul(s[0], c.u)))
}

func one(name string, width int) func(wrongConfig) []cells.Part {
	return func(wrongConfig) []cells.Part { return []cells.Part{{Name: name, Width: width}} }
}

// mistakes are of cells, and what the error says.
var mistakes = map[string]struct {
	mistake
	want string
}{
	"sized-panics": {mistake{sized: func(wrongConfig) cells.Config { panic("no size") }},
		"the cell sized-panics: its Sized panics: no size (mistakes_test.go:"},
	"sized-nil": {mistake{sized: func(wrongConfig) cells.Config { return nil }},
		"the cell sized-nil: its Sized gives <nil>, want oddcells_test.wrongConfig"},
	"sized-other": {mistake{sized: func(c wrongConfig) cells.Config {
		return cells.GRUConfig{In: c.In, Hidden: c.Hidden}
	}}, "its Sized gives cells.GRUConfig, want oddcells_test.wrongConfig"},
	"validate-panics": {mistake{validate: func(wrongConfig) error { panic(errors.New("thrown")) }},
		"the cell validate-panics: its Validate panics: thrown"},
	"new-panics": {mistake{new: func(wrongConfig) cells.Cell { var c *wrong; c.calls++; return c }},
		"the cell new-panics: its New panics: runtime error: invalid memory address"},
	"new-nil": {mistake{new: func(wrongConfig) cells.Cell { return nil }},
		"the cell new-nil: its New gives nil"},
	"new-nil-pointer": {mistake{new: func(wrongConfig) cells.Cell { return (*wrong)(nil) }},
		"the cell new-nil-pointer: its New gives nil"},
	"parts-panics": {mistake{parts: func(wrongConfig) []cells.Part { panic(3) }},
		"the cell parts-panics: its Parts panics: 3"},
	"parts-slash": {mistake{parts: one("a/b", 3)}, `the part "a/b"; want printable characters`},
	"parts-space": {mistake{parts: one("a b", 3)}, `the part "a b"; want printable characters`},
	"free-unknown": {mistake{free: []string{"c"}},
		`says that its part "c" is free, and has [h [B, `},
	"role-panics": {mistake{role: func() cells.Role { panic("no role") }},
		"the cell role-panics: its Step panics: no role"},
	"step-panics": {mistake{step: func(_ *wrong, _ *nodes.Node, s cells.State) *nodes.Node {
		return s[1]
	}}, "the cell step-panics: its Step panics: runtime error: index out of range [1] with length 1 " +
		"(mistakes_test.go:"},
	"step-one-batch": {mistake{step: func(c *wrong, x *nodes.Node, s cells.State) *nodes.Node {
		return nodes.Add(c.right(x, s), x.Graph().Zeros(2, c.Hidden))
	}}, "the step of the cell *oddcells_test.wrong gives the part h as [2 5], want [B, 5]"},
	"step-counts": {mistake{step: func(c *wrong, x *nodes.Node, s cells.State) *nodes.Node {
		return nodes.Scale(c.right(x, s), float64(c.calls))
	}}, "the step of the cell *oddcells_test.wrong gives another h when it is called once more"},
	"step-noise": {mistake{step: func(c *wrong, x *nodes.Node, s cells.State) *nodes.Node {
		return nodes.Dropout(c.right(x, s), 0.5*float64(c.calls%2))
	}}, "gives another h when it is called once more"},
	"step-keeps": {mistake{step: func(c *wrong, x *nodes.Node, s cells.State) *nodes.Node {
		if c.kept == nil {
			c.kept = x.Graph().Param(c.w)
		}
		return nodes.MatMul(x, c.kept)
	}}, "in another graph"},
	"step-param": {mistake{step: func(c *wrong, x *nodes.Node, s cells.State) *nodes.Node {
		gain := nodes.NewStore(nodes.Float32, 1).Root().Param("gain", nodes.Ones(), c.Hidden)
		return nodes.Mul(c.right(x, s), gain)
	}}, "uses the parameter gain, which its New has not declared"},
	"step-input": {mistake{step: func(c *wrong, x *nodes.Node, s cells.State) *nodes.Node {
		return nodes.Mul(c.right(x, s), x.Graph().Input("mine", x.Dim(0), c.Hidden))
	}}, `the name "mine" is taken`},
	"no-mistake": {},
}

func init() {
	for name, m := range mistakes {
		cells.Register(name, wrongConfig{mistake: &m.mistake})
	}
}

// A cell of a user that panics, or gives what no cell can, is an error that names it where a model
// is made, and never a panic or a model that is another one when it is loaded.
func TestCellsWithMistakes(t *testing.T) {
	for name, m := range mistakes {
		r := zoo.Recurrent{Cell: name, Hidden: 5, Norm: true}
		err := r.Validate()
		if m.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, m.want, name)
		require.ErrorContains(t, err, name)
		require.Positive(t, r.LayerWidth(0), name)
	}
}

// fitted is a cell that takes inputs of some widths alone, and is as wide as they are.
type fitted struct {
	In, Hidden int
	Multiple   int  `json:"multiple"`
	AsWide     bool `json:"as_wide"`
}

func (c fitted) Sized(in, hidden int) cells.Config { c.In, c.Hidden = in, hidden; return c }

func (c fitted) Validate() error {
	if c.In%c.Multiple != 0 {
		return errors.New("fitted: In is no multiple")
	}
	return nil
}

func (c fitted) New(*nodes.Scope) cells.Cell { return average{c} }

type average struct{ fitted }

func (c average) Parts() []cells.Part {
	if c.AsWide {
		return []cells.Part{{Name: "h", Width: c.In}}
	}
	return []cells.Part{{Name: "h", Width: c.Hidden}}
}

func (c average) Step(x *nodes.Node, s cells.State) cells.State {
	if !c.AsWide {
		x = nodes.Broadcast(nodes.Reshape(nodes.Mean(x, 1), x.Dim(0), 1), x.Dim(0), c.Hidden)
	}
	return cells.State{nodes.Scale(nodes.Add(x, s[0]), 0.5)}
}

func init() { cells.Register("fitted", fitted{Multiple: 1}) }

// A cell may want inputs of certain widths, which a configuration without them cannot know.
func TestCellsThatWantCertainInputs(t *testing.T) {
	for spec, hidden := range map[string]int{"fitted,multiple=7": 5, "fitted,multiple=300": 2,
		"convlstm,width=3": 6, "convlstm,height=5": 10, "cfc,gaps": 1} {
		require.NoError(t, zoo.Recurrent{Cell: spec, Hidden: hidden}.Validate(), spec)
		require.Equal(t, hidden, zoo.Recurrent{Cell: spec, Hidden: hidden}.Width(), spec)
	}
	require.ErrorContains(t, zoo.Recurrent{Cell: "fitted,multiple=5000", Hidden: 3}.Validate(),
		"fitted: In is no multiple")

	r := zoo.Recurrent{Cell: "fitted,as_wide", Hidden: 4}
	root := nodes.NewStore(nodes.Float32, 1).Root()
	require.NoError(t, nodes.Try(func() { r.NewCell(root, 0, 4) }))
	require.ErrorContains(t, nodes.Try(func() { r.NewCell(root, 0, 6) }),
		"the cell fitted gives outputs 6 wide for inputs of 6, and 4 wide for others")
}
