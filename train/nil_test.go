package train_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
)

// What is nil is an error that says what.
func TestNil(t *testing.T) {
	var none *nodes.Node
	var noContext context.Context
	for want, call := range map[string]func() error{
		"the context is nil": func() error {
			_, err := train.Fit(noContext, newBowl(1), train.Config{Optimizer: adam(0.1), Epochs: 1})
			return err
		},
		"the loss is nil": func() error { _, err := train.NewStep(nil); return err },
		"node 0 of those to keep is nil": func() error {
			_, err := train.NewStep(nodes.NewGraph(nodes.Options{}).Const(1), none)
			return err
		},
	} {
		require.ErrorContains(t, call(), want)
	}
	ctx, stop := train.Interruptible(noContext)
	require.NoError(t, ctx.Err())
	stop()
}
