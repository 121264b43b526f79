package exec

import (
	"runtime"
	"slices"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/pass"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// compile makes a program in one walk over what the results need.
func compile[F kernels.Float](r *ir.Region, results []*ir.Value, c Config) (p *program[F], err error) {
	defer ops.Catch(&err)
	if c.Workers < 1 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.Least == 0 {
		c.Least = parallelCost
	}
	p = &program[F]{pool: newPool(c.Workers), errs: make([]error, c.Workers), least: c.Least, at: map[instr[F]][]ops.Place{}}
	runtime.AddCleanup(p, (*pool).close, p.pool) // for machines that nobody closes
	b := &builder[F]{p: p, cfg: c, slots: 4, regs: 1, row: 1}
	k := newBlock(b, nil, results)
	k.place()
	for _, v := range results {
		k.emit(v)
	}
	used := map[int]bool{}
	layouts := make([]*layout, len(results))
	for i, v := range results {
		l := k.layout(v)
		if buf := b.buffers[l.buf]; !l.contiguous() || buf.kind == external || used[l.buf] {
			to := k.fresh(v.Type, permanent)
			k.copy(to, l)
			l = to
		}
		b.buffers[l.buf].kind = permanent
		used[l.buf] = true
		layouts[i] = l
	}
	p.code = k.code
	if err := b.plan(k.touched, k.bodies); err != nil {
		p.pool.close()
		return nil, err
	}
	for w := range c.Workers {
		p.workers = append(p.workers, &worker[F]{p: p, number: w, slots: make([][]F, b.slots), offs: make([]int, b.slots),
			regs: make([]F, b.regs*tileLen), row: make([]F, b.row), lefts: make([]kernels.Left[F], 0, b.lefts), runs: make([]kernels.Run, 0, b.runs), tensor: make([]ops.Tensor, 0, 8)})
	}
	for i, v := range results {
		t := whole(p.workers[0], layouts[i])
		t.Shape = v.Shape
		p.results = append(p.results, t)
	}
	p.sharing = slices.ContainsFunc(p.code, p.shares)
	return p, nil
}

// builder is what the blocks of a program share.
type builder[F kernels.Float] struct {
	p       *program[F]
	cfg     Config
	buffers []*buffer
	slots   int // most that an instruction needs of a worker
	regs    int
	row     int
	lefts   int
	runs    int

	packBufs []int // buffers of the packed matrices

	at []ops.Place // of what is being compiled
}

// block is a region while it is compiled.
type block[F kernels.Float] struct {
	*builder[F]
	outer    *block[F] // of the body of a loop
	loop     *ir.Loop
	order    []*ir.Value // what is needed, operands first
	users    map[*ir.Value]int
	readers  map[*ir.Value][]*ir.Value
	roots    map[*ir.Value]bool
	layouts  map[*ir.Value]*layout   // what has been compiled
	dest     map[*ir.Value]*layout   // where a value is to be written, if that is decided
	placed   map[*ir.Value]bool      // whose operands have been placed
	also     map[*ir.Value][]*layout // further places that an element-wise value is written to
	groups   map[*ir.Value]*group
	gradOf   map[*ir.Value]*ir.Value // of a loss: the gradient of its logits, if one instruction computes both
	lossOf   map[*ir.Value]*ir.Value // the same turned round
	why      string                  // a body is not divided by rows
	batch    int                     // units of every instruction of a body that is divided by rows, else 0
	code     []instr[F]
	touched  [][]int               // buffers of each instruction
	bodies   map[int]uses          // of those that are loops over segments: what is used in what order
	above    *block[F]             // around a loop over segments, whose body this is
	lasting  []int                 // buffers of above that every segment uses
	skips    map[*ir.Value]*masked // of loops
	found    map[*ir.Value]*masked // of loops, before it is known whether all that they store can be skipped
	zeroRows map[*ir.Value]*layout // stored values that are 0 in the rows where a mask [T, B, 1] is 0
	packOf   map[packKey]int
}

func newBlock[F kernels.Float](b *builder[F], outer *block[F], roots []*ir.Value) *block[F] {
	k := &block[F]{builder: b, outer: outer, users: map[*ir.Value]int{}, readers: map[*ir.Value][]*ir.Value{},
		roots: map[*ir.Value]bool{}, layouts: map[*ir.Value]*layout{}, dest: map[*ir.Value]*layout{}, also: map[*ir.Value][]*layout{}, placed: map[*ir.Value]bool{}, zeroRows: map[*ir.Value]*layout{}}
	seen := map[*ir.Value]bool{}
	var visit func(v *ir.Value)
	visit = func(v *ir.Value) {
		if seen[v] {
			return
		}
		seen[v] = true
		for _, a := range v.Args {
			visit(a)
			k.users[a]++
			k.readers[a] = append(k.readers[a], v)
		}
		k.order = append(k.order, v)
	}
	for _, v := range roots {
		visit(v)
		k.users[v]++
		k.roots[v] = true
	}
	k.pairLosses()
	k.group()
	return k
}

// view reports whether v shows its operand's memory.
func view(v *ir.Value) bool {
	switch v.Fn.(type) {
	case ops.Slice, ops.Reshape, ops.Transpose, ops.Broadcast, ir.Output:
		return true
	}
	return false
}

// strided reports whether v's instruction can write its result into a part of something larger.
func strided(v *ir.Value) bool {
	switch v.Fn.(type) {
	case ops.Elementwise, ir.Copy, ir.MatMulAcc:
		return true
	case ops.MatMul:
		return len(v.Shape) == 2
	case ops.Concat, ops.Pad:
		return v.Dtype != tensor.Int
	}
	return false
}

// place decides where values are written that become part of another, so that joining costs no
// copy. Users are visited before what they use.
func (k *block[F]) place() {
	for _, v := range slices.Backward(k.order) {
		k.placeOperands(v)
	}
}

func (k *block[F]) placeOperands(v *ir.Value) {
	if k.placed[v] {
		return
	}
	k.placed[v] = true
	put := func(a *ir.Value, axis, from int) {
		to := k.dest[v].slice(axis, from, from+a.Shape[axis])
		switch {
		case strided(a) && k.dest[a] == nil && !(k.outer == nil && k.roots[a]):
			k.dest[a] = to
			k.placeOperands(a)
		case isElementwise(a) && !k.cfg.Without[pass.Fuse]:
			k.also[a] = append(k.also[a], to)
		default:
			k.placeStored(a, to)
		}
	}
	switch fn := v.Fn.(type) {
	case ops.Concat:
		if !strided(v) {
			return
		}
		k.target(v)
		at := 0
		for _, a := range v.Args {
			put(a, fn.Axis, at)
			at += a.Shape[fn.Axis]
		}
	case ops.Pad:
		if strided(v) {
			k.target(v)
			put(v.Args[0], fn.Axis, fn.From)
		}
	case ir.MatMulAcc:
		if u := v.Args[0]; k.users[u] == 1 && strided(u) && k.dest[u] == nil && !k.roots[u] {
			k.dest[u] = k.target(v)
			k.placeOperands(u)
		}
	}
}

// placeStored has what a loop over segments stores, of which v is a reshaping, written to where it
// is joined with others.
func (k *block[F]) placeStored(v *ir.Value, to *layout) {
	o := unshaped(v)
	out, ok := o.Fn.(ir.Output)
	if !ok || out.Kind != ir.Stored || k.dest[o] != nil || k.roots[o] || !o.Args[0].Fn.(*ir.Loop).Segments {
		return
	}
	k.dest[o] = to.reshape(o.Shape) // nil if it does not lie so
}

// target is where v is to be written.
func (k *block[F]) target(v *ir.Value) *layout {
	if k.dest[v] == nil {
		k.dest[v] = k.freshFor(v, v.Type)
	}
	return k.dest[v]
}

// freshFor is new memory for v, all times of it perhaps.
func (k *block[F]) freshFor(v *ir.Value, t ops.Type) *layout {
	l := k.fresh(t, arena)
	k.buffers[l.buf].at = []ops.Place{v.At}
	return l
}

// add appends an instruction that reads or writes layouts.
func (k *block[F]) add(in instr[F], layouts ...*layout) {
	k.code = append(k.code, in)
	k.p.at[in] = k.at
	var bufs []int
	for _, l := range layouts {
		bufs = append(bufs, l.buf)
	}
	k.touched = append(k.touched, bufs)
}

// placesOf is where values are written in the model.
func placesOf(vs []*ir.Value) []ops.Place {
	var at []ops.Place
	for _, v := range vs {
		if !slices.Contains(at, v.At) {
			at = append(at, v.At)
		}
	}
	return at
}

// layout is where v lies. v is compiled if it was not yet.
func (k *block[F]) layout(v *ir.Value) *layout {
	k.emit(v)
	if k.layouts[v] == nil { // a constant that an instruction wants in memory
		f, _ := v.Fill()
		l := k.target(v)
		k.fill(l, f)
		k.layouts[v] = l
	}
	return k.layouts[v]
}

// dense is v in contiguous memory.
func (k *block[F]) dense(v *ir.Value) *layout {
	l := k.layout(v)
	if l.contiguous() {
		return l
	}
	return k.compact(l, v.Type)
}

func (k *block[F]) compact(l *layout, t ops.Type) *layout {
	to := k.fresh(t, arena)
	k.copy(to, l)
	return to
}

// emit compiles v and what it needs.
func (k *block[F]) emit(v *ir.Value) {
	if k.layouts[v] != nil {
		return
	}
	defer func(at []ops.Place) { k.at = at }(k.at)
	k.at = []ops.Place{v.At}
	switch fn := v.Fn.(type) {
	case ir.Input:
		l := k.fresh(v.Type, external)
		k.p.inputs = append(k.p.inputs, input{node: fn.Node, buf: l.buf, want: v.Type})
		k.layouts[v] = l
	case ops.Fill:
	case ops.Slice, ops.Reshape, ops.Transpose, ops.Broadcast:
		k.layouts[v] = k.look(v)
	case ir.Output:
		k.emit(v.Args[0])
	case *ir.Loop:
		if fn.Segments {
			k.emitSegments(v, fn)
		} else {
			k.emitLoop(v, fn)
		}
	case ops.Elementwise, ir.Copy:
		k.emitGroup(k.groups[v])
	case ops.MatMul:
		if fn.TransA && !fn.TransB && len(v.Shape) == 2 {
			k.layout(v.Args[0])
			k.layout(v.Args[1])
			if k.emitGradients(v) {
				return
			}
		}
		k.emitMatMul(v, fn, v.Args[0], v.Args[1], false)
	case ir.MatMulAcc:
		k.emitAcc(v, fn)
	case ops.Concat:
		if v.Dtype == tensor.Int {
			k.emitOther(v)
			return
		}
		l, at := k.target(v), 0
		for _, a := range v.Args {
			k.fillOrCopy(l.slice(fn.Axis, at, at+a.Shape[fn.Axis]), a)
			at += a.Shape[fn.Axis]
		}
		k.layouts[v] = l
	case ops.Pad:
		if v.Dtype == tensor.Int {
			k.emitOther(v)
			return
		}
		l, a := k.target(v), v.Args[0]
		n := a.Shape[fn.Axis]
		if fn.From > 0 {
			k.fill(l.slice(fn.Axis, 0, fn.From), 0)
		}
		if end := fn.From + n; end < fn.Total {
			k.fill(l.slice(fn.Axis, end, fn.Total), 0)
		}
		k.fillOrCopy(l.slice(fn.Axis, fn.From, fn.From+n), a)
		k.layouts[v] = l
	default:
		k.emitOther(v)
	}
}

// fillOrCopy writes a to where it belongs, if it is not there.
func (k *block[F]) fillOrCopy(to *layout, a *ir.Value) {
	if f, ok := a.Fill(); ok {
		k.fill(to, f)
		return
	}
	k.emit(a)
	if l := k.layouts[a]; !l.same(to) && !slices.ContainsFunc(k.also[a], to.same) {
		k.note("%v is copied to where it is joined with others: %s", a.At, k.unplaced(a))
		k.copy(to, l)
	}
}

// unplaced says why a value was not written where it is joined with others.
func (k *block[F]) unplaced(v *ir.Value) string {
	switch {
	case view(v):
		return "it is a view of something else"
	case len(v.Args) == 0:
		return "it is an input"
	case k.outer == nil && k.roots[v]:
		return "it is a result, whose memory is its own"
	case !strided(v):
		return "its instruction writes contiguous memory only"
	}
	return "it is written to another place already"
}

// note adds a remark to the listing.
func (k *block[F]) note(format string, args ...any) { k.p.notes.Add(format, args...) }

// look is a view.
func (k *block[F]) look(v *ir.Value) *layout {
	l := k.layout(v.Args[0])
	switch fn := v.Fn.(type) {
	case ops.Slice:
		return l.slice(fn.Axis, fn.From, fn.To)
	case ops.Transpose:
		return l.transpose(fn.Perm)
	case ops.Broadcast:
		return l.broadcast(fn.Shape)
	}
	shape := v.Shape
	if s := l.reshape(shape); s != nil {
		return s
	}
	return k.compact(l, v.Args[0].Type).reshape(shape)
}

// emitOther compiles what has no instruction of its own.
func (k *block[F]) emitOther(v *ir.Value) {
	if k.emitRows(v) {
		return
	}
	var in []*layout
	for _, a := range v.Args {
		in = append(in, k.dense(a))
	}
	out := k.target(v)
	k.layouts[v] = out
	if fn, ok := v.Fn.(ir.Foreign); ok {
		k.add(&foreign[F]{op: fn.Op, in: in, out: out}, append(in, out)...)
		return
	}
	k.note("%v runs by its plain definition, on one worker, and is not fused: it has no kernel", v.At)
	k.add(&evaluate[F]{fn: v.Fn.(ops.Operation), at: v.At, in: in, out: out}, append(in, out)...)
}

func (k *block[F]) emitAcc(v *ir.Value, fn ir.MatMulAcc) {
	u := k.layout(v.Args[0])
	if k.dest[v] == nil && k.consumable(v.Args[0]) {
		k.dest[v] = u
	}
	if l := k.target(v); !l.same(u) {
		k.note("%v is not added to where it lies, but to a copy: %s", v.Args[0].At, k.needed(v.Args[0]))
		k.copy(l, u)
	}
	k.emitMatMul(v, fn.MatMul, v.Args[1], v.Args[2], true)
}

// needed says why the memory of a value cannot be written over.
func (k *block[F]) needed(v *ir.Value) string {
	_, leaf := v.Fn.(ir.BodyLeaf)
	switch {
	case k.users[v] > 1:
		return "something else reads it too"
	case k.roots[v]:
		return "it is a result"
	case leaf:
		return "it comes from outside of the loop, where it is needed"
	case len(v.Args) == 0:
		return "it is an input"
	case view(v):
		return "it is a view of something else"
	}
	return "the result has its place elsewhere"
}

// consumable reports whether the memory of a leaf of a body may be written over: it is one time of
// a sequence that was computed for this loop alone.
func (k *block[F]) consumable(leaf *ir.Value) bool {
	if k.loop == nil || k.users[leaf] != 1 {
		return false
	}
	for _, p := range k.loop.Seqs {
		if p.Leaf == leaf {
			return k.outer.alone(k.outer.loopValue(k.loop).Args[p.Arg])
		}
	}
	return false
}

func (k *block[F]) loopValue(l *ir.Loop) *ir.Value {
	for _, v := range k.order {
		if v.Fn == ops.Fn(l) {
			return v
		}
	}
	return nil
}

// alone reports whether one user alone needs the memory of v.
func (k *block[F]) alone(v *ir.Value) bool {
	if k.users[v] != 1 || k.roots[v] {
		return false
	}
	switch v.Fn.(type) {
	case ops.Reshape:
		return k.alone(v.Args[0])
	case ops.MatMul, ops.Elementwise, ir.Copy, ir.MatMulAcc:
		return k.buffers[k.layouts[v].buf].kind == arena
	}
	return false
}

func (k *block[F]) emitMatMul(v *ir.Value, fn ops.MatMul, av, bv *ir.Value, acc bool) {
	g := &gemm[F]{acc: acc, pack: -1, count: 1}
	operand := func(v *ir.Value) matrix {
		l := k.layout(v)
		m, ok := asMatrix(l)
		if !ok {
			m, _ = asMatrix(k.compact(l, v.Type))
		}
		return m
	}
	g.a, g.b = operand(av), operand(bv)
	c := k.target(v)
	g.c, _ = asMatrix(c)
	n := len(v.Shape)
	g.m, g.n = v.Shape[n-2], v.Shape[n-1]
	g.transA, g.transB = fn.TransA != g.a.trans, fn.TransB != g.b.trans
	if g.k = av.Shape[n-1]; fn.TransA {
		g.k = av.Shape[n-2]
	}
	k.layouts[v] = c
	if n == 3 {
		g.count, g.split = v.Shape[0], v.Shape[0]
		if k.batch > 0 {
			g.split = g.count
		}
		k.add(g, g.a.layout, g.b.layout, c)
		return
	}
	k.divide(g)
	packable := k.loop != nil && g.b.layout.clock == still && k.fixed(bv) && k.loop.T*g.m >= packedUses
	if packable && !k.cfg.Without[pass.Pack] {
		g.pack = k.outer.pack(g)
	}
	k.add(g, g.a.layout, g.b.layout, c)
	if g.pack >= 0 {
		last := len(k.touched) - 1
		k.touched[last] = append(k.touched[last], k.packBufs[g.pack])
	}
}

// divide decides on the units of a product of two matrices: rows of the batch, blocks of rows with
// packed weights, panels of columns, or blocks of rows.
func (k *block[F]) divide(g *gemm[F]) {
	tall := k.loop == nil && !g.transA && g.m >= tallRows && g.n >= tallCols
	switch {
	case k.batch > 0:
		g.split, g.block = k.batch, g.m/k.batch
	case tall && !k.cfg.Without[pass.Pack]:
		g.tall, g.block = true, packedRows
		if g.k*g.n*k.elementSize() > packedCache {
			g.block = k.largeBlock(g)
		}
		g.split = (g.m + g.block - 1) / g.block
		g.pack = k.pack(g)
	case g.n >= g.m && g.n >= panelCols:
		g.byCols, g.block = true, panelCols
		g.split = (g.n + panelCols - 1) / panelCols
	default:
		g.block = blockRows
		g.split = (g.m + blockRows - 1) / blockRows
	}
}

// largeBlock is how many rows are taken at a time where the packed weights outgrow a core's cache
// and are fetched anew for each block: as many as the left operand may have in it, and as many
// blocks for every worker, all about as large.
func (k *block[F]) largeBlock(g *gemm[F]) int {
	fit := blockBytes / (g.k * k.elementSize() * packedRows)
	rows := max(4, min(8, fit)) * packedRows
	rounds := (g.m + rows*k.cfg.Workers - 1) / (rows * k.cfg.Workers) * k.cfg.Workers
	return ((g.m+rounds-1)/rounds + gemmRows - 1) / gemmRows * gemmRows
}

const (
	packedRows  = 32      // rows at a time of a tall product with packed weights; more if those outgrow the cache
	gemmRows    = 16      // what a block of rows is a multiple of
	packedCache = 3 << 19 // bytes of packed weights that stay in a core's cache

	tallRows   = 4 * packedRows // rows from which packing the weights once is less than what it saves
	tallCols   = 16             // columns, likewise: narrower products leave most of a packed panel empty
	blockBytes = 1 << 20        // of the left operand in a block, where the weights are not in the cache
	packedUses = 16             // rows, over all steps of a loop, that are multiplied by weights worth packing
	panelCols  = 64             // columns of a unit of a wide product
	blockRows  = 32             // rows of a unit of any other product
)
