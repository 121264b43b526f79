//go:build !linux

package mpi

import (
	"errors"
	"os"
	"time"

	"github.com/seqzoo/seqzoo/internal/launch"
)

// Config says how a job looks after its processes.
type Config struct{ Timeout, Stall time.Duration }

// Job is the processes of an MPI job. On this system there are none.
type Job struct{}

var errSystem = errors.New("mpi: the program was started by an MPI launcher, and MPI is " +
	"supported on Linux only")

// Start returns ErrAlone, or an error where a launcher has started the process.
func Start(Config) (*Job, error) {
	if _, _, _, ok := launch.Find(os.Getenv); !ok {
		return nil, ErrAlone
	}
	return nil, errSystem
}

func (*Job) Library() string                             { return "" }
func (*Job) Warnings() []string                          { return nil }
func (*Job) Rank() int                                   { return 0 }
func (*Job) Size() int                                   { return 1 }
func (*Job) At(int)                                      {}
func (*Job) AllToAll([]byte, []int, []byte, []int) error { return errSystem }
func (*Job) AllGather([]byte, []byte, []int) error       { return errSystem }
func (*Job) SumFloat32([]float32) error                  { return errSystem }
func (*Job) SumFloat64([]float64) error                  { return errSystem }
func (*Job) Broadcast([]byte, int) error                 { return errSystem }
func (*Job) Send(int, int, []byte) error                 { return errSystem }
func (*Job) Receive(int, int, []byte) error              { return errSystem }
func (*Job) Wait() error                                 { return errSystem }
func (*Job) Windows(int) ([][]byte, error)               { return nil, errSystem }
func (*Job) Barrier() error                              { return errSystem }
func (*Job) Abort(error)                                 {}
func (*Job) Close() error                                { return nil }
