package golden_test

import (
	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// runNormDropout runs the family norm_dropout. Its masks take the place of the library's random
// numbers.
func runNormDropout(r *goldenRun) {
	c := r.config
	B, T, In, H := c.whole("B"), c.whole("T"), c.whole("In"), c.whole("H")
	switch kind := c.word("kind", "layer_norm", "dropout", "layer_norm_lstm", "variational",
		"zoneout", "between_layers"); kind {
	case "layer_norm":
		gain, bias := r.store.Root().Param("gain", nodes.Ones(), In),
			r.store.Root().Param("bias", nodes.Zeros(), In)
		r.place("weight", verbatim(gain))
		r.place("bias", verbatim(bias))
		r.start(nodes.Options{})
		r.output("y", nodes.LayerNorm(r.input("x", T, B, In), gain, bias, c.number("eps")))
		r.check(r.cotangentLoss())
	case "dropout":
		masks := r.training()
		x := r.input("x", T, B, In)
		masks["dropout"] = []*nodes.Node{r.constant("mask", T, B, In)}
		r.output("y", nodes.Dropout(x, c.number("p")))
		r.check(r.cotangentLoss())
	case "layer_norm_lstm":
		runLayerNormLSTM(r, B, T, In, H)
	case "variational":
		p := c.number("p")
		s := newStack(r, sameSizes(r, c.object("cell"), In, H), func(cell cells.Cell) cells.Cell {
			return cells.Variational{Cell: cell, Input: p, Hidden: p}
		})
		masks := r.training()
		masks["variational input"] = []*nodes.Node{r.constant("mask_x", B, In)}
		masks["variational hidden"] = []*nodes.Node{r.constant("mask_h", B, s.widths["h"])}
		s.run(r, r.input("x", T, B, In), s.initial(r, B), unroll.Options{})
	case "zoneout":
		var rates []float64
		for _, name := range []string{"p_h", "p_c"} {
			if c.has(name) {
				rates = append(rates, c.number(name))
			}
		}
		s := newStack(r, sameSizes(r, c.object("cell"), In, H), func(cell cells.Cell) cells.Cell {
			return cells.Zoneout{Cell: cell, Rates: rates}
		})
		require.Len(r, rates, len(s.states), "rates")
		if c.word("mode", "train", "eval") == "train" {
			masks := r.training()
			for _, name := range s.states {
				masks["zoneout "+name] = []*nodes.Node{r.constant("mask_"+name, T, B, s.widths[name])}
			}
		} else {
			r.start(nodes.Options{})
		}
		s.run(r, r.input("x", T, B, In), s.initial(r, B), unroll.Options{})
	case "between_layers":
		s := newStack(r, sameSizes(r, c.object("cell"), In, H), nil)
		s.Dropout = c.number("p")
		masks := r.training()
		mask := r.constant("mask", len(s.Layers)-1, T, B, s.Layers[0].Width())
		for l := range len(s.Layers) - 1 {
			masks["dropout"] = append(masks["dropout"], nodes.TimeSlice(mask, l))
		}
		s.run(r, r.input("x", T, B, In), s.initial(r, B), unroll.Options{})
	}
}

// sameSizes holds a nested cell configuration to the sizes of the case.
func sameSizes(r *goldenRun, cell settings, In, H int) settings {
	require.EqualValues(r, In, cell.keys["In"])
	require.EqualValues(r, H, cell.keys["H"])
	r.Cleanup(func() { cell.done() })
	return cell
}

// training starts a graph for training that draws no random numbers: what it asks for under a label
// is taken from the list that the result has under that label, in order.
func (r *goldenRun) training() map[string][]*nodes.Node {
	masks := map[string][]*nodes.Node{}
	r.start(nodes.Options{Training: true, Noise: func(q nodes.NoiseRequest) *nodes.Node {
		require.NotEmpty(r, masks[q.Label], "no mask is left for %q", q.Label)
		m := masks[q.Label][0]
		masks[q.Label] = masks[q.Label][1:]
		return m
	}})
	return masks
}

func runLayerNormLSTM(r *goldenRun, B, T, In, H int) {
	over := map[string]cells.Norm{"gates": cells.NormGates,
		"gate": cells.NormGate}[r.config.word("norm_over", "gates", "gate")]
	root := r.store.Root()
	cell := cells.NewLSTM(root, cells.LSTMConfig{In: In, Hidden: H, LayerNorm: over,
		NormEps: r.config.number("eps")})
	r.place("weight_ih_l0", all(root.Shared("W_ih")))
	r.place("weight_hh_l0", all(root.Shared("W_hh")))
	r.place("bias_l0", all(root.Shared("b")))
	for theirs, ours := range map[string]string{"norm_ih": "x", "norm_hh": "h", "norm_c": "c"} {
		r.place(theirs+".weight", all(root.Shared("gain_"+ours)))
		r.place(theirs+".bias", all(root.Shared("bias_"+ours)))
	}
	s := &stack{Stack: unroll.Stack{Layers: []unroll.Layer{unroll.Over(cell)}}, in: In,
		rows: map[string]int{}, widths: map[string]int{}}
	s.add(cell, []string{"h", "c"}, 0, false)
	r.start(nodes.Options{})
	s.run(r, r.input("x", T, B, In), s.initial(r, B), unroll.Options{})
}
