package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// task is a kind of pairs, and the models that are to learn it.
type task struct {
	name     string
	pair     func(r *rng.Stream) (source, target string)
	tokens   text.Tokeniser
	train    int // pairs to train on
	training cli.Training
	cell     string
	hidden   int
	embed    int
	variants []variant
}

// variant is one way to learn a task.
type variant struct {
	name   string
	change func(*seq2seq.Config) // of the model without attention that reads one way
	style                        // of the task's pairs
}

// style is how a model reads. It is saved beside the model.
type style struct {
	Task     string `json:"task"`
	Reversed bool   `json:"reversed"` // reads sources from the end
}

var tasks = []task{
	{
		name: "reversal", pair: reversal, tokens: text.Words{Spaced: true}, train: 50_000,
		cell: "gru", hidden: 64, embed: 32,
		training: cli.Training{Epochs: 1, Batch: 16, LR: 0.004, Warmup: 100, Clip: 1},
		variants: []variant{{name: "attention", change: func(c *seq2seq.Config) {
			c.Bidirectional,
				c.Attention = true, seq2seq.BahdanauAttention
		}}},
	},
	{
		name: "addition", pair: addition, tokens: text.Chars{}, train: 45_000, cell: "lstm",
		hidden: 128, embed: 16,
		training: cli.Training{Epochs: 25, Batch: 128, LR: 0.004, Warmup: 100, Clip: 1},
		variants: []variant{
			{name: "plain"},
			{name: "reversed", style: style{Reversed: true}},
			{name: "peeky", style: style{Reversed: true},
				change: func(c *seq2seq.Config) { c.Peeky = true }},
		},
	},
	{
		name: "dates", pair: date, tokens: text.Chars{}, train: 45_000, cell: "gru", hidden: 64,
		embed:    16,
		training: cli.Training{Epochs: 5, Batch: 64, LR: 0.004, Warmup: 100, Clip: 1},
		variants: []variant{
			{name: "none", change: func(c *seq2seq.Config) { c.Bidirectional = true }},
			{name: "attention", change: func(c *seq2seq.Config) {
				c.Bidirectional,
					c.Attention = true, seq2seq.BahdanauAttention
			}},
		},
	},
}

func findTask(name string) (task, error) {
	var names []string
	for _, t := range tasks {
		if t.name == name {
			for i := range t.variants {
				t.variants[i].Task = name
			}
			return t, nil
		}
		names = append(names, t.name)
	}
	return task{}, fmt.Errorf("-task is %q; want one of %s", name, strings.Join(names, ", "))
}

// reversal is 1 to 25 of 50 numbers, and the same backwards.
func reversal(r *rng.Stream) (source, target string) {
	var words []string
	for range 1 + r.Intn(25) {
		words = append(words, fmt.Sprint(r.Intn(50)))
	}
	source = strings.Join(words, " ")
	slices.Reverse(words)
	return source, strings.Join(words, " ")
}

// addition is the sum of two numbers of one to three digits, each number of digits as likely as the
// others.
func addition(r *rng.Stream) (source, target string) {
	number := func() int {
		n := 0
		for range 1 + r.Intn(3) {
			n = 10*n + r.Intn(10)
		}
		return n
	}
	a, b := number(), number()
	return fmt.Sprintf("%d+%d", a, b), fmt.Sprint(a + b)
}

// dateFormats are the ways in which dates are written.
var dateFormats = []struct {
	layout string
	change func(string) string
}{
	{"January 2, 2006", nil}, {"January 2, 2006", strings.ToLower},
	{"January 2, 2006", strings.ToUpper},
	{"Jan 2, 2006", nil}, {"Jan 2, 2006", strings.ToUpper}, {"1/2/06", nil},
	{"Monday, January 2, 2006", nil}, {"Monday, January 2, 2006", strings.ToUpper},
	{"2 Jan 2006", nil},
}

// date is a day of the years 1970 to 2029, in one of several formats and in that of ISO 8601.
func date(r *rng.Stream) (source, target string) {
	first := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	days := int(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).Sub(first).Hours() / 24)
	day := first.AddDate(0, 0, r.Intn(days))
	f := dateFormats[r.Intn(len(dateFormats))]
	source = day.Format(f.layout)
	if f.change != nil {
		source = f.change(source)
	}
	return source, day.Format(time.DateOnly)
}

// pairs are sources and targets as tokens.
type pairs struct{ sources, targets [][]string }

func (p pairs) part(from, to int) pairs { return pairs{p.sources[from:to], p.targets[from:to]} }

func (p *pairs) add(t task, source, target string) error {
	a, err := t.tokens.Tokens(source)
	if err != nil {
		return err
	}
	b, err := t.tokens.Tokens(target)
	p.sources, p.targets = append(p.sources, a), append(p.targets, b)
	return err
}

// heldOut is how many pairs are kept apart to follow the training by, and as many again to measure
// with in the end.
const heldOut = 5_000

// corpus makes up pairs whose sources all differ: n to train on, then held to follow the training
// by, then held to measure with.
func (t task) corpus(n, held int, seed uint64) (train, valid, test pairs, err error) {
	r := rng.Stream{Key: rng.New(seed).Named(t.name)}
	var all pairs
	seen := map[string]bool{}
	for len(all.sources) < n+2*held {
		source, target := t.pair(&r)
		if seen[source] {
			continue
		}
		seen[source] = true
		if err := all.add(t, source, target); err != nil {
			return train, valid, test, err
		}
	}
	return all.part(0, n), all.part(n, n+held), all.part(n+held, n+2*held), nil
}

// read is sources as a model of the style reads them.
func (s style) read(sources [][]string) [][]string {
	if !s.Reversed {
		return sources
	}
	out := make([][]string, len(sources))
	for i, tokens := range sources {
		out[i] = slices.Clone(tokens)
		slices.Reverse(out[i])
	}
	return out
}

// seen puts an alignment to what was read back in the order of the source.
func (s style) seen(alignment [][]float64) [][]float64 {
	if !s.Reversed {
		return alignment
	}
	out := make([][]float64, len(alignment))
	for i, row := range alignment {
		out[i] = slices.Clone(row)
		slices.Reverse(out[i])
	}
	return out
}
