package train

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// flat holds the numbers of all parameters one after another, with float32 and float64 parameters
// apart.
type flat struct {
	f32 []float32
	f64 []float64
}

func (x flat) add(y flat) {
	add(x.f32, y.f32)
	add(x.f64, y.f64)
}

func (x flat) scale(factor float64) {
	scale(x.f32, factor)
	scale(x.f64, factor)
}

func (x flat) part(of extent) flat {
	return flat{x.f32[of.from32:of.to32], x.f64[of.from64:of.to64]}
}

// extent is a part of a flat.
type extent struct{ from32, to32, from64, to64 int }

func (e extent) zeros() flat {
	return flat{make([]float32, e.to32-e.from32), make([]float64, e.to64-e.from64)}
}

// block is a part of a parameter, whose squares are summed, and which is updated, in one go:
// whatever is done block by block has the bits that it has for the parameter as a whole.
type block struct{ slot, from, to int }

// slot is where the numbers of a parameter stand.
type slot struct {
	name   string
	vg     gorgonia.ValueGrad // for its value
	vector                    // of its value
	at     int                // in the flat of its type
	blocks indices            // of the layout
}

// indices is a range.
type indices struct{ from, to int }

// layout says where the numbers of each parameter stand in a flat.
type layout struct {
	slots  []slot
	index  map[string]int
	blocks []block
	all    extent
}

// newLayout lays the parameters out in the order of the list.
func newLayout(params []gorgonia.ValueGrad) (*layout, error) {
	l := &layout{index: map[string]int{}}
	for i, vg := range params {
		p, err := openValue(i, vg)
		if err != nil {
			return nil, fmt.Errorf("train: %w", err)
		}
		if _, twice := l.index[p.name]; twice {
			return nil, fmt.Errorf("train: parameter %q is listed twice; names must be unique", p.name)
		}
		s := slot{name: p.name, vg: vg, vector: p.value, at: l.all.to32}
		if p.value.dtype == tensor.Float64 {
			s.at = l.all.to64
		}
		s.blocks.from = len(l.blocks)
		for from := 0; from < p.value.len(); from += kernels.Block {
			l.blocks = append(l.blocks, block{i, from, min(from+kernels.Block, p.value.len())})
		}
		s.blocks.to = len(l.blocks)
		l.index[p.name] = i
		l.slots = append(l.slots, s)
		l.all.to32 += len(p.value.f32)
		l.all.to64 += len(p.value.f64)
	}
	return l, nil
}

// segment is the blocks of part k of n, and where they stand.
func (l *layout) segment(k, n int) (blocks []block, at extent) {
	from, to := ShardRows(len(l.blocks), k, n)
	at.from32, at.from64 = l.before(from)
	at.to32, at.to64 = l.before(to)
	return l.blocks[from:to], at
}

// before is how many numbers of each type stand before a block.
func (l *layout) before(b int) (n32, n64 int) {
	if b == len(l.blocks) {
		return l.all.to32, l.all.to64
	}
	at := l.blocks[b]
	for _, s := range l.slots[:at.slot] {
		n32, n64 = n32+len(s.f32), n64+len(s.f64)
	}
	if l.slots[at.slot].f32 != nil {
		return n32 + at.from, n64
	}
	return n32, n64 + at.from
}

// of is the numbers of a part of a slot in x, which begins at start.
func (s slot) of(x flat, start extent, from, to int) flat {
	if s.dtype == tensor.Float32 {
		return flat{f32: x.f32[s.at+from-start.from32 : s.at+to-start.from32]}
	}
	return flat{f64: x.f64[s.at+from-start.from64 : s.at+to-start.from64]}
}

// whole is the numbers of the slot in x, which holds all parameters.
func (s slot) whole(x flat) flat { return s.of(x, extent{}, 0, s.len()) }

// values is a part of the parameter itself.
func (s slot) values(from, to int) flat {
	if s.dtype == tensor.Float32 {
		return flat{f32: s.f32[from:to]}
	}
	return flat{f64: s.f64[from:to]}
}

func (x flat) copyFrom(y flat) {
	copy(x.f32, y.f32)
	copy(x.f64, y.f64)
}

func (x flat) clear() {
	clear(x.f32)
	clear(x.f64)
}

// dense is a tensor over x, which has numbers of one type.
func (x flat) dense(shape ...int) *tensor.Dense {
	if x.f64 != nil {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x.f64))
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x.f32))
}

// scaled writes factor·g to x.
func (x flat) scaled(g vector, factor float64) {
	if factor == 1 {
		copy(x.f32, g.f32)
		copy(x.f64, g.f64)
		return
	}
	kernels.MulScalar(x.f32, g.f32, float32(factor))
	kernels.MulScalar(x.f64, g.f64, factor)
}

// addScaled adds factor·g to x.
func (x flat) addScaled(g vector, factor float64) {
	kernels.Axpy(x.f32, float32(factor), g.f32)
	kernels.Axpy(x.f64, factor, g.f64)
}

// shardTree sums up what shards give, in an order that depends on their number alone: node
// (level, index) is the sum of shards index·2^level … (index+1)·2^level−1, which is that of its
// left half and its right half. What is left over where their number is no power of two is summed
// from the right. So whoever has a whole node may sum it up, and only nodes need travel.
type shardTree struct {
	nodes []treeNode // from the left, none of which has its sibling
	free  []flat     // room of nodes that were added to others
}

type treeNode struct {
	level, index int
	sum          flat
}

// push adds the node to the right of all others.
func (t *shardTree) push(n treeNode) {
	for k := len(t.nodes) - 1; k >= 0; k-- {
		left := t.nodes[k]
		if left.level != n.level || n.index%2 == 0 || left.index != n.index-1 {
			break
		}
		left.sum.add(n.sum)
		t.free = append(t.free, n.sum)
		n = treeNode{n.level + 1, n.index / 2, left.sum}
		t.nodes = t.nodes[:k]
	}
	t.nodes = append(t.nodes, n)
}

// root is the sum of all nodes. It belongs to the tree, which is empty again: the next push may use
// its room.
func (t *shardTree) root() flat {
	for len(t.nodes) > 1 {
		last := len(t.nodes) - 1
		t.nodes[last-1].sum.add(t.nodes[last].sum)
		t.free = append(t.free, t.nodes[last].sum)
		t.nodes = t.nodes[:last]
	}
	sum := t.nodes[0].sum
	t.clear()
	return sum
}

// clear empties the tree, and keeps the room of its nodes.
func (t *shardTree) clear() {
	for _, n := range t.nodes {
		t.free = append(t.free, n.sum)
	}
	t.nodes = t.nodes[:0]
}

// room is a flat that nobody uses.
func (t *shardTree) room(of extent) flat {
	if n := len(t.free); n > 0 {
		x := t.free[n-1]
		t.free = t.free[:n-1]
		return x
	}
	return of.zeros()
}

// nodesOf are the nodes that shards from … to−1 come to.
func nodesOf(from, to int) []treeNode {
	var t shardTree
	for k := from; k < to; k++ {
		t.push(treeNode{index: k})
	}
	return t.nodes
}
