// Serve answers questions by any saved model over HTTP: JSON in and out, text streamed as it is
// written, a state for each user, batches of what arrives together, and a new model in the place of
// the old one while it serves. See docs/serving.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/seqzoo/seqzoo/examples/cli"
)

const about = `serve answers questions by a saved model over HTTP.

    serve -model model                  # then open http://127.0.0.1:8080
    serve -trial 60s -clients 200       # a server of its own on trial: see docs/serving.md`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cli.Main("serve", func(args []string, out io.Writer) error {
		return serve(ctx, args, out, os.Stderr)
	})
}

// settings are the flags of the server.
type settings struct {
	limits
	model, address     string
	reload, grace      time.Duration
	batch, connections int
	userBytes          int
	userAfter          time.Duration
	quick              bool
	trial              trial
}

func (s *settings) flags(f *flag.FlagSet) {
	f.StringVar(&s.model, "model", "",
		"directory of the model, or the model as one .zip file; required")
	f.StringVar(&s.address, "address", "127.0.0.1:8080", "where to listen")
	f.DurationVar(&s.reload, "reload", 2*time.Second,
		"how often to look for a new model in the same place; 0: only at SIGHUP")
	f.DurationVar(&s.grace, "grace", 20*time.Second,
		"how long to wait for answers when it is ended")
	f.IntVar(&s.batch, "together", 32, "questions that are answered together at most")
	f.IntVar(&s.connections, "connections", 2000, "that are open at a time")
	f.IntVar(&s.userBytes, "user-memory", 64<<20, "bytes for the states of users")
	f.DurationVar(&s.userAfter, "user-after", time.Hour, "after which a user is forgotten")
	f.Int64Var(&s.body, "max-body", 1<<20, "bytes of a request")
	f.IntVar(&s.text, "max-text", 64<<10, "bytes of a text")
	f.IntVar(&s.tokens, "max-tokens", 512, "tokens that are written for one question")
	f.DurationVar(&s.timeout, "timeout", 30*time.Second, "of a request")
	f.DurationVar(&s.write, "slow", 10*time.Second, "that a client may take to read a part")
	f.IntVar(&s.slots, "slots", 2*runtime.GOMAXPROCS(0), "questions that are worked on at a time")
	f.IntVar(&s.waiting, "waiting", 1000, "questions that wait for that")
	f.DurationVar(&s.trial.length, "trial", 0,
		"put a server with models of its own on trial for so long, and print what was seen")
	f.IntVar(&s.trial.clients, "clients", 200, "that ask at a time in the trial")
	f.IntVar(&s.trial.hidden, "hidden", 64, "units of the models of the trial")
	f.BoolVar(&s.quick, "quick", false,
		"a tiny run of a few seconds, to see that everything works:\na trial")
}

// defaults are the settings for a model.
func defaults(model string) *settings {
	s := &settings{}
	s.flags(flag.NewFlagSet("", flag.ContinueOnError))
	s.model = model
	return s
}

func (s *settings) check() error {
	for name, n := range map[string]int64{"together": int64(s.batch),
		"connections": int64(s.connections),
		"user-memory": int64(s.userBytes), "max-body": s.body, "max-text": int64(s.text),
		"max-tokens": int64(s.tokens), "slots": int64(s.slots), "waiting": int64(s.waiting),
		"timeout": int64(s.timeout), "slow": int64(s.write), "user-after": int64(s.userAfter)} {
		if n < 1 {
			return cli.Usagef("-%s must be above 0", name)
		}
	}
	if s.model == "" {
		return cli.Usagef("-model is missing: the directory of a saved model")
	}
	return nil
}

// newServer loads the model and makes the server that answers by it.
func (s *settings) newServer(log *slog.Logger) (*server, error) {
	count := newMetrics()
	m := &models{path: s.model, count: count, most: s.batch, wait: s.waiting}
	if err := m.load(); err != nil {
		return nil, err
	}
	return &server{limits: s.limits, models: m, users: newUsers(s.userBytes, s.userAfter),
		count: count, log: log}, nil
}

// serve serves until ctx ends, and then waits for the answers that are on their way.
func serve(ctx context.Context, args []string, out, messages io.Writer) error {
	var s settings
	f := flag.NewFlagSet("serve", flag.ContinueOnError)
	s.flags(f)
	if err := cli.Parse(f, args, about, out); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return cli.Usagef("%q is not a flag", f.Arg(0))
	}
	if s.quick {
		s.trial.length, s.trial.clients, s.trial.hidden = time.Second, 16, 8
	}
	if s.trial.length != 0 {
		return s.trial.command(ctx, out, messages)
	}
	if err := s.check(); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(messages, nil))
	srv, err := s.newServer(log)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		return err
	}
	m := srv.models.acquire()
	log.Info("serving", "architecture", m.model.Architecture(), "version", m.version, "at",
		"http://"+l.Addr().String())
	srv.models.release(m)
	hup := make(chan os.Signal, 1)
	if len(reloadSignals) > 0 { // of none, Notify would take all
		signal.Notify(hup, reloadSignals...)
		defer signal.Stop(hup)
	}
	return s.run(ctx, srv, l, hup)
}

// run serves on a listener until ctx ends.
func (s *settings) run(ctx context.Context, srv *server, l net.Listener, hup <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h := &http.Server{
		Handler:           srv.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       s.timeout,
		WriteTimeout:      s.timeout + 2*s.write, // a stream moves its own on
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(srv.log.Handler(), slog.LevelDebug),
	}
	var watching sync.WaitGroup
	watching.Go(func() { srv.models.watch(ctx, s.reload, hup, srv.log) })
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(&limited{l, make(chan struct{}, s.connections), &srv.open}) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		srv.draining.Store(true)
		srv.log.Info("ending", "in flight", srv.inFlight.Load())
		grace, stop := context.WithTimeout(context.Background(), s.grace)
		if err = h.Shutdown(grace); err != nil {
			h.Close()
			err = fmt.Errorf("%d answers were cut off: %w", srv.inFlight.Load(), err)
		}
		stop()
		<-failed
	}
	cancel()
	watching.Wait()
	last := srv.models.acquire()
	last.stop()
	srv.models.release(last)
	return err
}
