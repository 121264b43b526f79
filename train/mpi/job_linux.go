package mpi

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/seqzoo/seqzoo/internal/launch"
)

// Config says how a job looks after its processes. The zero value is the default.
type Config struct {
	// how long a process may not be heard of before it counts as stopped; 0 means 10 seconds
	Timeout time.Duration
	// how long others may wait for a process that is heard of; 0 means 30 minutes, as a validation
	// or a checkpoint of the first may take long
	Stall time.Duration
}

// Job is the processes of an MPI job: a train.Processes. Its methods are for one goroutine.
type Job struct {
	lib        *library
	rank, size int
	host       string
	beats      uintptr    // a communicator of its own for signs of life
	mu         sync.Mutex // of all calls of the library: it need not be safe for several threads
	step       atomic.Int64
	waiting    atomic.Int64 // since when, in nanoseconds of the clock; 0: it is not
	begun      time.Time
	cfg        Config
	done       chan struct{}
	watched    sync.WaitGroup
	warnings   []string
	posted     []*request // by Send and Receive
	windows    [][]byte   // memory that is mapped
}

// threadSerialized is MPI_THREAD_SERIALIZED: several threads call, one at a time.
const threadSerialized = 2

// Start joins the job that a launcher has started this process in, or returns ErrAlone. A process
// can join once.
//
// With several processes SIGTERM, by which a launcher ends a job, no longer ends this one while it
// computes, so that it can save, but only while it waits for others. A program that is to stop by
// it trains with the context of train.Interruptible.
func Start(c Config) (*Job, error) {
	l, _, size, ok := launch.Find(os.Getenv)
	if !ok {
		return nil, ErrAlone
	}
	if c.Timeout < 0 || c.Stall < 0 {
		return nil, fmt.Errorf("mpi: Timeout is %v and Stall %v; want 0 or more",
			c.Timeout, c.Stall)
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Stall == 0 {
		c.Stall = 30 * time.Minute
	}
	lib, err := open(l)
	if err != nil {
		return nil, err
	}
	j := &Job{lib: lib, cfg: c, done: make(chan struct{}), begun: time.Now()}
	j.host, _ = os.Hostname()
	provided := new(int32)
	joined := make(chan struct{})
	go j.watchStart(l, size, joined)
	err = j.call("MPI_Init_thread", lib.initThread, 0, 0, threadSerialized, pointer(provided))
	close(joined)
	if err != nil {
		return nil, err
	}
	if *provided < threadSerialized {
		return nil, fmt.Errorf("mpi: %s allows calls from one thread only (level %d); Go needs 2, "+
			"MPI_THREAD_SERIALIZED", lib.name, *provided)
	}
	rank, n, beats := new(int32), new(int32), new(uintptr)
	for _, c := range []struct {
		name string
		fn   uintptr
		args []uintptr
	}{
		{"MPI_Comm_set_errhandler", lib.commSetErrhandler, []uintptr{lib.world, lib.errorsReturn}},
		{"MPI_Comm_rank", lib.commRank, []uintptr{lib.world, pointer(rank)}},
		{"MPI_Comm_size", lib.commSize, []uintptr{lib.world, pointer(n)}},
		{"MPI_Comm_dup", lib.commDup, []uintptr{lib.world, pointer(beats)}},
		{"MPI_Comm_set_errhandler", lib.commSetErrhandler, nil},
	} {
		if c.args == nil {
			c.args = []uintptr{*beats, lib.errorsReturn}
		}
		if err := j.call(c.name, c.fn, c.args...); err != nil {
			return nil, err
		}
	}
	runtime.KeepAlive(beats)
	j.rank, j.size, j.beats = int(*rank), int(*n), *beats
	if j.size != size {
		j.finalize()
		why := "the library is not that of the launcher; give the path of the right one in " +
			LibraryVariable
		if l.Rank == "SLURM_PROCID" {
			why = "srun and the library do not speak with each other; try srun --mpi=pmix for " +
				"Open MPI, --mpi=pmi2 for MPICH (srun --mpi=list says what there is), or another " +
				"library by its path in " +
				LibraryVariable
		}
		return nil, fmt.Errorf("mpi: %s has started %d processes, and %s knows of %d: %s",
			l.Name, size, lib.name, j.size, why)
	}
	if j.size > 1 {
		if err := j.compareHosts(); err != nil {
			return nil, err
		}
		j.watched.Go(j.watch)
	}
	return j, nil
}

// pointer is the address of what the library reads or writes. It must stay reachable until the
// library is done with it, and stay where it is: a stack moves as it grows, and the compiler does
// not see the pointer in a number, so what it points at is made to escape to the heap.
func pointer[T any](p *T) uintptr {
	if never {
		escaped = p
	}
	return uintptr(unsafe.Pointer(p))
}

// never is false, which the compiler does not know.
var (
	never   bool
	escaped any
)

func init() { never = escaped != nil }

// errNoJob is that of the zero Job.
var errNoJob = errors.New("mpi: the job is empty; mpi.Start makes one")

// empty reports whether j is nil or the zero Job.
func (j *Job) empty() bool { return j == nil || j.lib == nil }

// call calls a function that returns a code.
func (j *Job) call(name string, fn uintptr, args ...uintptr) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	code, _, _ := purego.SyscallN(fn, args...)
	return j.lib.failed(name, code)
}

// Library is what the MPI library calls itself.
func (j *Job) Library() string {
	if j.empty() {
		return ""
	}
	return j.lib.name
}

// Warnings are what is likely a mistake in how the job was started.
func (j *Job) Warnings() []string {
	if j.empty() {
		return nil
	}
	return j.warnings
}

// Rank is that of this process, from 0 on.
func (j *Job) Rank() int {
	if j.empty() {
		return 0
	}
	return j.rank
}

// Size is the number of processes.
func (j *Job) Size() int {
	if j.empty() {
		return 1
	}
	return j.size
}

// At notes the step at which this process is.
func (j *Job) At(step int) {
	if !j.empty() {
		j.step.Store(int64(step))
	}
}

// address is that of a buffer; one without bytes has any.
func address[T any](x []T) uintptr {
	if len(x) == 0 {
		return pointer(&nothing)
	}
	return pointer(unsafe.SliceData(x))
}

var nothing [8]byte

// counts are numbers of bytes and where they begin, in units that all are multiples of.
type counts struct{ n, at []int32 }

// counted are counts in units of that many bytes.
func counted(bytes []int, unit int) (c counts, err error) {
	at := 0
	for _, n := range bytes {
		if n/unit > math.MaxInt32 || at/unit > math.MaxInt32 {
			return c, fmt.Errorf("mpi: %d bytes at a time are too many", at+n)
		}
		c.n, c.at = append(c.n, int32(n/unit)), append(c.at, int32(at/unit))
		at += n
	}
	return c, nil
}

// unitOf is 4 if all counts are multiples of it, and 1 else, with the type of that many bytes.
func (j *Job) unitOf(lists ...[]int) (int, uintptr) {
	for _, list := range lists {
		for _, n := range list {
			if n%4 != 0 {
				return 1, j.lib.byteType
			}
		}
	}
	return 4, j.lib.floatType
}

func sumOf(list []int) (sum int) {
	for _, n := range list {
		sum += n
	}
	return sum
}

// lays reports whether counts are those of so many processes, one behind another in x.
func lays(x []byte, list []int, processes int) bool {
	return len(list) == processes && (processes == 0 || slices.Min(list) >= 0) &&
		sumOf(list) <= len(x)
}

// AllToAll is that of train.Processes.
func (j *Job) AllToAll(send []byte, sendCounts []int, recv []byte, recvCounts []int) error {
	if j.empty() {
		return errNoJob
	}
	if !lays(send, sendCounts, j.size) || !lays(recv, recvCounts, j.size) {
		return fmt.Errorf("mpi: AllToAll: the counts are not those of %d processes and %d and %d "+
			"bytes", j.size, len(send), len(recv))
	}
	// Both sides of a message must agree on its type, which one process cannot tell for the others.
	out, err := counted(sendCounts, 1)
	if err != nil {
		return err
	}
	in, err := counted(recvCounts, 1)
	if err != nil {
		return err
	}
	return j.wait("MPI_Ialltoallv", j.lib.ialltoallv, []any{send, recv, out, in},
		address(send), address(out.n), address(out.at), j.lib.byteType,
		address(recv), address(in.n), address(in.at), j.lib.byteType, j.lib.world)
}

// AllGather is that of train.Processes.
func (j *Job) AllGather(send, recv []byte, sizes []int) error {
	if j.empty() {
		return errNoJob
	}
	if !lays(recv, sizes, j.size) || len(send) != sizes[j.rank] {
		return fmt.Errorf("mpi: AllGather: the counts are not those of %d processes and %d and %d "+
			"bytes", j.size, len(send), len(recv))
	}
	unit, kind := j.unitOf(sizes)
	in, err := counted(sizes, unit)
	if err != nil {
		return err
	}
	from, n := address(send), uintptr(in.n[j.rank])
	if own := sumOf(sizes[:j.rank]); len(send) > 0 && &recv[own] == &send[0] {
		from, n = j.lib.inPlace, 0
	}
	return j.wait("MPI_Iallgatherv", j.lib.iallgatherv, []any{send, recv, in},
		from, n, kind, address(recv), address(in.n), address(in.at), kind, j.lib.world)
}

// SumFloat32 is that of train.Processes.
func (j *Job) SumFloat32(x []float32) error {
	if j.empty() {
		return errNoJob
	}
	return j.sum(address(x), len(x), j.lib.floatType, x)
}

// SumFloat64 is that of train.Processes.
func (j *Job) SumFloat64(x []float64) error {
	if j.empty() {
		return errNoJob
	}
	return j.sum(address(x), len(x), j.lib.doubleType, x)
}

func (j *Job) sum(at uintptr, n int, kind uintptr, keep any) error {
	if n > math.MaxInt32 {
		return fmt.Errorf("mpi: %d numbers at a time are too many", n)
	}
	return j.wait("MPI_Iallreduce", j.lib.iallreduce, []any{keep},
		j.lib.inPlace, at, uintptr(n), kind, j.lib.sum, j.lib.world)
}

// Broadcast is that of train.Processes.
func (j *Job) Broadcast(data []byte, root int) error {
	if j.empty() {
		return errNoJob
	}
	if root < 0 || root >= j.size {
		return fmt.Errorf("mpi: Broadcast: there is no process %d of %d", root, j.size)
	}
	const most = 1 << 30
	for len(data) > most {
		if err := j.Broadcast(data[:most:most], root); err != nil {
			return err
		}
		data = data[most:]
	}
	return j.wait("MPI_Ibcast", j.lib.ibcast, []any{data}, address(data), uintptr(len(data)),
		j.lib.byteType, uintptr(root), j.lib.world)
}

// Barrier is that of train.Processes.
func (j *Job) Barrier() error {
	if j.empty() {
		return errNoJob
	}
	return j.wait("MPI_Ibarrier", j.lib.ibarrier, nil, j.lib.world)
}

// Abort writes why this process ends all, and ends them. Of an empty job there is nothing to end.
func (j *Job) Abort(reason error) {
	if j.empty() {
		return
	}
	fmt.Fprintf(os.Stderr, "process %d of %d, on %s, at step %d, ends the job: %v\n",
		j.rank, j.size, j.host, j.step.Load(), reason)
	// MPICH's launcher drops what it has not passed on when a job is aborted
	time.Sleep(time.Second)
	j.end(1)
}

// end ends all processes.
func (j *Job) end(code int) {
	go func() { // the library waits for the launcher, which may be gone
		time.Sleep(3 * time.Second)
		os.Exit(code)
	}()
	_ = j.call("MPI_Abort", j.lib.abort, j.lib.world, uintptr(code))
	os.Exit(code)
}

// Close leaves the job once all processes do. A second one does nothing; no other method may be
// called afterwards, and a process cannot join a job again.
func (j *Job) Close() error {
	if j.empty() {
		return nil
	}
	select {
	case <-j.done:
		return nil
	default:
	}
	if j.size > 1 {
		if err := j.Barrier(); err != nil {
			return err
		}
	}
	return j.finalize()
}

// finalize ends the watch and the use of the library.
func (j *Job) finalize() error {
	close(j.done)
	j.watched.Wait()
	j.unmap()
	return j.call("MPI_Finalize", j.lib.finalize)
}
