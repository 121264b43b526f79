package train

// shardTree sums up what shards give, in an order that depends on their number alone: node
// (level, index) is the sum of shards index·2^level … (index+1)·2^level−1, which is that of its
// left half and its right half. What is left over where their number is no power of two is summed
// from the right. So whoever has a whole node may sum it up, and only nodes need travel.
type shardTree struct {
	layout *layout    // of sums of all parameters; nil: of a part of one, and an empty sum is all +0
	nodes  []treeNode // from the left, none of which has its sibling
	free   []flat     // room of nodes that were added to others
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
		n = treeNode{n.level + 1, n.index / 2, t.add(left.sum, n.sum)}
		t.nodes = t.nodes[:k]
	}
	t.nodes = append(t.nodes, n)
}

// add is left + right, in the room of left.
func (t *shardTree) add(left, right flat) flat {
	switch {
	case t.layout != nil:
		t.layout.add(left, right)
		t.free = append(t.free, right)
	case left.len() == 0:
		return right
	case right.len() > 0:
		left.add(right)
	}
	return left
}

// root is the sum of all nodes. It belongs to the tree, which is empty again: the next push may use
// its room.
func (t *shardTree) root() flat {
	for len(t.nodes) > 1 {
		last := len(t.nodes) - 1
		t.nodes[last-1].sum = t.add(t.nodes[last-1].sum, t.nodes[last].sum)
		t.nodes = t.nodes[:last]
	}
	sum := t.nodes[0].sum
	t.clear()
	return sum
}

// clear empties the tree, and keeps the room of its nodes.
func (t *shardTree) clear() {
	for _, n := range t.nodes {
		if t.layout != nil {
			t.free = append(t.free, n.sum)
		}
	}
	t.nodes = t.nodes[:0]
}

// room is a flat that nobody uses.
func (t *shardTree) room() flat {
	if n := len(t.free); n > 0 {
		x := t.free[n-1]
		t.free = t.free[:n-1]
		return x
	}
	return t.layout.zeros()
}

// nodesOf are the nodes that shards from … to−1 come to.
func nodesOf(from, to int) []treeNode {
	var t shardTree
	for k := from; k < to; k++ {
		t.push(treeNode{index: k})
	}
	return t.nodes
}
