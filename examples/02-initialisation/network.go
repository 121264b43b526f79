package main

import (
	"math"
	"math/rand/v2"
)

const (
	digits = 8  // of a sum; the numbers have one less
	hidden = 16 // H
	rate   = 0.1
	every  = 20 // updates between two measurements of the loss
)

// layout of the weights: W_in [2, H], W [H, H], W_out [H].
const (
	inAt  = 0
	wAt   = inAt + 2*hidden
	outAt = wAt + hidden*hidden
	all   = outAt + hidden
)

type weights [all]float64

// setting is how a network begins and learns.
type setting struct {
	Activation string // of the hidden values: sigmoid, tanh or ReLU
	Init       string // N(0, 1), Xavier or He
	Clip       float64
}

func (s setting) draw(r *rand.Rand) (w weights) {
	spread := func(fanIn float64) float64 {
		switch s.Init {
		case "Xavier":
			return math.Sqrt(1 / fanIn)
		case "He":
			return math.Sqrt(2 / fanIn)
		}
		return 1
	}
	for i := range w {
		fanIn := float64(hidden)
		if i < wAt {
			fanIn = 2
		}
		w[i] = spread(fanIn) * r.NormFloat64()
	}
	return w
}

// activate returns the activation of a sum and its derivative.
func (s setting) activate(v float64) (h, slope float64) {
	switch s.Activation {
	case "tanh":
		h = math.Tanh(v)
		return h, 1 - h*h
	case "ReLU":
		if v > 0 {
			return v, 1
		}
		return 0, 0
	}
	h = 1 / (1 + math.Exp(-v))
	return h, h * (1 - h)
}

// pass is a run of the network over one addition.
type pass struct {
	h, slope [digits][hidden]float64
	y, d     [digits]float64
	loss     float64 // ½ Σ (y − d)²
	right    bool
}

func (s setting) forward(w *weights, a, b int) (p pass) {
	p.right = true
	for t := range digits {
		for j := range hidden {
			sum := float64(a>>t&1)*w[inAt+j] + float64(b>>t&1)*w[inAt+hidden+j]
			if t > 0 {
				for i, h := range p.h[t-1] {
					sum += h * w[wAt+i*hidden+j]
				}
			}
			p.h[t][j], p.slope[t][j] = s.activate(sum)
			p.y[t] += p.h[t][j] * w[outAt+j]
		}
		p.y[t] = 1 / (1 + math.Exp(-p.y[t]))
		p.d[t] = float64((a + b) >> t & 1)
		p.loss += (p.y[t] - p.d[t]) * (p.y[t] - p.d[t]) / 2
		p.right = p.right && (p.y[t] > 0.5) == (p.d[t] > 0.5)
	}
	return p
}

// backward returns the gradient of the loss and its norm in the hidden values of each digit.
func (p *pass) backward(w *weights, a, b int) (g weights, flow [digits]float64) {
	var later [hidden]float64
	for t := digits - 1; t >= 0; t-- {
		out := (p.y[t] - p.d[t]) * p.y[t] * (1 - p.y[t])
		var before [hidden]float64
		for j := range hidden {
			g[outAt+j] += out * p.h[t][j]
			back := later[j] + out*w[outAt+j]
			flow[t] += back * back
			delta := back * p.slope[t][j]
			g[inAt+j] += delta * float64(a>>t&1)
			g[inAt+hidden+j] += delta * float64(b>>t&1)
			if t == 0 {
				continue
			}
			for i := range hidden {
				g[wAt+i*hidden+j] += delta * p.h[t-1][i]
				before[i] += delta * w[wAt+i*hidden+j]
			}
		}
		flow[t], later = math.Sqrt(flow[t]), before
	}
	return g, flow
}

// handed is the longest run of digits through which a carry, or that there is none, must be handed
// on: those in which exactly one of the numbers has a 1.
func handed(a, b int) int { return longest(func(t int) bool { return (a^b)>>t&1 == 1 }) }

// carried is the longest run of digits from which a 1 is carried.
func carried(a, b int) int {
	return longest(func(t int) bool { return (a&(1<<(t+1)-1)+b&(1<<(t+1)-1))>>(t+1) == 1 })
}

func longest(holds func(t int) bool) int {
	most, now := 0, 0
	for t := range digits {
		now++
		if !holds(t) {
			now = 0
		}
		most = max(most, now)
	}
	return most
}

// training is what is kept of one.
type training struct {
	Loss    []float64 // on the fixed sums, every 20 updates
	Wrong   float64   // share of the fixed sums, at the end
	A, B    []int16   // what was added
	Norm    []float64 // of the gradient of each update, before it is clipped
	Weights weights   // at the end
}

// sums are the fixed additions on which the loss is measured.
func sums() (ab [][2]int) {
	r := rand.New(rand.NewPCG(2021, 7))
	for range 200 {
		ab = append(ab, [2]int{r.IntN(128), r.IntN(128)})
	}
	return ab
}

// measure is the mean loss on the fixed sums, and the share of wrong ones.
func (s setting) measure(w *weights, ab [][2]int) (loss, wrong float64) {
	for _, x := range ab {
		p := s.forward(w, x[0], x[1])
		loss += p.loss / float64(len(ab))
		if !p.right {
			wrong += 1 / float64(len(ab))
		}
	}
	return loss, wrong
}

// train learns one addition after another; the update skip, if it is not negative, is left out.
func (s setting) train(seed uint64, updates, skip int) (k training) {
	r := rand.New(rand.NewPCG(seed, 2))
	w := s.draw(r)
	ab := sums()
	for u := range updates {
		a, b := r.IntN(128), r.IntN(128)
		p := s.forward(&w, a, b)
		g, _ := p.backward(&w, a, b)
		norm := 0.0
		for _, v := range g {
			norm += v * v
		}
		norm = math.Sqrt(norm)
		k.A, k.B, k.Norm = append(k.A, int16(a)), append(k.B, int16(b)), append(k.Norm, norm)
		by := rate
		if s.Clip > 0 && norm > s.Clip {
			by *= s.Clip / norm
		}
		for i := range w {
			if u != skip {
				w[i] -= by * g[i]
			}
		}
		if (u+1)%every == 0 {
			loss, wrong := s.measure(&w, ab)
			k.Loss, k.Wrong = append(k.Loss, loss), wrong
		}
	}
	k.Weights = w
	return k
}

// spikes are the measurements at which the loss is up by half and above 0.05.
func (k *training) spikes() (at []int) {
	for i := 1; i < len(k.Loss); i++ {
		if k.Loss[i] > 1.5*k.Loss[i-1] && k.Loss[i] > 0.05 {
			at = append(at, i)
		}
	}
	return at
}
