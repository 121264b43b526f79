package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/seqzoo/seqzoo/course"
)

// livingSource has the page's markup and script, which are the same in all languages, its text in
// Markdown a language, and words.json: by language, the words that are not in the text. The script
// puts values in the place of names in braces.
//
//go:embed living/page.html living/*.md living/words.json
var livingSource embed.FS

var livingMarkup = template.Must(template.New("page.html").Option("missingkey=error").
	ParseFS(livingSource, "living/page.html"))

var livingWords = func() (words map[string]map[string]string) {
	text, err := livingSource.ReadFile("living/words.json")
	if err == nil {
		err = json.Unmarshal(text, &words)
	}
	if err != nil {
		panic(err) // of a file that was there when this was built, as in template.Must
	}
	return words
}()

// living is the page on which a browser trains a network. Where its program was not built beside
// it, it says how to build it, and asks the server for nothing.
func living(built bool) course.Leaf {
	const chapter = "02-initialisation"
	return course.Leaf{
		Name: "living",
		Titles: map[string]string{"en": "A living page: watch a network learn to add",
			"ja": "動くページ：足し算を学ぶネットワークを見る"},
		Text: func(language, extension string) string {
			source, err := livingSource.ReadFile("living/" + language + ".md")
			if err != nil {
				return ""
			}
			text := strings.ReplaceAll(string(source), "../"+chapter,
				course.PageName(chapter, language, extension))
			if extension != "html" {
				text += "\n" + livingWords[language]["missing"]
			}
			return text
		},
		Live: func(language string) (template.HTML, error) {
			if livingWords[language] == nil {
				return "", fmt.Errorf("the living page has no words in %q", language)
			}
			var b strings.Builder
			err := livingMarkup.Execute(&b, map[string]any{"Words": livingWords[language],
				"Built": built})
			return template.HTML(b.String()), err
		},
	}
}

// What the living page loads from its own folder: its program, compressed to a fifth, and how Go's
// programs run in a browser, from the Go that built it.
const (
	livingProgram = "living.wasm.gz"
	livingStarter = "wasm_exec.js"
)

// livingFiles builds what the living page loads, when it is first asked for.
type livingFiles struct {
	root  string // of the checkout
	mu    sync.Mutex
	built map[string][]byte
}

// file returns a file of the living page. It may take minutes the first time, since the library is
// compiled for the browser.
func (l *livingFiles) file(ctx context.Context, name string) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.built[name] != nil {
		return l.built[name], nil
	}
	content, err := l.build(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("the living page: %s: %w", name, err)
	}
	if l.built == nil {
		l.built = map[string][]byte{}
	}
	l.built[name] = content
	return content, nil
}

func (l *livingFiles) build(ctx context.Context, name string) ([]byte, error) {
	if name == livingStarter {
		goRoot, err := l.goTool(ctx, nil, "env", "GOROOT")
		if err != nil {
			return nil, err
		}
		goRoot = strings.TrimSpace(goRoot)
		content, err := os.ReadFile(filepath.Join(goRoot, "lib", "wasm", name))
		if errors.Is(err, os.ErrNotExist) { // some systems put it where Go had it before 1.24
			content, err = os.ReadFile(filepath.Join(goRoot, "misc", "wasm", name))
		}
		return content, err
	}
	dir, err := os.MkdirTemp("", "seqzoo-living-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "living.wasm")
	if _, err := l.goTool(ctx, []string{"GOOS=js", "GOARCH=wasm"}, "build", "-trimpath",
		"-ldflags=-s -w", "-o", path, "./examples/living"); err != nil {
		return nil, err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return compressed(program)
}

// compressed is a file as gzip writes it.
func compressed(file []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(file)
	if err := errors.Join(err, w.Close()); err != nil { // which writes what is left
		return nil, err
	}
	return b.Bytes(), nil
}

func (l *livingFiles) goTool(ctx context.Context, env []string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir, c.Env = l.root, append(os.Environ(), env...)
	var errs strings.Builder
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", args[0], err, strings.TrimSpace(errs.String()))
	}
	return string(out), nil
}

// writeLiving writes the course into a folder, with what its living page loads.
func (r runner) writeLiving(ctx context.Context) error {
	r.built = true
	k, err := r.course()
	if err != nil {
		return err
	}
	if err := k.WriteFiles(r.living); err != nil {
		return err
	}
	fmt.Fprintln(r.messages, "building the network for the browser; the first time takes minutes")
	files := livingFiles{root: r.root}
	for _, name := range []string{livingStarter, livingProgram} {
		content, err := files.file(ctx, name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(r.living, name), content, 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintf(r.stdout, "the course is in %s; serve that folder, and open %s\n", r.living,
		course.PageName("living", r.language, "html"))
	return nil
}
