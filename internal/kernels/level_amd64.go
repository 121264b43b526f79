//go:build !noasm

package kernels

import "golang.org/x/sys/cpu"

func detect() []Level {
	found := []Level{Portable}
	x := &cpu.X86
	if x.HasAVX2 && x.HasFMA {
		found = append(found, AVX2)
		if x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL {
			found = append(found, AVX512)
		}
	}
	return found
}
