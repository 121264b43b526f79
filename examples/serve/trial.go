package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
		return usage{errors.New("-clients, -trial and -hidden must be above 0")}
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
	words := strings.Fields("the king of england and his queen go to war with france , but nobody knows why .")
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

// post asks a question.
func (t *trial) post(ctx context.Context, c *http.Client, q map[string]any) (*http.Response, error) {
	content, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+"/v1/answer",
		bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	return c.Do(r)
}

// answered reads an answer in one piece.
func (t *trial) answered(r *http.Response) (a answer, ok bool, err error) {
	defer r.Body.Close()
	if r.StatusCode == http.StatusServiceUnavailable || r.StatusCode == http.StatusGatewayTimeout {
		t.note(fmt.Sprintf("told to come back (%d)", r.StatusCode), 1)
		return a, false, nil
	}
	if r.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(r.Body)
		return a, false, fmt.Errorf("status %d: %s", r.StatusCode, b)
	}
	err = json.NewDecoder(r.Body).Decode(&a)
	return a, err == nil, err
}

// plain asks for an answer in one piece.
func (t *trial) plain(ctx context.Context, c *http.Client, prompt string, _ int) error {
	begin := time.Now()
	r, err := t.post(ctx, c, map[string]any{"text": prompt, "max": trialTokens})
	if err != nil {
		return err
	}
	a, ok, err := t.answered(r)
	if ok {
		t.took(time.Since(begin))
		t.compare("answers in one piece", a.Model, prompt, a.Text)
	}
	return err
}

// events reads a stream; each is told of every event, and ends the reading by false.
func events(r io.Reader, each func(kind, data string) bool) error {
	s := bufio.NewScanner(r)
	kind := ""
	for s.Scan() {
		if k, ok := strings.CutPrefix(s.Text(), "event: "); ok {
			kind = k
		} else if data, ok := strings.CutPrefix(s.Text(), "data: "); ok && !each(kind, data) {
			return nil
		}
	}
	return s.Err()
}

// streamed asks for an answer as it is written.
func (t *trial) streamed(ctx context.Context, c *http.Client, prompt string, _ int) error {
	r, err := t.post(ctx, c, map[string]any{"text": prompt, "max": trialTokens, "stream": true})
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		_, _, err := t.answered(r)
		return err
	}
	var said strings.Builder
	var last answer
	failed := ""
	err = events(r.Body, func(kind, data string) bool {
		var part string
		switch kind {
		case "part":
			if json.Unmarshal([]byte(data), &part) == nil {
				said.WriteString(part)
			}
		case "done":
			failed = fmt.Sprint(json.Unmarshal([]byte(data), &last))
		default:
			failed = data
		}
		return true
	})
	if err != nil {
		return err
	}
	if failed != "<nil>" {
		return fmt.Errorf("the stream ended by %q", failed)
	}
	if said.String() != last.Text {
		t.fault(fmt.Errorf("parts %q of the text %q", said.String(), last.Text))
	}
	t.compare("answers as streams", last.Model, prompt, last.Text)
	return nil
}

// killed asks for a stream and goes away in the middle.
func (t *trial) killed(ctx context.Context, c *http.Client, prompt string, _ int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := t.post(ctx, c, map[string]any{"text": prompt, "max": 200, "stream": true})
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		_, _, err := t.answered(r)
		return err
	}
	_ = events(r.Body, func(string, string) bool { return false })
	t.note("clients who went away in the middle", 1)
	return nil
}

// slow reads a stream byte by byte, for a while.
func (t *trial) slow(ctx context.Context, _ *http.Client, prompt string, _ int) error {
	c, err := net.Dial("tcp", t.address)
	if err != nil {
		return err
	}
	defer c.Close()
	body, err := json.Marshal(map[string]any{"text": prompt, "max": 200, "stream": true})
	if err != nil {
		return err
	}
	fmt.Fprintf(c,
		"POST /v1/answer HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		len(body), body)
	one := make([]byte, 1)
	for range 40 {
		if _, err := c.Read(one); err != nil {
			break
		}
		if wait(ctx, 20*time.Millisecond); ctx.Err() != nil {
			break
		}
	}
	t.note("clients who read a byte at a time", 1)
	return nil
}

// stateful writes a text in two parts, the second from the state after the first.
func (t *trial) stateful(ctx context.Context, c *http.Client, prompt string, client int) error {
	user := fmt.Sprintf("user %d", client)
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete,
		t.url+"/v1/users/"+strings.ReplaceAll(user, " ", "%20"), nil)
	if err != nil {
		return err
	}
	gone, err := c.Do(r)
	if err != nil {
		return err
	}
	gone.Body.Close()
	first, err := t.post(ctx, c, map[string]any{"text": prompt, "max": trialTokens / 2,
		"user": user})
	if err != nil {
		return err
	}
	a, ok, err := t.answered(first)
	if !ok {
		return err
	}
	second, err := t.post(ctx, c, map[string]any{"text": "", "max": trialTokens / 2, "user": user})
	if err != nil {
		return err
	}
	b, ok, err := t.answered(second)
	if !ok {
		return err
	}
	switch {
	case b.Forgot != (a.Model != b.Model):
		t.fault(fmt.Errorf("a state of %s at %s: forgot is %v", a.Model, b.Model, b.Forgot))
	case b.Forgot:
		t.note("states of users that a new model forgot", 1)
	default:
		t.compare("answers from the state of a user", a.Model, prompt, a.Text+b.Text)
	}
	return nil
}

// endless is a body of n bytes that no memory is needed for.
type endless struct{ left int }

func (e *endless) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(b), e.left)
	for i := range n {
		b[i] = ' '
	}
	e.left -= n
	return n, nil
}

// large sends a body of 100 MB.
func (t *trial) large(ctx context.Context, c *http.Client) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+"/v1/answer",
		&endless{hundredMB})
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	got, err := c.Do(r)
	if err == nil {
		got.Body.Close()
		if got.StatusCode != http.StatusRequestEntityTooLarge {
			return fmt.Errorf("a body of 100 MB: status %d", got.StatusCode)
		}
	} // or the server has closed the connection while it was sent
	t.note("bodies of 100 MB, refused", 1)
	return nil
}

// garbage sends what is no question.
func (t *trial) garbage(ctx context.Context, c *http.Client) error {
	for body, want := range map[string]int{
		"{": 400, `{"text": 3}`: 400, `{"txt": "a"}`: 400, `[]`: 400, `{"text": "a"} {}`: 400,
		`{"text": "a", "max": -1}`: 422, `{"text": "zebra"}`: 422, `{"text": "a", "stop": "zebra"}`: 422,
		`{"text": "the", "top_k": 5}`: 422, `{"text": "the", "beam": 99}`: 422,
	} {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+"/v1/answer",
			strings.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		got, err := c.Do(r)
		if err != nil {
			return err
		}
		got.Body.Close()
		if got.StatusCode != want && got.StatusCode != http.StatusServiceUnavailable {
			return fmt.Errorf("the question %s: status %d, want %d", body, got.StatusCode, want)
		}
		t.note("questions that are none, refused", 1)
	}
	return nil
}

// cutOff promises a body and goes away.
func (t *trial) cutOff(context.Context, *http.Client) error {
	c, err := net.Dial("tcp", t.address)
	if err != nil {
		return err
	}
	fmt.Fprint(c,
		"POST /v1/answer HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	t.note("bodies that were cut off", 1)
	return c.Close()
}

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
	t.note("panics", int(srv.count.counters["seqzoo_panics_total"]))
	for _, result := range []string{"loaded", "refused"} {
		t.note("models that the server has "+result,
			int(srv.count.counters[key("seqzoo_reloads_total", "result", result)]))
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
