package dialogue

import (
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// checkCopy refuses a vocabulary that has nothing to read in place of a word that it lacks.
func (m *Model) checkCopy() error {
	var ok bool
	if m.unk, ok = m.vocabulary.ID(text.Unk); m.cfg.Copy > 0 && !ok {
		return fmt.Errorf("copy is set; the vocabulary needs the special token %s", text.Unk)
	}
	return nil
}

// maxMore bounds the words of a dialogue that the vocabulary lacks.
const maxMore = MaxTurns * shared.MaxTokens

// ids is how many ids a dialogue may have.
func (m *Model) ids() int {
	if m.cfg.Copy > 0 {
		return m.vocabulary.Len() + maxMore
	}
	return m.vocabulary.Len()
}

// readAs is the id that is read for one of a dialogue.
func (m *Model) readAs(id int) int {
	if id >= m.vocabulary.Len() {
		return m.unk
	}
	return id
}

// copyIDs are the ids of tokens. More are the numbers of words that the vocabulary lacks.
func (m *Model) copyIDs(tokens []string, more map[string]int) []int {
	ids := make([]int, len(tokens))
	for i, token := range tokens {
		id, known := m.vocabulary.ID(token)
		if !known {
			k, said := more[token]
			if !said {
				k = len(more)
				more[token] = k
			}
			id = m.vocabulary.Len() + k
		}
		ids[i] = id
	}
	return ids
}

// mayCopy is how many places the graph of a dialogue needs: the tokens before its last turn, as far
// as they count.
func (m *Model) mayCopy(d Dialogue) int {
	if m.cfg.Copy == 0 {
		return 0
	}
	tokens := 0
	for _, ids := range d[:len(d)-1] {
		tokens += len(ids)
	}
	return min(m.cfg.Copy, run.Round(max(tokens, 1)))
}

// memory is what turns [R] attend to: the places [S, R] of the encoder's outputs for each token
// [·, U], of which so many count [R].
func (m *Model) memory(each, places, counts *nodes.Node) *cells.Memory {
	return m.attention.Over(nodes.Embedding(each, places, -1), nil, counts)
}

// attend makes of outputs [T, R, H] what is said from, [T, R, H+U], with the weights [T, R, S] of
// the places.
func (m *Model) attend(y *nodes.Node, memory *cells.Memory) (attended, weights *nodes.Node) {
	context, weights := memory.Attend(y, nil)
	return nodes.Concat(-1, y, context), nodes.Transpose(weights, 1, 0, 2)
}

// nothingToCopy is the gate of a step that has nothing to copy: it writes.
const nothingToCopy = nodes.Scalar(1e4)

// writes is the logit of writing rather than copying, of outputs that have attended [..., H+U], the
// tokens read before them [...], and the weights [..., S].
func (m *Model) writes(y, before, weights *nodes.Node) *nodes.Node {
	gate := m.gate.Of(nodes.Concat(-1, y, nodes.Embedding(m.embed, before, -1)))
	some := nodes.Greater(nodes.Sum(weights, -1), nodes.Scalar(0.5))
	return nodes.Select(some, nodes.Reshape(gate, before.Shape()...), nothingToCopy)
}

// copies are the inputs of a graph that say what may be copied.
type copies struct {
	places []int      // [S, R]: which of the encoder's outputs each turn may copy
	counts []int      // [R]: how many of these
	here   run.Floats // [P, S]: 1 where a place has the token that is predicted
	after  []int      // [P]: the token that is read before each
}

// window is the tokens that a turn may copy, with where they are among the encoder's outputs.
type window struct{ ids, at []int }

// last is the window of at most n tokens.
func (w window) last(n int) window {
	k := max(0, len(w.ids)-n)
	return window{w.ids[k:], w.at[k:]}
}

// add appends the tokens of a turn, the first of which is at a place and the others so far apart.
func (w *window) add(ids []int, first, apart int) {
	for t, id := range ids {
		w.ids, w.at = append(w.ids, id), append(w.at, first+t*apart)
	}
}

// fillCopies writes to the inputs what each turn may copy, and gives a word that the vocabulary
// lacks a target: none if it can be copied, else <unk>. The graph is filled already.
func (g *dialogueGraph) fillCopies(turns []turn, shape dialogueShape, m *Model) {
	type where struct {
		ids          []int
		first, apart int
	}
	said := make([]where, len(turns)) // by n·B + b
	row, at := 0, 0
	for _, k := range g.groups {
		for r := range k.R {
			t := turns[row]
			said[t.n*shape.B+t.b] = where{t.ids, at + r, k.R}
			row++
		}
		at += k.T * k.R
	}
	windows := make([]window, len(turns)) // by row
	for b := range shape.B {
		var before window
		for n := range shape.N {
			place := n*shape.B + b
			windows[g.place[place]] = before.last(shape.Places)
			before.add(said[place].ids, said[place].first, said[place].apart)
		}
	}
	c := g.copies
	clear(c.places)
	for row, w := range windows {
		c.counts[row] = len(w.at)
		for s, at := range w.at {
			c.places[s*len(windows)+row] = at
		}
	}
	c.here.Fill(0)
	for i, row := range g.rowOf {
		id, found := g.targets[i], false
		for s, there := range windows[row].ids {
			if there == id {
				c.here.Set(i*shape.Places+s, 1)
				found = true
			}
		}
		if id >= m.vocabulary.Len() {
			g.targets[i] = m.unk
			if found {
				g.targets[i] = shared.Ignored
			}
		}
	}
}

// readBefore writes to the inputs the token that the decoder reads before each that is predicted.
func (g *dialogueGraph) readBefore() {
	from := 0
	for _, k := range g.groups {
		for i, at := range g.tokens[:len(g.rowOf)] {
			if at -= from; at >= 0 && at < len(k.before) {
				g.copies.after[i] = k.before[at]
			}
		}
		from += len(k.before)
	}
}

// placesOf are the places that each turn but the first of a dialogue may copy, [S, N−1], as Inputs
// of it alone have them, and how many there are of each turn.
func (m *Model) placesOf(d Dialogue) (places, counts []int, S int) {
	N := len(d)
	windows := make([]window, N-1)
	var before window
	S = 1
	for n := range N - 1 {
		before.add(d[n], n, N)
		windows[n] = before.last(m.cfg.Copy)
		S = max(S, len(windows[n].at))
	}
	places, counts = make([]int, S*(N-1)), make([]int, N-1)
	for n, w := range windows {
		counts[n] = len(w.at)
		for s, at := range w.at {
			places[s*(N-1)+n] = at
		}
	}
	return places, counts, S
}

// memoryOfTurns is what a conversation keeps of the turns so far, if the model copies: the last
// tokens, and the encoder's outputs for them, [·, U].
type memoryOfTurns struct {
	words   []string
	outputs []float64
}

// add appends the tokens of a turn, and keeps the last so many. What it had stays as it is.
func (t memoryOfTurns) add(words []string, outputs []float64, keep int) memoryOfTurns {
	t.words, t.outputs = slices.Concat(t.words, words), slices.Concat(t.outputs, outputs)
	if k := len(t.words) - keep; k > 0 {
		width := len(t.outputs) / len(t.words)
		t.words, t.outputs = t.words[k:], t.outputs[k*width:]
	}
	return t
}

// copied says as which id each of the words is copied, and which of them are behind the vocabulary.
func (m *Model) copied(words []string) (as []int, more []string) {
	numbers := map[string]int{}
	as = m.copyIDs(words, numbers)
	more = make([]string, len(numbers))
	for word, k := range numbers {
		more[k] = word
	}
	return as, more
}
