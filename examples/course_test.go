package main

import (
	"bytes"
	"context"
	"flag"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/course"
)

// The committed pages and notebooks are those that the records and the prose give.
func TestPagesAreFresh(t *testing.T) {
	k, err := runner{root: ".."}.course()
	require.NoError(t, err)
	require.NotEmpty(t, k.Chapters)
	fresh := t.TempDir()
	require.NoError(t, k.WriteFiles(fresh))
	entries, err := os.ReadDir(fresh)
	require.NoError(t, err)
	for _, e := range entries {
		want, err := os.ReadFile(filepath.Join(fresh, e.Name()))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join("..", "docs", "course", e.Name()))
		require.NoError(t, err, "go run ./examples -render")
		require.True(t, bytes.Equal(want, got),
			"docs/course/%s is stale: go run ./examples -render", e.Name())
	}
}

// keyed is a figure in a document, with the chapter and the value that it comes from.
var keyed = regexp.MustCompile(`([^\s|]+)\s*<!-- =([0-9a-z-]+)/([A-Za-z0-9_.-]+) -->`)

// A figure in a document that names a chapter's value is that value.
func TestFiguresOfDocuments(t *testing.T) {
	k, err := runner{root: ".."}.course()
	require.NoError(t, err)
	values := map[string]string{}
	for _, c := range k.Chapters {
		if c.Record == nil {
			continue
		}
		for name, v := range c.Record.Values {
			values[c.Name+"/"+name] = v
		}
	}
	found := 0
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".md" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range keyed.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(path, "design") { // says how it is written
				continue
			}
			found++
			key := m[2] + "/" + m[3]
			require.Contains(t, values, key, "%s: no record has this value", path)
			require.Equal(t, values[key], strings.Trim(m[1], "*(,"), "%s: %s", path, key)
		}
		return nil
	}))
	require.Positive(t, found)
}

// The list names every chapter and how long it takes, in both languages.
func TestList(t *testing.T) {
	for _, l := range course.Languages() {
		var out, messages bytes.Buffer
		require.NoError(t, run(context.Background(), []string{"-lang", l}, &out, &messages))
		require.Contains(t, out.String(), "01-rnn-bptt")
		require.NotContains(t, out.String(), "$")
	}
	for _, args := range [][]string{{"nosuch"}, {"-nosuch"}, {"-lang", "fr"}, {"-record"},
		{"-record", "-quick", "01"}, {"01", "-record", "-quick"}, {"07", "-nosuch"}, {"0"}, {""},
		{"99"}, {"-quick", "-full", "01"}, {"-serve", "01"}, {"-serve", "-render"}} {
		var usage usageError
		err := run(context.Background(), args, &bytes.Buffer{}, &bytes.Buffer{})
		require.ErrorAs(t, err, &usage, args)
	}
}

// Chapters are named in any way that says which, and flags may stand behind the names.
func TestNames(t *testing.T) {
	r := runner{root: ".."}
	for a, want := range map[string]string{"01": "01-rnn-bptt", "1": "01-rnn-bptt",
		"07-w": "07-word2vec", "7": "07-word2vec", "10": "10-attention",
		"./examples/10-attention": "10-attention", "examples/12-autoencoder/": "12-autoencoder"} {
		names, err := r.names([]string{a})
		require.NoError(t, err, a)
		require.Equal(t, []string{want}, names, a)
	}
	f := flag.NewFlagSet("", flag.ContinueOnError)
	quick, language := f.Bool("quick", false, ""), f.String("lang", "en", "")
	rest, err := parse(f, []string{"07", "-quick", "08", "-lang", "ja", "09"})
	require.NoError(t, err)
	require.Equal(t, []string{"07", "08", "09"}, rest)
	require.True(t, *quick)
	require.Equal(t, "ja", *language)
}

// The server gives the table of contents in the reader's language, and every page that it links to.
func TestServer(t *testing.T) {
	s := httptest.NewServer(runner{root: ".."}.handler())
	defer s.Close()
	get := func(address, language string) (int, string) {
		request, err := http.NewRequest(http.MethodGet, address, nil)
		require.NoError(t, err)
		request.Header.Set("Accept-Language", language)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		var b bytes.Buffer
		_, err = b.ReadFrom(response.Body)
		require.NoError(t, err)
		return response.StatusCode, b.String()
	}
	for _, l := range course.Languages() {
		code, index := get(s.URL, l)
		require.Equal(t, http.StatusOK, code)
		require.True(t, strings.Contains(index, `<html lang="`+l+`"`))
		links := regexp.MustCompile(`href="([^":]+\.html)"`).FindAllStringSubmatch(index, -1)
		require.Greater(t, len(links), 1)
		for _, m := range links {
			code, _ := get(s.URL+"/"+m[1], l)
			require.Equal(t, http.StatusOK, code, m[1])
		}
	}
	code, _ := get(s.URL+"/01-rnn-bptt.ja.ipynb", "")
	require.Equal(t, http.StatusOK, code)
	for _, name := range []string{"nosuch.en.html", "index.fr.html", "01-rnn-bptt.fr.html",
		"living.fr.html"} {
		code, _ = get(s.URL+"/"+name, "")
		require.Equal(t, http.StatusNotFound, code, name)
	}
}
