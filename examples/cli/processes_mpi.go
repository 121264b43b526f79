//go:build mpi

package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/seqzoo/seqzoo/internal/launch"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/train/mpi"
)

func init() {
	var o struct { // a process can join a job once
		sync.Once
		p   train.Processes
		err error
	}
	failJob = func(err error) {
		o.Do(func() { fail(err) })
	}
	startJob = func(messages io.Writer) (train.Processes, error) {
		o.Do(func() {
			job, err := mpi.Start(mpi.Config{})
			if err != nil {
				o.err = err
				return
			}
			o.p, endJob = job, job.Close
			fmt.Fprintf(messages, "%d processes, by %s\n", job.Size(), job.Library())
			for _, w := range job.Warnings() {
				fmt.Fprintf(messages, "warning: %s\n", w)
			}
		})
		return o.p, o.err
	}
}

// fail joins a job that this process has not joined yet, and ends it. A launcher such as MPICH's
// leaves a process alone that ends before it has joined, and the others would wait for it.
func fail(err error) {
	_, rank, size, ok := launch.Find(os.Getenv)
	if !ok || size == 1 || errors.Is(err, train.ErrInterrupted) {
		return
	}
	joined := make(chan *mpi.Job, 1)
	go func() {
		if job, err := mpi.Start(mpi.Config{}); err == nil {
			joined <- job
		}
		close(joined)
	}()
	select {
	case job := <-joined:
		// the error is mostly that of all, and then the first process, which has told of it, ends
		// the job while the others still wait
		if job != nil && rank > 0 {
			time.Sleep(3 * time.Second)
			job.Abort(err)
		}
	case <-time.After(30 * time.Second): // the others have ended, or do not join
	}
}
