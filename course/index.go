package course

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Course is chapters in their order.
type Course struct {
	Titles   map[string]string // by language
	Intros   map[string]string // what stands above the table of contents, in Markdown, by language
	Chapters []*Chapter
}

// Index is the name of the table of contents, for [PageName].
const Index = "index"

// OpenAll reads the chapters in a folder: the folders in it whose names begin with two digits.
func OpenAll(folder string) ([]*Chapter, error) {
	names, err := filepath.Glob(filepath.Join(folder, "[0-9][0-9]-*"))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var chapters []*Chapter
	var errs []error
	for _, name := range names {
		c, err := Open(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		chapters = append(chapters, c)
	}
	return chapters, errors.Join(errs...)
}

// WriteIndex writes the table of contents as a page: each chapter with its question, what it
// answers in one line each, and how long it takes.
func (k Course) WriteIndex(w io.Writer, language string) error {
	if w == nil {
		return errors.New("course: the writer is nil")
	}
	words := frame[language]
	if words == nil {
		return fmt.Errorf("course: there is no language %q; there is %s", language,
			strings.Join(Languages(), ", "))
	}
	data := pageData{Language: language, Title: k.Titles[language], Style: template.CSS(style),
		Words: words}
	for _, l := range Languages() {
		if l != language {
			data.Others = append(data.Others, pageLink{languageNames[l], PageName(Index, l,
				"html")})
		}
	}
	var errs []error
	section := func(id, text string) {
		markup, err := markdown(joinLines(text))
		errs = append(errs, err)
		data.Parts = append(data.Parts, pagePart{ID: id, Prose: template.HTML(markup)})
	}
	section("intro", k.Intros[language])
	for _, c := range k.Chapters {
		text, err := k.entry(c, language, "html")
		errs = append(errs, err)
		section(c.Name, text)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return page.Execute(w, data)
}

// WriteContents writes the table of contents in Markdown, for hosts that show notebooks.
func (k Course) WriteContents(w io.Writer, language string) error {
	if w == nil {
		return errors.New("course: the writer is nil")
	}
	if frame[language] == nil {
		return fmt.Errorf("course: there is no language %q; there is %s", language,
			strings.Join(Languages(), ", "))
	}
	text := "# " + k.Titles[language] + "\n\n" + joinLines(k.Intros[language]) + "\n\n"
	for _, c := range k.Chapters {
		entry, err := k.entry(c, language, "ipynb")
		if err != nil {
			return err
		}
		text += joinLines(entry) + "\n\n"
	}
	_, err := io.WriteString(w, strings.TrimSpace(text)+"\n")
	return err
}

// entry is a chapter in the table of contents, in Markdown.
func (k Course) entry(c *Chapter, language, extension string) (string, error) {
	words := frame[language]
	asked, err := c.Question(language)
	answered, err2 := "", error(nil)
	if c.Record != nil {
		answered, err2 = c.Answer(language)
	}
	took := ": " + words["not"]
	if c.Record != nil {
		took = fmt.Sprintf(": %s %s, %.0f %s", words["size"], c.Record.Size, c.Record.Took(),
			words["seconds"])
	}
	return fmt.Sprintf("### [%s](%s)\n\n%s\n\n%s\n\n`go run ./examples/%s` %s", c.Title(language),
			PageName(c.Name, language, extension), asked, answered, c.Name, took), errors.Join(err,
			err2)
}

// WriteFiles writes all chapters and the table of contents in each language into a folder, which it
// makes.
func (k Course) WriteFiles(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, c := range k.Chapters {
		if err := c.WriteFiles(folder, Index); err != nil {
			return err
		}
	}
	for _, l := range Languages() {
		contents := "README.md"
		if l != Languages()[0] {
			contents = "README." + l + ".md"
		}
		for name, write := range map[string]func(io.Writer, string) error{
			PageName(Index, l, "html"): k.WriteIndex, contents: k.WriteContents} {
			var b strings.Builder
			if err := write(&b, l); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(folder, name), []byte(b.String()),
				0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
