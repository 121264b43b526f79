package train

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// bar draws progress on the last line of a terminal, again and again in the same place.
type bar struct {
	out     io.Writer
	columns func() int // of the terminal, which may be resized
	drawn   time.Time  // when it was drawn last
}

// columnsOf returns a function that asks for the width of a terminal, which is 80 if it cannot
// tell.
func columnsOf(f *os.File) func() int {
	return func() int {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
		return 80
	}
}

// eraseLine returns to the start of the line and empties it.
const eraseLine = "\r\x1b[K"

// draw replaces what was drawn before by text and a bar of which the share done/total is filled.
// What does not fit into the line is left out, because a line that wraps could not be replaced.
func (b *bar) draw(done, total int, text string) {
	const width = 20
	share := float64(done) / float64(max(total, 1))
	filled := min(int(share*width), width)
	line := []rune(fmt.Sprintf("%3.0f%% [%s%s] %s", 100*share, strings.Repeat("=", filled),
		strings.Repeat(" ", width-filled), text))
	if most := b.columns() - 1; len(line) > most {
		line = line[:max(most, 0)]
	}
	fmt.Fprint(b.out, eraseLine+string(line))
}

// clear leaves an empty line, on which other text may be written. A nil *bar has nothing to clear.
func (b *bar) clear() {
	if b != nil {
		fmt.Fprint(b.out, eraseLine)
	}
}
