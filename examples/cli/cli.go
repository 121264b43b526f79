// Package cli is what the programs under examples share: commands with flags, exit codes, trainings
// that can be interrupted and go on, and standard input that is answered line by line.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// Program is a program with commands: NAME COMMAND -flag value. Flags write to variables that the
// commands share with their Run, so a program that is run twice in one process, as in a test, is
// made anew for each run.
type Program struct {
	Name string
	// what it does and examples of how it is called, shown above the list of commands
	About string
	// the chapter of the course that shows it in minutes, on data of its own; "": none does
	Lesson   string
	Commands []Command
}

// Command is one of the things a program does.
type Command struct {
	Name  string
	About string // one line
	// declares the command's flags; nil: there are none
	Flags func(f *flag.FlagSet)
	// of the flags, before anything is done; nil: nothing to check
	Check func() error
	Run   func(ctx context.Context, s Std) error // is given a context that Ctrl-C cancels
}

// Std are the standard streams.
type Std struct {
	In       io.Reader
	Out      io.Writer // results
	Messages io.Writer // progress, and what is wrong with a line
}

// usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Usagef is a mistake on the command line, for which a program exits with 2.
func Usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// IsUsage reports whether an error is a mistake on the command line.
func IsUsage(err error) bool { return errors.As(err, &usageError{}) }

// Main runs the program on os.Args and exits: 0 if all went well, 2 after a mistake on the command
// line, 129, 130 or 143 after a signal, else 1.
func (p Program) Main() {
	ctx, stop := Interruptible(p.Name)
	err := p.Run(ctx, os.Args[1:], Std{os.Stdin, os.Stdout, os.Stderr})
	stop()
	exit(p.Name, err)
}

// Main is [Program.Main] for a program without commands, whose run takes the arguments behind its
// name. It leaves signals to run, or else to the system, which ends the program by them.
func Main(name string, run func(args []string, out io.Writer) error) {
	s, done := Std{Out: os.Stdout}.printable()
	err := run(os.Args[1:], s.Out)
	if errors.Is(err, flag.ErrHelp) { // it was asked for
		err = nil
	}
	if failed := done(); err == nil {
		err = failed
	}
	exit(name, interrupted(err))
}

// exit ends a program that an error ended; without one it returns.
func exit(name string, err error) {
	if err == nil {
		return
	}
	if !told(err) {
		fmt.Fprintf(os.Stderr, "%s: %s\n", name, Show(err.Error()))
	}
	failJob(err)
	if IsUsage(err) {
		os.Exit(2)
	}
	os.Exit(train.ExitCode())
}

// Parse parses the flags of a program without commands. Asked for help, by -h, -help or help, it
// writes what the program is about and its flags to out, and returns flag.ErrHelp.
func Parse(f *flag.FlagSet, args []string, about string, out io.Writer) error {
	f.SetOutput(io.Discard) // a mistake is told in one line, without the list of flags
	switch err := f.Parse(helpFlag(args)); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(out, "%s\n\n", strings.TrimSpace(about))
		printFlags(f, out)
		return err
	case err != nil:
		return Usagef("%w; %s -help lists the flags", err, f.Name())
	}
	return nil
}

// helpFlag makes a flag of the word help at the beginning.
func helpFlag(args []string) []string {
	if len(args) > 0 && args[0] == "help" {
		return []string{"-help"}
	}
	return args
}

// Run runs the program on the arguments behind its name. What it prints is fit for people: see
// Printable.
func (p Program) Run(ctx context.Context, args []string, s Std) error {
	s, done := quiet(s).printable()
	err := p.run(ctx, args, s)
	if failed := done(); err == nil {
		err = failed
	}
	return err
}

func (p Program) run(ctx context.Context, args []string, s Std) error {
	if len(args) == 0 {
		p.help(s.Messages)
		return Usagef("a command is missing")
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		if len(args) > 1 { // help COMMAND
			args = []string{args[1], "-help"}
			break
		}
		p.help(s.Out)
		return nil
	}
	var names []string
	for _, c := range p.Commands {
		if c.Name == args[0] {
			return p.command(ctx, c, args[1:], s)
		}
		names = append(names, c.Name)
	}
	return Usagef("%q is no command; there are %s", args[0], strings.Join(names, ", "))
}

func (p Program) command(ctx context.Context, c Command, args []string, s Std) error {
	f := flag.NewFlagSet(p.Name+" "+c.Name, flag.ContinueOnError)
	f.SetOutput(io.Discard) // a mistake is told in one line, without the list of flags
	if c.Flags != nil {
		c.Flags(f)
	}
	switch err := f.Parse(helpFlag(args)); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(s.Out, "%s %s: %s\n", p.Name, c.Name, c.About)
		printFlags(f, s.Out)
		return nil
	case err != nil:
		return Usagef("%w; %s %s -help lists the flags", err, p.Name, c.Name)
	case f.NArg() > 0:
		return Usagef("unexpected argument %q", f.Arg(0))
	}
	if c.Check != nil {
		if err := c.Check(); err != nil {
			return usageError{err}
		}
	}
	err := c.Run(ctx, s)
	if err == nil {
		err = endJob()
	}
	return interrupted(err)
}

// interrupted says of a context that was cancelled before or behind a training what it says of one
// that was in it.
func interrupted(err error) error {
	if errors.Is(err, context.Canceled) && !errors.Is(err, train.ErrInterrupted) {
		return fmt.Errorf("%w: %w", train.ErrInterrupted, err)
	}
	return err
}

func (p Program) help(w io.Writer) {
	fmt.Fprintf(w, "%s\n\ncommands:\n", strings.TrimSpace(p.About))
	for _, c := range p.Commands {
		fmt.Fprintf(w, "    %-12s %s\n", c.Name, c.About)
	}
	fmt.Fprintf(w, "\n%s COMMAND -help lists the flags of a command.\n", p.Name)
	if p.Lesson != "" {
		fmt.Fprintf(w, "\n%s\n", Lesson(p.Lesson))
	}
}

// Lesson is what the help of a program says of the chapter of the course that shows it.
func Lesson(chapter string) string {
	return "In minutes, on data of its own, with pictures and answers:\n\n" +
		"    go run ./examples/" + chapter + " -lesson"
}

// AtLeast is an error unless the value of a flag is a finite number of least or more.
func AtLeast(flag string, value, least float64) error {
	if !(value >= least) || math.IsInf(value, 1) {
		return fmt.Errorf("-%s is %g; want a finite number, %g or more", flag, value, least)
	}
	return nil
}

// Required is an error that names the flags, given as name and value in turn, whose value is empty.
func Required(flags ...string) error {
	var errs []error
	for i := 0; i+1 < len(flags); i += 2 {
		if flags[i+1] == "" {
			errs = append(errs, fmt.Errorf("-%s is missing", flags[i]))
		}
	}
	return errors.Join(errs...)
}

// DataFile is the path of a file of the data sets: in the folder that SEQZOO_DATA names, else in
// ../shared/data. If it is absent the error says so, and instead, how to do without.
func DataFile(name, instead string) (string, error) {
	folder := os.Getenv("SEQZOO_DATA")
	if folder == "" {
		folder = filepath.Join("..", "shared", "data")
	}
	path := filepath.Join(folder, filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("there is no %s; %s, or let SEQZOO_DATA name the folder of "+
			"the data sets", path, instead)
	}
	return path, nil
}

// File is the path that a flag gave, or if it gave none, DataFile.
func File(given, name, instead string) (string, error) {
	if given != "" {
		return given, nil
	}
	return DataFile(name, instead)
}

// Lines calls answer with each line of in, as text.LineReader gives it, until in ends or the
// context is cancelled, which need not wait for a line. A line that is refused, such as one that is
// not UTF-8, and an error of answer are told on messages with the number of the line, and the next
// line is read; only an error of in itself, or a cancelled context, ends it.
func Lines(ctx context.Context, in io.Reader, messages io.Writer,
	answer func(line string) error) error {
	return EachLine(ctx, in, messages, func(_ int, line string, refused error) error {
		if refused != nil {
			return refused
		}
		return answer(line)
	})
}

// Answers is Lines where each line has one answer: a line that has none gets an empty one, so that
// line i of the output is the answer to line i of the input.
func Answers(ctx context.Context, s Std, answer func(line string) error) error {
	return EachLine(ctx, s.In, s.Messages, func(_ int, line string, refused error) error {
		err := refused
		if err == nil {
			err = answer(line)
		}
		if err != nil {
			fmt.Fprintln(s.Out)
		}
		return err
	})
}

// EachLine is Lines with the number of the line, from 1, for programs that must know of lines that
// are refused as well: then there is no line but what is wrong with it, which answer may return.
func EachLine(ctx context.Context, in io.Reader, messages io.Writer,
	answer func(n int, line string, refused error) error) error {
	type read struct {
		line string
		err  error
	}
	lines := make(chan read)
	go func() {
		defer close(lines)
		r := text.NewLineReader(in)
		for {
			line, err := r.Next()
			if err == io.EOF {
				return
			}
			select {
			case lines <- read{line, err}:
			case <-ctx.Done():
				return
			}
			var refused *text.LineError
			if err != nil && !errors.As(err, &refused) {
				return
			}
		}
	}()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case l, ok := <-lines:
			var refused *text.LineError
			if !ok { // the end, or the reader has seen first that the context is done
				return ctx.Err()
			}
			if l.err != nil && !errors.As(l.err, &refused) {
				return l.err
			}
			switch err := answer(n, l.line, l.err); {
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.As(err, &refused):
				fmt.Fprintln(messages, err) // it says the line
			case err != nil:
				fmt.Fprintf(messages, "line %d: %v\n", n, err)
			}
		}
	}
}
