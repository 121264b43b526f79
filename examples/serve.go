package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/seqzoo/seqzoo/course"
)

// show serves the course until it is interrupted, and opens a browser where there is one.
func (r runner) show(ctx context.Context) error {
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		return err
	}
	address := "http://" + listener.Addr().String() + "/"
	fmt.Fprintf(r.stdout, "the course is at %s; Ctrl-C ends it\n", address)
	server := &http.Server{Handler: r.handler(), ReadHeaderTimeout: 10 * time.Second}
	go browse(address)
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}

// handler writes pages from the chapters as they are now, builds what the living page loads when it
// is asked for, and gives other files from docs/course.
func (r runner) handler() http.Handler {
	files := http.FileServer(http.Dir(filepath.Join(r.root, "docs", "course")))
	living := livingFiles{root: r.root}
	r.built = true
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		name := strings.TrimPrefix(q.URL.Path, "/")
		if name == "" {
			language := "en"
			if strings.HasPrefix(q.Header.Get("Accept-Language"), "ja") {
				language = "ja"
			}
			http.Redirect(w, q, course.PageName(course.Index, language, "html"), http.StatusFound)
			return
		}
		if name == livingProgram || name == livingStarter {
			// Built to its end, even if the reader turns away meanwhile.
			content, err := living.file(context.WithoutCancel(q.Context()), name)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			http.ServeContent(w, q, name, time.Time{}, bytes.NewReader(content))
			return
		}
		body, err := r.page(name)
		switch {
		case errors.Is(err, errNoPage):
			files.ServeHTTP(w, q)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Write(body)
		}
	})
}

var errNoPage = errors.New("no page of a chapter")

func (r runner) page(name string) ([]byte, error) {
	parts := strings.Split(name, ".")
	if len(parts) != 3 || parts[2] != "html" || !slices.Contains(course.Languages(), parts[1]) {
		return nil, errNoPage
	}
	k, err := r.course()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if parts[0] == course.Index {
		err := k.WriteIndex(&b, parts[1])
		return b.Bytes(), err
	}
	for _, c := range k.Chapters {
		if c.Name == parts[0] {
			err := c.WriteHTML(&b, parts[1], course.PageName(course.Index, parts[1], "html"))
			return b.Bytes(), err
		}
	}
	for _, leaf := range k.Leaves {
		if leaf.Name == parts[0] {
			err := k.WriteLeaf(&b, parts[0], parts[1], parts[2])
			return b.Bytes(), err
		}
	}
	return nil, errNoPage
}

// browse opens the system's browser; where there is none, the address has been printed.
func browse(address string) {
	open := map[string][]string{"darwin": {"open"}, "windows": {"rundll32",
		"url.dll,FileProtocolHandler"}}[runtime.GOOS]
	if open == nil {
		open = []string{"xdg-open"}
	}
	exec.Command(open[0], append(open[1:], address)...).Run() // says nothing if there is no browser
}
