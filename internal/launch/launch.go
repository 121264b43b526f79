// Package launch tells which MPI launcher, if any, has started the process. It opens no library, so
// that a program that is built without MPI can say what is wrong.
package launch

import "strconv"

// Launcher is what starts the processes of an MPI job.
type Launcher struct {
	Name       string
	Rank, Size string // the environment variables that tell
}

// Launchers are those that are known: Open MPI's, MPICH's, and Slurm's own.
var Launchers = []Launcher{
	{"Open MPI's mpirun", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
	{"MPICH's mpiexec", "PMI_RANK", "PMI_SIZE"},
	{"Slurm's srun", "SLURM_PROCID", "SLURM_NTASKS"},
}

// Find is the launcher that has set the environment, and as which process of how many this one was
// started. A single task of Slurm counts as alone, and so does what a batch script starts without
// srun.
func Find(env func(string) string) (l Launcher, rank, size int, ok bool) {
	for _, l := range Launchers {
		rank, err := strconv.Atoi(env(l.Rank))
		size, err2 := strconv.Atoi(env(l.Size))
		if err != nil || err2 != nil || rank < 0 || size <= rank {
			continue
		}
		if l.Rank == "SLURM_PROCID" && (size == 1 || env("SLURM_JOB_ID") != "" &&
			env("SLURM_STEP_ID") == "") {
			continue
		}
		return l, rank, size, true
	}
	return Launcher{}, 0, 0, false
}
