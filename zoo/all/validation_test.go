package all_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/threads"
	"github.com/seqzoo/seqzoo/train"
)

// What is validated is the same, to the bit, on any number of processes, which share it out, and
// but for rounding what one alone measures; no example counts twice, or never.
func TestValidationIsSharedOut(t *testing.T) {
	for name, make := range resumable {
		t.Run(name, func(t *testing.T) {
			var want map[string][]float64
			for _, processes := range []int{1, 2, 3, 4} {
				metrics := [4]map[string][]float64{}
				errs := threads.Run(processes, func(p *threads.Process) error {
					task, err := make(manyValid)
					if err != nil {
						return err
					}
					c := train.Config{Optimizer: must(train.NewAdam(train.AdamConfig{LR: 0.01})), Epochs: 2,
						Shards: 4, Processes: exchange(p), Warn: func(string) {}}
					r, err := train.Fit(context.Background(), task, c)
					if err != nil {
						return err
					}
					alone, err := task.Validate(context.Background())
					if err != nil {
						return err
					}
					found := map[string][]float64{}
					for name, want := range alone {
						_, found[name] = r.History.Column(name)
						if n := len(found[name]); n != 2 || math.Abs(found[name][1]-want) > 1e-5 {
							return fmt.Errorf("%s is %v, alone %g", name, found[name], want)
						}
					}
					metrics[p.Rank()] = found
					return nil
				})
				for r, err := range errs {
					require.NoError(t, err)
					if want == nil {
						want = metrics[r]
					}
					require.Equal(t, want, metrics[r], "process %d of %d", r, processes)
				}
			}
		})
	}
}

// broken is a task whose validation has 9 parts, of which one fails.
type broken struct {
	train.Sharded
	part int
}

var errBroken = errors.New("broken")

func (b broken) Validate(ctx context.Context) (map[string]float64, error) {
	sum := 0.0
	err := train.ShareOut(ctx, 9, func(part int) (float64, error) {
		if part == b.part || part == 8 && b.part < 9 {
			return 0, fmt.Errorf("part %d: %w", part, errBroken)
		}
		return float64(part), nil
	}, func(_ int, x float64) error {
		sum = 2*sum + x // depends on the order
		return nil
	})
	return map[string]float64{"valid_sum": sum, "valid_shards": float64(train.ShardsOf(ctx))}, err
}

// A part that fails is an error of all processes, which name it.
func TestValidationFailsTogether(t *testing.T) {
	for _, part := range []int{0, 5, 9} {
		for _, processes := range []int{1, 2, 4} {
			errs := threads.Run(processes, func(p *threads.Process) error {
				c := train.Config{Optimizer: must(train.NewAdam(train.AdamConfig{})), Epochs: 1, Shards: 4,
					Processes: p, Warn: func(string) {}}
				r, err := train.Fit(context.Background(), broken{must(resumable["VAE"](theSame)).(train.Sharded), part}, c)
				if err == nil {
					_, sum := r.History.Column("valid_sum")
					_, shards := r.History.Column("valid_shards")
					if !slices.Equal(sum, []float64{502}) || !slices.Equal(shards, []float64{4}) {
						return fmt.Errorf("validation: %v, %v", sum, shards)
					}
				}
				return err
			})
			for _, err := range errs {
				if part == 9 {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, fmt.Sprintf("part %d: broken", part))
				}
			}
		}
	}
}
