package vm

import (
	"slices"

	"github.com/seqzoo/seqzoo/internal/ops"
)

func (p *program[F]) Listing() []string {
	var out []string
	var list func(code []Instruction[F], indent string)
	list = func(code []Instruction[F], indent string) {
		for _, in := range code {
			out = append(out, indent+in.String())
			switch l := in.(type) {
			case *Loop[F]:
				list(l.Body, indent+"    ")
				for _, b := range l.Skipped {
					out = append(out, indent+"    or, for those rows: "+b.String())
				}
			case *Segments[F]:
				list(l.Body, indent+"    ")
			}
		}
	}
	list(p.code.Instrs, "")
	return append(out, p.code.Notes...)
}

// Part is a part of a program's memory.
type Part struct {
	At          []ops.Place
	Type        ops.Type
	Bytes       int
	Offset      int // bytes
	Result      bool
	First, Last int // numbers of the instructions that use it
}

// Buffers lists the program's memory, the largest first. Buffers that are needed at different times
// may overlap.
func (p *program[F]) Buffers() []Part {
	var out []Part
	for _, f := range p.code.Buffers {
		if f.Kind == External || f.First < 0 {
			continue
		}
		size := int(f.Of.Dtype.Size())
		out = append(out, Part{At: f.At, Type: f.Of, Bytes: f.Size * size, Offset: f.Offset * size,
			Result: f.Kind == Permanent, First: f.First, Last: f.Last})
	}
	slices.SortStableFunc(out, func(a, b Part) int { return b.Bytes - a.Bytes })
	return out
}

// Planned is an instruction with where its data comes from.
type Planned struct {
	What string
	At   []ops.Place
	Body []Planned // of a loop
	From []Flow
}

// Flow is what an instruction reads, or writes over, of one before it.
type Flow struct{ Instruction, Bytes int }

// planned lists the instructions of a body.
func (p *program[F]) planned(body []Instruction[F]) []Planned {
	var out []Planned
	for _, in := range body {
		n := Planned{What: in.String(), At: p.code.At[in]}
		if l, ok := in.(*Loop[F]); ok {
			n.Body = p.planned(l.Body)
		}
		out = append(out, n)
	}
	return out
}

// Plan lists the instructions.
func (p *program[F]) Plan() []Planned {
	last := map[int]int{} // instruction that touched a buffer last
	var out []Planned
	for i, in := range p.code.Instrs {
		n := Planned{What: in.String(), At: p.code.At[in]}
		if l, ok := in.(*Loop[F]); ok {
			n.Body = p.planned(l.Body)
		}
		if s, ok := in.(*Segments[F]); ok {
			n.Body = p.planned(s.Body)
		}
		bytes := map[int]int{}
		for _, b := range p.code.Touched[i] {
			f := p.code.Buffers[b]
			if before, ok := last[b]; ok && before != i {
				bytes[before] += f.Size * int(f.Of.Dtype.Size())
			}
			last[b] = i
		}
		for before := range i {
			if bytes[before] > 0 {
				n.From = append(n.From, Flow{before, bytes[before]})
			}
		}
		out = append(out, n)
	}
	return out
}
