package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// nothing is the tag of a word that no punctuation follows, as O is of what is outside in the
// tagging of names.
const nothing = "O"

// isPunctuation says whether a token is what is taken away and restored.
func isPunctuation(token string) bool { return len(token) == 1 && strings.Contains(",.?!", token) }

// strip takes the punctuation of a sentence away and makes tags of it. Of several marks behind a
// word the first counts; one before the first word is lost.
func strip(tokens []string) (t text.Tagged) {
	for _, token := range tokens {
		n := len(t.Tokens)
		switch {
		case !isPunctuation(token):
			t.Tokens, t.Tags = append(t.Tokens, token), append(t.Tags, nothing)
		case n > 0 && t.Tags[n-1] == nothing:
			t.Tags[n-1] = token
		}
	}
	return t
}

// dialogues are the turns of a file of dialogues, a dialogue a line and a tab between turns, by
// dialogue.
func dialogues(path string, form text.Form) (all [][]text.Tagged, err error) {
	s, err := text.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(form.Of(s)) {
		var turns []text.Tagged
		for _, turn := range strings.Split(line, "\t") {
			if t := strip(strings.Fields(strings.ToLower(turn))); len(t.Tokens) > 0 {
				turns = append(turns, t)
			}
		}
		if len(turns) > 0 {
			all = append(all, turns)
		}
	}
	return all, nil
}

// validDialogues is how many of SGD's training dialogues, the last ones, are kept apart for
// validation.
const validDialogues = 250

// columns is the flags that say where in a file the tokens and the tags are.
type columns struct{ text.Columns }

func (c *columns) register(f *flag.FlagSet) {
	f.StringVar(&c.Format, "format", "",
		"`form` that the files must have: conllu, germeval, conll2003, conll2000 or plain (default: as they look)")
	f.StringVar(&c.Token, "token", "",
		"`column` of the tokens: a number, 1 being the first and -1 the last, or a name that the format or the first line has")
	f.StringVar(&c.Tag, "tag", "", "`column` of the tags, likewise")
}

// read reads a file, and says how. Its tokens are brought to the form.
func (c *columns) read(messages io.Writer, path string, form text.Form) ([]text.Tagged, error) {
	f, err := c.Read(path)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(messages, "%s: %s", path, f.About)
	if f.Ranges > 0 {
		fmt.Fprintf(messages, "; %d lines of ranges and empty nodes are left out", f.Ranges)
	}
	fmt.Fprintln(messages)
	for i, s := range f.Sentences {
		f.Sentences[i].Tokens = form.Tokens(s.Tokens)
	}
	return f.Sentences, nil
}

func (t *trainCommand) read(messages io.Writer) (train, valid []text.Tagged, err error) {
	if t.train != "" {
		if train, err = t.columns.read(messages, t.train, t.unicode); err != nil {
			return nil, nil, err
		}
		valid, err = t.columns.read(messages, t.valid, t.unicode)
		return train, valid, err
	}
	path, err := cli.DataFile("sgd-dialogues/train.txt.gz", "give files by -data and -valid")
	if err != nil {
		return nil, nil, err
	}
	all, err := dialogues(path, t.unicode)
	if err != nil {
		return nil, nil, err
	}
	cut := max(0, len(all)-validDialogues)
	return slices.Concat(all[:cut]...), slices.Concat(all[cut:]...), nil
}

func (e *evaluateCommand) read(messages io.Writer, form text.Form) (test []text.Tagged, name string,
	err error) {
	if e.data != "" {
		test, err = e.columns.read(messages, e.data, form)
		return test, e.data, err
	}
	path, err := cli.DataFile("sgd-dialogues/valid.txt", "give a file by -data")
	if err != nil {
		return nil, "", err
	}
	all, err := dialogues(path, form)
	return slices.Concat(all...), "SGD dialogues kept apart", err
}

// atLine adds to an error about one of the sentences of a file where it begins.
func atLine(file string, sentences []text.Tagged) func(error) error {
	return func(err error) error {
		return cli.AtLine(err, file, func(i int) int { return sentences[i].Line })
	}
}

func encode(m *label.Tagger, sentences []text.Tagged) ([]label.Labelled, error) {
	examples := make([]label.Labelled, len(sentences))
	for i, s := range sentences {
		var err error
		if examples[i], err = m.EncodeLabelled(s.Tokens, s.Tags...); err != nil {
			return nil, fmt.Errorf("line %d: %w", s.Line, err)
		}
	}
	return examples, nil
}

// counts tag by what was counted: the commonest tag of a word before the next one; where the pair
// was never seen, of the word; where that was not, of all.
type counts struct{ pairs, words, all map[string]map[string]int }

func newCounts(sentences []text.Tagged) *counts {
	c := &counts{map[string]map[string]int{}, map[string]map[string]int{},
		map[string]map[string]int{}}
	add := func(to map[string]map[string]int, key, tag string) {
		if to[key] == nil {
			to[key] = map[string]int{}
		}
		to[key][tag]++
	}
	for _, s := range sentences {
		for i, tag := range s.Tags {
			pair, word := keys(s.Tokens, i)
			add(c.pairs, pair, tag)
			add(c.words, word, tag)
			add(c.all, "", tag)
		}
	}
	return c
}

// keys of the token at i: with the token behind it, or the end, and alone.
func keys(tokens []string, i int) (pair, word string) {
	next := "\n"
	if i+1 < len(tokens) {
		next = tokens[i+1]
	}
	return tokens[i] + "\t" + next, tokens[i]
}

func (c *counts) tag(tokens []string, i int) (best string) {
	pair, word := keys(tokens, i)
	seen := c.pairs[pair]
	if seen == nil {
		seen = c.words[word]
	}
	if seen == nil {
		seen = c.all[""]
	}
	for tag, n := range seen {
		if best == "" || n > seen[best] || n == seen[best] && tag < best {
			best = tag
		}
	}
	return best
}

// report prints how well m, and counting if c is not nil, do on sentences.
func report(ctx context.Context, out io.Writer, m *label.Tagger, c *counts, sentences []text.Tagged,
	name string) error {
	examples, err := encode(m, sentences)
	if err != nil {
		return err
	}
	e, err := m.Evaluate(ctx, examples)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %d sentences, %d tokens, loss %.4f nats a token\n", name, len(sentences),
		e.Confusion.Total(), e.Loss)
	if unk, ok := m.Vocabulary().ID(text.Unk); ok {
		cli.WarnUnknown(out, name, unk, len(examples), func(i int) []int { return examples[i].IDs })
	}
	if e.Entities != nil {
		entities(out, e.Entities)
	}
	if hasEntities(m.Labels()) {
		fmt.Fprintln(out, "precision, recall and F1 of tags count tokens, not whole entities")
	}
	if err := table(out, "model", m.Labels(), e.Confusion); err != nil {
		return err
	}
	if c == nil {
		return nil
	}
	counted := metrics.NewConfusion(m.Labels().Len())
	for k, s := range sentences {
		for i := range s.Tokens {
			id, ok := m.Labels().ID(c.tag(s.Tokens, i))
			if !ok {
				return fmt.Errorf("the training data have the tag %q, which the model does not "+
					"know", c.tag(s.Tokens, i))
			}
			if err := counted.Add(id, examples[k].Labels[i]); err != nil {
				return err
			}
		}
	}
	return table(out, "counting words and pairs", m.Labels(), counted)
}

// entities prints the scores of whole entities.
func entities(out io.Writer, s *metrics.EntityScores) {
	fmt.Fprintf(out, "%-12s %10s %10s %10s %10s\n", "entities", "precision", "recall", "F1", "members")
	line := func(name string, s metrics.Score) {
		fmt.Fprintf(out, "%-12s %10.4f %10.4f %10.4f %10d\n", name, s.Precision, s.Recall, s.F1,
			s.Support)
	}
	for _, name := range s.Types() {
		line(name, s.Type(name))
	}
	line("all", s.Micro())
	line("macro mean", s.Macro())
}

// hasEntities reports whether some tag begins an entity, as B-PER does.
func hasEntities(labels *text.Vocabulary) bool {
	for id := range labels.Len() {
		if label, _ := labels.Token(id); strings.HasPrefix(label, "B-") ||
			strings.HasPrefix(label, "I-") {
			return true
		}
	}
	return false
}

// table prints the scores of each tag, and of all but O together.
func table(out io.Writer, name string, labels *text.Vocabulary, c *metrics.Confusion) error {
	fmt.Fprintf(out, "%s: accuracy %.2f %%\n%-12s %10s %10s %10s %10s\n", name, 100*c.Accuracy(),
		"tag", "precision", "recall", "F1", "tokens")
	row := func(name string, s metrics.Score, err error) error {
		if err == nil {
			_, err = fmt.Fprintf(out, "%-12s %10.4f %10.4f %10.4f %10d\n", name, s.Precision,
				s.Recall, s.F1, s.Support)
		}
		return err
	}
	var inside []int
	for id := range labels.Len() {
		label, _ := labels.Token(id)
		if label != nothing {
			inside = append(inside, id)
		}
		s, err := c.Class(id)
		if err := row(label, s, err); err != nil {
			return err
		}
	}
	if len(inside) == 0 || len(inside) == labels.Len() {
		inside = nil // there is no O
	}
	micro, err := c.Micro(inside...)
	if err := row("micro, not O", micro, err); err != nil {
		return err
	}
	macro, err := c.Macro(inside...)
	return row("macro, not O", macro, err)
}
