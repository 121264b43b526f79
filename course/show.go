package course

import (
	"encoding/base64"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Show runs a cell in a notebook of the kernel GoNB and shows there what it gives, in the language
// of the prose that the notebook's first cell names. Outside of a notebook it prints. An error ends
// the process with status 1.
func Show(cell Cell) {
	if err := show(cell); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func show(cell Cell) error {
	if cell == nil {
		return errors.New("course.Show: there is no cell")
	}
	t, err := notebookTranslator()
	if err != nil {
		return err
	}
	display, done := openDisplay()
	defer done()
	var failed error
	p := &Page{Size: Lesson, progress: os.Stderr,
		kept: keeper{folder: filepath.Join(os.Getenv("GONB_TMP_DIR"), "course-kept")}}
	p.told = func(o Output) {
		out, err := t.output(o).notebook()
		if err == nil && out.Type == "display_data" && display != nil {
			err = display(out)
		} else if err == nil && out.Type == "display_data" {
			fmt.Println(out.Data["text/plain"])
		} else if err == nil {
			fmt.Print(out.Text)
		}
		if err != nil && failed == nil {
			failed = err
		}
	}
	err = cell(p)
	return errors.Join(append(p.errs, err, failed)...)
}

// notebookTranslator reads the prose that COURSE_PROSE names, as CHAPTER/LANGUAGE.md.
func notebookTranslator() (*translator, error) {
	english := &prose{file: "en.md"}
	name := os.Getenv("COURSE_PROSE")
	if name == "" || strings.HasSuffix(name, "/en.md") {
		return english.translator(), nil
	}
	b, err := aboveNotebook(name)
	if err != nil {
		return english.translator(), nil
	}
	p, err := parseProse(filepath.Base(name), string(b))
	if err != nil {
		return nil, err
	}
	return p.translator(), nil
}

// aboveNotebook reads a file in the folder of the examples above the notebook. The error is that of
// the folder next to the notebook.
func aboveNotebook(name string) ([]byte, error) {
	var first error
	for dir := os.Getenv("GONB_DIR"); ; dir = filepath.Dir(dir) {
		b, err := os.ReadFile(filepath.Join(dir, "examples", filepath.FromSlash(name)))
		if err == nil {
			return b, nil
		}
		if first == nil {
			first = err
		}
		if dir == filepath.Dir(dir) {
			return nil, first
		}
	}
}

// Embedded returns a file of a chapter's folder to a cell of its notebook, where the chapter's
// program has it embedded. If it cannot be read the result is nil, and standard error says why.
func Embedded(chapter, file string) []byte {
	b, err := aboveNotebook(chapter + "/" + file)
	if err != nil {
		fmt.Fprintf(os.Stderr, "course: %s of chapter %s: %v\n", file, chapter, err)
	}
	return b
}

// displayData and commValue are messages of GoNB's package gonbui (v0.11.3), in encoding/gob, where
// only the names of fields matter and, in an interface, of types.
type displayData struct {
	Data      map[string]any
	Metadata  map[string]any
	DisplayID string
}

type commValue struct {
	Address string
	Request bool
	Value   any
}

// openDisplay opens the pipe over which a cell shows what is no text.
func openDisplay() (display func(notebookOutput) error, done func()) {
	pipe, err := os.OpenFile(os.Getenv("GONB_PIPE"), os.O_WRONLY, 0o600)
	if err != nil { // no notebook
		return nil, func() {}
	}
	encoder := gob.NewEncoder(pipe)
	return func(o notebookOutput) error {
			d := displayData{Data: map[string]any{}}
			for kind, v := range o.Data {
				s := fmt.Sprint(v)
				if kind == "image/png" { // pictures go as bytes
					b, err := base64.StdEncoding.DecodeString(s)
					if err != nil {
						return err
					}
					d.Data[kind] = b
					continue
				}
				d.Data[kind] = s
			}
			return encoder.Encode(&d)
		}, func() {
			arrived(encoder)
			pipe.Close()
		}
}

// arrived waits until the kernel has read all that was encoded, or for a few seconds: when a cell's
// process ends, the kernel drops what it has not read.
func arrived(encoder *gob.Encoder) {
	defer func() { _ = recover() }() // of RegisterName, in a program that uses gonbui itself
	gob.RegisterName("github.com/janpfeifer/gonb/gonbui/protocol.CommValue", commValue{})
	back, err := os.Open(os.Getenv("GONB_PIPE_BACK"))
	if err != nil {
		return
	}
	if encoder.Encode(&displayData{Data: map[string]any{
		"gonb/comm_value": commValue{Address: "#gonbui/sync", Value: 1}}}) != nil {
		return
	}
	answered := make(chan bool, 1)
	go func() {
		for d := gob.NewDecoder(back); ; {
			var v commValue
			if d.Decode(&v) != nil || v.Address == "#gonbui/sync_ack" {
				answered <- true
				return
			}
		}
	}()
	select {
	case <-answered:
	case <-time.After(10 * time.Second):
	}
}
