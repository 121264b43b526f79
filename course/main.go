package course

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

// Main is the main function of a chapter: it runs the cells and tells their story. files has the
// chapter's sources and prose, and -help lists the flags. Main exits: with 0 if all went well, with
// 2 after a mistake on the command line, with 130 if it was interrupted, else with 1.
func Main(files fs.FS, cells ...Cell) {
	name := filepath.Base(os.Args[0])
	if info, ok := debug.ReadBuildInfo(); ok && info.Path != "" {
		name = path.Base(info.Path)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	story := &watched{w: os.Stdout}
	err := run(ctx, name, files, cells, os.Args[1:], story, os.Stderr)
	stop()
	if err == nil && story.err != nil {
		err = fmt.Errorf("the story could not be written: %w", story.err)
	}
	var usage usageError
	switch {
	case err == nil:
		return
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(2)
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(os.Stderr, "%s: interrupted\n", name)
		os.Exit(130)
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	os.Exit(1)
}

// watched keeps the first error of a writer, for those who print to it and do not look.
type watched struct {
	w   io.Writer
	err error
}

// Write passes b on, and keeps the error.
func (w *watched) Write(b []byte) (int, error) {
	n, err := w.w.Write(b)
	if w.err == nil {
		w.err = err
	}
	return n, err
}

// usageError is a mistake on the command line.
type usageError struct{ error }

func run(ctx context.Context, name string, files fs.FS, cells []Cell, args []string, out,
	progress io.Writer) error {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	quick := f.Bool("quick", false, "a tiny run of a few seconds, to see that everything works")
	lesson := f.Bool("lesson", false, "at most three minutes on two cores; the default")
	full := f.Bool("full", false, "as much as it takes")
	language := f.String("lang", "en", "`language` of the story: "+strings.Join(Languages(), ", "))
	record := f.String("record", "",
		"keep what the run gave in this `path`: "+recordFile+" of the chapter's folder")
	pages := f.String("out", "", "write pages and notebooks of this run into this `folder`")
	if len(args) > 0 && args[0] == "help" {
		args = append([]string{"-help"}, args[1:]...)
	}
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		c, err := New(name, files, cells...)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: a chapter of the course.\n\n", c.Title("en"))
		f.SetOutput(out)
		f.PrintDefaults()
		return nil
	case err != nil:
		return usageError{fmt.Errorf("%w; %s -help lists the flags", err, name)}
	}
	sizes := 0
	size := Lesson
	for s, on := range []bool{*quick, *lesson, *full} {
		if on {
			size = Size(s)
			sizes++
		}
	}
	if f.NArg() > 0 || sizes > 1 || !slices.Contains(Languages(), *language) {
		return usageError{fmt.Errorf("want at most one of -quick, -lesson and -full, a -lang of %s, "+
			"and nothing else", strings.Join(Languages(), ", "))}
	}
	c, err := New(name, files, cells...)
	if err != nil {
		return err
	}
	r, err := c.Run(ctx, Options{Size: size, Language: *language, Story: out, Progress: progress})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, %.1f s\n", r.Machine, r.Seconds)
	if *record != "" {
		b, err := r.encode()
		if err == nil {
			err = os.WriteFile(*record, b, 0o644)
		}
		if err != nil {
			return err
		}
	}
	if *pages != "" {
		return c.WriteFiles(*pages, "")
	}
	return nil
}

// WriteFiles writes the chapter's page and notebook in each language into a folder, which it makes.
// A page links to home, the table of contents, by PageName(home, language, "html"), unless home is
// "".
func (c *Chapter) WriteFiles(folder, home string) error {
	if c == nil {
		return errors.New("course: the chapter is nil")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, l := range Languages() {
		back := ""
		if home != "" {
			back = PageName(home, l, "html")
		}
		for extension, write := range map[string]func(io.Writer) error{
			"html":  func(w io.Writer) error { return c.WriteHTML(w, l, back) },
			"ipynb": func(w io.Writer) error { return c.WriteNotebook(w, l) },
		} {
			var b strings.Builder
			if err := write(&b); err != nil {
				return err
			}
			file := filepath.Join(folder, PageName(c.Name, l, extension))
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
