package course

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Chapter is a program with its prose and, if it was recorded, what it gave.
type Chapter struct {
	Name   string  // of its folder, such as "01-rnn-bptt"
	Record *Record // nil: it was not recorded
	prose  map[string]*prose
	source *source
	cells  []Cell
}

// The sections of a file of prose that are no cells.
const (
	question = "question"
	answer   = "answer"
	exercise = "exercise"
)

// recordFile is the name of a record beside its program.
const recordFile = "record.json"

// New makes a chapter of the files of its program, which are main.go, other files of Go, and a file
// of prose a language. The cells are functions of main.go; it may be nil where the chapter is not
// run.
func New(name string, files fs.FS, cells ...Cell) (*Chapter, error) {
	if files == nil {
		return nil, errors.New("course.New: there are no files")
	}
	for i, cell := range cells {
		if cell == nil {
			return nil, fmt.Errorf("%s: cell %d is nil", name, i)
		}
	}
	c := &Chapter{Name: name, prose: map[string]*prose{}, cells: cells}
	var err error
	if c.source, err = readSource(files); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var errs []error
	for _, l := range Languages() {
		text, err := fs.ReadFile(files, l+".md")
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if c.prose[l], err = parseProse(l+".md", string(text)); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	b, err := fs.ReadFile(files, recordFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if c.Record, err = decodeRecord(b); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, recordFile, err)
		}
	}
	return c, nil
}

// Open reads the chapter in a folder, to show it and not to run it.
func Open(folder string) (*Chapter, error) {
	absolute, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	return New(filepath.Base(absolute), os.DirFS(folder))
}

// Title returns the chapter's title in a language.
func (c *Chapter) Title(language string) string {
	if c == nil || c.prose[language] == nil {
		return ""
	}
	return c.prose[language].title
}

// Answer returns the answers of a chapter in Markdown, with the figures of its record.
func (c *Chapter) Answer(language string) (string, error) { return c.section(language, answer) }

// Question returns the question of a chapter in Markdown.
func (c *Chapter) Question(language string) (string, error) { return c.section(language, question) }

func (c *Chapter) section(language, name string) (string, error) {
	if c == nil || c.prose[language] == nil {
		return "", fmt.Errorf("course: there is no prose in the language %q; there is %s", language,
			strings.Join(Languages(), ", "))
	}
	text, err := fill(c.prose[language].sections[name], c.values())
	if err != nil {
		err = fmt.Errorf("%s/%s.md: %s: %w", c.Name, language, name, err)
	}
	return text, err
}

func (c *Chapter) values() map[string]string {
	if c.Record == nil {
		return nil
	}
	return c.Record.Values
}

// Sources returns a hash of the program's sources, tests aside. A record that has another one comes
// from an older program.
func (c *Chapter) Sources() string {
	if c == nil || c.source == nil {
		return ""
	}
	return c.source.hash
}

// cellName is the name of the function that a cell is.
func cellName(cell Cell) string {
	if cell == nil {
		return ""
	}
	name := runtime.FuncForPC(reflect.ValueOf(cell).Pointer()).Name()
	return name[strings.LastIndexByte(name, '.')+1:]
}

// Check reports what does not fit together: cells that main.go lacks, sections of prose that are
// missing or surplus, and, for a recorded chapter, values and words likewise. Records are those of
// which the words and values count beside the chapter's own; several are given where runs of
// different sizes say different things.
func (c *Chapter) Check(records ...*Record) error {
	if c == nil || c.source == nil {
		return errors.New("course: a chapter is made by New or Open")
	}
	var errs []error
	for i, cell := range c.cells {
		if name := cellName(cell); i >= len(c.source.cells) || c.source.cells[i].name != name {
			errs = append(errs,
				fmt.Errorf("%s: cell %d is %s; in main.go the functions of cells, in order, are %s",
					c.Name, i+1, name, strings.Join(c.source.names(), ", ")))
			break
		}
	}
	if c.cells != nil && len(c.cells) < len(c.source.cells) {
		errs = append(errs, fmt.Errorf("%s: main names %d of the cells %s", c.Name, len(c.cells),
			strings.Join(c.source.names(), ", ")))
	}
	want := append(append([]string{question}, c.source.names()...), answer, exercise)
	for _, l := range Languages() {
		if got := c.prose[l].order; !slices.Equal(got, want) {
			errs = append(errs, fmt.Errorf("%s/%s.md: the sections are %s; want %s", c.Name, l,
				strings.Join(got, ", "), strings.Join(want, ", ")))
		}
	}
	if c.Record != nil {
		records = append([]*Record{c.Record}, records...)
	}
	if len(records) > 0 {
		errs = append(errs, c.checkWords(records), c.checkValues(records))
	}
	return errors.Join(errs...)
}

func (c *Chapter) checkWords(records []*Record) error {
	var errs []error
	for _, l := range Languages()[1:] {
		t := c.prose[l].translator()
		for _, r := range records {
			for _, cell := range r.Cells {
				for _, o := range cell.Outputs {
					t.output(o)
				}
			}
		}
		if err := t.missing(); err != nil {
			errs = append(errs, fmt.Errorf("%s/%w", c.Name, err))
		}
		for _, w := range t.prose.words {
			if !t.used[w.from] {
				errs = append(errs, fmt.Errorf("%s/%s.md: words: nothing prints or draws %q",
					c.Name, l, w.from))
			}
		}
	}
	return errors.Join(errs...)
}

// checkValues holds the names of values in prose to those of every record. A value that only
// documents use is no mistake.
func (c *Chapter) checkValues(records []*Record) error {
	var errs []error
	for _, r := range records {
		for _, l := range Languages() {
			p := c.prose[l]
			for _, name := range append([]string{"words"}, p.order...) {
				if _, err := fill(p.sections[name], r.Values); err != nil {
					errs = append(errs, fmt.Errorf("%s/%s.md: %s: a run of size %s: %w", c.Name, l,
						name, r.Size, err))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// Options are how a chapter is run.
type Options struct {
	Size     Size
	Language string    // of the story; "" is English
	Story    io.Writer // is told the story as it comes; nil: nobody
	Progress io.Writer // is told how far the run is; nil: nobody
}

// Run runs the chapter's cells and returns what they gave, which becomes its Record. An error of a
// cell, or a claim that does not hold, ends the run; what was given until then is returned as well.
func (c *Chapter) Run(ctx context.Context, o Options) (*Record, error) {
	if c == nil || len(c.cells) == 0 {
		return nil, errors.New("course: a chapter without cells cannot be run")
	}
	if o.Size < Quick || o.Size > Full {
		return nil, fmt.Errorf("course: there is no size %v", o.Size)
	}
	if ctx == nil {
		ctx = context.Background()
	}
	if o.Language == "" {
		o.Language = Languages()[0]
	}
	if c.prose[o.Language] == nil {
		return nil, fmt.Errorf("course: %s is not written in %q; languages are %s", c.Name,
			o.Language, strings.Join(Languages(), ", "))
	}
	story := newStory(o.Story, c.prose[o.Language])
	began, before := time.Now(), cpu()
	r := &Record{Size: o.Size.String(), Sources: c.Sources(), Machine: machine(),
		Values: map[string]string{}}
	kept := keeper{values: map[string]any{}}
	story.open()
	for _, cell := range c.cells {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		at := time.Now()
		r.Cells = append(r.Cells, CellRecord{Name: cellName(cell)})
		record := &r.Cells[len(r.Cells)-1]
		story.say(record.Name, r.Values)
		p := &Page{Size: o.Size, ctx: ctx, progress: o.Progress, record: record, values: r.Values,
			told: story.output, kept: kept, last: at}
		err := cell(p)
		record.Seconds = rounded(time.Since(at))
		if err := errors.Join(append(p.errs, err)...); err != nil {
			return r, fmt.Errorf("%s: %s: %w", c.Name, record.Name, err)
		}
		story.finish(r.Values)
	}
	r.Seconds, r.CPU = rounded(time.Since(began)), rounded(cpu()-before)
	c.Record = r
	story.close(r.Values)
	return r, nil
}

func rounded(d time.Duration) float64 { return float64(d.Round(100*time.Millisecond)) / 1e9 }

// machine says on what a run took its time.
func machine() string {
	model := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok &&
				strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d × %s, %s", runtime.NumCPU(), model, runtime.GOOS)
}
