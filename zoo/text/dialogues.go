package text

import (
	"context"
	"fmt"
	"iter"
	"strings"
)

// MaxTurns is the longest dialogue that ReadDialogues takes.
const MaxTurns = 1 << 10

// Dialogues is a file of dialogues: one a line, its utterances separated by tabs.
type Dialogues struct {
	name, text string // without the last line end
	dialogues  int
	turns      int
}

// ReadDialogues reads a file, as ReadFile does, of one dialogue a line: two utterances or more,
// with a tab between them. A dialogue of a single utterance, an utterance without anything in it
// but white space, and a dialogue of more than MaxTurns utterances are refused: the error counts
// them, and has the numbers of the first. The line end of the last line may be missing.
func ReadDialogues(path string) (*Dialogues, error) {
	s, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := &Dialogues{name: path, text: strings.TrimSuffix(s, "\n")}
	var empty, single, long tally
	first := "" // what is wrong with the first line that is refused
	for line := range strings.SplitSeq(d.text, "\n") {
		d.dialogues++
		turns, blanks := 0, 0
		for utterance := range strings.SplitSeq(line, "\t") {
			if turns++; blank(utterance) && blanks == 0 {
				blanks = turns
			}
		}
		wrong := ""
		switch {
		case blanks > 0:
			wrong = fmt.Sprintf("line %d: utterance %d is empty", d.dialogues, blanks)
			empty.add(d.dialogues)
		case turns < 2:
			wrong = fmt.Sprintf("line %d has a single utterance: a dialogue has 2 or more, with "+
				"tabs between them", d.dialogues)
			single.add(d.dialogues)
		case turns > MaxTurns:
			wrong = fmt.Sprintf("line %d has %d utterances; at most %d are taken", d.dialogues,
				turns, MaxTurns)
			long.add(d.dialogues)
		}
		if first == "" {
			first = wrong
		}
		d.turns += turns
	}
	if first != "" {
		return nil, fmt.Errorf("%s: %s%s", path, first, others(empty, single, long))
	}
	return d, nil
}

// others names the lines that are refused, if there is more than one.
func others(empty, single, long tally) string {
	if empty.n+single.n+long.n < 2 {
		return ""
	}
	var b strings.Builder
	for _, t := range []struct {
		lines *tally
		what  string
	}{{&empty, "an empty utterance"}, {&single, "a single utterance"}, {&long, "too many"}} {
		if t.lines.n > 0 {
			fmt.Fprintf(&b, "; %d with %s (%v)", t.lines.n, t.what, t.lines)
		}
	}
	return "; in all, refused are lines" + strings.Replace(b.String(), ";", ":", 1)
}

// Len is the number of dialogues.
func (d *Dialogues) Len() int { return d.dialogues }

// Turns is the number of utterances of all dialogues together.
func (d *Dialogues) Turns() int { return d.turns }

// All are the dialogues, each as its utterances, in a slice that is the caller's.
func (d *Dialogues) All() iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for line := range strings.SplitSeq(d.text, "\n") {
			if !yield(strings.Split(line, "\t")) {
				return
			}
		}
	}
}

// Tokens cuts every utterance into tokens: [dialogues][turns][tokens]. An utterance in which the
// tokeniser finds none is an error.
func (d *Dialogues) Tokens(ctx context.Context, t Tokeniser) ([][][]string, error) {
	all := make([][][]string, 0, d.dialogues)
	for utterances := range d.All() {
		turns := make([][]string, len(utterances))
		for n, s := range utterances {
			var err error
			if turns[n], err = TokensContext(ctx, t, s); err == nil && len(turns[n]) == 0 {
				err = fmt.Errorf("there are no tokens in %q", s)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: line %d: utterance %d: %w", d.name, len(all)+1, n+1,
					err)
			}
		}
		all = append(all, turns)
	}
	return all, nil
}
