package shared

import (
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
)

// Compiled is a graph that predicts, or one that measures a loss and may predict besides.
type Compiled struct {
	*run.Step
	Measured *train.Step // the same with the loss; nil if it has none
}

// Compile compiles the graph of outputs, and of a loss unless that is nil.
func Compile(outputs []*nodes.Node, loss *nodes.Node, o ...graph.Option) (c Compiled, err error) {
	if loss == nil {
		c.Step, err = run.New(outputs, o...)
		return c, err
	}
	c.Measured, err = train.NewStepWith(train.StepConfig{Options: o}, loss, outputs...)
	if err == nil {
		c.Step = c.Measured.Step
	}
	return c, err
}

// Close releases the memory of the compiled graph.
func (c Compiled) Close() error {
	if c.Measured != nil {
		return c.Measured.Close()
	}
	return c.Step.Close()
}
