package text

import (
	"fmt"
	"iter"
	"strings"
	"unicode"
)

// Parallel is a text in two languages, or two forms, line by line: each line of the one has its partner in the other.
type Parallel struct {
	sourceName, targetName string
	source, target         string // without the last line end
	lines                  int
}

// ReadParallel reads two files, each as ReadFile does, that have as many lines as each other. A line without anything in
// it but white space is refused, by its number: nothing can be learned from it, and most often it says that the files
// have slipped. The line end of the last line may be missing.
func ReadParallel(source, target string) (*Parallel, error) {
	p := &Parallel{sourceName: source, targetName: target}
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
		return nil, fmt.Errorf("lines in %s: %d, in %s: %d; each needs its partner", source, a, target, b)
	}
	for s, t := range p.Lines() {
		p.lines++
		if blank(s) {
			return nil, fmt.Errorf("%s: line %d is empty", source, p.lines)
		}
		if blank(t) {
			return nil, fmt.Errorf("%s: line %d is empty", target, p.lines)
		}
	}
	return p, nil
}

func blank(s string) bool { return strings.TrimLeftFunc(s, unicode.IsSpace) == "" }

// Len is the number of lines.
func (p *Parallel) Len() int { return p.lines }

// Lines are the lines with their partners, without line ends.
func (p *Parallel) Lines() iter.Seq2[string, string] {
	return func(yield func(source, target string) bool) {
		s, t := p.source, p.target
		for more := true; more; {
			var a, b string
			a, s, more = strings.Cut(s, "\n")
			b, t, _ = strings.Cut(t, "\n")
			if !yield(a, b) {
				return
			}
		}
	}
}

// Tokens cuts each line into tokens; Words{Spaced: true} is for files that are tokenised already. A line in which the
// tokeniser finds none is an error.
func (p *Parallel) Tokens(source, target Tokeniser) (sources, targets [][]string, err error) {
	cut := func(name string, t Tokeniser, s string) (tokens []string) {
		if err != nil {
			return nil
		}
		if tokens, err = t.Tokens(s); err == nil && len(tokens) == 0 {
			err = fmt.Errorf("there are no tokens in %q", s)
		}
		if err != nil {
			err = fmt.Errorf("%s: line %d: %w", name, len(sources)+1, err)
		}
		return tokens
	}
	sources, targets = make([][]string, 0, p.lines), make([][]string, 0, p.lines)
	for s, t := range p.Lines() {
		a, b := cut(p.sourceName, source, s), cut(p.targetName, target, t)
		if err != nil {
			return nil, nil, err
		}
		sources, targets = append(sources, a), append(targets, b)
	}
	return sources, targets, nil
}
