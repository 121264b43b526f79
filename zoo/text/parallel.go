package text

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"unicode"
)

// Parallel is a text in two languages, or two forms, line by line: each line of the one has its
// partner in the other.
type Parallel struct {
	ParallelOptions
	sourceName, targetName string
	source, target         string // without the last line end
	lines                  int    // that are not left out
	blank, long            tally  // lines that are left out
	numbers                []int  // of the lines that Tokens gave
}

// ParallelOptions say which pairs of lines are refused, and which are left out. The zero value
// refuses blank lines, and takes lines of any length.
type ParallelOptions struct {
	SkipBlank bool // leave out a pair of which a side has nothing in it but white space
	MaxTokens int  // tokens of a side at most; 0: no limit
	SkipLong  bool // leave out a pair of which a side has more
}

// ReadParallel is Read with the zero options.
func ReadParallel(source, target string) (*Parallel, error) {
	return ParallelOptions{}.Read(source, target)
}

// Read reads two files, each as ReadFile does, that have as many lines as each other. Lines without
// anything in them but white space are refused, unless SkipBlank is set, and the error says how
// many there are and the numbers of the first: nothing can be learned from them, and most often
// they say that the files have slipped. The line end of the last line may be missing.
func (o ParallelOptions) Read(source, target string) (*Parallel, error) {
	if o.SkipLong && o.MaxTokens == 0 {
		return nil, errors.New("text: SkipLong is set, and MaxTokens is 0: no pair is too long")
	}
	if o.MaxTokens < 0 {
		return nil, fmt.Errorf("text: MaxTokens is %d; want at least 1, or 0 for no limit",
			o.MaxTokens)
	}
	p := &Parallel{ParallelOptions: o, sourceName: source, targetName: target}
	var err error
	if p.source, err = ReadFile(source); err != nil {
		return nil, err
	}
	if p.target, err = ReadFile(target); err != nil {
		return nil, err
	}
	p.source, p.target = strings.TrimSuffix(p.source, "\n"), strings.TrimSuffix(p.target, "\n")
	a, b := 1+strings.Count(p.source, "\n"), 1+strings.Count(p.target, "\n")
	if a != b {
		return nil, fmt.Errorf("lines in %s: %d, in %s: %d; each needs its partner", source, a,
			target, b)
	}
	var blanks [2]tally
	for n, pair := range p.all() {
		for i, side := range pair {
			if blank(side) {
				blanks[i].add(n)
			}
		}
		if blank(pair[0]) || blank(pair[1]) {
			p.blank.add(n)
		}
	}
	p.lines = a - p.blank.n
	if o.SkipBlank && p.lines == 0 {
		return nil, fmt.Errorf("%s and %s: all %d pairs of lines have a blank side", source, target,
			a)
	}
	if o.SkipBlank || p.blank.n == 0 {
		return p, nil
	}
	return nil, &BlankError{errors.Join(blanks[0].err(source, "empty"),
		blanks[1].err(target, "empty"))}
}

// BlankError says which lines of parallel files are blank. ParallelOptions.SkipBlank leaves such
// pairs out.
type BlankError struct{ error }

func (e *BlankError) Unwrap() error { return e.error }

// Error names the lines.
func (e *BlankError) Error() string {
	if e.error == nil {
		return "text: blank lines"
	}
	return e.error.Error()
}

// tally counts lines, and keeps the numbers of the first.
type tally struct {
	n     int
	first []int
}

// firstLines is how many lines a tally keeps.
const firstLines = 10

func (t *tally) add(line int) {
	if t.n++; len(t.first) < firstLines {
		t.first = append(t.first, line)
	}
}

// String is the numbers: "line 3", or "lines 3, 5 and 8 more".
func (t *tally) String() string {
	var b strings.Builder
	for i, line := range t.first {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprint(&b, line)
	}
	if more := t.n - len(t.first); more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	if t.n == 1 {
		return "line " + b.String()
	}
	return "lines " + b.String()
}

// err is the error of the counted lines, which what describes, such as "empty"; nil if there are
// none.
func (t *tally) err(name, what string) error {
	switch t.n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("%s: %v is %s", name, t, what)
	}
	return fmt.Errorf("%s: %d lines are %s: %v", name, t.n, what, t)
}

func blank(s string) bool { return strings.TrimLeftFunc(s, unicode.IsSpace) == "" }

// Len is the number of pairs of lines, without those that are left out so far.
func (p *Parallel) Len() int { return p.lines }

// LeftOut says how many pairs of lines were left out, and why, with the numbers of the first; "" if
// none were. Pairs that are too long are known once Tokens was called.
func (p *Parallel) LeftOut() string {
	var parts []string
	if p.SkipBlank && p.blank.n > 0 {
		parts = append(parts, fmt.Sprintf("%d with a blank side (%v)", p.blank.n, &p.blank))
	}
	if p.long.n > 0 {
		parts = append(parts, fmt.Sprintf("%d with a side of more than %d tokens (%v)", p.long.n,
			p.MaxTokens, &p.long))
	}
	return strings.Join(parts, ", ")
}

// all are the pairs of lines with their numbers, those that are blank among them.
func (p *Parallel) all() iter.Seq2[int, [2]string] {
	return func(yield func(n int, pair [2]string) bool) {
		s, t := p.source, p.target
		n := 0
		for more := true; more; {
			var a, b string
			a, s, more = strings.Cut(s, "\n")
			b, t, _ = strings.Cut(t, "\n")
			if n++; !yield(n, [2]string{a, b}) {
				return
			}
		}
	}
}

// Lines are the lines with their partners, without line ends and without pairs that have a blank
// side.
func (p *Parallel) Lines() iter.Seq2[string, string] {
	return func(yield func(source, target string) bool) {
		for _, pair := range p.all() {
			if !blank(pair[0]) && !blank(pair[1]) && !yield(pair[0], pair[1]) {
				return
			}
		}
	}
}

// Tokens cuts each line into tokens; Words{Spaced: true} is for files that are tokenised already. A
// line in which the tokeniser finds none is an error, as are lines of more than MaxTokens, unless
// SkipLong is set.
func (p *Parallel) Tokens(ctx context.Context, source, target Tokeniser) (sources,
	targets [][]string, err error) {
	sources, targets = make([][]string, 0, p.lines), make([][]string, 0, p.lines)
	p.lines, p.long = p.lines+p.long.n, tally{}
	p.numbers = p.numbers[:0]
	longest := "" // what is said of the first line that is too long
	for n, pair := range p.all() {
		if blank(pair[0]) || blank(pair[1]) {
			continue
		}
		var tokens [2][]string
		for i, t := range []Tokeniser{source, target} {
			name, side := p.sourceName, "source"
			if i == 1 {
				name, side = p.targetName, "target"
			}
			if tokens[i], err = TokensContext(ctx, t, pair[i]); err == nil && len(tokens[i]) == 0 {
				err = fmt.Errorf("there are no tokens in %q", pair[i])
			}
			if err != nil {
				return nil, nil, fmt.Errorf("%s: line %d: %w", name, n, err)
			}
			if p.MaxTokens > 0 && len(tokens[i]) > p.MaxTokens && longest == "" {
				longest = fmt.Sprintf("%s: line %d: the %s has %d tokens; at most %d are taken",
					name, n, side, len(tokens[i]), p.MaxTokens)
			}
		}
		if p.MaxTokens > 0 && max(len(tokens[0]), len(tokens[1])) > p.MaxTokens {
			p.long.add(n)
			continue
		}
		sources, targets = append(sources, tokens[0]), append(targets, tokens[1])
		p.numbers = append(p.numbers, n)
	}
	p.lines -= p.long.n
	switch {
	case p.long.n == 0:
	case !p.SkipLong && p.long.n > 1:
		return nil, nil, fmt.Errorf("%s; so it is with %d pairs, of %v", longest, p.long.n, &p.long)
	case !p.SkipLong:
		return nil, nil, errors.New(longest)
	case p.lines == 0:
		return nil, nil, fmt.Errorf("%s and %s: all pairs of lines are left out: %s", p.sourceName,
			p.targetName, p.LeftOut())
	}
	return sources, targets, nil
}

// Line is the number of the line, counted from 1, of pair i that Tokens gave; 0 if there is no such
// pair.
func (p *Parallel) Line(i int) int {
	if i < 0 || i >= len(p.numbers) {
		return 0
	}
	return p.numbers[i]
}
