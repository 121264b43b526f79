package mpi

import (
	"fmt"
	"math/bits"
	"slices"
)

// place is what a process says of where it runs.
type place struct {
	Host    string
	Library string
	Threads int
	Mask    []uint64 // of the cores that it may use
}

// crowded warns of hosts whose processes have more threads than cores.
func crowded(places []place) (warnings []string) {
	type host struct {
		threads, processes int
		mask               []uint64
	}
	hosts := map[string]*host{}
	var names []string
	for _, p := range places {
		h := hosts[p.Host]
		if h == nil {
			h = &host{mask: make([]uint64, len(p.Mask))}
			hosts[p.Host] = h
			names = append(names, p.Host)
		}
		h.processes++
		h.threads += p.Threads
		for i := range min(len(h.mask), len(p.Mask)) {
			h.mask[i] |= p.Mask[i]
		}
	}
	slices.Sort(names)
	for _, name := range names {
		h, cores := hosts[name], 0
		for _, w := range h.mask {
			cores += bits.OnesCount64(w)
		}
		if cores > 0 && h.threads > cores {
			each := max(1, cores/h.processes)
			warnings = append(warnings, fmt.Sprintf("the %d processes on %s have %d threads "+
				"together, and may use %s: each waits for others. Start fewer, set GOMAXPROCS=%d "+
				"for each, or let the launcher bind each to cores of its own (mpirun --map-by "+
				"slot:PE=%d --bind-to core)", h.processes, name, h.threads, coresOf(cores),
				each, each))
		}
	}
	return warnings
}

func coresOf(n int) string {
	if n == 1 {
		return "1 core"
	}
	return fmt.Sprint(n, " cores")
}
