package train_test

import (
	"fmt"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
)

// Two networks against each other (Goodfellow et al., 2014), each with its own loss, step and
// optimizer: a generator of one number learns the mean of numbers around 3. Wrt keeps each step to
// the parameters of its own network.
func ExampleStepConfig() {
	const B = 64
	store := nodes.NewStore(nodes.Float32, 1)
	shift := store.Root().In("generator").Param("shift", nodes.Zeros(), 1, 1)
	judge := nodes.NewLinear(store.Root().In("judge"), nodes.LinearConfig{In: 1, Out: 1})
	of := func(params []*nodes.Param, err error) []*nodes.Param { return params }

	var noise, numbers run.Floats
	// build makes the step of one of the two, on noise and real numbers.
	build := func(wrt []*nodes.Param, generator bool) (s *train.Step, noise, numbers run.Floats) {
		g := nodes.NewGraph(nodes.Options{Training: true})
		z, x := g.Input("noise", B, 1), g.Input("numbers", B, 1)
		fake := judge.Of(nodes.Add(z, nodes.Broadcast(g.Param(shift), B, 1)))
		loss := nodes.BCEWithLogits(fake, g.Const(1, B, 1), nodes.ReduceMean)
		if !generator {
			loss = nodes.Add(nodes.BCEWithLogits(fake, g.Zeros(B, 1), nodes.ReduceMean),
				nodes.BCEWithLogits(judge.Of(x), g.Const(1, B, 1), nodes.ReduceMean))
		} else {
			x = nil
		}
		s = must(train.NewStepWith(train.StepConfig{Wrt: wrt}, loss))
		noise = must(run.Feed(z)).Floats()
		if x != nil {
			numbers = must(run.Feed(x)).Floats()
		}
		return s, noise, numbers
	}
	judging, noise, numbers := build(of(store.Find("judge")), false)
	generating, noiseToo, _ := build(of(store.Find("generator")), true)
	forJudge := must(train.NewSGD(train.SGDConfig{LR: 0.1, WeightDecay: 0.01}))
	forGenerator := must(train.NewSGD(train.SGDConfig{LR: 0.1}))

	r := rng.Stream{Key: rng.New(2)}
	for step := range 600 {
		for i := range B {
			z := r.Normal()
			noise.Set(i, z)
			noiseToo.Set(i, z)
			numbers.Set(i, 3+r.Normal())
		}
		must(judging.Run(1, step))
		must(generating.Run(1, step))
		for _, err := range []error{forJudge.Step(judging.Grads()), forGenerator.Step(generating.Grads())} {
			if err != nil {
				panic(err)
			}
		}
	}
	fmt.Printf("%.0f\n", shift.Value().Float32s()[0])
	// Output: 3
}
