package main

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// Questions that arrive together run together, and each gets its own answer; one that cannot be
// answered costs the others nothing.
func TestBatches(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var mu sync.Mutex
	largest := 0
	hold := make(chan struct{})
	b := newBatcher(ctx, 1, 8, 100, func(n int) {
		mu.Lock()
		largest = max(largest, n)
		mu.Unlock()
	}, func(_ context.Context, batch []int) ([]int, error) {
		<-hold
		out := make([]int, len(batch))
		for i, q := range batch {
			if q == 13 {
				return nil, bad(fmt.Errorf("13"))
			}
			out[i] = q * q
		}
		return out, nil
	})
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			a, err := b.ask(context.Background(), i)
			if failed := err != nil; failed != (i == 13) || !failed && a != i*i {
				t.Errorf("question %d: %d, %v", i, a, err) // require is of the test's goroutine
			}
		})
	}
	// The first batch is held with those that had come by then: one or more.
	waiting := func() int {
		mu.Lock()
		defer mu.Unlock()
		return largest + len(b.queue)
	}
	require.Eventually(t, func() bool { return waiting() == 40 }, 2*time.Minute, time.Millisecond)
	close(hold)
	all.Wait()
	mu.Lock()
	require.Equal(t, 8, largest)
	mu.Unlock()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := b.ask(gone, 1)
	if err != nil { // it may have been answered before it was looked at
		require.ErrorIs(t, err, context.Canceled)
	}
}
