package all_test

import (
	"flag"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/text"
)

var long = flag.Bool("long", false, "run the trials in full length")

// Requests of ever-changing shapes, from several goroutines, leave memory flat and within the limit
// of the pools.
func TestMemoryOfRequestsIsFlat(t *testing.T) {
	requests := 10_000
	if *long {
		requests = 100_000
	}
	const limit, users = 8 << 20, 4
	defer run.SetPoolLimit(run.SetPoolLimit(limit))
	v, labels := zootest.Letters(t, 5, text.Unk), zootest.Letters(t, 3)
	m, err := label.NewClassifier(label.ClassifierConfig{Config: label.Config{
		Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 8}}}, v, labels, 1)
	require.NoError(t, err)
	ask := func(seed, n int) {
		var all sync.WaitGroup
		for user := range users {
			all.Go(func() {
				r := rng.Stream{Key: rng.New(uint64(seed)).Numbered(uint64(user))}
				for range n / users {
					ids := make([]int, 1+r.Intn(64))
					for i := range ids {
						ids[i] = r.Intn(5)
					}
					if _, err := m.Predict(label.Sequence{IDs: ids}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
	}
	live := func() int {
		runtime.GC()
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		return int(now.HeapAlloc)
	}
	ask(0, requests/10)
	before := live()
	ask(1, requests)
	require.LessOrEqual(t, run.PoolMemory(), limit)
	require.Less(t, live()-before, limit/2)
}
