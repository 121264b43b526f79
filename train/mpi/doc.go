// Package mpi lets the processes of an MPI job train together: mpirun, srun or a Kubernetes
// operator starts them, and the MPI library that is installed carries their data. The library is
// found and opened at run time, without cgo.
//
//	job, err := mpi.Start(mpi.Config{}) // ErrAlone, if no launcher has started it
//	// …
//	defer job.Close()
//	result, err := train.Fit(ctx, task, train.Config{
//		Shards: 4, Processes: job, Optimizer: adam, Epochs: 10,
//	})
//
// A program that imports this package is linked dynamically, with the C library, and runs as ever
// where there is no MPI. Supported are Open MPI 4 and MPICH 4, with which it is tested; Open MPI 5
// has the same symbols, and a library of the standard interface of MPI 5 (libmpi_abi) has constants
// of its own: both are written after their documents and not tested.
//
// # Processes that are lost
//
// Every process tells its neighbour once a second that it lives and at which step it is. One that
// is not heard of for Config.Timeout has stopped, and one that others wait for while it does not
// move for Config.Stall hangs: the job ends, and the message names the process, its host and its
// step. Checkpoints are whole at every moment, and the training goes on from the last one on any
// number of processes.
package mpi
