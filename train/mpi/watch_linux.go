package mpi

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seqzoo/seqzoo/internal/launch"
)

// beat is a sign of life: where a process is, and since when it waits for others.
type beat struct {
	Step    int64
	Waiting int64 // 1 if it does
	Last    int64 // 1 for the last one: the process leaves the job
	Number  int64
}

// beatSize is the bytes of a beat, and beatTag its tag.
const (
	beatSize = 32
	beatTag  = 77
)

// watch tells the next process that this one lives, and ends the job if the one before is lost.
func (j *Job) watch() {
	before := (j.rank + j.size - 1) % j.size
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	defer signal.Stop(ended)
	in, out := make([]byte, beatSize), make([]byte, beatSize)
	var receive, send *request
	var last beat
	heard, moved := time.Now(), time.Now()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-j.done:
			j.leave(receive, send, in)
			return
		case <-ended:
			go j.endedByLauncher()
			continue
		case <-tick.C:
		}
		if n%4 == 0 && j.doneWith(send) {
			b := beat{Step: j.step.Load(), Number: int64(n)}
			if j.waiting.Load() != 0 {
				b.Waiting = 1
			}
			send = j.sendBeat(out, b)
		}
		if receive == nil {
			receive = j.receiveBeat(in, before)
		}
		if receive != nil && j.doneWith(receive) {
			var b beat
			_ = binary.Read(bytes.NewReader(in), binary.LittleEndian, &b)
			receive, heard = nil, time.Now()
			if b.Step != last.Step || b.Waiting == 1 {
				moved = heard
			}
			last = b
		}
		if silent := time.Since(heard); silent > j.cfg.Timeout && last.Last == 0 {
			j.Abort(fmt.Errorf("process %d has not been heard of for %v: it has stopped, or its "+
				"host or the network; it was at step %d", before, silent.Round(time.Second),
				last.Step))
		}
		since := j.waiting.Load()
		if since != 0 && time.Since(j.begun)-time.Duration(since) > j.cfg.Stall &&
			time.Since(moved) > j.cfg.Stall && last.Last == 0 {
			j.Abort(fmt.Errorf("process %d has been at step %d for %v while others wait for "+
				"it: it hangs",
				before, last.Step, time.Since(moved).Round(time.Second)))
		}
	}
}

// watchStart says for what this process waits until it has joined the others, of which one may have
// ended without a word, or be of a program that knows nothing of MPI; and ends it if that takes too
// long.
func (j *Job) watchStart(l launch.Launcher, size int, joined <-chan struct{}) {
	tick := time.NewTicker(j.cfg.Timeout)
	defer tick.Stop()
	for {
		select {
		case <-joined:
			return
		case <-tick.C:
		}
		waited := time.Since(j.begun)
		fmt.Fprintf(os.Stderr, "process %s on %s has waited for %v for the others of the %d that "+
			"%s has started: is one another program, or at its end, or its host not to be "+
			"reached?\n",
			os.Getenv(l.Rank), j.host, waited.Round(time.Second), size, l.Name)
		if waited > j.cfg.Stall {
			os.Exit(1)
		}
		tick.Reset(max(j.cfg.Timeout, waited)) // less and less often
	}
}

// doneWith reports whether a request, if there is one, is done.
func (j *Job) doneWith(r *request) bool {
	if r == nil {
		return true
	}
	done, err := j.test("MPI_Test", r)
	return done || err != nil
}

func (j *Job) sendBeat(out []byte, b beat) *request {
	var w bytes.Buffer
	_ = binary.Write(&w, binary.LittleEndian, b)
	copy(out, w.Bytes())
	r := &request{keep: []any{out}}
	err := j.call("MPI_Isend", j.lib.isend, address(out), beatSize, j.lib.byteType,
		uintptr((j.rank+1)%j.size), beatTag, j.beats, pointer(&r.handle))
	if err != nil {
		return nil
	}
	return r
}

func (j *Job) receiveBeat(in []byte, from int) *request {
	r := &request{keep: []any{in}}
	err := j.call("MPI_Irecv", j.lib.irecv, address(in), beatSize, j.lib.byteType, uintptr(from),
		beatTag, j.beats, pointer(&r.handle))
	if err != nil {
		return nil
	}
	return r
}

// leave exchanges the last signs of life, so that no message is left when the library ends.
func (j *Job) leave(receive, send *request, in []byte) {
	until := time.Now().Add(5 * time.Second)
	for !j.doneWith(send) && time.Now().Before(until) {
		time.Sleep(time.Millisecond)
	}
	out := make([]byte, beatSize)
	send = j.sendBeat(out, beat{Step: j.step.Load(), Last: 1})
	before := (j.rank + j.size - 1) % j.size
	for time.Now().Before(until) {
		if receive == nil {
			receive = j.receiveBeat(in, before)
		}
		if receive != nil && j.doneWith(receive) {
			receive = nil
			var b beat
			_ = binary.Read(bytes.NewReader(in), binary.LittleEndian, &b)
			if b.Last == 1 {
				break
			}
		}
		time.Sleep(time.Millisecond)
	}
	for !j.doneWith(send) && time.Now().Before(until) {
		time.Sleep(time.Millisecond)
	}
}

// endedByLauncher says where the training was when the launcher ended the job, most often since a
// process was lost, whose rank it names.
func (j *Job) endedByLauncher() {
	since := j.waiting.Load()
	time.Sleep(300 * time.Millisecond) // the launcher kills a second after it has asked
	if now := j.waiting.Load(); now == 0 || now != since {
		return // it goes on, and may save
	}
	fmt.Fprintf(os.Stderr, "process %d of %d, on %s, was at step %d, and waited for the "+
		"others, when the launcher ended the job\n", j.rank, j.size, j.host, j.step.Load())
	os.Exit(143)
}

// compareHosts refuses libraries that differ, and warns of threads that have no core.
func (j *Job) compareHosts() error {
	var set unix.CPUSet
	p := place{Host: j.host, Library: j.lib.name, Threads: runtime.GOMAXPROCS(0)}
	if unix.SchedGetaffinity(0, &set) == nil {
		for _, w := range set {
			p.Mask = append(p.Mask, uint64(w))
		}
	}
	places := make([]place, j.size)
	if err := gatherSmall(j, p, places); err != nil {
		return err
	}
	for r := range places {
		if places[r].Library != places[0].Library {
			return fmt.Errorf("mpi: process %d on %s uses %s, and process 0 on %s %s: install "+
				"one version on all hosts",
				r, places[r].Host, places[r].Library, places[0].Host, places[0].Library)
		}
	}
	j.warnings = crowded(places)
	return nil
}
