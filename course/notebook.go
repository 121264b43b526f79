package course

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// notebook is a notebook of nbformat 4.5.
type notebook struct {
	Cells    []any          `json:"cells"`
	Metadata map[string]any `json:"metadata"`
	Format   int            `json:"nbformat"`
	Minor    int            `json:"nbformat_minor"`
}

type markdownCell struct {
	Type     string         `json:"cell_type"`
	ID       string         `json:"id"`
	Metadata map[string]any `json:"metadata"`
	Source   string         `json:"source"`
}

type codeCell struct {
	Type     string           `json:"cell_type"`
	ID       string           `json:"id"`
	Count    int              `json:"execution_count"`
	Metadata map[string]any   `json:"metadata"`
	Source   string           `json:"source"`
	Outputs  []notebookOutput `json:"outputs"`
}

type notebookOutput struct {
	Type     string          `json:"output_type"`
	Name     string          `json:"name,omitempty"`
	Text     string          `json:"text,omitempty"`
	Data     map[string]any  `json:"data,omitempty"`
	Metadata *map[string]any `json:"metadata,omitempty"`
}

// setup makes the kernel's folder use the checkout that the notebook stands in: each cell is
// compiled in a module of its own.
const setup = `%%autoget off
!*root="$GONB_DIR"; while [ "$root" != / ] && [ ! -f "$root/course/doc.go" ]; do root=$(dirname "$root"); done; cp "$root/go.mod" "$root/go.sum" . && go mod edit -module gonb_course -require github.com/seqzoo/seqzoo@v0.0.0 -replace "github.com/seqzoo/seqzoo=$root"
%%env COURSE_PROSE %s/%s.md`

// embedded is a file that a program embeds. The kernel compiles cells in a folder without it.
var embedded = regexp.MustCompile(`(?m)^//go:embed (\S+)\nvar (\w+) \[\]byte$`)

// WriteNotebook writes the chapter as a Jupyter notebook with the outputs of its record, whose code
// runs under the kernel GoNB in a checkout of the repository.
func (c *Chapter) WriteNotebook(w io.Writer, language string) error {
	if w == nil {
		return errors.New("course: the writer is nil")
	}
	parts, err := c.parts(language, "md")
	if err != nil {
		return err
	}
	n := notebook{Format: 4, Minor: 5, Metadata: map[string]any{
		"kernelspec": map[string]string{"display_name": "Go (gonb)", "language": "go",
			"name": "gonb"},
		"language_info": map[string]string{"name": "go", "file_extension": ".go",
			"mimetype": "text/x-go"},
		"seqzoo": map[string]string{"sources": c.Sources()},
	}}
	say := func(id, text string) {
		if text != "" {
			n.Cells = append(n.Cells, markdownCell{"markdown", id, map[string]any{}, text})
		}
	}
	count := 0
	run := func(id, code string, outputs []notebookOutput) {
		count++
		if outputs == nil {
			outputs = []notebookOutput{}
		}
		n.Cells = append(n.Cells, codeCell{"code", id, count, map[string]any{}, code, outputs})
	}
	words := frame[language]
	say("title", "# "+c.Title(language)+"\n\n"+parts[0].prose)
	run("setup", fmt.Sprintf(setup, c.Name, language), nil)
	code := strings.Join(append([]string{c.source.imports}, c.source.ahead()...), "\n\n")
	for _, f := range c.source.rest {
		code += "\n\n" + embedded.ReplaceAllString(f.code,
			fmt.Sprintf("var $2 = course.Embedded(%q, \"$1\")", c.Name))
	}
	run("declarations", code, nil)
	for _, p := range parts[1:] {
		if p.code == "" {
			say(p.name, "## "+words[p.name]+"\n\n"+p.prose)
			continue
		}
		say(p.name+"-prose", p.prose)
		var outputs []notebookOutput
		for _, o := range p.outputs {
			out, err := o.notebook()
			if err != nil {
				return fmt.Errorf("%s: %s: %w", c.Name, p.name, err)
			}
			if last := len(outputs) - 1; last >= 0 && out.Type == "stream" &&
				outputs[last].Type == "stream" {
				outputs[last].Text += out.Text
				continue
			}
			outputs = append(outputs, out)
		}
		run(p.name, p.code+"\n\n%%\ncourse.Show("+p.name+")", outputs)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(n)
}

// notebook is an output as a notebook has it: hosts show pictures as PNG only.
func (o Output) notebook() (notebookOutput, error) {
	stream := func(s string) (notebookOutput, error) {
		return notebookOutput{Type: "stream", Name: "stdout", Text: strings.TrimSuffix(s, "\n") +
			"\n"}, nil
	}
	show := func(kind string, data any, text string) (notebookOutput, error) {
		return notebookOutput{Type: "display_data", Data: map[string]any{kind: data,
			"text/plain": text},
			Metadata: &map[string]any{}}, nil
	}
	switch {
	case o.Text != "":
		return stream(o.Text)
	case o.Verbatim != "":
		return stream(o.Verbatim)
	case o.Claim != nil:
		return stream(mark(o.Claim.Holds) + " " + o.Claim.Says)
	case o.Table != nil:
		return show("text/html", o.Table.markup(), tableText(*o.Table))
	case o.Image != nil:
		return show("image/png", base64.StdEncoding.EncodeToString(o.Image.PNG), o.Image.Alt)
	}
	f := o.figure()
	if f == nil {
		return notebookOutput{}, errors.New("course: an output without content")
	}
	var b bytes.Buffer
	if err := f.WritePNG(&b); err != nil {
		return notebookOutput{}, err
	}
	return show("image/png", base64.StdEncoding.EncodeToString(b.Bytes()), f.Describe())
}
