package train

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
)

// sharing is what the context of a validation says of the training that it is of.
type sharing struct {
	processes Processes // nil: this one alone
	shards    int
}

type sharingKey struct{}

// ShardsOf is the number of parts into which what is measured in this context is divided where it
// is one stream: Config.Shards in the Validate of a Task that Fit trains, and 1 elsewhere.
func ShardsOf(ctx context.Context) int {
	if ctx == nil {
		return 1
	}
	s, _ := ctx.Value(sharingKey{}).(sharing)
	return max(s.shards, 1)
}

// ShareOut computes parts 0 … n−1 of something, such as the batches of a validation, and calls take
// with each, in order. In the Validate of a Task that several processes train, each of them
// computes every so manieth part, and take has those of all, so that a sum over parts is the same
// to the bit as that of one process; what n is must not depend on the processes. T is sent by
// encoding/gob: its exported fields are. An error of any process, the one of the lowest part, is
// that of all.
func ShareOut[T any](ctx context.Context, n int, compute func(part int) (T, error),
	take func(part int, found T) error) error {
	if ctx == nil {
		return errors.New("train: ShareOut: the context is nil; context.Background() is one that never " +
			"ends")
	}
	if compute == nil || take == nil {
		return errors.New("train: ShareOut: a function is nil")
	}
	s, _ := ctx.Value(sharingKey{}).(sharing)
	p := s.processes
	if p == nil {
		for part := range n {
			found, err := compute(part)
			if err == nil {
				err = take(part, found)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	own := found[T]{Failed: -1}
	var failure error
	for part := p.Rank(); part < n; part += p.Size() {
		var x T
		if x, failure = compute(part); failure != nil {
			own.Failed, own.Why = part, failure.Error()
			break
		}
		own.Parts = append(own.Parts, x)
	}
	all, err := gatherFound(p, own)
	if err != nil {
		return err
	}
	failed := -1
	for r, f := range all {
		if want := (max(n, 0) - r + p.Size() - 1) / p.Size(); f.Failed < 0 && len(f.Parts) != want {
			return fmt.Errorf("train: ShareOut: process %d has computed %d parts, and not %d: it counts "+
				"others than process %d, which has %d", r, len(f.Parts), want, p.Rank(), n)
		}
		if f.Failed >= 0 && (failed < 0 || f.Failed < all[failed].Failed) {
			failed = r
		}
	}
	switch {
	case failed == p.Rank():
		return failure
	case failed >= 0:
		return fmt.Errorf("process %d: %s", failed, all[failed].Why)
	}
	for part := range n {
		if err := take(part, all[part%p.Size()].Parts[part/p.Size()]); err != nil {
			return err
		}
	}
	return nil
}

// found is what a process has computed.
type found[T any] struct {
	Parts  []T
	Failed int // a part, or −1
	Why    string
}

// gatherFound gives every process what each has found.
func gatherFound[T any](p Processes, own found[T]) ([]found[T], error) {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(own); err != nil {
		return nil, fmt.Errorf("train: ShareOut: %w", err)
	}
	data, err := gatherBytes(p, b.Bytes())
	if err != nil {
		return nil, errorOf(ErrProcesses, "train: process %d of %d: %w", p.Rank(), p.Size(), err)
	}
	all := make([]found[T], len(data))
	for r, d := range data {
		if err := gob.NewDecoder(bytes.NewReader(d)).Decode(&all[r]); err != nil {
			return nil, fmt.Errorf("train: ShareOut: what process %d has found: %w", r, err)
		}
	}
	return all, nil
}
