package course_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/plot"
)

// small is a chapter of two cells, as its files.
func small() fstest.MapFS {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	return fstest.MapFS{
		"main.go": file(`// Command small is a chapter.
package main

import "example.com/course"

//go:embed *.go *.md
var files embed.FS

func main() { course.Main(files, first, second) }

const n = 3 // of the first cell

// first counts.
func first(p *course.Page) error { return nil }

// helper is shown with the second cell.
func helper(s string) string { return "<" + s + ">" }

func second(p *course.Page) error { return nil }
`),
		"rest.go": file("package main\n\nimport \"fmt\"\n\n// shown last\nvar _ = fmt.Sprint\n"),
		"en.md":   file(smallEnglish),
		"ja.md":   file(smallJapanese),
	}
}

const smallEnglish = `# Small

## question

Why?

## first

It counts to {{count}}, ` + "`$x$`" + ` and $\frac{a}{b}$.

## second

| a | b |
|---|---|
| 1 | 2 |

## answer

- **Why?** {{count}}.

## exercise

Count on [another page](../../docs/course/other.en.md).
`

const smallJapanese = `# 小さな章

## question

なぜ
ですか。

## first

{{count}} まで数えます。

## second

絵です。

## answer

- {{count}}。

## exercise

数えてください。

## words

- loss == 損失
- step == ステップ
- after {} steps: {} == {2} は {1} ステップ後
- LSTM
- a picture == 絵
- it holds == 成り立つ
- Curve == 曲線
- spread == 広がり
`

func first(p *course.Page) error {
	kept, err := course.Once(p, "kept", func() ([]int, error) {
		return []int{course.Pick(p, 3, 30, 300)}, nil
	})
	if err != nil {
		return err
	}
	p.Printf("after %d steps: %s\n", kept[0], "loss")
	p.Value("count", "%d", kept[0])
	p.Verbatim("the model's <own> words")
	return nil
}

func second(p *course.Page) error {
	kept, err := course.Once(p, "kept", func() ([]int, error) {
		return nil, errors.New("computed twice")
	})
	if err != nil {
		return err
	}
	p.Table("loss", []string{"step", "LSTM"}, []any{kept[0], course.Digits(0.123456, 3)},
		[]any{2, "–"})
	p.Plot(&plot.Plot{Title: "Curve", X: "step", Y: "loss",
		Curves: []plot.Curve{{Name: "LSTM", X: plot.Values{1, 2}, Y: plot.Values{1, math.NaN()}}}})
	p.Map(&plot.Map{Title: "spread", Values: plot.Matrix{{1, 2}}})
	p.Image(image.NewGray(image.Rect(0, 0, 2, 2)), "a picture", 20)
	p.Claim("it holds", true)
	return nil
}

func ran(t *testing.T, files fstest.MapFS, cells ...course.Cell) (*course.Chapter, string, error) {
	t.Helper()
	c, err := course.New("00-small", files, cells...)
	require.NoError(t, err)
	var story bytes.Buffer
	_, err = c.Run(t.Context(), course.Options{Size: course.Lesson, Language: "ja", Story: &story})
	return c, story.String(), err
}

func TestChapter(t *testing.T) {
	c, story, err := ran(t, small(), first, second)
	require.NoError(t, err)
	require.NoError(t, c.Check())
	for _, s := range []string{"小さな章", "損失 は 30 ステップ後", "30 まで数えます", "✓ 成り立つ",
		"the model's <own> words", "[絵]"} {
		require.Contains(t, story, s)
	}
	var page bytes.Buffer
	require.NoError(t, c.WriteHTML(&page, "ja", "index.ja.html"))
	html := page.String()
	for _, s := range []string{`lang="ja"`, "なぜですか。", `href="index.ja.html"`,
		`href="00-small.en.html"`, "the model&#39;s &lt;own&gt; words",
		"<title>小さな章</title>", `aria-label="曲線"`, `alt="絵"`, `class="answer"`,
		"helper is shown with the second cell", "shown last"} {
		require.True(t, strings.Contains(html, s), s)
	}
	require.False(t, strings.Contains(html, "embed.FS"))
	require.False(t, strings.Contains(html, "{{"))
	require.Empty(t, regexp.MustCompile(`(?:src|href)="(?:https?:)?//`).FindString(html),
		"needs a network")
	page.Reset()
	require.NoError(t, c.WriteHTML(&page, "en", ""))
	require.True(t, strings.Contains(page.String(),
		"<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>"))
	require.True(t, strings.Contains(page.String(), "<code>$x$</code>"))
	require.True(t, strings.Contains(page.String(), `href="other.en.html"`))
	var notebook bytes.Buffer
	require.NoError(t, c.WriteNotebook(&notebook, "en"))
	require.True(t, strings.Contains(notebook.String(), "](other.en.md)"))
}

// A record is read back as it was written, and the pages of both are the same.
func TestRecord(t *testing.T) {
	files := small()
	c, _, err := ran(t, files, first, second)
	require.NoError(t, err)
	folder := t.TempDir()
	for name, f := range files {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), f.Data, 0o666))
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "record.json"),
		course.Encode(t, c.Record), 0o666))
	again, err := course.Open(folder)
	require.NoError(t, err)
	again.Name = c.Name
	require.Equal(t, c.Sources(), again.Sources())
	for _, l := range course.Languages() {
		var one, two bytes.Buffer
		require.NoError(t, c.WriteNotebook(&one, l))
		require.NoError(t, again.WriteNotebook(&two, l))
		require.Equal(t, one.String(), two.String())
		one.Reset()
		two.Reset()
		require.NoError(t, c.WriteHTML(&one, l, ""))
		require.NoError(t, again.WriteHTML(&two, l, ""))
		require.Equal(t, one.String(), two.String())
	}
	files["main.go"].Data = append(files["main.go"].Data, "\n// changed\n"...)
	changed, err := course.New("00-small", files)
	require.NoError(t, err)
	require.NotEqual(t, c.Sources(), changed.Sources())
	files["en.md"].Data = append(files["en.md"].Data, "\nMore prose.\n"...)
	prose, err := course.New("00-small", files)
	require.NoError(t, err)
	require.Equal(t, changed.Sources(), prose.Sources(), "prose makes no record stale")
	for _, bad := range []string{"{", `{"Nothing": 1}`,
		`{"Cells": [{"Outputs": [{"Table": {}}]}]}`} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "record.json"), []byte(bad), 0o666))
		_, err = course.Open(folder)
		require.ErrorContains(t, err, "record.json", bad)
	}
}

// What is missing and what is surplus is told by name.
func TestMistakes(t *testing.T) {
	for _, row := range []struct{ want, file, from, to string }{
		{"the sections are question, first, answer, exercise; want question, first, second",
			"en.md", "## second\n\n", ""},
		{"want question, first, second, answer, exercise", "ja.md", "## answer",
			"## third\n\n## answer"},
		{`nothing prints or draws "unused"`, "ja.md", "- LSTM", "- unused == x\n- LSTM"},
		{`there is no line for "a picture"`, "ja.md", "- a picture == 絵\n", ""},
		{`no line for "after 30 steps: loss"`, "ja.md",
			"- after {} steps: {} == {2} は {1} ステップ後\n", ""},
		{"the run gave no value for {{counted}}", "en.md", "{{count}}", "{{counted}}"},
	} {
		files := small()
		replace(row.file, row.from, row.to)(files)
		c, _, err := ran(t, files, first, second)
		require.NoError(t, err)
		require.ErrorContains(t, c.Check(), row.want)
	}
	for want, change := range map[string]func(fstest.MapFS){
		"has 2 places, its translation 1": replace("ja.md", "{2} は {1} ステップ後", "{1}"),
		`a second section "first"`:        replace("ja.md", "## second", "## first"),
		"the first line is no title":      replace("ja.md", "# 小さな章", "小さな章"),
		"of the form - text":              replace("ja.md", "- LSTM", "LSTM"),
		"ja.md":                           func(f fstest.MapFS) { delete(f, "ja.md") },
		"no function of the form": func(f fstest.MapFS) {
			f["main.go"].Data = []byte("package main\n")
		},
		"expected 'package'": func(f fstest.MapFS) { f["main.go"].Data = []byte("x") },
	} {
		files := small()
		change(files)
		_, err := course.New("00-small", files)
		require.ErrorContains(t, err, want)
	}
	_, err := course.New("00-small", small(), first, nil)
	require.ErrorContains(t, err, "00-small: cell 1 is nil")
	c, _, err := ran(t, small(), second)
	require.ErrorContains(t, err, "computed twice")
	require.ErrorContains(t, c.Check(),
		"cell 1 is second; in main.go the functions of cells, in order, are first, second")
}

func replace(name, from, to string) func(fstest.MapFS) {
	return func(f fstest.MapFS) {
		f[name].Data = bytes.ReplaceAll(f[name].Data, []byte(from), []byte(to))
	}
}

// What a cell does wrong ends the run, with the cell's name.
func TestCellsGoWrong(t *testing.T) {
	for want, does := range map[string]course.Cell{
		"the claim does not hold: two is one": func(p *course.Page) error {
			p.Claim("two is one", false)
			return nil
		},
		"given twice": func(p *course.Page) error {
			p.Value("a", "1")
			p.Value("a", "2")
			return nil
		},
		"row 0 of the table": func(p *course.Page) error {
			p.Table("", []string{"a", "b"}, []any{1})
			return nil
		},
		"no glyph": func(p *course.Page) error {
			p.Plot(&plot.Plot{Title: "😭"})
			return nil
		},
		"neither Alt nor Title": func(p *course.Page) error { p.Plot(&plot.Plot{}); return nil },
		"an image needs": func(p *course.Page) error {
			p.Image(nil, "", 0)
			return nil
		},
		"own error":       func(p *course.Page) error { return errors.New("own error") },
		"the plot is nil": func(p *course.Page) error { p.Plot(nil); return nil },
	} {
		_, _, err := ran(t, small(), does)
		require.ErrorContains(t, err, want)
	}
	c, err := course.New("00-small", small(), first, second)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err = c.Run(ctx, course.Options{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = c.Run(t.Context(), course.Options{Language: "fr"})
	require.ErrorContains(t, err, `not written in "fr"; languages are en, ja`)
}

func TestDigits(t *testing.T) {
	for want, v := range map[string]float64{"0": 0, "1.23": 1.2345, "−0.00500": -0.005,
		"123456": 123456, "1.2·10⁻⁵": 1.2e-5, "5.0·10⁷": 5e7,
		"NaN": math.NaN(), "−∞": math.Inf(-1)} {
		n := 3
		if strings.Contains(want, "·") {
			n = 2
		}
		require.Equal(t, want, strings.Replace(course.Digits(v, n), "-", "−", 1))
	}
}
