package main

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// users keeps the states of users, as bytes: at most so many bytes, and each so long after its last
// use. The one used longest ago makes room. A program with more users keeps them in a database; see
// examples/serve/autocomplete.
type users struct {
	mu     sync.Mutex
	byID   map[string]*list.Element
	recent list.List // of *user, the one used last first
	bytes  int
	most   int // bytes
	after  time.Duration
}

// user is one user's state. Who holds turn alone may look at it.
type user struct {
	id     string
	turn   chan struct{}
	state  []byte
	weight int // bytes, as users has counted them
	seen   time.Time
	used   int // requests that hold it or wait for it
}

// overhead is about what a user takes beside the state.
const overhead = 256

func newUsers(most int, after time.Duration) *users {
	return &users{byID: map[string]*list.Element{}, most: most, after: after}
}

// take gives a user's state to one request at a time; release keeps what it has become.
func (u *users) take(ctx context.Context, id string) (*user, error) {
	u.mu.Lock()
	u.forget(time.Now())
	e := u.byID[id]
	if e == nil {
		one := &user{id: id, turn: make(chan struct{}, 1), weight: overhead + len(id)}
		e = u.recent.PushFront(one)
		u.byID[id] = e
		u.bytes += one.weight
	}
	one := e.Value.(*user)
	one.seen = time.Now()
	one.used++
	u.recent.MoveToFront(e)
	u.mu.Unlock()
	select {
	case one.turn <- struct{}{}:
		return one, nil
	case <-ctx.Done():
		u.mu.Lock()
		one.used--
		u.mu.Unlock()
		return nil, ctx.Err()
	}
}

// release ends the turn; state is what the next one begins with.
func (u *users) release(one *user, state []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	one.state = state
	weight := overhead + len(one.id) + len(state)
	if e := u.byID[one.id]; e != nil && e.Value == one {
		u.bytes += weight - one.weight
		one.weight = weight
	}
	one.used--
	<-one.turn
	u.forget(time.Now())
}

// drop forgets a user.
func (u *users) drop(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	e := u.byID[id]
	if e != nil {
		u.remove(e)
	}
	return e != nil
}

// forget makes room. Users who are being answered stay.
func (u *users) forget(now time.Time) {
	for e := u.recent.Back(); e != nil; {
		one, before := e.Value.(*user), e.Prev()
		old := now.Sub(one.seen) > u.after
		if !old && u.bytes <= u.most {
			return
		}
		if one.used == 0 {
			u.remove(e)
		}
		e = before
	}
}

func (u *users) remove(e *list.Element) {
	one := u.recent.Remove(e).(*user)
	delete(u.byID, one.id)
	u.bytes -= one.weight
}

// size is how many users are known, and the bytes that they take.
func (u *users) size() (n, bytes int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.byID), u.bytes
}
