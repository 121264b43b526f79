package ops

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// Guard, deferred around a call of code that is not the library's own, such as the cell of a user,
// makes a panic a *BuildError that says what it happened in and where. A *BuildError passes as it
// is.
func Guard(op, what string) {
	r := recover()
	if r == nil {
		return
	}
	if e, ok := r.(*BuildError); ok {
		panic(e)
	}
	e := &BuildError{Op: op, Msg: fmt.Sprintf("%s panics: %v%s", what, r, panickedAt())}
	e.Err, _ = r.(error)
	panic(e)
}

// panickedAt is the line that panicked, such as " (mine.go:12)", seen from a deferred function.
func panickedAt() (line string) {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for inPanic := false; ; {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			inPanic = true // the last one, if a deferred function has panicked again
		case inPanic && !strings.HasPrefix(f.Function, "runtime."):
			line, inPanic = fmt.Sprintf(" (%s:%d)", path.Base(f.File), f.Line), false
		}
		if !more {
			return line
		}
	}
}
