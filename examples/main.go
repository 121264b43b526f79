// Command examples is the way into the course: it lists the chapters, runs them, and shows them in
// a browser.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/course"
)

const about = `The course: recurrent networks in chapters that run.

    go run ./examples                   list the chapters
    go run ./examples -serve            show them in a browser
    go run ./examples NAME …            run chapters, such as 01-rnn-bptt; all runs all of them
    go run ./examples -record NAME …    run chapters, keep what they gave, and write docs/course
    go run ./examples -render           write docs/course from what was kept
    go run ./examples -living DIR       write the course into a folder, with the page that trains a
                                        network in the browser, for any file server

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	var usage usageError
	switch {
	case err == nil:
		return
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "examples:", err)
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "examples:", err)
	os.Exit(1)
}

type usageError struct{ error }

// runner is what the flags say.
type runner struct {
	root             string // of the checkout
	record, render   bool
	serve            bool
	living           string // folder
	built            bool   // what the living page loads is there, or is built when it is asked for
	address          string
	language         string
	size             string
	stdout, messages io.Writer
}

func run(ctx context.Context, args []string, out, messages io.Writer) error {
	r := runner{stdout: out, messages: messages}
	f := flag.NewFlagSet("examples", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	sizes := map[string]*bool{}
	for size, says := range map[string]string{
		"quick":  "a tiny run of a few seconds, to see that everything works",
		"lesson": "run in at most three minutes; the default",
		"full":   "run for as long as it takes",
	} {
		sizes[size] = f.Bool(size, false, says)
	}
	f.BoolVar(&r.record, "record", false, "keep what the runs gave, and write docs/course")
	f.BoolVar(&r.render, "render", false, "write docs/course from what was kept")
	f.BoolVar(&r.serve, "serve", false, "show the course in a browser")
	f.StringVar(&r.address, "address", "127.0.0.1:8014", "`address` of -serve")
	f.StringVar(&r.living, "living", "",
		"write the course, with its living page, into this `folder`")
	f.StringVar(&r.language, "lang", "en",
		"`language` of the list and of the story: "+strings.Join(course.Languages(), ", "))
	if len(args) > 0 && args[0] == "help" {
		args = append([]string{"-help"}, args[1:]...)
	}
	chapters, err := parse(f, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return help(f, out)
	case err != nil:
		return usageError{fmt.Errorf("%w; -help lists the flags", err)}
	}
	if r.size, err = chosen(sizes); err != nil {
		return err
	}
	if !slices.Contains(course.Languages(), r.language) {
		return usageError{fmt.Errorf("-lang is %q; want one of %s", r.language,
			strings.Join(course.Languages(), ", "))}
	}
	if r.record && (r.size != "lesson" || len(chapters) == 0) {
		return usageError{errors.New("-record wants the names of chapters, or all, and " +
			"runs lessons")}
	}
	if r.living != "" && r.serve ||
		(r.living != "" || r.serve) && (r.record || r.render || len(chapters) > 0) {
		return usageError{errors.New("-serve and -living go alone: without chapters, -record " +
			"and -render")}
	}
	if r.root, err = checkout(); err != nil {
		return err
	}
	names, err := r.names(chapters)
	switch {
	case err != nil:
		return err
	case r.serve:
		return r.show(ctx)
	case r.living != "":
		return r.writeLiving(ctx)
	case len(names) == 0 && !r.render:
		return r.list()
	}
	for _, name := range names {
		if err := r.chapter(ctx, name); err != nil {
			return err
		}
	}
	if !r.record && !r.render {
		return nil
	}
	k, err := r.course()
	if err != nil {
		return err
	}
	return k.WriteFiles(filepath.Join(r.root, "docs", "course"))
}

// help writes what the program is about and its flags.
func help(f *flag.FlagSet, out io.Writer) error {
	b := bytes.NewBufferString(about)
	f.SetOutput(b)
	f.PrintDefaults()
	_, err := b.WriteTo(out)
	return err
}

// chosen is the size of which the flag was given, or else lesson.
func chosen(sizes map[string]*bool) (size string, err error) {
	for name, on := range sizes {
		switch {
		case *on && size != "":
			return "", usageError{errors.New("one of -quick, -lesson and -full, not two")}
		case *on:
			size = name
		}
	}
	return cmp.Or(size, "lesson"), nil
}

// parse parses flags and gives the arguments that are none, between which flags may stand, as in
// 07 -quick.
func parse(f *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := f.Parse(args); err != nil || f.NArg() == 0 {
			return rest, err
		}
		rest, args = append(rest, f.Arg(0)), f.Args()[1:]
	}
}

// checkout finds the root of the checkout that the working directory is in.
func checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "course", "doc.go")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("run it inside of a checkout of seqzoo, as go run ./examples")
		}
		dir = up
	}
}

// names are the folders of the chapters that arguments name, by their names, the beginnings of
// them, such as 01-rnn, or their numbers.
func (r runner) names(args []string) ([]string, error) {
	folders, err := filepath.Glob(filepath.Join(r.root, "examples", "[0-9][0-9]-*"))
	if err != nil {
		return nil, err
	}
	var all, names []string
	for _, f := range folders {
		all = append(all, filepath.Base(f))
	}
	for _, a := range args {
		if a == "all" {
			names = append(names, all...)
			continue
		}
		begins := strings.Trim(strings.TrimPrefix(a, "./"), "/")
		begins = strings.TrimPrefix(begins, "examples/")
		if number, err := strconv.Atoi(begins); err == nil {
			begins = fmt.Sprintf("%02d-", number) // 1 is not the beginning of 10
		}
		at := slices.IndexFunc(all, func(n string) bool {
			return begins != "" && strings.HasPrefix(n, begins)
		})
		if at < 0 {
			return nil, usageError{fmt.Errorf("there is no chapter %q; there are %s", a,
				strings.Join(all, ", "))}
		}
		names = append(names, all[at])
	}
	return names, nil
}

// chapter runs one chapter as a program of its own.
func (r runner) chapter(ctx context.Context, name string) error {
	args := []string{"run", "./examples/" + name, "-" + r.size, "-lang", r.language}
	if r.record {
		args = append(args, "-record", filepath.Join(r.root, "examples", name, "record.json"))
	}
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir, c.Stdout, c.Stderr = r.root, r.stdout, r.messages
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (r runner) course() (course.Course, error) {
	chapters, err := course.OpenAll(filepath.Join(r.root, "examples"))
	return course.Course{Titles: titles, Intros: intros, Chapters: chapters,
		Leaves: []course.Leaf{living(r.built), glossary(chapters)}}, err
}

// list prints the chapters with what they answer and how long they take.
func (r runner) list() error {
	k, err := r.course()
	if err != nil {
		return err
	}
	list := bytes.NewBufferString(about)
	for _, c := range k.Chapters {
		asked, err := c.Question(r.language)
		if err != nil {
			return err
		}
		took := "not recorded yet"
		if c.Record != nil {
			took = fmt.Sprintf("%.0f s", c.Record.Took())
		}
		fmt.Fprintf(list, "%-20s %s (%s)\n    %s\n\n", c.Name, c.Title(r.language), took,
			strings.ReplaceAll(course.Plain(asked), "\n", "\n    "))
	}
	_, err = list.WriteTo(r.stdout)
	return err
}
