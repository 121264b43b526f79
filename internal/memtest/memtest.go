// Package memtest measures, for tests, what a function allocates.
package memtest

import (
	"runtime"
	"testing"
)

// Slack is what a reader of files may take beyond twice the bytes of its file: buffers, a
// decompressor's tables.
const Slack = 64 << 10

// Allocated is the number of bytes that f allocates, freed or not. What exceeds limit is measured
// again, four times at most, and the least counts: the counter is of the whole process, where a
// fuzzing engine, a finalizer or the runtime itself may allocate at that moment. So f must do the
// same each time.
func Allocated(limit int, f func()) int {
	least := -1
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if n := int(after.TotalAlloc - before.TotalAlloc); least < 0 || n < least {
			least = n
		}
		if least <= limit {
			break
		}
	}
	return least
}

// Within fails t if f, which reads size bytes, allocates more than twice that and Slack.
func Within(t testing.TB, size int, f func()) {
	t.Helper()
	if n := Allocated(2*size+Slack, f); n > 2*size+Slack {
		t.Fatalf("%d bytes allocated for a file of %d", n, size)
	}
}
