package vm

import (
	"time"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Timing is the time that one instruction takes in a run.
type Timing struct {
	What  string
	At    []ops.Place   // what it computes
	Depth int           // 1 in the body of a loop, 2 in that of a loop over the steps of a segment
	Time  time.Duration // of a run: in a loop, of all steps together
	Flop  float64       // floating-point operations of its matrix products; 0 for what is none
	Bytes float64       // of its operands and results; 0 if that is not known
}

// Profile runs the program n times on one worker, with a clock around every instruction, and gives
// for each the shortest time that was seen. In a loop that is the shortest step times the number of
// steps: what it takes when nothing disturbs it.
func (p *program[F]) Profile(n int) ([]Timing, error) {
	if err := p.bind(); err != nil {
		return nil, err
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	x := p.workers[0]
	var out []Timing
	for range n {
		now, err := profile(x, p.code.Instrs)
		if err != nil {
			return nil, err
		}
		out = fastest(out, now)
	}
	return out, nil
}

// profile times instructions one by one.
func profile[F kernels.Float](x *worker[F], code []Instruction[F]) ([]Timing, error) {
	var out []Timing
	for _, in := range code {
		var ts []Timing
		var err error
		switch in := in.(type) {
		case *Loop[F]:
			ts, err = in.profile(x)
		case *Segments[F]:
			ts, err = in.profile(x)
		default:
			var d time.Duration
			d, err = clock(x, in)
			ts = []Timing{timing(x, in, 0, d, 1)}
		}
		if err != nil {
			return nil, err
		}
		out = append(out, ts...)
	}
	return out, nil
}

// fastest takes the shorter time of each instruction.
func fastest(before, now []Timing) []Timing {
	for i := range before {
		now[i].Time = min(now[i].Time, before[i].Time)
	}
	return now
}

// profile is the fastest segment, as often as there are segments.
func (s *Segments[F]) profile(x *worker[F]) ([]Timing, error) {
	defer x.p.enterSegment(0)
	var least []Timing
	for i := range s.N {
		x.p.enterSegment(s.index(i))
		now, err := profile(x, s.Body)
		if err != nil {
			return nil, err
		}
		least = fastest(least, now)
	}
	out := []Timing{{What: s.String(), At: x.p.code.At[s]}}
	for _, t := range least {
		t.Time, t.Flop, t.Bytes = t.Time*time.Duration(s.N), t.Flop*float64(s.N), t.Bytes*float64(s.N)
		if t.Depth == 0 {
			out[0].Time += t.Time
		}
		t.Depth++
		out = append(out, t)
	}
	return out, nil
}

// clock is the time that an instruction takes. Of a tall product it is that of its fastest block
// times their number.
func clock[F kernels.Float](x *worker[F], in Instruction[F]) (time.Duration, error) {
	units := in.units()
	if p, ok := in.(*Pack[F]); ok {
		p.begin(x)
	}
	g, ok := in.(*Gemm[F])
	if !ok || !g.Tall {
		start := time.Now()
		err := in.run(x, 0, units)
		return time.Since(start), err
	}
	var least time.Duration
	for u := range units {
		start := time.Now()
		if err := in.run(x, u, u+1); err != nil {
			return 0, err
		}
		if d := time.Since(start); u == 0 || d < least && (u+1)*g.Block <= g.M {
			least = d
		}
	}
	return time.Duration(float64(least) * float64(g.M) / float64(min(g.Block, g.M))), nil
}

func timing[F kernels.Float](x *worker[F], in Instruction[F], depth int, d time.Duration,
	times int) Timing {
	return Timing{What: in.String(), At: x.p.code.At[in], Depth: depth, Time: d,
		Flop: flop(in) * float64(times), Bytes: traffic(in) * float64(times)}
}

func (p *program[F]) Flop() float64 { return flops(p.code.Instrs) }

// flops is the sum over all steps of loops.
func flops[F kernels.Float](code []Instruction[F]) (n float64) {
	for _, in := range code {
		switch in := in.(type) {
		case *Loop[F]:
			n += flops(in.Body) * float64(in.T)
		case *Segments[F]:
			n += flops(in.Body) * float64(in.N)
		default:
			n += flop(in)
		}
	}
	return n
}

// flop is the number of floating-point operations of an instruction's products.
func flop[F kernels.Float](in Instruction[F]) float64 {
	switch in := in.(type) {
	case *Gemm[F]:
		return 2 * float64(in.M) * float64(in.N) * float64(in.K) * float64(in.Count)
	case *Gradients[F]:
		var n float64
		for _, p := range in.Products {
			n += flop[F](p)
		}
		return n
	}
	return 0
}

func (l *Loop[F]) profile(x *worker[F]) ([]Timing, error) {
	defer func() { x.clock = [4]int{} }()
	if l.scripted() {
		return l.profileScript(x)
	}
	least := make([]time.Duration, len(l.Body))
	for i := range l.T {
		t := l.tick(x, i)
		for k, in := range l.Body {
			start := time.Now()
			if err := in.run(x, 0, in.units()); err != nil {
				return nil, ops.AtStep(t, err)
			}
			if d := time.Since(start); i == 0 || d < least[k] {
				least[k] = d
			}
		}
	}
	var total time.Duration
	out := []Timing{{}}
	for k, in := range l.Body {
		d := least[k] * time.Duration(l.T)
		total += d
		out = append(out, timing(x, in, 1, d, l.T))
	}
	out[0] = Timing{What: l.String(), At: x.p.code.At[l], Time: total}
	return out, nil
}

// profileScript times all steps together, which cannot be told apart, and gives each instruction
// the share that its cost is.
func (l *Loop[F]) profileScript(x *worker[F]) ([]Timing, error) {
	start := time.Now()
	if err := l.runScript(x, 0, l.Rows); err != nil {
		return nil, err
	}
	took, cost := time.Since(start), 0
	for _, in := range l.Body {
		cost += in.cost()
	}
	out := []Timing{{What: l.String(), At: x.p.code.At[l], Time: took}}
	for _, in := range l.Body {
		part := took * time.Duration(in.cost()) / time.Duration(max(1, cost))
		out = append(out, timing(x, in, 1, part, l.T))
	}
	return out, nil
}
