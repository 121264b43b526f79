package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/seqzoo/seqzoo/zoo"
	_ "github.com/seqzoo/seqzoo/zoo/all" // models of every kind
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
)

// serving is a model that answers, with the workers that batch its questions.
type serving struct {
	*answerer
	batch   *batcher[*question, *answer] // nil if it answers one at a time
	version string
	loaded  time.Time
	stop    context.CancelFunc // ends the workers
	used    int                // requests that hold it
}

// models keeps the model that answers now. A request holds the one it began with to its end, so
// that a new one never changes an answer halfway.
type models struct {
	path  string
	count *metrics
	most  int // questions of a batch
	wait  int // questions that wait for one

	mu   sync.Mutex
	now  *serving
	read os.FileInfo // of the weights that were loaded, or refused, last

	loading sync.Mutex
}

// acquire lends the model that answers now; release gives it back.
func (m *models) acquire() *serving {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.used++
	return m.now
}

func (m *models) release(s *serving) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.used--
	m.retire(s)
}

// retire ends the workers of a model that nobody holds any more.
func (m *models) retire(s *serving) {
	if s != m.now && s.used == 0 {
		s.stop()
	}
}

// weights is the file whose replacement is the step from one model to the next.
func (m *models) weights() (os.FileInfo, error) {
	info, err := os.Stat(m.path)
	if err == nil && info.IsDir() {
		info, err = os.Stat(filepath.Join(m.path, "model.safetensors"))
	}
	return info, err
}

// load loads the model, looks whether it can answer, and puts it in the place of the one that
// answers now. After an error that one goes on.
func (m *models) load() (err error) {
	m.loading.Lock()
	defer m.loading.Unlock()
	defer func() {
		result := "loaded"
		if err != nil {
			result = "refused"
		}
		m.count.add(1, "seqzoo_reloads_total", "result", result)
	}()
	info, err := m.weights()
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.read = info
	m.mu.Unlock()
	model, err := zoo.Load(m.path)
	if err != nil {
		return err
	}
	s, err := m.prepare(model)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.now; old != nil {
		if was := old.model.Architecture(); was != model.Architecture() {
			s.stop()
			return fmt.Errorf("%s holds a %s now, and the server answers by a %s: start "+
				"another server",
				m.path, model.Architecture(), was)
		}
		m.now = s
		m.retire(old)
		return nil
	}
	m.now = s
	return nil
}

// prepare makes a model answer, and looks whether it does.
func (m *models) prepare(model zoo.Model) (*serving, error) {
	for _, p := range model.Params().Params() {
		switch v := p.Value().Data().(type) {
		case []float32:
			for i, x := range v {
				if x-x != 0 {
					return nil, fmt.Errorf("weight %d of %s is %g", i, p.Name(), x)
				}
			}
		case []float64:
			for i, x := range v {
				if x-x != 0 {
					return nil, fmt.Errorf("weight %d of %s is %g", i, p.Name(), x)
				}
			}
		}
	}
	hash := sha256.New()
	if err := zoo.Write(hash, model); err != nil {
		return nil, err
	}
	a, err := answererOf(model)
	if err != nil {
		return nil, err
	}
	s := &serving{answerer: a, version: hex.EncodeToString(hash.Sum(nil)[:6]), loaded: time.Now()}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	if a.together != nil {
		s.batch = newBatcher(ctx, runtime.GOMAXPROCS(0), m.most, m.wait, func(n int) {
			m.count.observe(float64(n), sizes, "seqzoo_batch_size")
		}, a.together)
	}
	if err := s.try(); err != nil {
		stop()
		return nil, fmt.Errorf("it does not answer: %w", err)
	}
	return s, nil
}

// try asks a model something simple.
func (s *serving) try() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	q := &question{}
	last := func(v interface {
		Len() int
		Token(int) (string, bool)
	}) string {
		token, _ := v.Token(v.Len() - 1)
		return token
	}
	switch m := s.model.(type) {
	case *lm.Model:
		session, err := m.NewSession()
		if err == nil {
			_, err = session.Step(m.Vocabulary().Len() - 1)
		}
		if err == nil {
			_, err = session.Next(1)
		}
		return err
	case *seq2seq.Model:
		sources, _ := m.Vocabularies()
		q.Text, q.Max = last(sources), 2
	case *label.Classifier:
		q.Features = make([]float32, m.Config().Features)
		if m.Vocabulary() != nil {
			q.Text = last(m.Vocabulary())
		}
	case *label.Tagger:
		q.Features = make([]float32, m.Config().Features)
		if m.Vocabulary() != nil {
			q.Text = last(m.Vocabulary())
		}
	case *forecast.Model:
		for range m.Config().Lookback {
			q.Rows = append(q.Rows, m.Scale().Mean)
		}
	case reduce.Reducer:
		q.Rows = [][]float64{make([]float64, m.Features())}
	default: // a picture or a talk: its weights are numbers, and it was made
		return nil
	}
	if s.together != nil {
		_, err := s.together(ctx, []*question{q})
		return err
	}
	a, _, err := s.alone(ctx, q, zoo.State{}, nil)
	if err == nil && a.Errors != nil && math.IsNaN(a.Errors[0]) {
		err = errors.New("the error of a row of zeros is no number")
	}
	return err
}

// watch loads the model when its weights are replaced, and when reload says so, until ctx ends.
func (m *models) watch(ctx context.Context, every time.Duration, reload <-chan os.Signal,
	log *slog.Logger) {
	if every <= 0 {
		every = math.MaxInt64
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-reload:
		case <-tick.C:
			info, err := m.weights()
			m.mu.Lock()
			same := err == nil && m.read != nil && os.SameFile(m.read, info) &&
				m.read.ModTime().Equal(info.ModTime()) && m.read.Size() == info.Size()
			m.mu.Unlock()
			if err != nil || same { // it may be on its way
				continue
			}
		}
		if err := m.load(); err != nil {
			log.Error("the new model is refused; the old one goes on", "why", err)
			continue
		}
		s := m.acquire()
		log.Info("a new model answers", "version", s.version)
		m.release(s)
	}
}
