package all_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/label"
)

// Predict of a classifier for texts of one length and of mixed lengths, by one goroutine and by 32.
func BenchmarkPredict(b *testing.B) {
	v := vocabularyFor(theSame)
	m, err := label.NewClassifier(label.ClassifierConfig{Config: label.Config{
		Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 32}}}, v, twoLabels(), 1)
	require.NoError(b, err)
	for _, lengths := range []string{"32", "1-16", "1-64"} {
		for _, goroutines := range []int{1, 32} {
			b.Run(fmt.Sprintf("lengths=%s/goroutines=%d", lengths, goroutines), func(b *testing.B) {
				draw := rand.New(rand.NewPCG(1, 2))
				sequences := make([]label.Sequence, 1000)
				for i := range sequences {
					n := 32
					switch lengths {
					case "1-16":
						n = 1 + draw.IntN(16)
					case "1-64":
						n = 1 + draw.IntN(64)
					}
					sequences[i].IDs = slices.Repeat([]int{i % v.Len()}, n)
				}
				for _, s := range sequences[:200] {
					_, err := m.Predict(s)
					require.NoError(b, err)
				}
				times := make([][]time.Duration, goroutines)
				b.ReportAllocs()
				b.ResetTimer()
				var wait sync.WaitGroup
				for g := range goroutines {
					wait.Go(func() {
						for i := g; i < b.N; i += goroutines {
							start := time.Now()
							if _, err := m.Predict(sequences[i%len(sequences)]); err != nil {
								panic(err)
							}
							times[g] = append(times[g], time.Since(start))
						}
					})
				}
				wait.Wait()
				all := slices.Concat(times...)
				slices.Sort(all)
				b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
				b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
			})
		}
	}
}
