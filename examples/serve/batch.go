package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// batcher runs requests that arrive together as one batch. Nobody waits for others to come: those
// that arrive while all workers are busy are taken together by the first that is free.
type batcher[Q, A any] struct {
	run   func(ctx context.Context, batch []Q) ([]A, error)
	most  int // requests of a batch
	queue chan job[Q, A]
	seen  func(batch int) // is told how many requests ran together
}

type job[Q, A any] struct {
	ctx      context.Context
	question Q
	answer   chan result[A] // of room for one, so that nobody waits to answer
}

type result[A any] struct {
	answer A
	err    error
}

// errBusy: there are more requests than are kept waiting.
var errBusy = &statusError{http.StatusServiceUnavailable,
	errors.New("the server is busy; try again")}

// newBatcher starts workers, which end with ctx.
func newBatcher[Q, A any](ctx context.Context, workers, most, waiting int, seen func(int),
	run func(ctx context.Context, batch []Q) ([]A, error)) *batcher[Q, A] {
	b := &batcher[Q, A]{run: run, most: most, queue: make(chan job[Q, A], waiting), seen: seen}
	for range workers {
		go b.work(ctx)
	}
	return b
}

// ask waits for the answer to one question, or for the end of its context.
func (b *batcher[Q, A]) ask(ctx context.Context, q Q) (a A, err error) {
	j := job[Q, A]{ctx, q, make(chan result[A], 1)}
	select {
	case b.queue <- j:
	default:
		return a, errBusy
	}
	select {
	case r := <-j.answer:
		return r.answer, r.err
	case <-ctx.Done():
		return a, ctx.Err()
	}
}

func (b *batcher[Q, A]) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-b.queue:
			b.answer(ctx, b.gather(first))
		}
	}
}

// gather takes what waits, without those who have gone away.
func (b *batcher[Q, A]) gather(first job[Q, A]) (batch []job[Q, A]) {
	for next, more := first, true; more; {
		if next.ctx.Err() == nil {
			batch = append(batch, next)
		}
		if len(batch) == b.most {
			break
		}
		select {
		case next = <-b.queue:
		default:
			more = false
		}
	}
	return batch
}

// answer runs a batch. If it fails, each question is asked alone, so that one that cannot be
// answered costs the others nothing but time.
func (b *batcher[Q, A]) answer(ctx context.Context, batch []job[Q, A]) {
	if len(batch) == 0 {
		return
	}
	questions := make([]Q, len(batch))
	for i, j := range batch {
		questions[i] = j.question
	}
	b.seen(len(batch))
	answers, err := b.safely(ctx, questions)
	if err != nil && len(batch) > 1 {
		for _, j := range batch {
			b.answer(ctx, []job[Q, A]{j})
		}
		return
	}
	for i, j := range batch {
		r := result[A]{err: err}
		if err == nil {
			r.answer = answers[i]
		}
		j.answer <- r
	}
}

// safely runs a batch, and makes a panic an error: a worker serves all.
func (b *batcher[Q, A]) safely(ctx context.Context, questions []Q) (answers []A, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a panic: %v", p)
		}
	}()
	answers, err = b.run(ctx, questions)
	if err == nil && len(answers) != len(questions) {
		err = fmt.Errorf("%d answers to %d questions", len(answers), len(questions))
	}
	return answers, err
}
