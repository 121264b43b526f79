// Package onnx reads and writes models in ONNX's format, without cgo and without Python.
//
// [Import] makes a [Model] of a file that PyTorch, Keras or another exporter wrote. It runs on this
// library's engine:
//
//	m, err := onnx.Import("m.onnx")
//	out, err := m.Run(onnx.Values{"x": onnx.Floats([]float32{0.5, -0.25}, 1, 2)})
//	fmt.Println(out["y"].Float32s())
//
// The float initialisers of the file are parameters (Params), so that a model can be trained
// further: Build lays it out in a graph of one's own, where losses and gradients are added.
// Sizes that the file leaves open, such as the batch's, are fixed by what a run is given; each
// combination of them is compiled once. What a model carries from call to call is a value: see
// [State].
//
// [Export] writes a model of the zoo, so that other runtimes give the same numbers; see there.
//
// docs/onnx.md lists the operators and says what is refused.
package onnx
