package lm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/safetensors"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/text"
)

type goldenArray struct {
	Shape []int     `json:"shape"`
	Data  []float64 `json:"data"`
}

type torchCase struct {
	Name   string `json:"name"`
	Config struct {
		Cell          string `json:"cell"`
		In            int    `json:"In"`
		H             int    `json:"H"`
		Layers        int    `json:"layers"`
		Bidirectional bool   `json:"bidirectional"`
		Merge         string `json:"merge"`
		Bias          bool   `json:"bias"`
		Activation    string `json:"activation"`
		Peephole      string `json:"peephole"`
		Coupled       bool   `json:"coupled"`
		Projection    int    `json:"proj_size"`
		Reset         string `json:"reset"`
	} `json:"config"`
	Inputs  map[string]goldenArray `json:"inputs"`
	Params  map[string]goldenArray `json:"params"`
	Outputs map[string]goldenArray `json:"outputs"`
}

// torchCases are the golden cases of nn.RNN, nn.GRU and nn.LSTM.
func torchCases(t *testing.T) (all []torchCase) {
	for _, family := range []string{"rnn", "gru", "lstm"} {
		content, err := os.ReadFile(filepath.Join("..", "..", "golden", "testdata", family+".json"))
		require.NoError(t, err)
		var file struct{ Cases []torchCase }
		require.NoError(t, json.Unmarshal(content, &file))
		all = append(all, file.Cases...)
	}
	return all
}

// inTorch reports whether PyTorch's own modules can do it: the golden cells can do more.
func (c torchCase) inTorch() bool {
	f := c.Config
	return (f.Peephole == "" || f.Peephole == "none") && !f.Coupled && f.Reset != "before" &&
		f.Activation != "sigmoid" && f.Merge == "concat"
}

// layers declares the layers of a case under "rnn", of random weights.
func (c torchCase) layers(s *nodes.Store, bias bool) unroll.Stack {
	f := c.Config
	cell := func(s *nodes.Scope, in int) unroll.Layer {
		switch f.Cell {
		case "rnn":
			return unroll.Over(cells.NewRNN(s, cells.RNNConfig{In: in, Hidden: f.H,
				Activation: cells.Activation(f.Activation), NoBias: !bias}))
		case "gru":
			return unroll.Over(cells.NewGRU(s, cells.GRUConfig{In: in, Hidden: f.H, NoBias: !bias,
				ResetBefore: f.Reset == "before"}))
		}
		p := cells.Peephole(f.Peephole)
		if p == "none" {
			p = ""
		}
		return unroll.Over(cells.NewLSTM(s, cells.LSTMConfig{In: in, Hidden: f.H,
			Projection: f.Projection, NoBias: !bias, Peephole: p, Coupled: f.Coupled}))
	}
	var stack unroll.Stack
	in := f.In
	for k := range f.Layers {
		s := s.Root().In("rnn").In("l%d", k)
		if f.Bidirectional {
			stack.Layers = append(stack.Layers,
				unroll.Bidirectional{Forward: cell(s.In("forward"), in),
					Backward: cell(s.In("backward"), in)})
		} else {
			stack.Layers = append(stack.Layers, cell(s, in))
		}
		in = stack.Width()
	}
	return stack
}

// run is what the layers put out for the inputs of the case, from the state given or zeros.
func (c torchCase) run(t *testing.T, s *nodes.Store, layers unroll.Stack) []float64 {
	g := nodes.NewGraph(nodes.Options{Dtype: s.Dtype()})
	input := func(name string, a goldenArray, shape ...int) *nodes.Node {
		n := g.Input(name, shape...)
		var in run.Inputs
		in.Floats(n).Put64(0, a.Data)
		require.NoError(t, in.Err())
		return n
	}
	var y *nodes.Node
	require.NoError(t, nodes.Try(func() {
		x := c.Inputs["x"]
		var init cells.State
		if h0, ok := c.Inputs["h0"]; ok {
			at := map[string]int{}
			for i, p := range layers.Parts() {
				kind := p.Name[strings.LastIndex(p.Name, " ")+1:]
				from := map[string]goldenArray{"h": h0, "c": c.Inputs["c0"]}[kind]
				n := from.Shape[1] * p.Width
				part := goldenArray{Data: from.Data[at[kind]*n : (at[kind]+1)*n]}
				at[kind]++
				init = append(init, input(fmt.Sprintf("state %d", i), part, from.Shape[1], p.Width))
			}
		}
		y = layers.Unroll(input("x", x, x.Shape...), init, unroll.Options{}).Y()
	}))
	step, err := run.New([]*nodes.Node{y})
	require.NoError(t, err)
	defer step.Close()
	require.NoError(t, step.Run(0, 0))
	return step.Output(0).Float64s()
}

// stateDict writes the parameters of a case as PyTorch would save a module called encoder.rnn.
func (c torchCase) stateDict(t *testing.T,
	change func([]safetensors.Tensor) []safetensors.Tensor) string {
	var tensors []safetensors.Tensor
	for name, p := range c.Params {
		tensors = append(tensors, safetensors.New("encoder.rnn."+name, p.Shape, p.Data))
	}
	// of another module
	tensors = append(tensors, safetensors.New("encoder.other.weight", []int{1}, []float64{1}))
	if change != nil {
		tensors = change(tensors)
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, safetensors.Write(f, tensors, nil))
	require.NoError(t, f.Close())
	return path
}

var encoderRNN = zoo.TorchModule{Torch: "encoder.rnn", Path: "rnn"}

// PyTorch's weights give PyTorch's outputs, exported and imported again too, in float64 and
// float32; and what its modules cannot do is refused.
func TestImportTorch(t *testing.T) {
	held := 0
	for i, c := range torchCases(t) {
		if testing.Short() && i%5 != 0 {
			continue
		}
		path := c.stateDict(t, nil)
		for _, dtype := range []tensor.Dtype{nodes.Float64, nodes.Float32} {
			s := nodes.NewStore(dtype, 1)
			var layers unroll.Stack
			// a bias of 0 where PyTorch has none
			require.NoError(t, nodes.Try(func() { layers = c.layers(s, true) }))
			module := encoderRNN
			module.NoBias = !c.Config.Bias
			err := zoo.ImportTorch(path, s, module)
			if !c.inTorch() && c.Config.Merge == "concat" && c.Config.Activation != "sigmoid" {
				require.ErrorContains(t, err, "PyTorch has no counterpart to", c.Name)
				continue
			}
			if !c.inTorch() {
				continue
			}
			require.NoError(t, err, c.Name)
			want := c.Outputs["y"].Data
			tolerance := 1e-9
			if dtype == nodes.Float32 {
				tolerance = 1e-4
			}
			testkit.RequireInDelta(t, want, c.run(t, s, layers), tolerance, c.Name)

			back := filepath.Join(t.TempDir(), "back.safetensors")
			require.NoError(t, zoo.ExportTorch(back, s, module))
			again := nodes.NewStore(dtype, 2)
			require.NoError(t, nodes.Try(func() { layers = c.layers(again, true) }))
			require.NoError(t, zoo.ImportTorch(back, again, module))
			require.Equal(t, s.Params()[0].Value().Data(), again.Params()[0].Value().Data())
			testkit.RequireInDelta(t, want, c.run(t, again, layers), tolerance, c.Name)
			f, err := safetensors.ReadFile(back)
			require.NoError(t, err)
			require.Len(t, f.Tensors, len(c.Params), c.Name)
			for name, p := range c.Params {
				found, ok := f.Find("encoder.rnn." + name)
				require.True(t, ok, name)
				require.Equal(t, p.Shape, found.Shape)
			}
			held++
		}
	}
	require.Greater(t, held, 8)
}

// plainTwoLayers are cases of PyTorch with two plain layers.
func plainTwoLayers(t *testing.T) (lstm, gru torchCase) {
	for _, c := range torchCases(t) {
		if c.inTorch() && c.Config.Bias && c.Config.Layers == 2 && c.Config.Projection == 0 &&
			!c.Config.Bidirectional {
			switch c.Config.Cell {
			case "lstm":
				lstm = c
			case "gru":
				gru = c
			}
		}
	}
	require.NotEmpty(t, lstm.Name)
	require.NotEmpty(t, gru.Name)
	return lstm, gru
}

// changed is a change of a file of PyTorch.
type changed = func([]safetensors.Tensor) []safetensors.Tensor

func without(name string) changed {
	return func(all []safetensors.Tensor) (out []safetensors.Tensor) {
		for _, x := range all {
			if x.Name != name {
				out = append(out, x)
			}
		}
		return out
	}
}

func with(x safetensors.Tensor) changed {
	return func(all []safetensors.Tensor) []safetensors.Tensor { return append(without(x.Name)(all), x) }
}

func TestImportTorchErrors(t *testing.T) {
	lstm, gru := plainTwoLayers(t)
	rows := 4 * lstm.Config.H
	nan := make([]float64, rows)
	nan[1] = math.NaN()
	for _, e := range []struct {
		want   string
		change changed
		module zoo.TorchModule
	}{
		{"encoder.rnn.weight_ih_l1 is missing", without("encoder.rnn.weight_ih_l1"), encoderRNN},
		{"encoder.rnn.bias_hh_l0 is missing", without("encoder.rnn.bias_hh_l0"), encoderRNN},
		{"encoder.rnn.weight_ih_l2 has no counterpart",
			with(safetensors.New("encoder.rnn.weight_ih_l2", []int{1}, []float64{1})), encoderRNN},
		{"encoder.rnn.weight_hh_l0_reverse has no",
			with(safetensors.New("encoder.rnn.weight_hh_l0_reverse", []int{1}, []float64{1})),
			encoderRNN},
		{fmt.Sprintf("bias_ih_l0 is [1], and rnn/l0/b in the model wants [%d]", rows),
			with(safetensors.New("encoder.rnn.bias_ih_l0", []int{1}, []float64{1})), encoderRNN},
		{"bias_ih_l0: element 1 is NaN",
			with(safetensors.New("encoder.rnn.bias_ih_l0", []int{rows}, nan)), encoderRNN},
		{"it is of the type F8_E4M3, which is not read",
			with(safetensors.Tensor{Name: "encoder.rnn.bias_ih_l0", DType: "F8_E4M3",
				Shape: []int{rows}, Data: make([]byte, rows)}), encoderRNN},
		{"bias_ih_l0 is there, and the module is said to have no bias", nil,
			zoo.TorchModule{Torch: "encoder.rnn", Path: "rnn", NoBias: true}},
		{"encoder.rnn.weight_ih_l1 is missing; the nearest is encoder.rnn.weight_hh_l1",
			without("encoder.rnn.weight_ih_l1"), encoderRNN},
		{"the file holds encoder.other.weight, encoder.rnn.bias_hh_l0, ",
			without("encoder.rnn.weight_ih_l1"), encoderRNN},
		{"it is of the type I64, which is no float",
			with(safetensors.New("encoder.rnn.bias_ih_l0", []int{rows}, make([]int64, rows))),
			encoderRNN},
		{"decoder.weight_ih_l0 is missing", nil, zoo.TorchModule{Torch: "decoder", Path: "rnn"}},
		{"the model has no parameter there", nil, zoo.TorchModule{Torch: "encoder.rnn",
			Path: "layers"}},
		{`"rnn/l0" is no layer`, nil, zoo.TorchModule{Torch: "encoder.rnn"}},
	} {
		s := nodes.NewStore(nodes.Float64, 1)
		require.NoError(t, nodes.Try(func() { lstm.layers(s, true) }))
		before := fmt.Sprint(s.Params()[0].Value().Data())
		path := lstm.stateDict(t, e.change)
		err := zoo.ImportTorch(path, s, e.module)
		require.ErrorContains(t, err, e.want)
		require.Equal(t, before, fmt.Sprint(s.Params()[0].Value().Data()), "nothing is changed")
	}
	s := nodes.NewStore(nodes.Float64, 1)
	require.NoError(t, nodes.Try(func() { lstm.layers(s, true) }))
	require.ErrorContains(t, zoo.ImportTorch(gru.stateDict(t, nil), s, encoderRNN),
		"it does not fit the model")
	require.ErrorIs(t, zoo.ImportTorch("absent", s, encoderRNN), os.ErrNotExist)
	require.ErrorContains(t, zoo.ImportTorch("absent", s), "there is no module")
	require.ErrorContains(t, zoo.ExportTorch("absent", s, encoderRNN, encoderRNN),
		"belongs to two modules")
	require.ErrorContains(t, zoo.ExportTorch(filepath.Join(t.TempDir(), "no", "such"), s,
		encoderRNN), "export to")
}

// A whole language model, there and back: an embedding, two layers and a linear layer, by PyTorch
// itself.
func TestTorchItself(t *testing.T) {
	python := "/usr/bin/python3"
	if testing.Short() {
		t.Skip("starting PyTorch takes seconds")
	}
	if out, err := exec.Command(python, "-c", "import torch, numpy").CombinedOutput(); err != nil {
		t.Skipf("PyTorch is absent: %v %.200s", err, bytes.TrimSpace(out))
	}
	dir := t.TempDir()
	script := filepath.Join("testdata", "torch_language_model.py")
	v, err := text.NewVocabulary(text.VocabularyConfig{}, strings.Split("a b c d e", " "))
	require.NoError(t, err)
	ids := []int{0, 3, 1, 4, 2, 2, 0}
	run := func(command string) (logits map[string][][]float64) {
		out, err := exec.Command(python, script, command, dir).Output()
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(out, &logits))
		require.Len(t, logits, 3)
		return logits
	}
	want := run("save")
	modules := []zoo.TorchModule{{Torch: "embed", Path: "embed"}, {Torch: "rnn", Path: "layers"},
		{Torch: "out", Path: "out"}}
	for cell := range want {
		m, err := New(Config{Recurrent: zoo.Recurrent{Cell: cell, Hidden: 6, Layers: 2}, Embed: 3},
			v, 1)
		require.NoError(t, err)
		path := filepath.Join(dir, cell+".safetensors")
		require.NoError(t, zoo.ImportTorch(path, m.Params(), modules...))
		for i, logits := range logitsOf(t, m, ids) {
			for k, x := range logits {
				require.InDelta(t, want[cell][i][k], x, 1e-5, cell)
			}
		}
		require.NoError(t, os.Remove(path))
		require.NoError(t, zoo.ExportTorch(path, m.Params(), modules...))
	}
	for cell, logits := range run("load") {
		for i := range logits {
			testkit.RequireInDelta(t, want[cell][i], logits[i], 1e-5, cell)
		}
	}
}
