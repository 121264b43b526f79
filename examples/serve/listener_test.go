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

	"github.com/stretchr/testify/require"
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
			fmt.Fprintf(c, "POST /v1/answer HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
				"Transfer-Encoding: chunked\r\n%s\r\n", header)
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
