package word2vec

import "math"

// losses are sums over the epoch so far. Each task, or reader, adds up its own; they are gathered
// in the order of their numbers after each chunk, so that the sum does not depend on the workers.
type losses struct {
	tasks [blocks]loss
	epoch loss
}

// loss is a sum over examples.
type loss struct {
	sum      float64
	examples int
}

// add takes in the step of an output with its label; an example has one with the label 1.
func (l *loss) add(out uint32, score float32) {
	l.sum += nats(out, score)
	l.examples += int(out & 1)
}

// nats is −log σ(score) if the output's label is 1, −log(1 − σ(score)) if it is 0.
func nats(out uint32, score float32) float64 {
	x := float64(score)
	if out&1 == 1 {
		x = -x
	}
	return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) // log(1 + eˣ)
}

func (l *losses) gather(readers []reader) {
	if l == nil {
		return
	}
	take := func(part *loss) {
		l.epoch.sum += part.sum
		l.epoch.examples += part.examples
		*part = loss{}
	}
	for i := range l.tasks {
		take(&l.tasks[i])
	}
	for i := range readers {
		take(&readers[i].loss)
	}
}

func (l *losses) clear() {
	if l != nil {
		*l = losses{}
	}
}

func (l *losses) mean() float64 {
	if l == nil || l.epoch.examples == 0 {
		return 0
	}
	return l.epoch.sum / float64(l.epoch.examples)
}
