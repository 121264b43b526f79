package exec

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
}

// Profile runs the program n times on one worker, with a clock around every instruction, and gives for each the
// shortest time that was seen. In a loop that is the shortest step times the number of steps: what it takes when
// nothing disturbs it.
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
		now, err := profile(x, p.code)
		if err != nil {
			return nil, err
		}
		out = fastest(out, now)
	}
	return out, nil
}

// profile times instructions one by one.
func profile[F kernels.Float](x *worker[F], code []instr[F]) ([]Timing, error) {
	var out []Timing
	for _, in := range code {
		var ts []Timing
		var err error
		switch in := in.(type) {
		case *loop[F]:
			ts, err = in.profile(x)
		case *segments[F]:
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
func (s *segments[F]) profile(x *worker[F]) ([]Timing, error) {
	defer x.p.enterSegment(0)
	var least []Timing
	for i := range s.n {
		x.p.enterSegment(s.index(i))
		now, err := profile(x, s.body)
		if err != nil {
			return nil, err
		}
		least = fastest(least, now)
	}
	out := []Timing{{What: s.String(), At: x.p.at[s]}}
	for _, t := range least {
		t.Time, t.Flop = t.Time*time.Duration(s.n), t.Flop*float64(s.n)
		if t.Depth == 0 {
			out[0].Time += t.Time
		}
		t.Depth++
		out = append(out, t)
	}
	return out, nil
}

// clock is the time that an instruction takes. Of a tall product it is that of its fastest block times their number.
func clock[F kernels.Float](x *worker[F], in instr[F]) (time.Duration, error) {
	units := in.units()
	if p, ok := in.(*pack[F]); ok {
		p.begin(x)
	}
	g, ok := in.(*gemm[F])
	if !ok || !g.tall {
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
		if d := time.Since(start); u == 0 || d < least && (u+1)*g.block <= g.m {
			least = d
		}
	}
	return time.Duration(float64(least) * float64(g.m) / float64(min(g.block, g.m))), nil
}

func timing[F kernels.Float](x *worker[F], in instr[F], depth int, d time.Duration, times int) Timing {
	return Timing{What: in.String(), At: x.p.at[in], Depth: depth, Time: d, Flop: flop(in) * float64(times)}
}

// flop is the number of floating-point operations of an instruction's products.
func flop[F kernels.Float](in instr[F]) float64 {
	switch in := in.(type) {
	case *gemm[F]:
		return 2 * float64(in.m) * float64(in.n) * float64(in.k) * float64(in.count)
	case *gradients[F]:
		var n float64
		for _, p := range in.products {
			n += flop[F](p)
		}
		return n
	}
	return 0
}

func (l *loop[F]) profile(x *worker[F]) ([]Timing, error) {
	defer func() { x.clock = [4]int{} }()
	least := make([]time.Duration, len(l.body))
	for i := range l.T {
		t := l.tick(x, i)
		for k, in := range l.body {
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
	for k, in := range l.body {
		d := least[k] * time.Duration(l.T)
		total += d
		out = append(out, timing(x, in, 1, d, l.T))
	}
	out[0] = Timing{What: l.String(), At: x.p.at[l], Time: total}
	return out, nil
}
