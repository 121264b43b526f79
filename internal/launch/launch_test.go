package launch_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/launch"
)

func TestFind(t *testing.T) {
	for _, c := range []struct {
		env        map[string]string
		by         string
		rank, size int
	}{
		{nil, "", 0, 0},
		{map[string]string{"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "4"},
			"Open MPI's mpirun", 1, 4},
		{map[string]string{"PMI_RANK": "0", "PMI_SIZE": "2"}, "MPICH's mpiexec", 0, 2},
		{map[string]string{"SLURM_PROCID": "2", "SLURM_NTASKS": "3"}, "Slurm's srun", 2, 3},
		{map[string]string{"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, "", 0, 0},
		// a batch script
		{map[string]string{"SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, "", 0,
			0},
		{map[string]string{"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_PROCID": "0",
			"SLURM_NTASKS": "4"}, "Slurm's srun", 0, 4},
		{map[string]string{"OMPI_COMM_WORLD_RANK": "4", "OMPI_COMM_WORLD_SIZE": "4"}, "", 0, 0},
		{map[string]string{"PMI_RANK": "x", "PMI_SIZE": "2"}, "", 0, 0},
	} {
		l, rank, size, ok := launch.Find(func(name string) string { return c.env[name] })
		require.Equal(t, c.by != "", ok, "%v", c.env)
		require.Equal(t, c.by, l.Name)
		require.Equal(t, []int{c.rank, c.size}, []int{rank, size})
	}
}
