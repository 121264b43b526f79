//go:build mpi

package cli

import (
	"fmt"
	"io"
	"sync"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/train/mpi"
)

func init() {
	var o struct { // a process can join a job once
		sync.Once
		p   train.Processes
		err error
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
