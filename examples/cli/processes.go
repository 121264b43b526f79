package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/seqzoo/seqzoo/internal/launch"
	"github.com/seqzoo/seqzoo/train"
)

// Processes are those of the MPI job that has started the program; nil if it is alone. Training.Fit
// joins them by itself.
func Processes(messages io.Writer) (train.Processes, error) {
	l, rank, size, ok := launch.Find(os.Getenv)
	if !ok || size == 1 {
		return nil, nil
	}
	if startJob == nil {
		return nil, fmt.Errorf("this is process %d of %d that %s has started, and the program was built "+
			"without MPI: build it with go build -tags mpi", rank, size, l.Name)
	}
	return startJob(messages)
}

// startJob joins the MPI job, once, endJob leaves it, and failJob has the others not wait for this
// process, which ends by an error; nil or nothing in a program that is built without.
var (
	startJob func(messages io.Writer) (train.Processes, error)
	endJob   = func() error { return nil }
	failJob  = func(error) {}
)

// size is the number of processes.
func size(p train.Processes) int {
	if p == nil {
		return 1
	}
	return p.Size()
}

// quiet has only the first process of a job print.
func quiet(s Std) Std {
	if _, rank, _, ok := launch.Find(os.Getenv); ok && rank > 0 {
		s.Out, s.Messages = io.Discard, io.Discard
	}
	return s
}

// told reports whether the first process of a job tells of an error, which all have.
func told(err error) bool {
	_, rank, _, ok := launch.Find(os.Getenv)
	return ok && rank > 0 && (errors.Is(err, train.ErrProcesses) || errors.Is(err, train.ErrInterrupted) ||
		errors.Is(err, train.ErrNotFinite) || IsUsage(err))
}
