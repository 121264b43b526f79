package mpi

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// window says where others of the host find memory of a process.
type window struct {
	Machine string // the kernel, and the numbers by which it knows processes; "": there is no memory
	PID, FD int
	Bytes   int
	Sign    []byte // what the memory ends with
}

// signBytes is how many bytes of a sign there are, so that nobody takes other memory for a window.
const signBytes = 16

// Windows gives each process memory of its own of so many bytes, which others of the same host
// read: windows[r] is that of process r, and nil where r's cannot be read from here, or the one of
// this process from there. Every process calls it, with numbers of its own, and writes to its own
// window only. What was written before a Barrier others read after it. The windows of an earlier
// call are gone then, and all are once the job is closed.
func (j *Job) Windows(size int) (windows [][]byte, err error) {
	if j.empty() {
		return nil, errNoJob
	}
	if size < 0 {
		return nil, fmt.Errorf("mpi: Windows: a window of %d bytes; want 0 or more", size)
	}
	j.unmap()
	own, fd, mine := newWindow(size)
	defer func() {
		if fd >= 0 {
			unix.Close(fd)
		}
	}()
	all := make([]window, j.size)
	if err := gatherSmall(j, mine, all); err != nil {
		return nil, err
	}
	windows = make([][]byte, j.size)
	reads := make([]bool, j.size) // which of the others' this process can read
	for r, w := range all {
		switch {
		case r == j.rank:
			windows[r], reads[r] = own, own != nil
		case own != nil && w.Machine == mine.Machine:
			windows[r] = w.open()
			reads[r] = windows[r] != nil
		}
		if windows[r] != nil {
			j.windows = append(j.windows, windows[r])
			windows[r] = windows[r][:w.Bytes:w.Bytes]
		}
	}
	// This waits for everybody to have opened all, and only then fd is closed.
	readers, counts := make([]byte, j.size*j.size), make([]int, j.size)
	for r := range counts {
		counts[r] = j.size
	}
	row := make([]byte, j.size)
	for r, yes := range reads {
		if yes {
			row[r] = 1
		}
	}
	if err := j.AllGather(row, readers, counts); err != nil {
		return nil, err
	}
	for r := range windows {
		if readers[r*j.size+j.rank] == 0 {
			windows[r] = nil
		}
	}
	return windows, nil
}

// newWindow makes memory that others can map, as the file fd; nil if the system does not let it.
func newWindow(size int) (memory []byte, fd int, w window) {
	sign := make([]byte, signBytes)
	_, _ = rand.Read(sign) // it never fails
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, -1, w
	}
	pids, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return nil, -1, w
	}
	if fd, err = unix.MemfdCreate("seqzoo", unix.MFD_CLOEXEC); err != nil {
		return nil, -1, w
	}
	if err = unix.Ftruncate(fd, int64(size+signBytes)); err == nil {
		memory, err = unix.Mmap(fd, 0, size+signBytes, unix.PROT_READ|unix.PROT_WRITE,
			unix.MAP_SHARED)
	}
	if err != nil {
		unix.Close(fd)
		return nil, -1, w
	}
	copy(memory[size:], sign)
	return memory, fd, window{strings.TrimSpace(string(boot)) + " " + pids, os.Getpid(),
		fd, size, sign}
}

// open maps the window of another process, to be read; nil if it cannot be found.
func (w window) open() []byte {
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/fd/%d", w.PID, w.FD), unix.O_RDONLY|unix.O_CLOEXEC,
		0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	var s unix.Stat_t
	n := w.Bytes + signBytes
	if unix.Fstat(fd, &s) != nil || s.Size != int64(n) {
		return nil
	}
	memory, err := unix.Mmap(fd, 0, n, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil
	}
	if !bytes.Equal(memory[w.Bytes:], w.Sign) {
		_ = unix.Munmap(memory)
		return nil
	}
	return memory
}

// unmap lets go of all windows.
func (j *Job) unmap() {
	for _, w := range j.windows {
		_ = unix.Munmap(w)
	}
	j.windows = nil
}

// gatherSmall gives every process what each says of itself, which is short.
func gatherSmall[T any](j *Job, mine T, all []T) error {
	const most = 1024
	text, err := json.Marshal(mine)
	if err != nil || len(text) > most {
		return fmt.Errorf("mpi: what process %d says of its host is too long", j.rank)
	}
	padded := append(text, bytes.Repeat([]byte{' '}, most-len(text))...)
	texts, sizes := make([]byte, most*j.size), make([]int, j.size)
	for r := range sizes {
		sizes[r] = most
	}
	if err := j.AllGather(padded, texts, sizes); err != nil {
		return err
	}
	for r := range all {
		if err := json.Unmarshal(texts[r*most:(r+1)*most], &all[r]); err != nil {
			return fmt.Errorf("mpi: process %d is of another version of the program: %w", r, err)
		}
	}
	return nil
}
