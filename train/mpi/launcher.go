package mpi

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/internal/launch"
)

// ErrAlone says that the process was not started by an MPI launcher.
var ErrAlone = errors.New("mpi: the program was not started by mpirun, mpiexec or srun, so it is " +
	"alone; start it as in: mpirun -n 4 program …")

// LibraryVariable is the name of an environment variable with the path of the MPI library, for one
// that is not found by its usual names.
const LibraryVariable = "SEQZOO_MPI"

// The names of libraries: Open MPI 4 and 5, MPICH 4 and its relatives, the standard interface.
var (
	openMPI  = []string{"libmpi.so.40", "libmpi.so"}
	mpich    = []string{"libmpich.so.12", "libmpi.so.12", "libmpi.so"}
	standard = []string{"libmpi_abi.so.0", "libmpi_abi.so"}
)

// libraries are those that understand a launcher.
func libraries(l launch.Launcher) []string {
	switch l.Rank {
	case "OMPI_COMM_WORLD_RANK":
		return openMPI
	case "PMI_RANK":
		return slices.Concat(mpich, standard)
	}
	return slices.Concat(openMPI, mpich, standard)
}

// Launched reports whether an MPI launcher has started the process, as which of how many, without
// opening anything. A single task of Slurm counts as alone.
func Launched() (by string, rank, size int, ok bool) {
	l, rank, size, ok := launch.Find(os.Getenv)
	return l.Name, rank, size, ok
}

// notFound is the error of a search for the library.
func notFound(l launch.Launcher, tried []string, errs []error) error {
	var lines []string
	for i, name := range tried {
		lines = append(lines, fmt.Sprintf("%s: %v", name, errs[i]))
	}
	return fmt.Errorf("mpi: started by %s, and no MPI library could be opened:\n\t%s\nInstall the "+
		"one of the launcher on every host (on Debian, openmpi-bin or mpich), or give "+
		"its path in %s",
		l.Name, strings.Join(lines, "\n\t"), LibraryVariable)
}
