// Package graph compiles a Gorgonia graph and runs it.
//
// Compile returns a Machine, which is a gorgonia.VM: it takes the values bound to the graph's
// inputs, and leaves its results where a Gorgonia user looks for them, in Node.Value and
// Node.Grad.
//
//	g := gorgonia.NewGraph()
//	x := gorgonia.NewMatrix(g, gorgonia.Float32, gorgonia.WithShape(32, 8), gorgonia.WithInit(gorgonia.Gaussian(0, 1)))
//	w := gorgonia.NewMatrix(g, gorgonia.Float32, gorgonia.WithShape(8, 4), gorgonia.WithInit(gorgonia.GlorotU(1)))
//	loss := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Tanh(gorgonia.Must(gorgonia.Mul(x, w))))))
//	if _, err := gorgonia.Grad(loss, w); err != nil {
//		log.Fatal(err)
//	}
//	machine, err := graph.Compile(g) // gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(w))
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer machine.Close()
//	if err := machine.RunAll(); err != nil {
//		log.Fatal(err)
//	}
//	fmt.Println(loss.Value())
//
// Models of this library are built with package nodes and unroll, and trained by package train,
// which compile by themselves.
//
// # Which values a run delivers
//
// The roots of the graph, what was differentiated, what gorgonia.Read was given, and the gradients
// that gorgonia.Grad was asked for. Also delivers further nodes, KeepAll delivers all, and Keep
// delivers the given ones alone. What nobody asked for is not stored, and may not be computed at
// all. Compile says what else differs from Gorgonia's own machine.
//
// # Seeing in
//
// Explain lists the instructions and what the compiler left as it was, with the reason. Profile
// gives the least time of each, by kernel and by place in the model; Memory and Buffers say what
// is planned before the first run; WriteDOT draws. Plain runs the definitions of the operations in
// place of the program, and Without switches single passes off: both are there to compare with.
// CheckGradients compares gradients with finite differences.
//
// # Errors
//
// Compile refuses a graph that it cannot run, and one that needs more than its MemoryLimit with
// ErrMemory, before it allocates. A run returns an error if an input has no value or one of
// another shape or type, if an operation fails (an id beyond its table, say), if the machine was
// closed, or, with RunContext, when the context is done. Errors name the operation by its place in
// the model where it has one, as "encoder/l0 step 7: MatMul". With Watch, a run whose results are
// not finite returns a *NotFinite that names the operation that the first NaN or infinity came
// from. After an error the results are undefined, those of a *NotFinite apart; the machine can run
// again.
//
// # Concurrency
//
// A machine is for one goroutine at a time; it divides its work among Workers goroutines of its
// own, and its results have the same bits for any number of them. Machines of different graphs may
// run at the same time, also over the same parameters, as long as nobody writes to those
// meanwhile. Machines of one graph take turns, since they deliver to the same nodes; so do
// machines that share an arena (In): a run that finds the arena taken returns ErrArenaInUse. A
// graph must not be changed while one of its machines runs.
package graph
