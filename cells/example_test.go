package cells_test

import (
	"fmt"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
)

// A cell declares its parameters in a scope, and says what it carries from step to step.
func ExampleNewLSTM() {
	store := nodes.NewStore(nodes.Float32, 1)
	lstm := cells.NewLSTM(store.Root().In("encoder").In("l0"),
		cells.LSTMConfig{In: 64, Hidden: 128, Peephole: cells.Diagonal})
	for _, p := range store.Params() {
		fmt.Println(p.Name(), p.Shape())
	}
	for _, part := range lstm.Parts() {
		fmt.Println("carries", part.Name, "of width", part.Width)
	}
	// Output:
	// encoder/l0/W_ih [64 512]
	// encoder/l0/W_hh [128 512]
	// encoder/l0/b [512]
	// encoder/l0/peephole_i [128]
	// encoder/l0/peephole_o [128]
	// encoder/l0/peephole_f [128]
	// carries h of width 128
	// carries c of width 128
}

// A configuration reports all of its mistakes at once.
func ExampleLSTMConfig_Validate() {
	fmt.Println(cells.LSTMConfig{In: 64, Projection: -1, LayerNorm: "everywhere"}.Validate())
	// Output:
	// LSTM: Hidden is 0, want 1 … 1048576
	// LSTM: Projection is -1, want 1 … 1048576
	// LSTM: LayerNorm is "everywhere", want none, gates or gate
}

// Wrappers take any cell.
func ExampleZoneout() {
	s := nodes.NewStore(nodes.Float32, 1).Root()
	var cell cells.Cell = cells.NewGRU(s, cells.GRUConfig{In: 8, Hidden: 16})
	cell = cells.Variational{Cell: cell, Input: 0.2, Hidden: 0.3}
	cell = cells.Zoneout{Cell: cell, Rates: []float64{0.1}}
	fmt.Println(cell.Parts())
	// Output: [h [B, 16]]
}
