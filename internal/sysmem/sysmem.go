// Package sysmem says how much memory there is to be had.
package sysmem

import (
	"bufio"
	"bytes"
	"errors"
	"math"
	"os"
	"runtime/debug"
	"strconv"
)

// ErrMemory is what every error of something that needs more memory than there is is.
var ErrMemory = errors.New("there is not enough memory")

// Available is the number of bytes that the process may still take before it is killed, by the
// system's own estimate, the limit of its control group and GOMEMLIMIT; 0 if that is not known.
// Tests replace it.
var Available = available

func available() int {
	least := debug.SetMemoryLimit(-1) // math.MaxInt64 if there is none
	if n, ok := field("/proc/meminfo", "MemAvailable:"); ok {
		least = min(least, 1024*n)
	}
	const group = "/sys/fs/cgroup/"
	if most, ok := number(group + "memory.max"); ok {
		used, _ := number(group + "memory.current")
		cached, _ := field(group+"memory.stat", "inactive_file")
		least = min(least, max(1, most-used+cached))
	}
	if least == math.MaxInt64 {
		return 0
	}
	return int(min(least, math.MaxInt))
}

// number is the number that a file consists of.
func number(path string) (int64, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	return n, err == nil
}

// field is the number behind a name at the start of a line.
func field(path, name string) (int64, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		if f := bytes.Fields(lines.Bytes()); len(f) > 1 && string(f[0]) == name {
			n, err := strconv.ParseInt(string(f[1]), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
