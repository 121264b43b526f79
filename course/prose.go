package course

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/plot"
)

// Languages are those in which chapters are written, the programs' own first.
func Languages() []string { return []string{"en", "ja"} }

// prose is what a language's file says.
type prose struct {
	file     string
	title    string
	sections map[string]string
	order    []string
	words    []word
}

// word says a text of the program in the prose's language. {} stands for any text.
type word struct {
	from, to string
	pattern  *regexp.Regexp // nil if there is no {} in it
}

var sectionHead = regexp.MustCompile(`^## (\S+)$`)

// parseProse reads a file of prose: "# title", then sections "## name".
func parseProse(file, text string) (*prose, error) {
	p := &prose{file: file, sections: map[string]string{}}
	name := ""
	fenced := false
	var body []string
	var errs []error
	end := func() {
		if name != "" {
			p.sections[name] = strings.TrimSpace(strings.Join(body, "\n"))
		} else if strings.TrimSpace(strings.Join(body, "")) != "" {
			errs = append(errs, fmt.Errorf("%s: there is text before the first section", file))
		}
		body = nil
	}
	for i, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		fenced = fenced != strings.HasPrefix(line, "```")
		m := sectionHead.FindStringSubmatch(line)
		switch {
		case fenced:
			body = append(body, line)
		case i == 0 && strings.HasPrefix(line, "# "):
			p.title = strings.TrimSpace(line[2:])
		case m != nil:
			end()
			if name = m[1]; slices.Contains(p.order, name) {
				errs = append(errs, fmt.Errorf("%s:%d: a second section %q", file, i+1, name))
			}
			p.order = append(p.order, name)
		default:
			body = append(body, line)
		}
	}
	end()
	if p.title == "" {
		errs = append(errs, fmt.Errorf("%s: the first line is no title, such as # Attention", file))
	}
	if words, ok := p.sections["words"]; ok {
		delete(p.sections, "words")
		p.order = slices.DeleteFunc(p.order, func(s string) bool { return s == "words" })
		errs = append(errs, p.readWords(words))
	}
	return p, errors.Join(errs...)
}

// readWords reads lines of the form "- loss == 損失"; a line without == says that a text stays as
// it is.
func (p *prose) readWords(text string) error {
	var errs []error
	met := map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		body, ok := strings.CutPrefix(line, "- ")
		from, to, both := strings.Cut(body, " == ")
		if !both {
			to = from
		}
		from, to = strings.TrimSpace(from), strings.TrimSpace(to)
		if !ok || from == "" || to == "" || met[from] {
			errs = append(errs, fmt.Errorf("%s: words: %q: want lines, each once, of the form "+
				"- text == translation", p.file, line))
			continue
		}
		met[from] = true
		w := word{from: from, to: to}
		if n := strings.Count(from, "{}"); n > 0 {
			pattern := strings.ReplaceAll(regexp.QuoteMeta(from), `\{\}`, `(.*?)`)
			w.pattern = regexp.MustCompile("^" + pattern + "$")
			if got := strings.Count(numbered(to), "{"); got != n {
				errs = append(errs, fmt.Errorf("%s: words: %q has %d places, its translation %d",
					p.file, from, n, got))
			}
		}
		p.words = append(p.words, w)
	}
	return errors.Join(errs...)
}

// numbered numbers the places of a translation: {} is the next, {2} the second.
func numbered(to string) string {
	n := 0
	for strings.Contains(to, "{}") {
		n++
		to = strings.Replace(to, "{}", fmt.Sprintf("{%d}", n), 1)
	}
	return to
}

// translator says texts of a program in another language, and notes which words it used and which
// it lacked.
type translator struct {
	prose *prose
	used  map[string]bool
	lacks map[string]bool
}

func (p *prose) translator() *translator {
	return &translator{prose: p, used: map[string]bool{}, lacks: map[string]bool{}}
}

// speech tells texts that need to be translated: those with a word of two letters or more.
var speech = regexp.MustCompile(`[A-Za-z]{2,}`)

// say translates one text.
func (t *translator) say(s string) string {
	trimmed := strings.TrimSpace(s)
	english := t.prose.words == nil && t.prose.file == "en.md"
	if english || !speech.MatchString(trimmed) && !t.has(trimmed) {
		return s
	}
	return strings.Replace(s, trimmed, t.look(trimmed), 1)
}

func (t *translator) has(s string) bool {
	return slices.ContainsFunc(t.prose.words, func(w word) bool { return w.from == s })
}

func (t *translator) look(s string) string {
	for _, w := range t.prose.words {
		if w.from == s {
			t.used[w.from] = true
			return w.to
		}
	}
	for _, w := range t.prose.words {
		if w.pattern == nil {
			continue
		}
		if m := w.pattern.FindStringSubmatch(s); m != nil {
			t.used[w.from] = true
			to := numbered(w.to)
			for i, part := range m[1:] {
				if part != "" && part != s && t.has(part) { // a name in a sentence
					part = t.look(part)
				}
				to = strings.ReplaceAll(to, fmt.Sprintf("{%d}", i+1), part)
			}
			return to
		}
	}
	t.lacks[s] = true
	return s
}

// lines translates a text line by line.
func (t *translator) lines(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = t.say(l)
	}
	return strings.Join(lines, "\n")
}

func (t *translator) all(texts []string) []string {
	out := make([]string, len(texts))
	for i, s := range texts {
		out[i] = t.say(s)
	}
	return out
}

// missing reports the texts that had no translation.
func (t *translator) missing() error {
	var errs []error
	for _, s := range slices.Sorted(maps.Keys(t.lacks)) {
		errs = append(errs, fmt.Errorf("%s: words: there is no line for %q", t.prose.file, s))
	}
	return errors.Join(errs...)
}

// output translates what a cell gave.
func (t *translator) output(o Output) Output {
	switch {
	case o.Text != "":
		o.Text = t.lines(o.Text)
	case o.Table != nil:
		table := Table{Caption: t.say(o.Table.Caption), Head: t.all(o.Table.Head)}
		for _, r := range o.Table.Rows {
			table.Rows = append(table.Rows, t.all(r))
		}
		o.Table = &table
	case o.Plot != nil:
		o.Plot, _ = o.Plot.Translated(t.say).(*plot.Plot)
	case o.Map != nil:
		o.Map, _ = o.Map.Translated(t.say).(*plot.Map)
	case o.Image != nil:
		picture := *o.Image
		picture.Alt = t.say(picture.Alt)
		o.Image = &picture
	case o.Claim != nil:
		o.Claim = &Claim{t.say(o.Claim.Says), o.Claim.Holds}
	}
	return o
}

var place = regexp.MustCompile(`\{\{([A-Za-z0-9_.-]+)\}\}`)

// fill puts values in the places of a text that name them.
func fill(text string, values map[string]string) (string, error) {
	var errs []error
	out := place.ReplaceAllStringFunc(text, func(s string) string {
		v, ok := values[s[2:len(s)-2]]
		if !ok {
			errs = append(errs, fmt.Errorf("the run gave no value for %s", s))
			return s
		}
		return v
	})
	return out, errors.Join(errs...)
}
