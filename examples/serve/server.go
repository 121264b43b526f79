package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seqzoo/seqzoo/zoo"
)

// limits bound what a request may take. Each is a flag of the program.
type limits struct {
	body    int64         // bytes
	text    int           // bytes of the text
	tokens  int           // that are written
	timeout time.Duration // of a request
	write   time.Duration // that a client may take to read a part of an answer
	slots   int           // requests that are worked on at a time
	waiting int           // requests that wait for that
}

// server answers requests.
type server struct {
	limits
	models   *models
	users    *users
	count    *metrics
	log      *slog.Logger
	slot     chan struct{}
	waits    atomic.Int64
	inFlight atomic.Int64
	open     atomic.Int64 // connections
	draining atomic.Bool
}

//go:embed page.html
var page []byte

func (s *server) handler() http.Handler {
	s.slot = make(chan struct{}, s.slots)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; "+
			"script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; "+
			"form-action 'none'; frame-ancestors 'none'")
		w.Write(page)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if s.draining.Load() {
			http.Error(w, "shutting down", http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ready\n")
	})
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /v1/model", s.describe)
	mux.HandleFunc("POST /v1/answer", s.answer)
	mux.HandleFunc("DELETE /v1/users/{id}", func(w http.ResponseWriter, r *http.Request) {
		if !s.users.drop(r.PathValue("id")) {
			fail(w, &statusError{http.StatusNotFound, errors.New("nobody of that name is known")})
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	// outermost: only by its own writer does net/http end the connection of a body that is too
	// large so that a client who is still sending reads the answer
	return http.MaxBytesHandler(s.watched(mux), s.body)
}

// watched counts requests, and makes a panic an answer and a line of the log.
func (s *server) watched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin, seen := time.Now(), &recorder{ResponseWriter: w}
		s.inFlight.Add(1)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		defer func() {
			s.inFlight.Add(-1)
			if p := recover(); p != nil {
				s.count.add(1, "seqzoo_panics_total")
				s.log.Error("panic", "what", p, "stack", string(debug.Stack()))
				if seen.status == 0 {
					fail(seen, errors.New("the server has made a mistake"))
				}
			}
			route := r.Pattern
			if route == "" {
				route = "unknown"
			}
			s.count.add(1, "seqzoo_requests_total", "route", route, "status",
				strconv.Itoa(max(seen.status, http.StatusOK)))
			s.count.observe(time.Since(begin).Seconds(), seconds, "seqzoo_request_seconds", "route",
				route)
		}()
		next.ServeHTTP(seen, r)
	})
}

// recorder remembers the status.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find what is below.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// fail answers with an error.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var known *statusError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		status = known.status
	case errors.As(err, &large):
		status = http.StatusRequestEntityTooLarge
		err = fmt.Errorf("the body has more than %d bytes", large.Limit)
	case errors.Is(err, context.DeadlineExceeded):
		status, err = http.StatusGatewayTimeout, errors.New("it took too long")
	case errors.Is(err, context.Canceled):
		status, err = 499, errors.New("the client has gone away") // as nginx has it
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	writeJSON(w, status, map[string]string{"error": err.Error()})
}

func writeJSON(w http.ResponseWriter, status int, what any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(what) // who does not read has gone away
}

func (s *server) metrics(w http.ResponseWriter, _ *http.Request) {
	m := s.models.acquire()
	defer s.models.release(m)
	n, bytes := s.users.size()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	s.count.write(w, map[string]float64{
		"seqzoo_requests_in_flight":   float64(s.inFlight.Load()),
		"seqzoo_connections":          float64(s.open.Load()),
		"seqzoo_users":                float64(n),
		"seqzoo_user_bytes":           float64(bytes),
		"seqzoo_model_loaded_seconds": float64(m.loaded.Unix()),
		key("seqzoo_model_info", "architecture", m.model.Architecture(), "version", m.version): 1,
	})
}

// describe says what is served and what it may be asked.
func (s *server) describe(w http.ResponseWriter, _ *http.Request) {
	m := s.models.acquire()
	defer s.models.release(m)
	writeJSON(w, http.StatusOK, map[string]any{
		"architecture": m.model.Architecture(), "model": m.version, "fields": m.fields,
		"parameters": m.model.Params().Count(), "loaded": m.loaded.UTC().Format(time.RFC3339),
		"config": m.model.Files().Config,
	})
}

// question reads and checks what is asked.
func (s *server) question(r *http.Request) (*question, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" { // a page of another site cannot send it unasked
		return nil, &statusError{http.StatusUnsupportedMediaType,
			errors.New("the content type must be application/json")}
	}
	q, err := questionOf(r.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, err
	case err != nil:
		return nil, &statusError{http.StatusBadRequest, err}
	}
	switch {
	case len(q.Text) > s.text:
		err = fmt.Errorf("the text has %d bytes; at most %d are read", len(q.Text), s.text)
	case q.Max < 0 || q.Max > s.tokens:
		err = fmt.Errorf("max is %d, want 1 to %d, or 0 for the default", q.Max, s.tokens)
	case q.Beam < 0 || q.Beam > 16:
		err = fmt.Errorf("beam is %d, want 0 to 16", q.Beam)
	case q.Next < 0 || q.Next > 1000:
		err = fmt.Errorf("next is %d, want 0 to 1000", q.Next)
	case len(q.User) > 200:
		err = fmt.Errorf("the name of the user has %d bytes; at most 200 are taken", len(q.User))
	}
	return q, bad(err)
}

// questionOf decodes a question: one object of JSON, and nothing else.
func questionOf(body io.Reader) (*question, error) {
	var q *question
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	err := d.Decode(&q)
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New(`the body is empty; want a question such as {"text": "it was a"}`)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errors.New("the question is no JSON that is known: it ends in the middle")
	case errors.As(err, &kind) && kind.Field != "":
		return nil, fmt.Errorf("the question is no JSON that is known: %s is a %s, "+
			"want a value of type %v", kind.Field, kind.Value, kind.Type)
	case errors.As(err, &kind):
		return nil, fmt.Errorf("the question is no JSON that is known: %s in the place "+
			"of an object", kind.Value)
	case err != nil:
		return nil, fmt.Errorf("the question is no JSON that is known: %w", err)
	case q == nil:
		return nil, errors.New("the question is no JSON that is known: null in the place " +
			"of an object")
	}
	switch _, err := d.Token(); {
	case err == nil:
		return nil, errors.New("there is more than one question")
	case !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("behind the question: %w", err)
	}
	return q, nil
}

// answer answers a question.
func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	q, err := s.question(r)
	if err != nil {
		fail(w, err)
		return
	}
	m := s.models.acquire()
	defer s.models.release(m)
	ctx, cancel := context.WithTimeout(r.Context(), s.timeout)
	defer cancel()
	var a *answer
	switch plain := q.User == "" && q.Beam == 0 && q.Temperature == 0 && q.Max == 0; {
	case q.User != "" && !m.steps:
		err = bad(fmt.Errorf("a %s keeps no state of users", m.model.Architecture()))
	case q.Stream && m.alone == nil:
		err = bad(fmt.Errorf("a %s writes no text that could be streamed", m.model.Architecture()))
	case q.Stream:
		s.stream(ctx, w, m, q)
		return
	case m.batch != nil && (plain || m.alone == nil):
		if err = m.check(q); err == nil {
			a, err = m.batch.ask(ctx, q)
		}
	default:
		a, err = s.one(ctx, m, q, nil)
	}
	if err != nil {
		fail(w, err)
		return
	}
	a.Model = m.version
	writeJSON(w, http.StatusOK, a)
}

// one answers one question in a slot of its own, from the state of its user.
func (s *server) one(ctx context.Context, m *serving, q *question,
	say func(part string)) (a *answer, err error) {
	if s.waits.Add(1) > int64(s.waiting+s.slots) {
		s.waits.Add(-1)
		return nil, errBusy
	}
	defer s.waits.Add(-1)
	var state zoo.State // before, and then after
	if q.User != "" {
		u, took := s.users.take(ctx, q.User)
		if took != nil {
			return nil, took
		}
		kept := u.state
		defer func() {
			if err == nil {
				if kept, err = state.MarshalBinary(); err != nil {
					kept = u.state
				}
			}
			s.users.release(u, kept)
		}()
		if err = state.UnmarshalBinary(u.state); err != nil {
			return nil, err
		}
	}
	select {
	case s.slot <- struct{}{}:
		defer func() { <-s.slot }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	a, after, err := m.alone(ctx, q, state, say)
	forgot := false
	if errors.Is(err, zoo.ErrMisfit) && !state.Empty() { // the model was replaced since
		forgot = true
		s.count.add(1, "seqzoo_forgotten_states_total")
		a, after, err = m.alone(ctx, q, zoo.State{}, say)
	}
	if err != nil {
		return nil, err
	}
	a.Forgot, state = forgot, after
	return a, nil
}

// stream answers by server-sent events: a "part" for each part of the text, then the answer as
// "done", or an "error". What is written waits in memory, so that a client who reads slowly keeps
// nobody else waiting; one who reads nothing at all is given up.
func (s *server) stream(ctx context.Context, w http.ResponseWriter, m *serving, q *question) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type end struct {
		a   *answer
		err error
	}
	parts, done := make(chan string, s.tokens+1), make(chan end, 1)
	go func() {
		var e end
		defer func() {
			if p := recover(); p != nil {
				s.count.add(1, "seqzoo_panics_total")
				e = end{nil, fmt.Errorf("a panic: %v", p)}
			}
			close(parts) // in any case: the parts are waited for
			done <- e
		}()
		e.a, e.err = s.one(ctx, m, q, func(part string) { parts <- part })
	}()
	out := http.NewResponseController(w)
	begun := false
	event := func(kind string, what any) bool {
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(http.StatusOK)
		}
		content, err := json.Marshal(what)
		if err != nil {
			return false
		}
		_ = out.SetWriteDeadline(time.Now().Add(s.write)) // all servers of net/http can
		_, err = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", kind, content)
		return err == nil && out.Flush() == nil
	}
	for part := range parts {
		s.count.add(1, "seqzoo_written_parts_total")
		if !event("part", part) {
			cancel()
			for range parts { // until it has noticed
			}
			break
		}
	}
	last := <-done
	switch {
	case last.err != nil && !begun:
		fail(w, last.err)
	case last.err != nil:
		event("error", map[string]string{"error": firstLine(last.err)})
	default:
		last.a.Model = m.version
		event("done", last.a)
	}
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
