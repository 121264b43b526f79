// Package train turns gradients into trained parameters: batches, optimisers, clipping,
// learning-rate schedules, gradient accumulation, weight averages, early stopping, the history of a
// run, checkpoints, and [Fit], which puts them together.
//
// # Training
//
// [Fit] trains a [Task], which the models of package zoo make of their data:
//
//	ctx, stop := train.Interruptible(context.Background())
//	defer stop()
//	checkpoints, err := train.OpenCheckpoints("run1", 0)
//	// …
//	result, err := train.Fit(ctx, task, train.Config{
//		Optimizer: adam, Epochs: 10, Checkpoints: checkpoints, SaveEvery: 500, Resume: true,
//	})
//
// Stopped by Ctrl-C or killed at any moment, the same program goes on from the last checkpoint, and
// its weights, its optimizer's state and its history are in the end, to the bit, those of a run
// that never stopped. All noise is a function of seed and batch, so there is no generator whose
// state could be lost. The bits are those of one program on one instruction set: AVX-512, AVX2,
// portable Go and other architectures round sums in different orders, as do other versions of Go. A
// checkpoint says which one it was made with, and a resume on another one warns.
//
// # Parameters
//
// Everything here works on a list of [gorgonia.ValueGrad], a value and its gradient, so it serves a
// plain Gorgonia program (gorgonia.NodesToValueGrads) as well as the machines of this library.
// Values and gradients are *tensor.Dense, contiguous and row-major, or the scalars *gorgonia.F64
// and *gorgonia.F32. What is remembered of a parameter (a momentum, an average) is kept under its
// name, the one that its Name method gives; a parameter without a name goes by its position in the
// list. A name that comes twice in one list is an error.
//
// A parameter that is frozen (nodes.Param.Freeze) costs no gradient, StepConfig.Wrt keeps a [Step]
// to some parameters, and [NewGroups] gives groups of them optimizers of their own. [LoadWeights]
// takes what fits from a checkpoint or another model.
//
// # Tasks
//
// [NewTask] makes a [Task] of a function that computes a batch. [CheckTask] tells whether a task
// resumes to the bit, and [CheckGradients] whether its gradients are those of its loss.
//
// # Several trainings
//
// [Sweep] trains with several settings side by side, [Grid] makes them, and [WriteRuns] compares
// runs, which [ReadRuns] finds in their directories; examples/curves draws their histories.
//
// # Gradients
//
// A gradient is taken to be written anew by every run, as the machines of this library do it.
// Gorgonia's TapeMachine with BindDualValues adds to it instead, and relies on the solver to set it
// to 0: [Optimizer.Step] and [Accumulator.Add] do so for a *gorgonia.Node, and leave the gradients
// of every other ValueGrad as they are. Without BindDualValues the gradient of a node is the value
// of its derivative node, which other nodes and constants may share: it is only ever read, and
// [Clip] refuses it.
//
// # State
//
// What must survive an interruption is a [State]. An object that is built from the same
// configuration and given that state goes on to the bit as if it had never stopped.
//
// # Errors
//
// What a caller may want to act on is found by errors.Is and errors.As: a *[ConfigError] for a
// configuration out of range, [ErrInterrupted] (a context.Canceled), [ErrMemory], [ErrNotFinite]
// where a training has diverged, [ErrNoCheckpoint], and [ErrCheckpoint], [ErrOtherModel],
// [ErrOtherSettings] and [ErrOtherData] for a checkpoint that is not to be resumed from.
//
// # Defaults
//
// The zero value of a configuration is the default that its comments state, and the defaults are
// PyTorch's wherever it has one. A field whose 0 selects another number takes [Zero] where 0 itself
// is meant.
package train
