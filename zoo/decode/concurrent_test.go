package decode_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo/decode"
)

// Copies of a sampler that was used may be at work in many goroutines at once, and each draws as it
// does alone.
func TestSamplersConcurrently(t *testing.T) {
	for name, s := range map[string]decode.Sampler{
		"greedy": {}, "warm": {Temperature: 1.5}, "top k": {Temperature: 1, TopK: 7},
		"nucleus": {Temperature: 0.8, TopP: 0.9},
	} {
		draw := func(s *decode.Sampler, seed uint64) (ids []int) {
			random := rng.Stream{Key: rng.New(seed)}
			logits := make([]float32, 50+seed%13)
			for range 40 {
				for i := range logits {
					logits[i] = float32(random.Normal())
				}
				id, err := decode.Sample(s, logits, &random)
				if err != nil {
					return []int{-1}
				}
				ids = append(ids, id)
			}
			return ids
		}
		alone := make([][]int, 32)
		for i := range alone {
			alone[i] = draw(&decode.Sampler{Temperature: s.Temperature, TopK: s.TopK, TopP: s.TopP},
				uint64(i))
		}
		draw(&s, 99) // used, and then copied and shared
		together := make([][]int, len(alone))
		var wait sync.WaitGroup
		for i := range together {
			wait.Add(1)
			go func() {
				defer wait.Done()
				mine := s
				together[i] = draw(&mine, uint64(i))
			}()
		}
		wait.Wait()
		require.Equal(t, alone, together, name)
	}
}
