package course

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"go/scanner"
	"go/token"
	"html"
	"html/template"
	"io"
	"regexp"
	"strings"

	"github.com/seqzoo/seqzoo/plot"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
)

//go:embed page.html
var pageText string

//go:embed page.css
var style string

var page = template.Must(template.New("page").Parse(pageText))

// pageData is what the template of a page is given.
type pageData struct {
	Language, Title, Name string
	Style                 template.CSS
	Words                 map[string]string
	Others                []pageLink // the same page in other languages
	Home                  pageLink
	Parts                 []pagePart
	Record                *Record
}

type pageLink struct{ Name, Address string }

// pagePart is a section of a page.
type pagePart struct {
	ID      string
	Prose   template.HTML
	Code    template.HTML
	Open    bool // the code is short enough to be read on the way
	Outputs []template.HTML
}

// frame are the words of a page that are no chapter's, by language.
var frame = map[string]map[string]string{
	"en": {"answer": "Answer", "exercise": "Exercise", "code": "Code",
		"rest": "The rest of the program", "home": "The course", "run": "To run it",
		"machine": "Recorded on", "seconds": "s", "took": "in", "size": "size",
		"not": "Not recorded yet.", "cpu": "processor time"},
	"ja": {"answer": "答え", "exercise": "練習問題", "code": "コード",
		"rest": "プログラムの残りの部分", "home": "講座の目次", "run": "自分で動かすには",
		"machine": "記録した環境", "seconds": "秒", "took": "所要時間", "size": "規模",
		"not": "まだ記録がありません。", "cpu": "CPU 時間"},
}

var languageNames = map[string]string{"en": "English", "ja": "日本語"}

// PageName is the name of the file of a chapter's page or notebook: NAME.ja.html, NAME.ja.ipynb.
func PageName(name, language, extension string) string {
	return name + "." + language + "." + extension
}

// WriteHTML writes the chapter as one page, which needs no other file and no network: home is the
// address of the table of contents, or "".
func (c *Chapter) WriteHTML(w io.Writer, language, home string) error {
	if w == nil {
		return errors.New("course: the writer is nil")
	}
	parts, err := c.parts(language, "html")
	if err != nil {
		return err
	}
	data := pageData{Language: language, Title: c.Title(language), Name: c.Name,
		Style: template.CSS(style), Words: frame[language], Record: c.Record,
		Home: pageLink{frame[language]["home"], home}, Others: otherLanguages(c.Name, language)}
	var errs []error
	for _, p := range parts {
		prose, err := markdown(p.prose)
		errs = append(errs, err)
		part := pagePart{ID: p.name, Prose: template.HTML(prose)}
		if p.code != "" {
			part.Code = template.HTML(highlight(p.code))
			part.Open = strings.Count(p.code, "\n") < 60
		}
		for i, o := range p.outputs {
			markup, err := o.markup(fmt.Sprintf("%s-%d", p.name, i))
			errs = append(errs, err)
			part.Outputs = append(part.Outputs, template.HTML(markup))
		}
		data.Parts = append(data.Parts, part)
	}
	var rest []string
	for _, f := range c.source.rest {
		rest = append(rest, "// "+f.name+"\n\n"+f.code)
	}
	if rest != nil {
		data.Parts = append(data.Parts, pagePart{ID: "rest",
			Code: template.HTML(highlight(strings.Join(rest, "\n\n")))})
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%s, %s: %w", c.Name, language, err)
	}
	return page.Execute(w, data)
}

// part is a section of a chapter in one language.
type part struct {
	name, prose, code string
	outputs           []Output
}

// parts says the chapter in a language: the question, the cells, the answer, the exercise. The
// extension is that of the pages which it links to.
func (c *Chapter) parts(language, extension string) ([]part, error) {
	if c == nil || c.prose[language] == nil {
		return nil, fmt.Errorf("course: there is no prose in the language %q; there is %s",
			language, strings.Join(Languages(), ", "))
	}
	var errs []error
	t := c.prose[language].translator()
	section := func(name string) part {
		text := c.prose[language].sections[name]
		if c.Record != nil {
			var err error
			text, err = c.section(language, name)
			errs = append(errs, err)
		}
		return part{name: name, prose: besidePage(joinLines(text), extension)}
	}
	parts := []part{section(question)}
	for i, cell := range c.source.cells {
		p := section(cell.name)
		p.code = cell.code
		if c.Record != nil && i < len(c.Record.Cells) && c.Record.Cells[i].Name == cell.name {
			for _, o := range c.Record.Cells[i].Outputs {
				p.outputs = append(p.outputs, t.output(o))
			}
		}
		parts = append(parts, p)
	}
	parts = append(parts, section(answer), section(exercise))
	if c.prose[language].words != nil {
		errs = append(errs, t.missing())
	}
	return parts, errors.Join(errs...)
}

// aPage is a link of a chapter's prose to another page of the course, as Markdown in the folder of
// the pages: so it leads there from the prose too.
var aPage = regexp.MustCompile(`\]\((?:\.\./)+[\w./-]*?([\w-]+\.[a-z]{2})\.md\)`)

// besidePage makes links to pages of the course those of a page that stands beside them. In HTML
// they are HTML; code hosts show Markdown.
func besidePage(prose, extension string) string {
	return aPage.ReplaceAllString(prose, "](${1}."+extension+")")
}

const wide = `([\x{3000}-\x{30ff}\x{4e00}-\x{9fff}\x{ff00}-\x{ffef}])`

var betweenWide = regexp.MustCompile(wide + ` *\n *` + wide)

// joinLines takes the line breaks away that stand between letters of Japanese, which would be shown
// as spaces.
func joinLines(text string) string {
	return betweenWide.ReplaceAllString(betweenWide.ReplaceAllString(text, "$1$2"), "$1$2")
}

var converter = goldmark.New(goldmark.WithExtensions(extension.Table))

// markdown makes HTML of prose. Formulas stand aside meanwhile: Markdown has other uses for _ and
// \.
func markdown(text string) (string, error) {
	var errs []error
	var formulas []string
	text = replaceMath(text, func(tex string, display bool) string {
		markup, err := mathML(tex, display)
		errs = append(errs, err)
		formulas = append(formulas, markup)
		return fmt.Sprintf("\ue000%d\ue001", len(formulas)-1)
	})
	var b bytes.Buffer
	errs = append(errs, converter.Convert([]byte(text), &b))
	out := b.String()
	for i, f := range formulas {
		out = strings.Replace(out, fmt.Sprintf("\ue000%d\ue001", i), f, 1)
	}
	return strings.ReplaceAll(strings.ReplaceAll(out, "<table>", `<div class="wide"><table>`),
			"</table>", "</table></div>"),
		errors.Join(errs...)
}

var ids = regexp.MustCompile(`[^A-Za-z0-9-]`)

// markup writes an output for a page.
func (o Output) markup(id string) (string, error) {
	switch {
	case o.Text != "":
		return `<pre class="text">` + html.EscapeString(strings.TrimSuffix(o.Text, "\n")) +
			"</pre>", nil
	case o.Verbatim != "":
		return `<pre class="text verbatim">` + html.EscapeString(strings.TrimSuffix(o.Verbatim,
			"\n")) + "</pre>", nil
	case o.Table != nil:
		return o.Table.markup(), nil
	case o.Image != nil:
		width := ""
		if o.Image.Width > 0 {
			width = fmt.Sprintf(` width="%d"`, o.Image.Width)
		}
		return fmt.Sprintf(
			`<figure id="%s"><img alt="%s"%s src="data:image/png;base64,%s"></figure>`,
			ids.ReplaceAllString(id, "-"), html.EscapeString(o.Image.Alt), width,
			base64.StdEncoding.EncodeToString(o.Image.PNG)), nil
	case o.Claim != nil:
		return fmt.Sprintf(`<p class="claim">%s %s</p>`, mark(o.Claim.Holds),
			html.EscapeString(o.Claim.Says)), nil
	}
	f := o.figure()
	if f == nil {
		return "", nil
	}
	return figureMarkup(f)
}

// phone is the width that a figure has on a phone, in pixels.
const phone = 372

// figureMarkup draws a figure for a desk and, if that is too wide for a phone, once more for a
// phone: shrunk to it, its letters would be too small to read. The style sheet shows one of them.
func figureMarkup(f plot.Figure) (string, error) {
	var b strings.Builder
	b.WriteString(`<figure>`)
	small := f.Narrowed(phone)
	if small == f {
		err := f.WriteSVG(&b)
		b.WriteString("</figure>")
		return b.String(), err
	}
	b.WriteString(`<div class="desk">`)
	err := f.WriteSVG(&b)
	b.WriteString(`</div><div class="phone">`)
	err = errors.Join(err, small.WriteSVG(&b))
	b.WriteString("</div></figure>")
	return b.String(), err
}

func (t Table) markup() string {
	var b strings.Builder
	right := numeric(t)
	cell := func(tag, s string, j int) {
		whole := 24 // columns, up to which a text is not broken into lines
		if tag == "th" {
			whole = 12
		}
		class := ""
		if right[j] {
			class = " number"
		}
		if columns(s) <= whole {
			class += " short"
		}
		if class != "" {
			class = fmt.Sprintf(` class="%s"`, class[1:])
		}
		fmt.Fprintf(&b, "<%s%s>%s</%[1]s>", tag, class, html.EscapeString(s))
	}
	b.WriteString(`<div class="wide"><table>`)
	if t.Caption != "" {
		b.WriteString("<caption>" + html.EscapeString(t.Caption) + "</caption>")
	}
	b.WriteString("<thead><tr>")
	for j, s := range t.Head {
		cell("th", s, j)
	}
	b.WriteString("</tr></thead>\n<tbody>")
	for _, r := range t.Rows {
		b.WriteString("<tr>")
		for j, s := range r {
			cell("td", s, j)
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody></table></div>")
	return b.String()
}

// highlight marks keywords, comments and literals of Go.
func highlight(code string) string {
	var s scanner.Scanner
	fset := token.NewFileSet()
	file := fset.AddFile("", fset.Base(), len(code))
	s.Init(file, []byte(code), func(token.Position, string) {}, scanner.ScanComments)
	var b strings.Builder
	done := 0
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			break
		}
		class := ""
		switch {
		case tok == token.COMMENT:
			class = "c"
		case tok == token.STRING || tok == token.CHAR:
			class = "s"
		case tok.IsKeyword():
			class = "k"
		case tok == token.INT || tok == token.FLOAT:
			class = "n"
		}
		at := file.Offset(pos)
		if class == "" || at < done {
			continue
		}
		b.WriteString(html.EscapeString(code[done:at]))
		done = min(at+len(literal), len(code))
		fmt.Fprintf(&b, `<span class="%s">%s</span>`, class, html.EscapeString(code[at:done]))
	}
	b.WriteString(html.EscapeString(code[done:]))
	return b.String()
}
