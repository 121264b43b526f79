//go:build linux

package mpi_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/mpitest"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/train/mpi"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

// The test binary is the program of a job, too: with this variable set it does what it names.
const roleVariable = "SEQZOO_TEST_MPI_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if err := play(role); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func play(role string) error {
	job, err := mpi.Start(mpi.Config{Timeout: 15 * time.Second})
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(os.Getenv("SEQZOO_TEST_MPI_THREADS")); err == nil {
		runtime.GOMAXPROCS(n)
	}
	name, model, _ := strings.Cut(role, " ")
	switch name {
	case "methods":
		err = methods(job)
	case "step":
		err = stepTimes(job, model)
	case "exchange":
		err = exchangeTimes(job)
	case "vectors":
		err = learnVectors(job)
	default:
		err = learn(job, os.Getenv("SEQZOO_TEST_MPI_DIR"))
	}
	if err != nil {
		return err
	}
	return errors.Join(job.Close(), job.Close()) // as one that is deferred, too
}

// methods holds every method to what it is to give.
func methods(job *mpi.Job) error {
	r, size := job.Rank(), job.Size()
	for _, unit := range []int{0, 1, 3, 4, 1 << 17} { // bytes, times the numbers of both processes
		var send, want []byte
		sends, recvs := make([]int, size), make([]int, size)
		for other := range size {
			sends[other], recvs[other] = unit*(r+2*other), unit*(other+2*r)
			send = append(send, bytes.Repeat([]byte{byte(10*r + other)}, sends[other])...)
			want = append(want, bytes.Repeat([]byte{byte(10*other + r)}, recvs[other])...)
		}
		recv := make([]byte, len(want))
		if err := job.AllToAll(send, sends, recv, recvs); err != nil || !bytes.Equal(recv, want) {
			return fmt.Errorf("AllToAll of %d: %w", unit, err)
		}
		sizes, all := make([]int, size), []byte{}
		for other := range size {
			sizes[other] = unit * other
			all = append(all, bytes.Repeat([]byte{byte(other + 1)}, unit*other)...)
		}
		got := make([]byte, len(all))
		own := bytes.Repeat([]byte{byte(r + 1)}, unit*r)
		if err := job.AllGather(own, got, sizes); err != nil || !bytes.Equal(got, all) {
			return fmt.Errorf("AllGather of %d: %w", unit, err)
		}
		in := make([]byte, len(all)) // from its own place
		place := in[unit*r*(r-1)/2:][:unit*r]
		copy(place, own)
		if err := job.AllGather(place, in, sizes); err != nil || !bytes.Equal(in, all) {
			return fmt.Errorf("AllGather in place of %d: %w", unit, err)
		}
		if err := errors.Join(messages(job, unit), windows(job, unit)); err != nil {
			return fmt.Errorf("messages or windows of %d: %w", unit, err)
		}
		data := bytes.Repeat([]byte{byte(r)}, unit)
		if err := job.Broadcast(data, size-1); err != nil ||
			!bytes.Equal(data, bytes.Repeat([]byte{byte(size - 1)}, unit)) {
			return fmt.Errorf("Broadcast of %d: %w", unit, err)
		}
	}
	x, y := []float32{float32(r), 1}, []float64{float64(r), 1}
	if err := errors.Join(job.SumFloat32(x), job.SumFloat64(y), job.Barrier()); err != nil {
		return err
	}
	sum := size * (size - 1) / 2
	if x[0] != float32(sum) || x[1] != float32(size) || y[0] != float64(sum) {
		return fmt.Errorf("sums: %v %v", x, y)
	}
	wrong := make([]int, size)
	wrong[size-1] = -1
	if job.AllGather(nil, nil, nil) == nil || job.AllGather(nil, nil, wrong) == nil ||
		job.AllToAll(nil, wrong, nil, make([]int, size)) == nil ||
		job.Broadcast(nil, size) == nil {
		return errors.New("wrong arguments are taken")
	}
	if r == 0 {
		fmt.Println("methods work on", job.Library())
	}
	return nil
}

// messages sends two messages by one tag and one by another to each other process, and receives
// them.
func messages(job *mpi.Job, unit int) error {
	r, size := job.Rank(), job.Size()
	got := make([][]byte, 3*size)
	for other := range size {
		for i, tag := range []int{7, 9, 7} {
			if other == r {
				continue
			}
			got[3*other+i] = make([]byte, unit+i)
			if err := errors.Join(job.Receive(other, tag, got[3*other+i]),
				job.Send(other, tag, bytes.Repeat([]byte{byte(10*r + i)}, unit+i))); err != nil {
				return err
			}
		}
	}
	if err := job.Wait(); err != nil {
		return err
	}
	for other := range size {
		for i, data := range got[3*other : 3*other+3] {
			if other != r && !bytes.Equal(data, bytes.Repeat([]byte{byte(10*other + i)}, unit+i)) {
				return fmt.Errorf("message %d of process %d is another", i, other)
			}
		}
	}
	if job.Send(size, 0, nil) == nil || job.Receive(0, 1<<14, nil) == nil {
		return errors.New("messages of nobody are taken")
	}
	return nil
}

// windows writes to this process's window, and reads those of all.
func windows(job *mpi.Job, unit int) error {
	all, err := job.Windows(unit + job.Rank())
	if err != nil || len(all) != job.Size() {
		return fmt.Errorf("%d windows: %w", len(all), err)
	}
	for round := range byte(3) {
		for i := range all[job.Rank()] {
			all[job.Rank()][i] = round + byte(i+job.Rank())
		}
		if err := job.Barrier(); err != nil {
			return err
		}
		for r, w := range all {
			if len(w) != unit+r {
				return fmt.Errorf("the window of process %d has %d bytes", r, len(w))
			}
			for i, b := range w {
				if b != round+byte(i+r) {
					return fmt.Errorf("byte %d of process %d is %d in round %d", i, r, b, round)
				}
			}
		}
		if err := job.Barrier(); err != nil {
			return err
		}
	}
	if _, err := job.Windows(-1); err == nil {
		return errors.New("a window of -1 bytes is made")
	}
	return nil
}

// learn trains a language model in 4 shards, or goes on, and prints a digest of all it leaves.
func learn(job *mpi.Job, dir string) error {
	v, err := text.NewVocabulary(text.VocabularyConfig{}, []string{"a", "b", "c", "d", "e"})
	if err != nil {
		return err
	}
	m, err := lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 64},
		IODropout: 0.2}, v, 1)
	if err != nil {
		return err
	}
	ids := make([]int, 9*40*20)
	for i := range ids {
		ids[i] = (i*i + i/7) % 5
	}
	task, err := m.Task(lm.Data{Train: ids, Valid: ids[:100], Batch: 9})
	if err != nil {
		return err
	}
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
	if err != nil {
		return err
	}
	pause, _ := time.ParseDuration(os.Getenv("SEQZOO_TEST_MPI_PAUSE"))
	c := train.Config{Optimizer: adam, Epochs: 2, Seed: 1, Shards: 4, Processes: job, Resume: true,
		Clip: train.Clip{Norm: 0.5}, SaveEvery: 3, Warn: func(string) {},
		AfterStep: func(step int) error {
			fmt.Fprintln(os.Stderr, "step", step)
			time.Sleep(pause)
			return nil
		}}
	if job.Rank() == 0 {
		if c.Checkpoints, err = train.OpenCheckpoints(dir, 0); err != nil {
			return err
		}
		defer c.Checkpoints.Close()
	}
	r, err := train.Fit(context.Background(), task, c)
	if err != nil || job.Rank() > 0 {
		return err
	}
	h := sha256.New()
	for _, p := range task.Params() {
		fmt.Fprintf(h, "%s %x\n", p.Name(), p.Value().Data())
	}
	s := adam.State()
	var names []string
	for name := range s.Tensors {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(h, "%s %x\n", name, s.Tensors[name].Data())
	}
	err = r.History.WriteCSV(h)
	fmt.Printf("digest %x\n", h.Sum(nil))
	return err
}

// learnVectors trains word vectors of both kinds, and prints a digest.
func learnVectors(job *mpi.Job) error {
	var sentences [][]string
	for i := range 600 {
		var s []string
		for k := range 5 + i%11 {
			s = append(s, "w"+strconv.Itoa((i*i*7+k*k*31+i*k)%90))
		}
		sentences = append(sentences, s)
	}
	h := sha256.New()
	for _, kind := range []word2vec.Architecture{word2vec.SkipGram, word2vec.CBOW} {
		m, err := word2vec.New(context.Background(), word2vec.Config{Model: kind, Dim: 10,
			MinCount: 1, Sample: 1, Epochs: 2}, sentences)
		if err != nil {
			return err
		}
		if err := m.Train(context.Background(), sentences,
			word2vec.TrainOptions{Processes: job}); err != nil {
			return err
		}
		v, err := m.Vectors()
		if err != nil {
			return err
		}
		for i := range v.Len() {
			x, _ := v.Vector(v.Word(i))
			fmt.Fprintf(h, "%s %x\n", v.Word(i), x)
		}
	}
	if job.Rank() == 0 {
		fmt.Printf("digest %x\n", h.Sum(nil))
	}
	return nil
}

// launcher is a way to start a job.
type launcher struct{ mpitest.Launcher }

// launchers are those that are installed.
func launchers(t *testing.T) (found []launcher) {
	for _, l := range mpitest.Launchers(t) {
		found = append(found, launcher{l})
	}
	return found
}

// start starts a job of n processes.
func (l launcher) start(t *testing.T, n int, out *bytes.Buffer, env ...string) *exec.Cmd {
	if *measure == 0 {
		// some containers forbid it
		env = append(env, "OMPI_MCA_btl_vader_single_copy_mechanism=none")
	}
	c := l.Command(t, n, env...)
	c.Stdout, c.Stderr = out, out
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.WaitDelay = 20 * time.Second // what is left of a job may hold the pipe
	require.NoError(t, c.Start())
	return c
}

func (l launcher) run(t *testing.T, n int, env ...string) (string, error) {
	var out bytes.Buffer
	c := l.start(t, n, &out, env...)
	err := c.Wait()
	return out.String(), err
}

func TestMethods(t *testing.T) {
	for _, l := range launchers(t) {
		for _, n := range []int{1, 2, 3} {
			out, err := l.run(t, n, roleVariable+"=methods")
			require.NoError(t, err, "%s -n %d: %s", l.Name, n, out)
			require.Contains(t, out, "methods work on")
		}
	}
}

// Word vectors are the same on any number of processes.
func TestSameVectorsOverProcesses(t *testing.T) {
	want := ""
	for _, l := range launchers(t) {
		for _, n := range []int{1, 2, 4} {
			out, err := l.run(t, n, roleVariable+"=vectors", "SEQZOO_TEST_MPI_THREADS=2")
			digest := digestIn(t, out, err)
			if want == "" {
				want = digest
			}
			require.Equal(t, want, digest, "%s -n %d", l.Name, n)
		}
		out, err := l.run(t, 2, roleVariable+"=vectors")
		require.Equal(t, want, digestIn(t, out, err), "%s -n 2, of a thread each", l.Name)
	}
}

func digestIn(t *testing.T, out string, err error) string {
	require.NoError(t, err, out)
	_, digest, ok := strings.Cut(out, "digest ")
	require.True(t, ok, out)
	return strings.Fields(digest)[0]
}

// The weights, the state of the optimizer and the history are the same, to the bit, on any number
// of processes and by either library; and so they are after a process has been killed, or stopped,
// and the training has gone on with another number of processes.
func TestSameBitsOverProcesses(t *testing.T) {
	want := ""
	for _, l := range launchers(t) {
		for _, n := range []int{1, 2, 4} {
			out, err := l.run(t, n, roleVariable+"=learn", "SEQZOO_TEST_MPI_DIR="+t.TempDir())
			digest := digestIn(t, out, err)
			if want == "" {
				want = digest
			}
			require.Equal(t, want, digest, "%s -n %d", l.Name, n)
		}
		out, err := l.run(t, 2, roleVariable+"=learn", "SEQZOO_TEST_MPI_DIR="+t.TempDir(),
			"SEQZOO_TEST_MPI_THREADS=2")
		require.Equal(t, want, digestIn(t, out, err), "%s -n 2, of 2 threads each", l.Name)
		for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP} {
			dir := t.TempDir()
			out, lost := l.lose(t, dir, sig, 1, 0, 200*time.Millisecond)
			require.True(t, lost, "the job ended before it had lost a process: %s", out)
			if sig == syscall.SIGSTOP {
				require.Contains(t, out, "has not been heard of for", "the watchdog says "+
					"who is lost")
				require.Contains(t, out, "it was at step")
			}
			rest, err := l.run(t, 3, roleVariable+"=learn", "SEQZOO_TEST_MPI_DIR="+dir)
			require.Equal(t, want, digestIn(t, rest, err), "%s after %v", l.Name, sig)
		}
	}
}
