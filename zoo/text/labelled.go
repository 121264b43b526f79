package text

import (
	"fmt"
	"strings"
)

// Labelled is a text with its label.
type Labelled struct {
	Label, Text string
	Line        int // of the file, counted from 1
}

// ReadLabelled reads a file of lines label TAB text, as ReadFile reads files. Empty lines are
// skipped. White space around label and text is dropped; neither may be empty. Errors name file and
// line.
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
	s, err := content(s)
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
			return nil, fmt.Errorf("line %d: there is no tab; want label TAB text, not %.40q", n,
				line)
		case label == "":
			return nil, fmt.Errorf("line %d: the label is empty", n)
		case text == "":
			return nil, fmt.Errorf("line %d: the text is empty", n)
		}
		all = append(all, Labelled{label, text, n})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no line of label TAB text")
	}
	return all, nil
}

// Tagged is a sentence with a tag for each token.
type Tagged struct {
	Tokens, Tags []string
	Line         int // of the file, on which it begins, counted from 1
}

// ReadTagged reads a file of a token a line with its tag behind it, and an empty line between
// sentences (the column format of the CoNLL shared tasks), as ReadFile reads files. See [Columns],
// whose zero value finds out where token and tag are. Errors name file and line.
func ReadTagged(path string) ([]Tagged, error) {
	f, err := Columns{}.Read(path)
	if err != nil {
		return nil, err
	}
	return f.Sentences, nil
}

// ParseTagged is ReadTagged for the content of a file. What it returns shares memory with s.
func ParseTagged(s string) ([]Tagged, error) {
	f, err := Columns{}.Parse(s)
	if err != nil {
		return nil, err
	}
	return f.Sentences, nil
}
