package kernels

import (
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"unsafe"
)

// Float is the element types of the library.
type Float interface{ float32 | float64 }

// Level is an instruction set that the kernels are written for.
type Level int

// The levels, each faster than the one before.
const (
	Portable Level = iota // plain Go, on every machine
	AVX2                  // amd64 with AVX2 and FMA
	AVX512                // amd64 with AVX-512 F, DQ, BW and VL
)

// String is the level's name in benchmarks and reports.
func (l Level) String() string {
	switch l {
	case AVX512:
		return "avx512"
	case AVX2:
		return "avx2"
	}
	return "portable"
}

var (
	levels = detect() // ascending; Portable first
	level  = levels[len(levels)-1]
)

// Levels are the levels that this machine runs, slowest first.
func Levels() []Level { return slices.Clone(levels) }

// CurrentLevel is the level in use: at the start, the best of the machine.
func CurrentLevel() Level { return level }

// Instructions names the instruction sets that results depend on, such as "amd64 AVX-512" or "arm64
// portable": the architecture, with the variant that the program was compiled for if it was not the
// default, because the compiler may then join a product and a sum into one rounding, and the level
// in use. On machines with one name, a program gives the same bits.
func Instructions() string {
	name := runtime.GOARCH
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "GO"+strings.ToUpper(runtime.GOARCH) && s.Value != "v1" &&
				s.Value != "v8.0" {
				name += " " + s.Value
			}
		}
	}
	return name + " " + CurrentLevel().String()
}

// SetLevel chooses the level, for tests and comparisons. It must not run while kernels do.
func SetLevel(l Level) {
	if !slices.Contains(levels, l) {
		panic("kernels: SetLevel: this machine lacks the level")
	}
	level = l
}

// size is that of an element in bytes.
func size[F Float]() int {
	var f F
	return int(unsafe.Sizeof(f))
}
