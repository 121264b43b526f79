package mpi

import (
	"fmt"
	"runtime"
	"time"
)

// request is a call that goes on after it has returned. What it reads and writes is kept reachable.
type request struct {
	handle uintptr
	flag   int32
	status [8]uint64
	keep   []any
}

// wait starts a call whose last argument is a request, and waits until it is done.
func (j *Job) wait(name string, fn uintptr, keep []any, args ...uintptr) error {
	r := &request{keep: keep}
	j.waiting.Store(int64(time.Since(j.begun)) + 1)
	defer j.waiting.Store(0)
	if err := j.call(name, fn, append(args, pointer(&r.handle))...); err != nil {
		return err
	}
	return j.await(name, r)
}

// await returns once a request is done.
func (j *Job) await(name string, r *request) error {
	const patience = time.Second // a transfer moves only while somebody asks for it
	begun := time.Now()
	for {
		for range 64 {
			done, err := j.test(name, r)
			if done || err != nil {
				runtime.KeepAlive(r)
				return err
			}
		}
		if runtime.Gosched(); time.Since(begun) > patience {
			time.Sleep(100 * time.Microsecond)
		}
	}
}

// test reports whether a request is done.
func (j *Job) test(name string, r *request) (bool, error) {
	err := j.call(name, j.lib.test, pointer(&r.handle), pointer(&r.flag), pointer(&r.status[0]))
	return r.flag != 0, err
}

// Send is that of train.Messages.
func (j *Job) Send(to, tag int, data []byte) error {
	if j.empty() {
		return errNoJob
	}
	return j.post("MPI_Isend", j.lib.isend, to, tag, data)
}

// Receive is that of train.Messages.
func (j *Job) Receive(from, tag int, data []byte) error {
	if j.empty() {
		return errNoJob
	}
	return j.post("MPI_Irecv", j.lib.irecv, from, tag, data)
}

// post begins to send or receive, a gigabyte at a time at most.
func (j *Job) post(name string, fn uintptr, peer, tag int, data []byte) error {
	if peer < 0 || peer >= j.size || tag < 0 || tag >= 1<<14 {
		return fmt.Errorf("mpi: %s: there is no process %d of %d, or no tag %d", name, peer, j.size, tag)
	}
	for {
		part := data[:min(len(data), 1<<30)]
		data = data[len(part):]
		r := &request{keep: []any{part}}
		if err := j.call(name, fn, address(part), uintptr(len(part)), j.lib.byteType, uintptr(peer),
			uintptr(tag), j.lib.world, pointer(&r.handle)); err != nil {
			return err
		}
		j.posted = append(j.posted, r)
		if len(data) == 0 {
			return nil
		}
	}
}

// Wait is that of train.Messages.
func (j *Job) Wait() error {
	if j.empty() {
		return errNoJob
	}
	j.waiting.Store(int64(time.Since(j.begun)) + 1)
	defer j.waiting.Store(0)
	posted := j.posted
	j.posted = nil
	for _, r := range posted {
		if err := j.await("MPI_Test", r); err != nil {
			return err
		}
	}
	return nil
}
