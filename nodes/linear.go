package nodes

// LinearConfig sizes a Linear. The zero value of an optional field is its default.
type LinearConfig struct {
	In, Out int
	Init    Init   // of W; default XavierUniform(1). b begins at 0
	NoBias  bool   // there is no b
	Tied    *Param // [Out, In], an embedding for example: is W, transposed, and no W is declared
	Suffix  string // of the names W and b, for several layers of one scope
}

// Linear is the layer x·W + b for x [..., In] and a result [..., Out].
type Linear struct {
	W          *Param // [In, Out]; [Out, In] if Transposed
	B          *Param // [Out]; nil: none
	Transposed bool   // x·Wᵀ + b
}

// NewLinear declares W [In, Out] and b [Out] under s.
func NewLinear(s *Scope, c LinearConfig) Linear {
	if c.Init.kind == "" {
		c.Init = XavierUniform(1)
	}
	l := Linear{W: c.Tied, Transposed: c.Tied != nil}
	if c.Tied == nil {
		l.W = s.Param("W"+c.Suffix, c.Init, c.In, c.Out)
	}
	if !c.NoBias {
		l.B = s.Param("b"+c.Suffix, Zeros(), c.Out)
	}
	return l
}

// Of applies the layer.
func (l Linear) Of(x *Node) *Node {
	if l.Transposed {
		x = MatMulT(x, l.W)
	} else {
		x = MatMul(x, l.W)
	}
	if l.B == nil {
		return x.g.showAt(l.W, x)
	}
	return x.g.showAt(l.B, Add(x, l.B))
}

// Back declares the layer from Out to In that has the same weights, and a b [In] of its own under s
// if l has one.
func (l Linear) Back(s *Scope) Linear {
	back := Linear{W: l.W, Transposed: !l.Transposed}
	if l.B != nil {
		in := 0
		if l.Transposed {
			in = 1
		}
		back.B = s.Param("b", Zeros(), l.W.Shape()[in])
	}
	return back
}
