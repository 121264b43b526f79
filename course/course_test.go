package course_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"image"
	"io"
	"math"
	"os"
	"os/exec"
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

Count.
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

// In a notebook, where each cell is a process, what a cell computed is kept for the others in a
// file, and all that went wrong is told.
func TestShow(t *testing.T) {
	t.Setenv("GONB_TMP_DIR", t.TempDir())
	t.Setenv("GONB_PIPE", "")
	t.Setenv("COURSE_PROSE", "")
	computed := 0
	for range 2 {
		require.NoError(t, course.ShowCell(func(p *course.Page) error {
			kept, err := course.Once(p, "kept", func() ([]int, error) {
				computed++
				return []int{7}, nil
			})
			require.Equal(t, []int{7}, kept)
			return err
		}))
	}
	require.Equal(t, 1, computed)
	err := course.ShowCell(func(p *course.Page) error {
		p.Claim("two is one", false)
		p.Claim("one is none", false)
		return errors.New("own error")
	})
	for _, want := range []string{"two is one", "one is none", "own error"} {
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, course.ShowCell(nil), "there is no cell")
}

// Debian's nbformat finds nothing wrong with a notebook.
func TestNotebook(t *testing.T) {
	c, _, err := ran(t, small(), first, second)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "small.ipynb")
	var b bytes.Buffer
	require.NoError(t, c.WriteNotebook(&b, "ja"))
	var n struct {
		Cells []struct {
			Type    string `json:"cell_type"`
			Source  string
			Outputs []struct{ Data map[string]string }
		}
	}
	require.NoError(t, json.Unmarshal(b.Bytes(), &n))
	require.Equal(t, "markdown", n.Cells[0].Type)
	require.Contains(t, n.Cells[len(n.Cells)-3].Source, "%%\ncourse.Show(second)")
	require.Contains(t, b.String(), `"image/png"`)
	require.NotContains(t, b.String(), "<svg")
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o666))
	if err := exec.Command("/usr/bin/python3", "-c", "import nbformat").Run(); err != nil {
		t.Skip("there is no python3-nbformat")
	}
	out, err := exec.Command("/usr/bin/python3", "-W", "error", "-c",
		"import nbformat, sys; nbformat.validate(nbformat.read(sys.argv[1], 4))",
		file).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// What the other files use of main.go comes before them, as each cell of a notebook is compiled
// with what stands above it.
func TestNotebookDeclaresAhead(t *testing.T) {
	files := small()
	replace("main.go", "const n = 3", "type table struct{}\n\n"+
		"func (table) Size() int { return n }\n\nconst unused = 1\n\nconst n = 3")(files)
	files["rest.go"].Data = []byte("package main\n\nfunc used() int { return table{}.Size() }\n")
	c, err := course.New("00-small", files)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, c.WriteNotebook(&b, "en"))
	var n struct{ Cells []struct{ ID, Source string } }
	require.NoError(t, json.Unmarshal(b.Bytes(), &n))
	require.Equal(t, "declarations", n.Cells[2].ID)
	at := 0
	for _, want := range []string{"import ", "type table struct{}", "func (table) Size()",
		"const n = 3", "func used() int"} {
		i := strings.Index(n.Cells[2].Source, want)
		require.Greater(t, i+1, at, want)
		at = i
	}
	require.NotContains(t, n.Cells[2].Source, "unused")
	require.NotContains(t, n.Cells[2].Source, "helper")

	// what an earlier cell uses comes before it, wherever it stands
	files["main.go"].Data = bytes.Replace(files["main.go"].Data, []byte("{ return nil }"),
		[]byte("{ helper(\"\"); return nil }"), 1)
	c, err = course.New("00-small", files)
	require.NoError(t, err)
	b.Reset()
	require.NoError(t, c.WriteNotebook(&b, "en"))
	n.Cells = nil
	require.NoError(t, json.Unmarshal(b.Bytes(), &n))
	require.Contains(t, n.Cells[2].Source, "func helper(")
}

// A notebook's cell reads the files that the program embeds.
func TestNotebookEmbeds(t *testing.T) {
	files := small()
	files["rest.go"].Data = []byte("package main\n\nimport _ \"embed\"\n\n// some data\n//\n" +
		"//go:embed data.txt\nvar data []byte\n")
	c, err := course.New("00-small", files)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, c.WriteNotebook(&b, "en"))
	require.Contains(t, b.String(), `var data = course.Embedded(\"00-small\", \"data.txt\")`)

	root := t.TempDir()
	for _, dir := range []string{"examples/00-small", "docs/course"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, "examples/00-small/data.txt"),
		[]byte("content"), 0o644))
	t.Setenv("GONB_DIR", filepath.Join(root, "docs/course"))
	require.Equal(t, "content", string(course.Embedded("00-small", "data.txt")))
	require.Nil(t, course.Embedded("00-small", "nothing.txt"))
}

// Formulas become MathML that parses, and text; what is not known is an error.
func TestMath(t *testing.T) {
	for tex, text := range map[string]string{
		`h_t = \tanh(x_t W)`:               "h_t = tanh(x_tW)",
		`\frac{1}{2} \sum_t^T y^2`:         "1/2∑_t^Ty^2",
		`\sqrt{x+1}`:                       "√(x + 1)",
		`\hat y_{t-1}`:                     "y\u0302_(t−1)",
		`\text{a b}\quad \mathrm{diag}(z)`: "a b diag(z)",
		`\|g\| \le 1`:                      "‖g‖ ≤ 1",
		`\vec a \dot b`:                    "a\u20d7b\u0307",
		"":                                 "",
	} {
		markup, err := course.MathML(tex, true)
		require.NoError(t, err, tex)
		d := xml.NewDecoder(strings.NewReader(markup))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else {
				require.NoError(t, err, markup)
			}
		}
		if tex != "" {
			require.Equal(t, text, strings.TrimSpace(course.Plain("$"+tex+"$")))
		}
	}
	markup, err := course.MathML(`\begin{aligned} a &= b \\ c_1 &= d \end{aligned}`, true)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(markup, "<mtr>"))
	require.Equal(t, 4, strings.Count(markup, "<mtd"))
	for tex, want := range map[string]string{
		`\nonsense`: `\nonsense is not among`, `{a`: `ends without "}"`, `a}`: "was not opened",
		`x^`: "ends where a term is missing",
		`_a`: "follows nothing", `a^b^c`: `a second "^"`, `\text a`: "in braces",
		`\text{a`: "without end", `\frac{a}`: "is missing",
		`\begin{matrix}\end{matrix}`: "matrix", `\begin{aligned} a`: `\end{aligned} is missing`,
	} {
		_, err := course.MathML(tex, false)
		require.ErrorContains(t, err, want, tex)
	}
}

func FuzzMath(f *testing.F) {
	f.Add(`\frac{\partial L}{\partial W} = \sum_{t=1}^T h_{t-1}^\top \delta_t`)
	f.Add(`\begin{aligned} a &= b \\ c \end{aligned}`)
	f.Fuzz(func(t *testing.T, tex string) {
		course.MathML(tex, false)
		course.Plain("$" + tex + "$")
	})
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
