package train

import "errors"

// Processes are the processes of a training, this one among them, such as package train/mpi makes
// of an MPI job. Every process calls the same methods in the same order. A method that moves data
// waits for the others, and its error says that a process is lost; what was to be received is then
// unknown.
type Processes interface {
	Rank() int // of this process, 0 … Size−1
	Size() int
	// AllToAll sends each process a part of send: first sendCounts[0] bytes to process 0, and so
	// on. What process r sends to this one comes to recv, recvCounts[r] bytes, in the order of r.
	AllToAll(send []byte, sendCounts []int, recv []byte, recvCounts []int) error
	// AllGather gives everybody what each process sends: counts[r] bytes of process r come to recv,
	// in the order of r.
	AllGather(send, recv []byte, counts []int) error
	// SumFloat32 and SumFloat64 replace x by its sum over all processes, in whichever order is
	// fastest.
	SumFloat32(x []float32) error
	SumFloat64(x []float64) error
	// Broadcast replaces data, of as many bytes everywhere, by that of process root.
	Broadcast(data []byte, root int) error
	// Barrier returns once every process has called it.
	Barrier() error
	// At notes what this process is about to do, for a message about one that is lost.
	At(step int)
	// Abort ends all processes, for a reason that it writes first. It need not return.
	Abort(reason error)
}

// ErrProcesses says that the processes of a training do not agree, or that one is lost.
var ErrProcesses = errors.New("processes")
