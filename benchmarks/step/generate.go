package main

import (
	"fmt"
	"math"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
)

// generate samples T characters from stacked layers and a projection, one step of the network at a time.
func generate(c Config) (*job, error) {
	store := nodes.NewStore(nodes.Float32, 1)
	var g *nodes.Graph
	var ids, probs *nodes.Node
	var states, next cells.State
	var failed error
	err := nodes.Try(func() {
		g = nodes.NewGraph(nodes.Options{})
		ids = g.IntInput("ids", c.B)
		x := nodes.Embedding(store.Root().Param("E", nodes.Normal(0, 1), c.V, c.I), ids, -1)
		for l := range c.Layers {
			cell, err := newCell(store.Root().In("l%d", l), c.Cell, x.Dim(-1), c.H)
			if err != nil {
				failed = err
				return
			}
			var s cells.State
			for i, p := range cell.Parts() {
				s = append(s, g.Input(fmt.Sprintf("state %d %d", l, i), c.B, p.Width))
			}
			after := cell.Step(x, s)
			states, next = append(states, s...), append(next, after...)
			x = after[0]
		}
		probs = nodes.Softmax(nodes.MatMul(x, store.Root().Param("V", nodes.XavierUniform(1), c.H, c.V)))
	})
	if err != nil || failed != nil {
		return nil, fmt.Errorf("%v%v", err, failed)
	}
	keep := []*gorgonia.Node{probs.Gorgonia()}
	for _, n := range next {
		keep = append(keep, n.Gorgonia())
	}
	id := make([]int, c.B)
	if err := gorgonia.Let(ids.Gorgonia(), tensor.New(tensor.WithShape(c.B), tensor.WithBacking(id))); err != nil {
		return nil, err
	}
	state := make([][]float32, len(states))
	for i, s := range states {
		state[i] = make([]float32, c.B*s.Dim(-1))
		v := tensor.New(tensor.WithShape(s.Shape()...), tensor.WithBacking(state[i]))
		if err := gorgonia.Let(s.Gorgonia(), v); err != nil {
			return nil, err
		}
	}
	start := time.Now()
	vm, err := compile(c, g, keep)
	if err != nil {
		return nil, err
	}
	j := &job{vm: vm, compileMs: float64(time.Since(start).Microseconds()) / 1e3}
	var p []float32
	var after [][]float32
	j.step = func() error {
		for i := range state {
			clear(state[i])
		}
		clear(id)
		for t := range c.T {
			if err := vm.RunAll(); err != nil {
				return err
			}
			if p == nil {
				p = probs.Value().Data().([]float32)
				for _, n := range next {
					after = append(after, n.Value().Data().([]float32))
				}
			}
			for i := range state {
				copy(state[i], after[i])
			}
			for b := range id {
				id[b] = sample(p[b*c.V:(b+1)*c.V], At(uint32(t*c.B+b), 9, 0.5)+0.5)
			}
		}
		return nil
	}
	j.check = func() (float64, float64) {
		var sum float64
		for _, v := range p {
			sum += float64(v)
		}
		return math.Abs(sum - float64(c.B)), 0
	}
	return j, nil
}

// sample is the first index at which the probabilities add up to more than u.
func sample(p []float32, u float32) int {
	for i, v := range p {
		if u -= v; u < 0 {
			return i
		}
	}
	return len(p) - 1
}
