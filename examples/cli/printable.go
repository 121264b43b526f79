package cli

import (
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"
)

// Printable writes to w for people: what would command a terminal, in place of standing on it, is
// shown in the way of Go's literals, such as \x1b. That is every control character but line ends
// and tabs, every byte that is no UTF-8, and what turns the direction of writing beyond its own
// line. Words come from files, and files come from anybody.
//
// Files are for programs and are written as they are, without it. Flush writes what is left of a
// letter that was cut, and returns the first error that writing gave.
func Printable(w io.Writer) *Writer { return &Writer{w: w} }

// Writer is what Printable returns.
type Writer struct {
	w    io.Writer
	rest []byte // the beginning of a letter whose end has not come yet
	err  error  // the first of writing
}

func (p *Writer) Write(b []byte) (int, error) {
	all := append(p.rest, b...)
	shown := make([]byte, 0, len(all))
	i := 0
	for i < len(all) && (utf8.FullRune(all[i:])) {
		r, n := utf8.DecodeRune(all[i:])
		shown = appendPrintable(shown, r, all[i:i+n])
		i += n
	}
	p.rest = append([]byte{}, all[i:]...)
	if err := p.write(shown); err != nil {
		return 0, err
	}
	return len(b), nil
}

// write keeps the first error: prints to a disk that is full ignore theirs, and the program would
// end as if all had been written.
func (p *Writer) write(shown []byte) error {
	_, err := p.w.Write(shown)
	if p.err == nil {
		p.err = err
	}
	return err
}

// Flush writes what is left, and returns the first error of all that was written.
func (p *Writer) Flush() error {
	var shown []byte
	for _, b := range p.rest {
		shown = fmt.Appendf(shown, `\x%02x`, b)
	}
	p.rest = nil
	if len(shown) > 0 {
		p.write(shown)
	}
	return p.err
}

func appendPrintable(to []byte, r rune, as []byte) []byte {
	turns := r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
	switch {
	case r == utf8.RuneError && len(as) == 1:
		return fmt.Appendf(to, `\x%02x`, as[0])
	case r == '\n' || r == '\t' || !unicode.IsControl(r) && !turns:
		return append(to, as...)
	case r == '\r':
		return append(to, `\r`...)
	case r < utf8.RuneSelf:
		return fmt.Appendf(to, `\x%02x`, r)
	}
	return fmt.Appendf(to, `\u%04x`, r)
}

// Show is s as Printable writes it.
func Show(s string) string {
	var shown []byte
	for i, r := range s {
		_, n := utf8.DecodeRuneInString(s[i:])
		shown = appendPrintable(shown, r, []byte(s[i:i+n]))
	}
	return string(shown)
}

// printable makes both outputs of s fit for people, unless they are so already; done is to be
// called at the end, and says whether the results could be written.
func (s Std) printable() (shown Std, done func() error) {
	var open []*Writer
	wrap := func(w io.Writer) io.Writer {
		if _, ok := w.(*Writer); ok || w == nil {
			return w
		}
		p := Printable(w)
		open = append(open, p)
		return p
	}
	shown = Std{In: s.In, Out: wrap(s.Out), Messages: wrap(s.Messages)}
	return shown, func() error {
		for _, w := range open {
			w.Flush()
		}
		if out, ok := shown.Out.(*Writer); ok && out.err != nil {
			return fmt.Errorf("the results could not be written: %w", out.err)
		}
		return nil
	}
}

// raw is what stands behind Printable: the bar of a progress moves by commands to the terminal.
func raw(w io.Writer) io.Writer {
	if p, ok := w.(*Writer); ok {
		return p.w
	}
	return w
}
