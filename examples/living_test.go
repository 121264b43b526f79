package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/course"
)

// The living page stands in all languages in the same words, all of which it uses, and asks no
// other host for anything.
func TestLivingPage(t *testing.T) {
	k, err := runner{root: ".."}.course()
	require.NoError(t, err)
	markup, err := livingSource.ReadFile("living/page.html")
	require.NoError(t, err)
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`\{\{\.Words\.(\w+)\}\}|words\.(\w+)|say\("(\w+)"`).
		FindAllStringSubmatch(string(markup), -1) {
		used[m[1]+m[2]+m[3]] = true
	}
	for _, l := range course.Languages() {
		for word := range livingWords[l] {
			require.True(t, used[word], "%s: %s", l, word)
		}
		for word := range used {
			require.NotEmpty(t, livingWords[l][word], "%s: %s", l, word)
		}
		var html, md, index bytes.Buffer
		require.NoError(t, k.WriteLeaf(&html, "living", l, "html"))
		require.NoError(t, k.WriteLeaf(&md, "living", l, "md"))
		require.NoError(t, k.WriteIndex(&index, l))
		require.Contains(t, html.String(), `<html lang="`+l+`"`)
		require.Contains(t, html.String(), course.PageName("02-initialisation", l, "html"))
		require.Contains(t, html.String(), `"`+livingProgram+`"`)
		require.Contains(t, html.String(), `"`+livingStarter+`"`)
		require.Contains(t, html.String(), "built =  false")
		require.NotRegexp(t, `(src|href)="?(https?:)?//`, html.String())
		require.Contains(t, md.String(), "go run ./examples -living")
		require.Contains(t, index.String(), course.PageName("living", l, "html"))
	}
	for word, en := range livingWords["en"] { // the same values in braces
		values := regexp.MustCompile(`\{\w+\}`)
		require.ElementsMatch(t, values.FindAllString(en, -1),
			values.FindAllString(livingWords["ja"][word], -1), word)
	}
	_, err = living(true).Live("fr")
	require.Error(t, err)
}

// The program is whole when it is opened again.
func TestLivingCompressed(t *testing.T) {
	for _, file := range [][]byte{{}, []byte("\x00asm"), bytes.Repeat([]byte("program "), 1<<17)} {
		b, err := compressed(file)
		require.NoError(t, err)
		r, err := gzip.NewReader(bytes.NewReader(b))
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.True(t, bytes.Equal(file, got))
	}
}

// What starts a program of Go in a browser comes from the Go that is there. The program itself
// takes too long to link: the gate compiles it.
func TestLivingStarter(t *testing.T) {
	s := httptest.NewServer(runner{root: ".."}.handler())
	defer s.Close()
	page, err := runner{root: "..", built: true}.page(course.PageName("living", "ja", "html"))
	require.NoError(t, err)
	require.Contains(t, string(page), "built =  true")
	response, err := http.Get(s.URL + "/" + livingStarter)
	require.NoError(t, err)
	defer response.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, b.String())
	require.Contains(t, b.String(), "globalThis.Go")
	require.Contains(t, response.Header.Get("Content-Type"), "javascript")

	files := livingFiles{root: t.TempDir()}
	_, err = files.file(context.Background(), livingProgram)
	require.ErrorContains(t, err, livingProgram+": go build")
	for _, args := range [][]string{{"-living"}, {"-living", t.TempDir(), "-serve"},
		{"-living", t.TempDir(), "01"}} {
		var usage usageError
		require.ErrorAs(t, run(context.Background(), args, &b, &b), &usage)
	}
}
