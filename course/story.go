package course

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/width"

	"github.com/seqzoo/seqzoo/plot"
)

// story tells a run on a terminal.
type story struct {
	w     io.Writer
	prose *prose
	t     *translator
	later []string // paragraphs with values that the cell has yet to give
}

func newStory(w io.Writer, p *prose) *story {
	if w == nil {
		w = io.Discard
	}
	return &story{w: w, prose: p, t: p.translator()}
}

func (s *story) open() {
	fmt.Fprintf(s.w, "%s\n%s\n\n", s.prose.title, strings.Repeat("=", columns(s.prose.title)))
	s.say(question, nil)
}

// say prints the Markdown of a section as plain text. Paragraphs with values that are not there yet
// wait until the cell has given them.
func (s *story) say(section string, values map[string]string) {
	if section != question {
		fmt.Fprintln(s.w, strings.Repeat("─", 72))
	}
	for _, paragraph := range strings.Split(s.prose.sections[section], "\n\n") {
		text, err := fill(paragraph, values)
		if err != nil {
			s.later = append(s.later, paragraph)
		} else if text != "" {
			fmt.Fprintf(s.w, "%s\n\n", plainMath(text))
		}
	}
}

// finish prints what waited for the values of a cell.
func (s *story) finish(values map[string]string) {
	if s.later != nil {
		fmt.Fprintln(s.w)
	}
	for _, paragraph := range s.later {
		text, _ := fill(paragraph, values) // Check reports values that no run gives
		fmt.Fprintf(s.w, "%s\n\n", plainMath(text))
	}
	s.later = nil
}

func (s *story) close(values map[string]string) {
	s.say(answer, values)
	s.finish(values)
	s.say(exercise, values)
	s.finish(values)
}

func (s *story) output(o Output) {
	o = s.t.output(o)
	switch {
	case o.Text != "":
		fmt.Fprintln(s.w, strings.TrimSuffix(o.Text, "\n"))
	case o.Verbatim != "":
		fmt.Fprintln(s.w, strings.TrimSuffix(o.Verbatim, "\n"))
	case o.Table != nil:
		fmt.Fprintf(s.w, "%s\n", tableText(*o.Table))
	case o.Plot != nil:
		fmt.Fprintf(s.w, "[%s]\n%s\n", o.Plot.Describe(), sparks(o.Plot))
	case o.Map != nil:
		fmt.Fprintf(s.w, "[%s]\n\n", o.Map.Describe())
	case o.Image != nil:
		fmt.Fprintf(s.w, "[%s]\n\n", o.Image.Alt)
	case o.Claim != nil:
		fmt.Fprintf(s.w, "%s %s\n", mark(o.Claim.Holds), o.Claim.Says)
	}
}

func mark(holds bool) string {
	if holds {
		return "✓"
	}
	return "✗"
}

// sparks draws the curves of a plot as lines of text.
func sparks(p *plot.Plot) string {
	var b strings.Builder
	wide := 0
	for _, c := range p.Curves {
		wide = max(wide, columns(c.Name))
	}
	for _, c := range p.Curves {
		if !c.Dots {
			fmt.Fprintf(&b, "  %s%s %s\n", c.Name, strings.Repeat(" ", wide-columns(c.Name)),
				plot.Spark(c.Y, 48, p.LogY))
		}
	}
	return b.String()
}

// columns are those that a text takes on a terminal: letters of Chinese and Japanese take two.
func columns(s string) int {
	n := utf8.RuneCountInString(s)
	for _, r := range s {
		switch width.LookupRune(r).Kind() {
		case width.EastAsianWide, width.EastAsianFullwidth:
			n++
		}
	}
	return n
}

// tableText aligns a table: numbers to the right.
func tableText(t Table) string {
	wide := make([]int, len(t.Head))
	for _, r := range append([][]string{t.Head}, t.Rows...) {
		for i, s := range r {
			wide[i] = max(wide[i], columns(s))
		}
	}
	right := numeric(t)
	var b strings.Builder
	if t.Caption != "" {
		fmt.Fprintln(&b, t.Caption)
	}
	for i, r := range append([][]string{t.Head}, t.Rows...) {
		line := ""
		for j, s := range r {
			pad := strings.Repeat(" ", wide[j]-columns(s))
			if right[j] {
				line += "  " + pad + s
			} else {
				line += "  " + s + pad
			}
		}
		fmt.Fprintln(&b, strings.TrimRight(line, " "))
		if i == 0 {
			total := 0
			for _, n := range wide {
				total += n + 2
			}
			fmt.Fprintln(&b, "  "+strings.Repeat("─", total-2))
		}
	}
	return b.String()
}

// numeric tells the columns that begin with a digit or a sign in every row.
func numeric(t Table) []bool {
	out := make([]bool, len(t.Head))
	for j := range out {
		out[j] = len(t.Rows) > 0
		for _, r := range t.Rows {
			s := strings.TrimLeft(r[j], "−-+±~ ")
			out[j] = out[j] && (s == "" || s == "–" || s[0] >= '0' && s[0] <= '9')
		}
	}
	return out
}
