package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
)

// A client who sends more than is taken, in chunks, reads why, and then that the server has ended,
// though it goes on sending.
func TestTooMuchInChunks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model")
	require.NoError(t, languageModel(1).Save(path))
	s := defaults(path)
	s.body = 1000
	srv, err := s.newServer(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.run(ctx, srv, l, nil) }()
	for _, header := range []string{"", "Expect: 100-continue\r\n"} {
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		var sending sync.WaitGroup
		sending.Go(func() {
			fmt.Fprintf(c, "POST /v1/answer HTTP/1.1\r\nHost: x\r\nContent-Type: "+
				"application/json\r\nTransfer-Encoding: chunked\r\n%s\r\n", header)
			chunk := "8000\r\n" + strings.Repeat(" ", 0x8000) + "\r\n"
			for err := error(nil); err == nil; { // until nobody reads
				_, err = io.WriteString(c, chunk)
			}
		})
		read := bufio.NewReader(c)
		r, err := http.ReadResponse(read, nil)
		for err == nil && r.StatusCode == http.StatusContinue {
			r, err = http.ReadResponse(read, nil)
		}
		require.NoError(t, err, header)
		status, body := content(t, r)
		require.Equal(t, http.StatusRequestEntityTooLarge, status)
		require.Contains(t, body, "more than 1000 bytes")
		rest, err := io.ReadAll(read)
		require.NoError(t, err, header)
		require.Empty(t, rest)
		require.NoError(t, c.Close())
		sending.Wait()
	}
	stop()
	require.NoError(t, <-ended)
}

// A panic of a model ends its answer, and no more.
func TestPanic(t *testing.T) {
	srv, h := started(t, languageModel(1), nil)
	srv.models.now.alone = func(_ context.Context, _ *question, state zoo.State,
		say func(string)) (*answer, zoo.State, error) {
		if say != nil {
			say("so far")
		}
		panic("no model")
	}
	client := &http.Client{Timeout: 2 * time.Minute}
	for range 20 { // more than there are slots
		for body, want := range map[string]string{
			`{"text": "play", "max": 3, "stream": true}`: "event: error",
			`{"text": "play", "max": 3, "user": "ann"}`:  "",
		} {
			r, err := client.Post(h.URL+"/v1/answer", "application/json", strings.NewReader(body))
			require.NoError(t, err)
			_, said := content(t, r)
			require.Contains(t, said, want)
		}
	}
	require.Zero(t, srv.waits.Load())
	_, metrics := get(t, h.URL+"/metrics")
	require.Contains(t, metrics, "seqzoo_panics_total 40")
}
