package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// trial serves two models by turns to clients of all kinds, and compares every answer with what the
// model says without a server.
type trial struct {
	clients int
	length  time.Duration
	reload  time.Duration // between two models
	hidden  int

	url, address string
	prompts      []string
	models       []*lm.Model
	want         map[string]map[string]string // by version and prompt

	mu        sync.Mutex
	seen      map[string]int // what happened how often
	wrong     []string
	latencies []time.Duration // of answers in one piece
}

const (
	trialTokens = 8
	hundredMB   = 100 << 20
)

// command runs a trial and prints what it has found.
func (t *trial) command(ctx context.Context, out, messages io.Writer) error {
	if t.clients < 1 || t.length <= 0 || t.hidden < 1 {
		return cli.Usagef("-clients, -trial and -hidden must be above 0")
	}
	t.reload = min(time.Second, t.length/10)
	if err := t.run(ctx, messages); err != nil {
		return err
	}
	t.report(out)
	if len(t.wrong) > 0 {
		return fmt.Errorf("%d answers were wrong, the first: %s", len(t.wrong), t.wrong[0])
	}
	return nil
}

// prepare makes the models and what they say.
func (t *trial) prepare() error {
	t.seen, t.want = map[string]int{}, map[string]map[string]string{}
	words := strings.Fields("the king of england and his queen go to war with france , but " +
		"nobody knows why .")
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk, text.EOS}},
		words)
	if err != nil {
		return err
	}
	for i := range len(words) - 2 {
		t.prompts = append(t.prompts, strings.Join(words[i:i+2], " "))
	}
	for seed := range uint64(2) {
		m, err := lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: t.hidden},
			EmbedStd: 2}, v, seed+1)
		if err != nil {
			return err
		}
		t.models = append(t.models, m)
		version, err := (&models{count: newMetrics()}).prepare(m)
		if err != nil {
			return err
		}
		version.stop()
		said := map[string]string{}
		for _, p := range t.prompts {
			g, err := m.Generate(context.Background(), p, lm.GenerateOptions{Max: trialTokens})
			if err != nil {
				return err
			}
			said[p] = g.Added
		}
		t.want[version.version] = said
	}
	return nil
}

// run starts a server and asks it.
func (t *trial) run(ctx context.Context, messages io.Writer) error {
	if err := t.prepare(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "serve-trial-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := defaults(filepath.Join(dir, "model"))
	s.reload, s.write = t.reload/4, 2*time.Second
	s.connections = 4 * t.clients
	if err := t.models[0].Save(s.model); err != nil {
		return err
	}
	srv, err := s.newServer(slog.New(slog.NewTextHandler(messages, &slog.HandlerOptions{
		Level: slog.LevelError + 1}))) // what it refuses is meant to be refused
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	t.address, t.url = l.Addr().String(), "http://"+l.Addr().String()
	serving, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.run(serving, srv, l, nil) }()
	t.ask(ctx, s.model, messages)
	t.note("goroutines at the end", runtime.NumGoroutine())
	t.settle(srv)
	stop()
	return <-ended
}

// ask lets all clients ask until the time is over.
func (t *trial) ask(ctx context.Context, model string, messages io.Writer) {
	ctx, cancel := context.WithTimeout(ctx, t.length)
	defer cancel()
	transport := &http.Transport{MaxIdleConnsPerHost: t.clients, MaxConnsPerHost: 4 * t.clients}
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport}
	kinds := []func(ctx context.Context, c *http.Client, prompt string, client int) error{
		t.plain, t.plain, t.plain, t.streamed, t.plain, t.killed, t.slow, t.stateful,
	}
	var all sync.WaitGroup
	for i := range t.clients {
		all.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				err := kinds[i%len(kinds)](ctx, c, t.prompts[n%len(t.prompts)], i)
				if err != nil && ctx.Err() == nil {
					t.fault(err)
				}
			}
		})
	}
	for _, attack := range []func(ctx context.Context, c *http.Client) error{t.large, t.garbage,
		t.cutOff} {
		all.Go(func() {
			for ctx.Err() == nil {
				if err := attack(ctx, c); err != nil && ctx.Err() == nil {
					t.fault(err)
				}
				wait(ctx, t.reload)
			}
		})
	}
	all.Go(func() {
		for n := 1; ctx.Err() == nil; n++ {
			if wait(ctx, t.reload); ctx.Err() != nil {
				break
			}
			if err := t.replace(model, n); err != nil {
				t.fault(err)
			}
		}
	})
	all.Wait()
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// replace saves the other model, or poisons the directory.
func (t *trial) replace(model string, n int) error {
	weights := filepath.Join(model, "model.safetensors")
	switch {
	case n%5 == 3: // cut off
		t.note("poisoned models: weights cut off", 1)
		content, err := os.ReadFile(weights)
		if err != nil {
			return err
		}
		return os.WriteFile(weights, content[:len(content)/2], 0o666)
	case n%5 == 4: // weights that are no numbers, saved as they should be
		t.note("poisoned models: weights that are NaN", 1)
		sick, err := zoo.Clone(t.models[0])
		if err != nil {
			return err
		}
		sick.Params().Params()[0].Value().Float32s()[3] = float32(nan())
		return sick.Save(model)
	}
	t.note("models saved over the one that serves", 1)
	return t.models[n%2].Save(model)
}

func nan() float64 { zero := 0.0; return zero / zero }

// settle waits until nothing is in flight, which a test looks at.
func (t *trial) settle(srv *server) {
	for range 400 {
		if srv.inFlight.Load() == 0 && srv.open.Load() == 0 {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.note("requests in flight after the end", int(srv.inFlight.Load()))
	t.note("goroutines after the end", runtime.NumGoroutine())
	t.note("MB on the heap after the end", int(m.HeapAlloc>>20))
	t.note("panics", int(srv.count.of("seqzoo_panics_total")))
	for _, result := range []string{"loaded", "refused"} {
		t.note("models that the server has "+result,
			int(srv.count.of("seqzoo_reloads_total", "result", result)))
	}
}

func (t *trial) note(what string, n int) {
	t.mu.Lock()
	t.seen[what] += n
	t.mu.Unlock()
}

func (t *trial) took(d time.Duration) {
	t.mu.Lock()
	t.latencies = append(t.latencies, d)
	t.mu.Unlock()
}

func (t *trial) fault(err error) {
	t.mu.Lock()
	t.wrong = append(t.wrong, err.Error())
	t.mu.Unlock()
}

// compare looks whether the model of that version says so.
func (t *trial) compare(kind, version, prompt, said string) {
	t.note(kind, 1)
	want, known := t.want[version]
	if !known || want[prompt] != said {
		t.fault(fmt.Errorf("%s: version %s, known %v: %q goes on %q, want %q", kind, version, known,
			prompt, said, want[prompt]))
	}
}

// report prints a table.
func (t *trial) report(out io.Writer) {
	fmt.Fprintf(out, "| %d clients, %v | |\n| --- | ---: |\n", t.clients, t.length)
	for _, what := range slices.Sorted(maps.Keys(t.seen)) {
		fmt.Fprintf(out, "| %s | %d |\n", what, t.seen[what])
	}
	slices.Sort(t.latencies)
	if n := len(t.latencies); n > 0 {
		fmt.Fprintf(out, "| answers in one piece: a second | %.0f |\n",
			float64(n)/t.length.Seconds())
		for _, p := range []int{50, 90, 99} {
			fmt.Fprintf(out, "| milliseconds, percentile %d | %.1f |\n", p,
				float64(t.latencies[(n-1)*p/100].Microseconds())/1000)
		}
	}
	fmt.Fprintf(out, "| **wrong answers, and what should not have happened** | **%d** |\n",
		len(t.wrong))
}
