package word2vec

import (
	"sync"
	"sync/atomic"
)

// team is a fixed number of workers that do the tasks of a phase together.
type team struct {
	phases []chan phase // of all workers but the first, which is the caller
	wait   sync.WaitGroup
}

type phase struct {
	n    int32
	next *atomic.Int32
	do   func(worker, task int)
}

func (p phase) run(worker int) {
	for i := p.next.Add(1) - 1; i < p.n; i = p.next.Add(1) - 1 {
		p.do(worker, int(i))
	}
}

func newTeam(workers int) *team {
	t := &team{}
	for w := 1; w < workers; w++ {
		c := make(chan phase)
		t.phases = append(t.phases, c)
		go func() {
			for p := range c {
				p.run(w)
				t.wait.Done()
			}
		}()
	}
	return t
}

// each does tasks 0 … n−1 and returns when all are done.
func (t *team) each(n int, do func(worker, task int)) {
	p := phase{int32(n), new(atomic.Int32), do}
	t.wait.Add(len(t.phases))
	for _, c := range t.phases {
		c <- p
	}
	p.run(0)
	t.wait.Wait()
}

func (t *team) close() {
	for _, c := range t.phases {
		close(c)
	}
}
