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
	Leaves   []Leaf
}

// Leaf is a page of the course that is no chapter, such as a glossary. The table of contents links
// to it by its title.
type Leaf struct {
	Name   string
	Titles map[string]string // by language
	// Text returns the page in Markdown. The extension is that of the chapters' pages which it may
	// link to by [PageName]: html, or ipynb on hosts that show notebooks.
	Text func(language, extension string) string
	// Live, where it is set, returns markup that stands below the text in HTML, scripts included.
	// It is written as it is.
	Live func(language string) (template.HTML, error)
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
		Words: words, Others: otherLanguages(Index, language)}
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
	if k.Leaves != nil {
		section("leaves", k.leaves(language, "html"))
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
	text += k.leaves(language, "md")
	_, err := io.WriteString(w, strings.TrimSpace(text)+"\n")
	return err
}

// entry is a chapter in the table of contents, in Markdown.
func (k Course) entry(c *Chapter, language, extension string) (string, error) {
	words := frame[language]
	asked, err := c.Question(language)
	answered, took := "", words["not"]
	if c.Record != nil {
		var err2 error
		answered, err2 = c.Answer(language)
		err = errors.Join(err, err2)
		took = fmt.Sprintf("%s %s, %.0f %s", words["size"], c.Record.Size, c.Record.Took(),
			words["seconds"])
	}
	return fmt.Sprintf("### [%s](%s)\n\n%s\n\n%s\n\n`go run ./examples/%s`: %s", c.Title(language),
		PageName(c.Name, language, extension), asked, answered, c.Name, took), err
}

// otherLanguages are the links of a page to itself in the other languages.
func otherLanguages(name, language string) []pageLink {
	var links []pageLink
	for _, l := range Languages() {
		if l != language {
			links = append(links, pageLink{languageNames[l], PageName(name, l, "html")})
		}
	}
	return links
}

// leaves lists the pages that are no chapters, in Markdown.
func (k Course) leaves(language, extension string) string {
	text := ""
	for _, f := range k.Leaves {
		text += fmt.Sprintf("- [%s](%s)\n", f.Titles[language],
			PageName(f.Name, language, extension))
	}
	return text
}

// WriteLeaf writes a page that is no chapter: as HTML, or in Markdown if extension is md.
func (k Course) WriteLeaf(w io.Writer, name, language, extension string) error {
	at := slices.IndexFunc(k.Leaves, func(f Leaf) bool { return f.Name == name && f.Text != nil })
	switch {
	case w == nil:
		return errors.New("course: the writer is nil")
	case at < 0:
		return fmt.Errorf("course: there is no page %q beside the chapters", name)
	case frame[language] == nil:
		return fmt.Errorf("course: there is no language %q; there is %s", language,
			strings.Join(Languages(), ", "))
	}
	leaf := k.Leaves[at]
	title := leaf.Titles[language]
	switch extension {
	case "md":
		_, err := fmt.Fprintf(w, "# %s\n\n%s\n", title,
			strings.TrimSpace(joinLines(leaf.Text(language, "ipynb"))))
		return err
	case "html":
	default:
		return fmt.Errorf("course: the extension is %q; want html or md", extension)
	}
	markup, err := markdown(joinLines(leaf.Text(language, "html")))
	if err != nil {
		return fmt.Errorf("%s, %s: %w", name, language, err)
	}
	part := pagePart{ID: name, Prose: template.HTML(markup)}
	if leaf.Live != nil {
		live, err := leaf.Live(language)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", name, language, err)
		}
		part.Outputs = append(part.Outputs, live)
	}
	return page.Execute(w, pageData{Language: language, Title: title, Style: template.CSS(style),
		Words: frame[language], Others: otherLanguages(name, language),
		Home:  pageLink{frame[language]["home"], PageName(Index, language, "html")},
		Parts: []pagePart{part}})
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
		pages := map[string]func(io.Writer, string) error{
			PageName(Index, l, "html"): k.WriteIndex, contents: k.WriteContents}
		for _, leaf := range k.Leaves {
			for _, extension := range []string{"html", "md"} {
				pages[PageName(leaf.Name, l, extension)] = func(w io.Writer, l string) error {
					return k.WriteLeaf(w, leaf.Name, l, extension)
				}
			}
		}
		for name, write := range pages {
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
