package all_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/mpitest"
	"github.com/seqzoo/seqzoo/train/mpi"
)

// jobModels names, in the environment, the models that a process of an MPI job is to train, and
// jobDir the directory of their checkpoints.
const (
	jobModels = "SEQZOO_TEST_MPI_MODELS"
	jobDir    = "SEQZOO_TEST_MPI_DIR"
)

// trainInJob trains models, one after another, with the other processes of the job; the first
// prints a digest of what each ends with. The launcher ends the others of one that fails.
func trainInJob(models string) error {
	job, err := mpi.Start(mpi.Config{})
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(models, ",") {
		end, err := inShards(name, filepath.Join(os.Getenv(jobDir), name), job, 0)
		if err != nil {
			return err
		}
		if job.Rank() == 0 {
			fmt.Printf("digest of %s: %x\n", name, sha256.Sum256([]byte(end)))
		}
	}
	return job.Close()
}

// Models in 4 shards end with the same weights, state of the optimizer and history, to the bit, in
// a process that knows of no other and in MPI jobs of 1, 2 and 4 processes with 1 and 2 workers
// each. The gate takes two jobs and five models; with -long it is every combination, with each
// library that is installed.
func TestModelsOverMPI(t *testing.T) {
	type jobOf struct {
		l          mpitest.Launcher
		n, workers int
	}
	found := mpitest.Launchers(t)
	models := []string{"language model", "seq2seq", "HRED", "VAE", "tagger"}
	jobs := []jobOf{{found[0], 2, 2}, {found[len(found)-1], 4, 1}}
	if *long {
		models, jobs = slices.Sorted(maps.Keys(resumable)), nil
		for _, l := range found {
			for _, n := range []int{1, 2, 4} {
				jobs = append(jobs, jobOf{l, n, 1}, jobOf{l, n, 2})
			}
		}
	}
	want := ""
	for _, name := range models {
		end, err := inShards(name, t.TempDir(), nil, 0)
		require.NoError(t, err, name)
		want += fmt.Sprintf("digest of %s: %x\n", name, sha256.Sum256([]byte(end)))
	}
	for _, j := range jobs {
		out, err := j.l.Run(t, j.n, jobModels+"="+strings.Join(models, ","), jobDir+"="+t.TempDir(),
			fmt.Sprint("GOMAXPROCS=", j.workers), "OMPI_MCA_btl_vader_single_copy_mechanism=none")
		require.NoError(t, err, out)
		got := ""
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, "digest of ") {
				got += line
			}
		}
		require.Equal(t, want, got, "%s -n %d, %d workers each", j.l.Name, j.n, j.workers)
	}
}
