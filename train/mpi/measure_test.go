//go:build linux

package mpi_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
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

var measure = flag.Int("measure", 0, "measure what a step on 1 and 2 processes costs, so "+
	"many times in turns")

// measured are language models of three sizes, and that of the WikiText-2 task of languagemodel: of
// its step 53 MB of gradients travel.
var measured = map[string]struct{ layers, hidden, words, steps int }{
	"S": {1, 128, 1000, 40}, "M": {2, 256, 5000, 10}, "L": {2, 512, 10000, 4},
	"WikiText-2": {2, 200, 33278, 5},
}

// timed counts the time that a process waits for others, or moves data.
type timed struct {
	*mpi.Job
	waited time.Duration
}

func (p *timed) Wait() error {
	defer func(begun time.Time) { p.waited += time.Since(begun) }(time.Now())
	return p.Job.Wait()
}

func (p *timed) AllGather(send, recv []byte, counts []int) error {
	defer func(begun time.Time) { p.waited += time.Since(begun) }(time.Now())
	return p.Job.AllGather(send, recv, counts)
}

func (p *timed) Barrier() error {
	defer func(begun time.Time) { p.waited += time.Since(begun) }(time.Now())
	return p.Job.Barrier()
}

// stepTimes trains one of the models in 2 shards and prints the median time of a step after the
// first two, and that of what is waited in it for the other process and the exchange.
func stepTimes(job *mpi.Job, name string) error {
	c, p := measured[name], &timed{Job: job}
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
	var times, waits []time.Duration
	last := time.Now()
	_, err = train.Fit(context.Background(), task, train.Config{Optimizer: adam,
		Epochs: 1, Shards: 2,
		MaxSteps: c.steps + 2, Clip: train.Clip{Norm: 1}, Processes: p, Warn: func(string) {},
		AfterStep: func(int) error {
			times, last = append(times, time.Since(last)), time.Now()
			waits, p.waited = append(waits, p.waited), 0
			return nil
		}})
	if err != nil || p.Rank() > 0 {
		return err
	}
	fmt.Printf("step %s %d\n", name, median(times[2:]).Nanoseconds())
	if p.Size() > 1 {
		fmt.Printf("wait %s %d\n", name, median(waits[2:]).Nanoseconds())
	}
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

// ways are how a model is trained, each in two shards.
var ways = []string{"1 process", "2 processes", "1 process of 2 threads", "2 apart"}

// TestMeasure prints the constants and the times that docs/cluster.md has, each way in turns:
//
//	go test ./train/mpi -run TestMeasure -measure 5 -v
func TestMeasure(t *testing.T) {
	if *measure == 0 {
		t.Skip("-measure is not given: it takes minutes")
	}
	found := map[string][]float64{} // in milliseconds
	note := func(out, suffix string) {
		for line := range strings.Lines(out) {
			f := strings.Fields(line)
			if len(f) == 3 && slices.Contains([]string{"step", "wait", "exchange"}, f[0]) {
				ns, err := strconv.ParseFloat(f[2], 64)
				require.NoError(t, err)
				key := f[0] + " " + f[1] + suffix
				found[key] = append(found[key], ns/1e6)
				fmt.Fprintf(os.Stderr, "%s: %.3f ms\n", key, ns/1e6)
			}
		}
	}
	l := launchers(t)[0]
	job := func(n int, role, threads, suffix string) {
		out, err := l.run(t, n, roleVariable+"="+role, "SEQZOO_TEST_MPI_THREADS="+threads)
		require.NoError(t, err, out)
		note(out, suffix)
	}
	names := []string{"S", "M", "L", "WikiText-2"}
	for range *measure {
		job(2, "exchange", "1", "")
		for _, name := range names {
			job(1, "step "+name, "1", ", "+ways[0])
			job(2, "step "+name, "1", ", "+ways[1])
			job(1, "step "+name, "2", ", "+ways[2])
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
			note(outs[0].String()+outs[1].String(), ", "+ways[3])
		}
	}
	keys := slices.Sorted(maps.Keys(found))
	for _, key := range keys {
		fmt.Fprintf(os.Stderr, "%-40s median %9.3f ms, least %9.3f ms, of %d\n", key,
			middle(found[key]), slices.Min(found[key]), len(found[key]))
	}
	for _, name := range names {
		summarise(name, found)
	}
}

// summarise prints E(2) of a model, the median over the rounds: the time of one process for both
// shards over twice that of two; what it would be without exchange, of two that know nothing of
// each other and do twice the work; how one process of two threads does; and the part of a step
// that process 0 waits for the other and moves data.
func summarise(name string, found map[string][]float64) {
	of := func(way int) []float64 { return found["step "+name+", "+ways[way]] }
	one, two, threads, apart := of(0), of(1), of(2), of(3)
	ratios := make([][]float64, 4)
	for i := range one {
		ratios[0] = append(ratios[0], one[i]/(2*two[i]))
		ratios[1] = append(ratios[1], one[i]/max(apart[2*i], apart[2*i+1]))
		ratios[2] = append(ratios[2], one[i]/(2*threads[i]))
		ratios[3] = append(ratios[3], found["wait "+name+", "+ways[1]][i]/two[i])
	}
	fmt.Fprintf(os.Stderr, "%-10s E(2) %.3f (%.3f to %.3f), ceiling %.3f, two threads %.3f, "+
		"exchange and waits %.1f %%\n",
		name, middle(ratios[0]), slices.Min(ratios[0]), slices.Max(ratios[0]), middle(ratios[1]),
		middle(ratios[2]), 100*middle(ratios[3]))
}

func middle(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}
