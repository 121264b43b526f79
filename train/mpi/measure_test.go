//go:build linux

package mpi_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/train/mpi"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

var measure = flag.Int("measure", 0, "measure what a step on 1 and 2 processes costs, so many times "+
	"in turns")

// measured are language models of three sizes, and that of the WikiText-2 task of languagemodel: of
// its step 53 MB of gradients travel.
var measured = map[string]struct{ layers, hidden, words, steps int }{
	"S": {1, 128, 1000, 40}, "M": {2, 256, 5000, 10}, "L": {2, 512, 10000, 4},
	"WikiText-2": {2, 200, 33278, 5},
}

// stepTimes trains one of the models in 2 shards and prints the median time of a step after the
// first two, and that of what an exchange of its gradients takes alone.
func stepTimes(p train.Processes, name string) error {
	c := measured[name]
	words := make([]string, c.words)
	for i := range words {
		words[i] = "w" + strconv.Itoa(i)
	}
	v, err := text.NewVocabulary(text.VocabularyConfig{}, words)
	if err != nil {
		return err
	}
	m, err := lm.New(lm.Config{
		Recurrent: zoo.Recurrent{Cell: "lstm", Hidden: c.hidden, Layers: c.layers}}, v, 1)
	if err != nil {
		return err
	}
	const batch, window = 32, 35
	ids := make([]int, batch*(window*(c.steps+2)+1))
	for i := range ids {
		ids[i] = (i*i + i/7) % c.words
	}
	task, err := m.Task(lm.Data{Train: ids, Batch: batch})
	if err != nil {
		return err
	}
	adam, err := train.NewAdam(train.AdamConfig{})
	if err != nil {
		return err
	}
	var times []time.Duration
	last := time.Now()
	_, err = train.Fit(context.Background(), task, train.Config{Optimizer: adam, Epochs: 1, Shards: 2,
		MaxSteps: c.steps + 2, Clip: train.Clip{Norm: 1}, Processes: p, Warn: func(string) {},
		AfterStep: func(int) error {
			times, last = append(times, time.Since(last)), time.Now()
			return nil
		}})
	if err != nil || p != nil && p.Rank() > 0 {
		return err
	}
	fmt.Printf("step %s %d\n", name, median(times[2:]).Nanoseconds())
	return nil
}

func median(times []time.Duration) time.Duration {
	times = slices.Clone(times)
	slices.Sort(times)
	return times[len(times)/2]
}

// exchangeTimes prints what the moves of an update take, for some sizes of its parameters in bytes.
func exchangeTimes(job *mpi.Job) error {
	for _, size := range []int{8, 1 << 16, 1 << 20, 1 << 23, 53 << 20} {
		var times []time.Duration
		all, half := make([]byte, size), size/2/4*4
		recv := make([]byte, size)
		counts := []int{half, size - half}
		own := []int{counts[job.Rank()], counts[job.Rank()]}
		for range 15 {
			begun := time.Now()
			if err := job.AllToAll(all, counts, recv[:own[0]+own[1]], own); err != nil {
				return err
			}
			at := counts[0] * job.Rank()
			if err := job.AllGather(all[at:at+own[0]], all, counts); err != nil {
				return err
			}
			times = append(times, time.Since(begun))
		}
		if job.Rank() == 0 {
			fmt.Printf("exchange %d %d\n", size, median(times).Nanoseconds())
		}
	}
	return nil
}

// TestMeasure prints the constants and the times that docs/cluster.md has:
//
//	go test ./train/mpi -run TestMeasure -measure 5 -v
func TestMeasure(t *testing.T) {
	if *measure == 0 {
		t.Skip("-measure is not given: it takes minutes")
	}
	found := map[string][]float64{}
	note := func(out, suffix string) {
		for line := range strings.Lines(out) {
			f := strings.Fields(line)
			if len(f) == 3 && (f[0] == "step" || f[0] == "exchange") {
				ns, err := strconv.ParseFloat(f[2], 64)
				require.NoError(t, err)
				found[f[0]+" "+f[1]+suffix] = append(found[f[0]+" "+f[1]+suffix], ns/1e6)
				fmt.Fprintf(os.Stderr, "%s%s: %.3f ms\n", f[0]+" "+f[1], suffix, ns/1e6)
			}
		}
	}
	l := launchers(t)[0]
	job := func(n int, role, threads, suffix string) {
		out, err := l.run(t, n, roleVariable+"="+role, "SEQZOO_TEST_MPI_THREADS="+threads)
		require.NoError(t, err, out)
		note(out, suffix)
	}
	for range *measure {
		job(2, "exchange", "1", "")
		for _, name := range []string{"S", "M", "L", "WikiText-2"} {
			job(1, "step "+name, "1", ", 1 process")
			job(2, "step "+name, "1", ", 2 processes")
			job(1, "step "+name, "2", ", 1 process of 2 threads")
			var outs [2]bytes.Buffer // two at once that know nothing of each other
			var errs [2]error
			var wg sync.WaitGroup
			for i := range outs {
				c := l.start(t, 1, &outs[i], roleVariable+"=step "+name,
					"SEQZOO_TEST_MPI_THREADS=1")
				wg.Go(func() { errs[i] = c.Wait() })
			}
			wg.Wait()
			require.NoError(t, errors.Join(errs[:]...), "%s%s", outs[0].String(), outs[1].String())
			note(outs[0].String()+outs[1].String(), ", 2 apart")
		}
	}
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		slices.Sort(found[name])
		fmt.Fprintf(os.Stderr, "%-40s median %9.3f ms, least %9.3f ms, of %d\n", name,
			found[name][len(found[name])/2], found[name][0], len(found[name]))
	}
}
