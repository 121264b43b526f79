package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/lm"
)

// asProgram, in the environment, makes the test binary the program itself.
const asProgram = "SEQZOO_TEST_NEXTWORD"

// lastLine, in the environment, begins the line of the progress after which the program goes on
// only once it was interrupted.
const lastLine = "SEQZOO_TEST_NEXTWORD_LAST"

func TestMain(m *testing.M) {
	switch last := os.Getenv(lastLine); {
	case last != "":
		ctx, stop := cli.Interruptible("nextword")
		defer stop()
		cli.Main("nextword", func(args []string, out io.Writer) error {
			s, err := parse(args, out)
			if err != nil {
				return err
			}
			return run(ctx, s, out, lines{ctx, last})
		})
		os.Exit(0)
	case os.Getenv(asProgram) != "":
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// lines are those of the progress, on the standard error, up to the last.
type lines struct {
	ctx  context.Context
	last string
}

func (l lines) Write(b []byte) (int, error) {
	n, err := os.Stderr.Write(b)
	if strings.HasPrefix(string(b), l.last) {
		<-l.ctx.Done()
	}
	return n, err
}

func program(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), asProgram+"=1")
	return c
}

// nextword runs the program to its end.
func nextword(t testing.TB, c *exec.Cmd) (out, errOut string, code int) {
	var o, e bytes.Buffer
	c.Stdout, c.Stderr = &o, &e
	c.Run()
	require.NotContains(t, e.String(), "panic:")
	return o.String(), e.String(), c.ProcessState.ExitCode()
}

// small are settings for a run of a fraction of a second.
func small(more ...string) []string {
	return append([]string{"-hidden", "8", "-window", "5", "-batch", "4", "-epochs", "1",
		"-max-vocab", "50", "-cells", "gru"}, more...)
}

// story is the path of a small text.
func story(t testing.TB) string {
	return write(t, strings.Repeat("The cat sat on the mat.\nThe dog sat on the rug.\nSome of "+
		"them looks like a bird!\n", 30))
}

func write(t testing.TB, s string) string {
	path := filepath.Join(t.TempDir(), "story.txt")
	require.NoError(t, os.WriteFile(path, []byte(s), 0o666))
	return path
}

func TestNextword(t *testing.T) {
	out, errOut, code := nextword(t,
		program(small("-data", story(t), "-cells", "rnn,gru,lstm,gru", "-prompt",
			"some zebra of okapi them")...))
	require.Zero(t, code, errOut)
	require.Contains(t, out, "words to train on")
	require.Contains(t, out, "unigram")
	require.Equal(t, 2, strings.Count(out,
		"not in the vocabulary, and read as <unk>: zebra, okapi\n"), "before and after")
	for _, cell := range []string{"rnn", "gru", "lstm"} {
		require.Regexp(t, `(?m)^`+cell+` +\d+ +\d+ +\d+\.\d\d +\d+ +\d+\.\d +\d+\.\d$`, out)
		require.Regexp(t, `(?m)^`+cell+` +next:(  \S+ \d+\.\d %){5}$`, out)
		require.Equal(t, 1, strings.Count(out, "\n"+cell+" "+strings.Repeat(" ",
			4-len(cell))+"next:"))
		require.Contains(t, errOut, "epoch 1 done", "a plain line, as it is not a terminal")
	}
	require.NotContains(t, errOut, "\x1b")
	require.NotContains(t, errOut, "\r")
	require.NotContains(t, out+errOut, "NaN")
}

func TestHelp(t *testing.T) {
	out, errOut, code := nextword(t, program("-h"))
	require.Zero(t, code)
	require.Empty(t, errOut)
	require.Contains(t, out, "go run ./examples/nextword\n")
	for _, flag := range []string{"data", "cells", "level", "epochs", "seed", "prompt", "save",
		"quick"} {
		require.Contains(t, out, "\n  -"+flag)
	}
	for _, line := range strings.Split(out, "\n") {
		require.Less(t, len([]rune(line)), 110, line)
	}
}

// Every mistake is found at once: before the first model is trained, nothing is printed or made.
func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	good := story(t)
	for _, c := range []struct {
		want string
		args []string
	}{
		{"flag provided but not defined: -frobnicate; nextword -help lists the flags\n",
			[]string{"-frobnicate"}},
		{`invalid value "many" for flag -epochs`, []string{"-epochs", "many"}},
		{`unexpected argument "of"; put a phrase of several words in quotes`,
			[]string{"-prompt", "some", "of", "them"}},
		{`-cells: cell is "lstn": the cell "lstn" is not registered; known are `,
			[]string{"-cells", "gru,lstn"}},
		{`-cells: "" names no cell; want some of `, []string{"-cells", ""}},
		{`-level is "sentence"; want word or char`, []string{"-level", "sentence"}},
		{"-hidden is 0; want at least 1", []string{"-hidden", "0"}},
		{"-hidden is -1; want at least 1", []string{"-hidden", "-1"}},
		{"hidden is 1099511627776", []string{"-hidden", "1099511627776", "-data", good}},
		{"-layers is 0", []string{"-layers", "0"}},
		{"layers is 65, want 1 … 64", []string{"-layers", "65", "-data", good}},
		{"-batch is 0", []string{"-batch", "0"}},
		{"-window is -5", []string{"-window", "-5"}},
		{"-window 9223372036854775807 needs at least 92233720368547758",
			[]string{"-window", "9223372036854775807", "-data", good}},
		{"-epochs is 0", []string{"-epochs", "0"}},
		{"-steps is -1", []string{"-steps", "-1"}},
		{"-min-count is 0", []string{"-min-count", "0"}},
		{"-max-vocab is 9; want at least 10", []string{"-max-vocab", "9"}},
		{"-next is 0", []string{"-next", "0"}},
		{"-generate is 0", []string{"-generate", "0"}},
		{"-save-every is 0", []string{"-save-every", "0"}},
		{"-lr is 0", []string{"-lr", "0"}},
		{"-lr is NaN", []string{"-lr", "NaN"}},
		{"-lr is +Inf", []string{"-lr", "Inf"}},
		{"-dropout is 1;", []string{"-dropout", "1"}},
		{"Clip.Norm is -1", []string{"-clip", "-1"}},
		{"Temperature is -1", []string{"-temperature", "-1"}},
		{"TopP is 1.5", []string{"-top-p", "1.5"}},

		{"absent.txt: no such file", []string{"-data", filepath.Join(dir, "absent.txt")}},
		{dir + " is a directory, not a text file", []string{"-data", dir}},
		{"file: the file is empty", []string{"-data", file}},
		{"has 8 words, line ends included; -window 5 needs at least 70",
			small("-data", write(t, "One line of very few words.\n"))},
		{"has 27 characters", []string{"-level", "char", "-data",
			write(t, "One line of very few words.")}},
		{"line 2: byte 0xff at offset 6 is not UTF-8",
			[]string{"-data", write(t, "good\nb\xffd\n")}},
		{`-prompt: zoo: language model: the vocabulary has no word of the prompt: ["zebra" "okapi"]`, small("-data", good, "-prompt", "zebra okapi")},
		{"not UTF-8", small("-data", good, "-prompt", "\xff")},
		{"file: not a directory", small("-data", good, "-save", filepath.Join(file, "models"))},
	} {
		out, errOut, code := nextword(t, program(c.args...))
		require.NotZero(t, code, c.args)
		require.Contains(t, errOut, c.want, c.args)
		require.Empty(t, out, c.args)
		require.NotContains(t, errOut, "loss")
	}
}

// Several mistakes at once are all reported.
func TestAllMistakes(t *testing.T) {
	_, errOut, code := nextword(t, program("-hidden", "0", "-level", "x", "-cells", "y", "-top-p",
		"7"))
	require.Equal(t, 2, code)
	for _, want := range []string{"-hidden", "-level", "-cells", "TopP"} {
		require.Contains(t, errOut, want)
	}
}

// Texts as they come.
func TestTexts(t *testing.T) {
	plain := strings.Repeat("the cat sat on the mat .\n", 60)
	want, _, code := nextword(t, program(small("-data", write(t, plain), "-prompt", "the cat")...))
	require.Zero(t, code)
	timing := regexp.MustCompile(`(?m)^(gru +\d+ +\d+) +\S+ +\S+`)
	for name, s := range map[string]string{
		"byte order mark": "\ufeff" + plain,
		"CRLF":            strings.ReplaceAll(plain, "\n", "\r\n"),
		"CR":              strings.ReplaceAll(plain, "\n", "\r"),
	} {
		got, errOut, code := nextword(t,
			program(small("-data", write(t, s), "-prompt", "the cat")...))
		require.Zero(t, code, errOut)
		_, want, _ := strings.Cut(want, "\n")
		_, got, _ = strings.Cut(got, "\n") // behind the line with the path
		require.Equal(t, timing.ReplaceAllString(want, "$1"), timing.ReplaceAllString(got, "$1"),
			name)
	}
	for name, s := range map[string]string{
		"one line":       strings.Repeat("the cat sat on the mat . ", 60),
		"one word":       strings.Repeat("la ", 500),
		"a line of 1 MB": strings.Repeat("la li lu ", 1<<20/9),
	} {
		out, errOut, code := nextword(t,
			program(small("-data", write(t, s), "-prompt", "", "-steps", "3")...))
		if code != 0 { // a text of one line has no start of a line to begin at
			require.Contains(t, errOut, "the prompt is empty", name)
			out, errOut, code = nextword(t,
				program(small("-data", write(t, s), "-prompt", "la the", "-steps", "3")...))
		}
		require.Zero(t, code, errOut)
		require.Contains(t, out, "next:")
	}
}

// Neither the locale nor the path matters.
func TestLocaleAndPath(t *testing.T) {
	text := story(t)
	var want []byte
	for _, name := range []string{"models", "with spaces", "日本語", strings.Repeat("x", 200)} {
		dir := filepath.Join(t.TempDir(), name)
		c := program(small("-data", text, "-save", dir)...)
		c.Env = append(c.Env, "LANG=ja_JP.UTF-8", "LC_ALL=ja_JP.UTF-8", "TZ=Asia/Tokyo")
		_, errOut, code := nextword(t, c)
		require.Zero(t, code, errOut)
		got, err := os.ReadFile(filepath.Join(dir, "gru", "model.safetensors"))
		require.NoError(t, err)
		if want == nil {
			want = got
		}
		require.True(t, bytes.Equal(want, got), name)
	}
}

func TestSave(t *testing.T) {
	text, dir := story(t), t.TempDir()
	out, errOut, code := nextword(t,
		program(small("-data", text, "-save", dir, "-prompt", "the cat")...))
	require.Zero(t, code, errOut)
	m, err := lm.Load(filepath.Join(dir, "gru"))
	require.NoError(t, err)
	next, _, err := m.Next("the cat", 1)
	require.NoError(t, err)
	require.Contains(t, out, fmt.Sprintf("next:  %s %.1f %%", show(next[0].Token),
		100*next[0].Prob))
	history, err := os.ReadFile(filepath.Join(dir, "gru", "history.csv"))
	require.NoError(t, err)
	require.Contains(t, string(history),
		"step,epoch,grad_norm,loss,lr,valid_loss,valid_perplexity\n")

	// The same command again goes on, and what is done is given again, with nothing to time.
	out, errOut, code = nextword(t, program(small("-data", text, "-save", dir)...))
	require.Zero(t, code, errOut)
	require.Regexp(t, `going on from step \d+ of .*gru\n`, errOut)
	require.Regexp(t, `(?m)^gru +\d+ +\d+ +- +- `, out)

	// Other settings, another text, another architecture.
	for want, args := range map[string][]string{
		`with -batch "4", not "3"`: small("-data", text, "-batch", "3"),
		`, not "0.001"`:            small("-data", text, "-lr", "0.001"),
		`with seed "1", not "2"`:   small("-data", text, "-seed", "2"),
		`with text "of`: small("-data",
			write(t, strings.Repeat("the cat sat on the dog .\n", 90)), "-prompt", "the"),
		"of another architecture, 5 parameters differ:\n\tembed/E: float32 [18 8] in the checkpoint, float32 [18 9] in the model": small("-data", text, "-hidden", "9"),
		"layers/l1/W_ih: missing in the checkpoint": small("-data", text, "-layers", "2"),
		"out/W: missing in the checkpoint":          small("-data", text, "-tied=false"),
	} {
		_, errOut, code := nextword(t, program(append(args, "-save", dir)...))
		require.Equal(t, 1, code)
		require.Contains(t, errOut, want)
	}
}

// Two at once on one directory.
func TestTwoAtOnce(t *testing.T) {
	dir := t.TempDir()
	args := small("-data", story(t), "-save", dir, "-epochs", "1000000")
	first := program(args...)
	holds(t, first, filepath.Join(dir, "gru", "checkpoints"))
	out, errOut, code := nextword(t, program(args...))
	require.Equal(t, 1, code)
	require.Empty(t, out)
	require.Contains(t, errOut, fmt.Sprintf("is in use by process %d", first.Process.Pid))

	// When the first is killed, the second takes over.
	require.NoError(t, first.Process.Kill())
	first.Wait()
	second := program(args...)
	holds(t, second, filepath.Join(dir, "gru", "checkpoints"))
	_, errOut, code = nextword(t, program(args...))
	require.Equal(t, 1, code)
	require.Contains(t, errOut, fmt.Sprintf("is in use by process %d", second.Process.Pid))
}

// holds starts the program c and waits until it has locked dir, by the number that a lock's file
// holds: that stays, while a checkpoint may come and be replaced before anybody looks.
func holds(t *testing.T, c *exec.Cmd, dir string) {
	require.NoError(t, c.Start())
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	want := fmt.Sprintln(c.Process.Pid)
	require.Eventually(t, func() bool {
		got, _ := os.ReadFile(filepath.Join(dir, ".lock"))
		return string(got) == want
	}, 2*time.Minute, 10*time.Millisecond, "it does not lock %s", dir)
}

// Without -prompt a text of one's own is asked to go on from a phrase of its own, if it has no word
// of the default.
func TestPromptOfOwnText(t *testing.T) {
	own := write(t, strings.Repeat("der hund schläft im haus\nder kater sitzt auf dem dach\n", 60))
	for level, phrase := range map[string]string{"word": `"\S+ \S+ \S+" goes on`,
		"char": `"some of them looks like" goes on`} {
		out, said, code := nextword(t, program(small("-data", own, "-level", level)...))
		require.Zero(t, code, said)
		require.Regexp(t, phrase, out)
	}
	_, said, code := nextword(t, program(small("-data", own, "-prompt", "some of")...))
	require.Equal(t, 1, code)
	require.Contains(t, said, "no word of the prompt")
}
