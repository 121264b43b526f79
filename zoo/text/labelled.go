package text

import (
	"fmt"
	"strings"
)

// Labelled is a text with its label.
type Labelled struct{ Label, Text string }

// ReadLabelled reads a file of lines label TAB text, as ReadFile reads files. Empty lines are skipped. White space around
// label and text is dropped; neither may be empty. Errors name file and line.
func ReadLabelled(path string) ([]Labelled, error) {
	s, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines, err := ParseLabelled(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return lines, nil
}

// ParseLabelled is ReadLabelled for the content of a file. What it returns shares memory with s.
func ParseLabelled(s string) ([]Labelled, error) {
	s, err := clean(s)
	if err != nil {
		return nil, err
	}
	var all []Labelled
	for n, line := range lines(s) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		label, text, ok := strings.Cut(line, "\t")
		label, text = strings.TrimSpace(label), strings.TrimSpace(text)
		switch {
		case !ok:
			return nil, fmt.Errorf("line %d: there is no tab; want label TAB text, not %.40q", n, line)
		case label == "":
			return nil, fmt.Errorf("line %d: the label is empty", n)
		case text == "":
			return nil, fmt.Errorf("line %d: the text is empty", n)
		}
		all = append(all, Labelled{label, text})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no line of label TAB text")
	}
	return all, nil
}

// lines yields the lines of s with their numbers from 1.
func lines(s string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		n := 0
		for line := range strings.Lines(s) {
			n++
			if !yield(n, strings.TrimSuffix(line, "\n")) {
				return
			}
		}
	}
}

// Tagged is a sentence with a tag for each token.
type Tagged struct{ Tokens, Tags []string }

// ReadTagged reads a file of a token a line with its tag behind a tab, and an empty line between sentences (the column
// format of the CoNLL shared tasks), as ReadFile reads files. Where a line has more than two columns, the first is the token
// and the last the tag. Lines that begin with "# " and have no tab are comments. Errors name file and line.
func ReadTagged(path string) ([]Tagged, error) {
	s, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	sentences, err := ParseTagged(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return sentences, nil
}

// ParseTagged is ReadTagged for the content of a file. What it returns shares memory with s.
func ParseTagged(s string) ([]Tagged, error) {
	s, err := clean(s)
	if err != nil {
		return nil, err
	}
	var all []Tagged
	var at Tagged
	end := func() {
		if len(at.Tokens) > 0 {
			all = append(all, at)
			at = Tagged{}
		}
	}
	for n, line := range lines(s) {
		if strings.TrimSpace(line) == "" {
			end()
			continue
		}
		first := strings.IndexByte(line, '\t')
		if first < 0 && strings.HasPrefix(line, "# ") {
			continue
		}
		if first < 0 {
			return nil, fmt.Errorf("line %d: there is no tab; want token TAB tag, not %.40q", n, line)
		}
		token, tag := strings.TrimSpace(line[:first]), strings.TrimSpace(line[strings.LastIndexByte(line, '\t')+1:])
		switch {
		case token == "":
			return nil, fmt.Errorf("line %d: the token is empty", n)
		case tag == "":
			return nil, fmt.Errorf("line %d: the tag of %.40q is empty", n, token)
		}
		at.Tokens, at.Tags = append(at.Tokens, token), append(at.Tags, tag)
	}
	end()
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no line of token TAB tag")
	}
	return all, nil
}
