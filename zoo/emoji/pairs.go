package emoji

import (
	"errors"
	"fmt"
	"strings"

	"github.com/seqzoo/seqzoo/zoo/text"
)

// Pair is a description and an emoji, and whether it describes it.
type Pair struct {
	Phrase, Emoji string
	Match         bool
}

// Limits of a file of pairs; what exceeds one is another kind of file.
const (
	MaxEmojiPairs  = 1 << 20
	MaxEmojiBytes  = 256 // families and flags included
	MaxPhraseBytes = 1 << 12
)

// ReadPairs reads a file of pairs, a line each: the description, the emoji, and True or False,
// separated by tabs (the form of Eisner et al., 2016). Empty lines are passed over.
func ReadPairs(path string) ([]Pair, error) {
	s, err := text.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pairs, err := ParsePairs(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return pairs, nil
}

// ParsePairs is ReadPairs for the content of a file. An error names the line.
func ParsePairs(s string) ([]Pair, error) {
	pairs, number := make([]Pair, 0, min(MaxEmojiPairs, len(s)/8, strings.Count(s, "\n")+1)), 0
	for line := range strings.Lines(s) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" {
			continue
		}
		p, err := parseEmojiPair(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if len(pairs) == MaxEmojiPairs {
			return nil, fmt.Errorf("line %d: there are more than %d pairs", number, MaxEmojiPairs)
		}
		pairs = append(pairs, p)
	}
	if len(pairs) == 0 {
		return nil, errors.New("there is no pair in it; a line is \"description TAB emoji TAB " +
			"True or False\"")
	}
	return pairs, nil
}

func parseEmojiPair(line string) (p Pair, err error) {
	fields := strings.Split(line, "\t")
	if len(fields) != 3 {
		return p, fmt.Errorf("%d fields separated by tabs, want 3: description, emoji, "+
			"True or False", len(fields))
	}
	p.Phrase, p.Emoji = strings.TrimSpace(fields[0]), strings.TrimSpace(fields[1])
	switch strings.TrimSpace(fields[2]) {
	case "True":
		p.Match = true
	case "False":
	default:
		return p, fmt.Errorf("the third field is %.40q, want True or False", fields[2])
	}
	switch {
	case p.Phrase == "" || len(p.Phrase) > MaxPhraseBytes:
		return p, fmt.Errorf("the description has %d bytes, want 1 … %d", len(p.Phrase),
			MaxPhraseBytes)
	case bare(p.Emoji) == "" || len(p.Emoji) > MaxEmojiBytes:
		return p, fmt.Errorf("the emoji has %d bytes, want 1 … %d", len(bare(p.Emoji)),
			MaxEmojiBytes)
	case strings.ContainsAny(p.Emoji, " \u00a0"):
		return p, fmt.Errorf("the emoji %.40q has a space in it", p.Emoji)
	}
	return p, nil
}
