package train

import (
	"context"
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
)

const divergedAdvice = "the training has diverged; try a lower learning rate, or clipping"

// batch computes the next batch, and updates if it completes an update.
func (f *fit) batch(ctx context.Context) error {
	if f.joint != nil {
		return f.jointBatch(ctx)
	}
	b, err := f.task.Next(f.Seed, f.batches)
	if err != nil {
		return fmt.Errorf("train: step %d: %w", f.step, err)
	}
	f.batches++
	if math.IsNaN(b.Loss) || math.IsInf(b.Loss, 0) {
		return errorOf(ErrNotFinite, "train: step %d: the loss is %v: %s%s", f.step, b.Loss,
			blame(b.Grads), divergedAdvice)
	}
	f.took(b)
	return f.apply(listed(b.Grads), b.Grads)
}

// mark is where an update began, that is made of several batches or shards.
type mark struct {
	task    *Checkpoint // what the task saved then
	batches int
}

// beginUpdate marks where an update begins, so that it can be abandoned: if only this process is in
// it, and somebody may ask it to stop.
func (f *fit) beginUpdate(ctx context.Context) {
	if f.inEpoch()%f.Accumulate == 0 && !f.together() && ctx.Done() != nil {
		f.begun = mark{snapshot(f.task), f.batches}
	}
}

// stopping is the context that ends an update before its last shard: that of the training, or one
// that never does where several processes must stop at the same place.
func (f *fit) stopping(ctx context.Context) context.Context {
	if f.begun.task == nil {
		return context.Background()
	}
	return ctx
}

// abandon goes back to where the update at hand began, and saves that.
func (f *fit) abandon(ctx context.Context) error {
	if err := f.task.Load(f.begun.task); err != nil {
		return fmt.Errorf("train: back to step %d: %w", f.step, err)
	}
	f.batches = f.begun.batches
	return f.interrupted(ctx)
}

// took notes the loss of a batch.
func (f *fit) took(b Batch) {
	f.sum.loss.add(b)
	f.mean.add(b)
	f.Progress.batch(f.epoch, b, f.mean.value())
}

// apply makes an update by gradients; some of them, as they were computed, know what to blame if
// they are not finite.
func (f *fit) apply(g gradients, computed []gorgonia.ValueGrad) error {
	norm, err := g.clip(f.Clip)
	if err != nil {
		return fmt.Errorf("train: step %d: %w", f.step, err)
	}
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		f.agreed = f.together()
		return errorOf(ErrNotFinite, "train: step %d: the norm of the gradient is %v: %s%s", f.step,
			norm, blame(computed), divergedAdvice)
	}
	if f.Schedule != nil {
		f.Optimizer.SetLR(f.Schedule.LR(f.step))
	}
	if err := g.step(f.Optimizer); err != nil {
		return fmt.Errorf("train: step %d: %w", f.step, err)
	}
	if f.Average != nil {
		if err := f.Average.Update(f.values); err != nil {
			return fmt.Errorf("train: step %d: %w", f.step, err)
		}
	}
	f.step++
	f.sum.norm += norm
	f.sum.updates++
	if f.sum.updates == f.RecordEvery {
		if err := f.record(nil); err != nil {
			return err
		}
	}
	if f.SaveEvery > 0 && f.step%f.SaveEvery == 0 || f.step == f.MaxSteps {
		if err := f.save(); err != nil {
			return err
		}
	}
	if f.AfterStep != nil {
		if err := f.heed(f.AfterStep(f.step)); err != nil {
			return err
		}
	}
	return f.agreeToStop()
}
