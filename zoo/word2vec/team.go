package word2vec

import "github.com/seqzoo/seqzoo/internal/workers"

// team is a fixed number of workers that do the tasks of a phase together. A phase takes some ten
// microseconds, less than it takes to wake a goroutine that sleeps, so they spin between phases.
//
// A worker does the same tasks of every phase, neighbours of each other, so that what they touch
// stays in its core's cache: rows that another core has written take longer to fetch than to use.
type team struct {
	pool     *workers.Pool
	n        int
	from, to int // tasks
	do       func(worker, first, last int)
}

func newTeam(n int) *team { return &team{pool: workers.New(n), n: n} }

// share deals tasks from … to−1 out to the workers, first … last−1 to each, and returns when all
// are done.
func (t *team) share(from, to int, do func(worker, first, last int)) {
	t.from, t.to, t.do = from, to, do
	t.pool.Ready()
	t.pool.Run(t)
}

// Work does a worker's tasks.
func (t *team) Work(worker int) {
	n := t.to - t.from
	t.do(worker, t.from+n*worker/t.n, t.from+n*(worker+1)/t.n)
}

func (t *team) close() { t.pool.Close() }
