package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/examples/nextword/data"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

const (
	width   = 48 // letters of a line
	batch   = 32
	letters = 27 // a … z and the space
	wrong   = 0.1
)

// reader is a network that says of every letter whether it is wrong.
type reader struct {
	Name              string
	Forward, Backward bool
	Unturned          bool // the backward values are not turned back
	Wider             float64
}

// build makes the network: ids [T, B] to a score for each letter.
func (n reader) build(root *nodes.Scope, ids *nodes.Node, units int) *nodes.Node {
	const embed = 16
	H := int(float64(units) * n.Wider)
	x := nodes.Embedding(root.Param("E", nodes.Normal(0, 1), letters, embed), ids, -1)
	var ways []*nodes.Node
	for _, way := range []struct {
		name      string
		on, turns bool
	}{{"forward", n.Forward, false}, {"backward", n.Backward, true}} {
		if !way.on {
			continue
		}
		cell := cells.NewGRU(root.In("%s", way.name), cells.GRUConfig{In: embed, Hidden: H})
		y := unroll.Over(cell).Unroll(x, nil, unroll.Options{Reverse: way.turns}).Y()
		if way.turns && n.Unturned { // as the values come, from the last letter on
			var at []*nodes.Node
			for t := range width {
				at = append(at, nodes.TimeSlice(y, width-1-t))
			}
			y = nodes.Stack(at...)
		}
		ways = append(ways, y)
	}
	out := nodes.NewLinear(root.In("out"), nodes.LinearConfig{In: len(ways) * H, Out: 1})
	return out.Of(nodes.Concat(-1, ways...))
}

// Proofread is what is kept of a reader.
type Proofread struct {
	Name            string
	Weights         int
	Found           []float64 // share of wrong letters that are found, by seed
	ByPlace, ByLine []float64 // by place in a word and in the line, over all seeds
	Lines           []Line    // those of a batch, as the first seed marks them
}

// plays are the letters of the text, small ones and spaces alone, as numbers: 0 is a space.
func plays() (ids []int, err error) {
	all, err := data.Text()
	if err != nil {
		return nil, err
	}
	for _, c := range strings.ToLower(all) {
		switch {
		case c >= 'a' && c <= 'z':
			ids = append(ids, int(c-'a')+1)
		case c != '\'' && len(ids) > 0 && ids[len(ids)-1] != 0:
			ids = append(ids, 0)
		}
	}
	return ids, nil
}

func learnAll(p *course.Page) (out []Proofread, err error) {
	ids, err := plays()
	if err != nil {
		return nil, err
	}
	for _, n := range readers {
		r := Proofread{Name: n.Name}
		var all counts
		for seed := range course.Pick(p, 1, 3, 9) {
			t, err := newTraining(n, ids, course.Pick(p, 8, 32, 64), uint64(seed+1))
			if err != nil {
				return nil, err
			}
			err = t.learn(p, course.Pick(p, 20, 2000, 8000))
			var c counts
			if err == nil {
				c, err = t.measure(course.Pick(p, 10, 60, 200))
			}
			if err := errors.Join(err, t.step.Close()); err != nil {
				return nil, err
			}
			r.Found, r.Weights = append(r.Found, c.all.share()), t.store.Count()
			all.add(c)
			if seed == 0 {
				r.Lines = c.lines
			}
			p.Progress("%s, seed %d: %.2f", n.Name, seed+1, c.all.share())
		}
		for _, c := range all.place {
			r.ByPlace = append(r.ByPlace, c.share())
		}
		for _, c := range all.line {
			r.ByLine = append(r.ByLine, c.share())
		}
		out = append(out, r)
	}
	return out, nil
}

// training is a network that is being trained.
type training struct {
	store  *nodes.Store
	step   *train.Step
	ids    []int // [T, batch]
	wrong  run.Floats
	text   []int
	random *rand.Rand
	adam   train.Optimizer
}

func newTraining(n reader, text []int, units int, seed uint64) (*training, error) {
	t := &training{store: nodes.NewStore(nodes.Float32, seed), text: text,
		random: rand.New(rand.NewPCG(seed, 9))}
	var loss, ids, wrong, score *nodes.Node
	err := nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Training: true})
		ids, wrong = g.IntInput("ids", width, batch), g.Input("wrong", width, batch, 1)
		score = n.build(t.store.Root(), ids, units)
		loss = nodes.BCEWithLogits(score, wrong, nodes.ReduceMean)
	})
	if err != nil {
		return nil, err
	}
	var in run.Inputs
	if t.ids, t.wrong = in.Ints(ids), in.Floats(wrong); in.Err() != nil {
		return nil, in.Err()
	}
	if t.adam, err = train.NewAdam(train.AdamConfig{LR: 0.005}); err != nil {
		return nil, err
	}
	t.step, err = train.NewStep(loss, score)
	return t, err
}

// draw fills the inputs with lines of a part of the text, in which some letters are replaced.
func (t *training) draw(from, to int) {
	for b := range batch {
		at := from + t.random.IntN(to-from-width)
		for k := range width {
			id, is := t.text[at+k], 0.0
			if id != 0 && t.random.Float64() < wrong {
				other := 1 + t.random.IntN(letters-2)
				if other >= id {
					other++
				}
				id, is = other, 1
			}
			t.ids[k*batch+b] = id
			t.wrong.Set(k*batch+b, is)
		}
	}
}

// learn trains on the first nine tenths of the text.
func (t *training) learn(p *course.Page, updates int) error {
	for i := range updates {
		t.draw(0, len(t.text)*9/10)
		if _, err := t.step.Run(0, i); err != nil {
			return err
		}
		if _, err := (train.Clip{Norm: 1}).Apply(t.step.Grads()); err != nil {
			return err
		}
		if err := t.adam.Step(t.step.Grads()); err != nil {
			return err
		}
		if p.Context().Err() != nil {
			return p.Context().Err()
		}
	}
	return nil
}

// count is how many wrong letters there are, and how many of them are found.
type count struct{ found, of float64 }

func (c count) share() float64 {
	if c.of == 0 {
		return 0
	}
	return c.found / c.of
}

func (c *count) add(d count) { c.found, c.of = c.found+d.found, c.of+d.of }

type counts struct {
	all   count
	place [5]count // first, second, third, last but one and last letter of a word of five or more
	line  [8]count
	lines []Line
}

func (c *counts) add(d counts) {
	c.all.add(d.all)
	for i := range d.place {
		c.place[i].add(d.place[i])
	}
	for i := range d.line {
		c.line[i].add(d.line[i])
	}
}

// letter is one of those that are measured.
type letter struct {
	score       float64
	wrong       bool
	place, line int // place is -1 in short words
}

// measure marks as many letters as are wrong, those with the highest scores, in text that was not
// trained on.
func (t *training) measure(batches int) (c counts, err error) {
	t.random = rand.New(rand.NewPCG(1, 10)) // the same lines for all
	var all []letter
	var first []int // the letters of the first batch, line by line
	for i := range batches {
		t.draw(len(t.text)*9/10, len(t.text))
		if _, err := t.step.Run(0, 1<<20+i); err != nil {
			return c, err
		}
		score := t.step.Output(0)
		for b := range batch {
			for k := range width {
				at := k*batch + b
				if i == 0 {
					first = append(first, t.ids[at])
				}
				all = append(all, letter{score.At(at), t.wrong.At(at) > 0, t.place(k, b),
					k * len(c.line) / width})
			}
		}
	}
	var scores []float64
	marked := 0
	for _, l := range all {
		scores = append(scores, l.score)
		if l.wrong {
			marked++
		}
	}
	slices.Sort(scores)
	threshold := scores[len(scores)-marked]
	for _, l := range all {
		if !l.wrong {
			continue
		}
		one := count{0, 1}
		if l.score >= threshold {
			one.found = 1
		}
		c.all.add(one)
		c.line[l.line].add(one)
		if l.place >= 0 {
			c.place[l.place].add(one)
		}
	}
	for b := range batch {
		c.lines = append(c.lines, newLine(first[b*width:][:width], all[b*width:][:width],
			threshold))
	}
	return c, nil
}

// place is that of a letter in its word.
func (t *training) place(k, b int) int {
	from, to := k, k
	for from > 0 && t.ids[(from-1)*batch+b] != 0 {
		from--
	}
	for to < width && t.ids[to*batch+b] != 0 {
		to++
	}
	whole := from > 0 && to < width && to-from >= 5
	switch {
	case !whole:
		return -1
	case k-from < 3 && to-k > 2:
		return k - from
	case to-k <= 2:
		return 5 - (to - k)
	}
	return -1
}

// Line is a line of the text, below it an x where a letter is wrong, and a ^ where it is marked.
type Line struct{ Text, Truth, Marks string }

func newLine(ids []int, of []letter, threshold float64) Line {
	var text, truth, marks strings.Builder
	for k, id := range ids {
		text.WriteByte(" abcdefghijklmnopqrstuvwxyz"[id])
		truth.WriteByte(map[bool]byte{true: 'x', false: ' '}[of[k].wrong])
		marks.WriteByte(map[bool]byte{true: '^', false: ' '}[of[k].score >= threshold])
	}
	return Line{text.String(), truth.String(), marks.String()}
}

// right is how many letters are marked that are wrong, less those that are not.
func (l Line) right() (n int) {
	for k := range l.Marks {
		switch {
		case l.Marks[k] == '^' && l.Truth[k] == 'x':
			n++
		case l.Marks[k] == '^':
			n--
		}
	}
	return n
}

// apart are the three lines in which the reader b is furthest ahead of a.
func apart(a, b Proofread) string {
	at := make([]int, len(a.Lines))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(i, j int) int {
		return b.Lines[j].right() - a.Lines[j].right() - b.Lines[i].right() + a.Lines[i].right()
	})
	var out strings.Builder
	for _, i := range at[:3] {
		for _, row := range []string{"   " + a.Lines[i].Text, "   " + a.Lines[i].Truth,
			"1  " + a.Lines[i].Marks, "2  " + b.Lines[i].Marks, ""} {
			fmt.Fprintln(&out, strings.TrimRight(row, " "))
		}
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}
