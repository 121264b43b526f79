package main_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// words are the flags that several programs have, each with the beginning of what it says. A flag
// of the name says so in every program, and no flag of another name does.
var words = map[string]string{
	"batch":      "examples side by side",
	"beam":       "width of the beam search",
	"cell":       "spec of ",
	"clip":       "limit of the gradient's norm",
	"data":       "file ",
	"draw":       "draw ",
	"epochs":     "passes over the data",
	"keep-case":  "keep capital letters",
	"lr":         "highest learning rate",
	"min-count":  "words seen less often become <unk>",
	"model":      "directory of the model",
	"patience":   "stop after so many epochs without a better validation",
	"quick":      "a tiny run of a few seconds, to see that everything works",
	"save":       "directory for the model and its checkpoints; the same command goes on from there",
	"save-every": "steps between checkpoints",
	"seed":       "seed of ",
	"steps":      "stop after so many steps",
	"unicode":    "bring texts to this Unicode form",
	"valid":      "file of ",
	"warmup":     "steps in which the rate rises",
	"workers":    "cores to use",
}

// ownMeaning are flags of a word whose meaning in one program is another than in the rest, with the
// reason.
var ownMeaning = map[string]string{
	"word2vec train -min-count": "rare words are left out, as word2vec's own program does",
	"gradientflow -steps":       "the length of the only training",
}

// saysFile are flags beside -data and -valid that name a file to read: programs that read several
// kinds of file, or two that belong together, call each by what it holds.
var saysFile = map[string]bool{
	"analogies": true, "pairs": true, "vectors": true, "labels": true, "sentences": true,
	"source": true, "target": true, "valid-source": true, "valid-target": true,
	"test": true, "test-labels": true, "valid-labels": true, "count-in": true, "to": true, "record": true,
}

// oldNames are flags as they were called before, by program and command, each with a value.
var oldNames = []string{
	"autoencoder train -valid 0.1", "autoencoder outliers -valid 0.1", "autoencoder draw -o x",
	"binaryaddition -svg x", "caption train -pictures x", "caption evaluate -pictures x",
	"caption scenes -pictures x", "caption caption -map x", "classify train -train x",
	"classify evaluate -images x", "classify flow -to x", "curves -o x",
	"dialogue train -model hred", "emoji2vec train -pairs x", "emoji2vec evaluate -pairs x",
	"forecast evaluate -valid", "gradientflow -svg x", "gradientflow -t 9",
	"languagemodel train -train x", "languagemodel evaluate -text x", "longmemory adding -epoch 3",
	"nextword -text x", "nextword -resume", "tag train -resume", "onehot -v 1 -e 2 -b 3",
	"tag train -train x", "tag evaluate -train x",
	"toyseq2seq train -plot x", "toyseq2seq answer -alignment x",
	"translate train -dev-source x -dev-target x", "translate translate -alignment x -best 2",
	"word2vec train -text x -case", "word2vec similar -case",
}

// flagOf is a flag in a help: its name, the kind of its value, and what it says.
type flagOf struct{ name, value, says string }

var inHelp = regexp.MustCompile(`(?m)^  -(\S+)(?: (.+))?\n    \t(.*)`)

// helpFlags are the flags of a program, by the words that call each command.
func helpFlags(t *testing.T, program string) map[string][]flagOf {
	help := func(args ...string) string {
		out, err := exec.Command(build(t, program), append(args, "-h")...).Output()
		require.NoError(t, err, "the help goes to standard output")
		return string(out)
	}
	said := map[string]string{program: help()}
	if _, commands, ok := strings.Cut(said[program], "commands:\n"); ok {
		delete(said, program)
		for line := range strings.Lines(commands) {
			if !strings.HasPrefix(line, "    ") {
				break
			}
			command := strings.Fields(line)[0]
			said[program+" "+command] = help(command)
		}
	}
	flags := map[string][]flagOf{}
	for command, help := range said {
		for _, m := range inHelp.FindAllStringSubmatch(help, -1) {
			flags[command] = append(flags[command], flagOf{m[1], m[2], m[3]})
		}
	}
	return flags
}

func programNames(t *testing.T) (names []string) {
	t.Helper()
	mains, err := filepath.Glob("*/main.go")
	require.NoError(t, err)
	for _, file := range mains {
		names = append(names, filepath.Dir(file))
	}
	return names
}

// Every program has the same word for the same thing, and -quick.
func TestOneWordForOneThing(t *testing.T) {
	used := map[string]int{}
	for _, program := range programNames(t) {
		quick := false
		for command, flags := range helpFlags(t, program) {
			for _, f := range flags {
				at := command + " -" + f.name
				quick = quick || f.name == "quick"
				assert.NotContains(t, f.says, "old flag", at)
				if ownMeaning[at] != "" {
					continue
				}
				if says := words[f.name]; says != "" {
					used[f.name]++
					assert.True(t, strings.HasPrefix(f.says, says), "%s says %q, want %q", at,
						f.says, says)
				}
				for word, says := range words {
					if word != f.name && len(strings.Fields(says)) > 2 {
						assert.False(t, strings.HasPrefix(f.says, says),
							"%s says what -%s says elsewhere", at, word)
					}
				}
				if f.value == "file" && f.name != "data" && f.name != "valid" && f.name != "draw" {
					assert.True(t, saysFile[f.name],
						"%s names a file; what is read is -data, what is drawn -draw", at)
				}
			}
		}
		assert.True(t, quick, "%s has no -quick", program)
	}
	for word := range words {
		require.Positive(t, used[word], "no program has -%s", word)
	}
}

// What a flag was called before is understood as ever, and no help lists it.
func TestOldNames(t *testing.T) {
	for _, row := range oldNames {
		args := strings.Fields(row)
		out, err := exec.Command(build(t, args[0]), append(args[1:], "-h")...).CombinedOutput()
		require.NoError(t, err, "%s: %s", row, out)
		for _, arg := range args[1:] {
			if strings.HasPrefix(arg, "-") {
				require.NotContains(t, string(out), "  "+arg+" ", row)
			}
		}
		mistake := append(args[1:len(args):len(args)], "-nosuch")
		out, err = exec.Command(build(t, args[0]), mistake...).CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), "-nosuch", "%s is understood", row)
	}
}

// quickRuns are what a program is given for a run with -quick, if that is more than the flag. The
// trainings in resumed run so too.
var quickRuns = []string{
	"curves -draw x.svg",
	"longmemory adding", "longmemory copy", "toyseq2seq train -task reversal",
	"nextword -data words.txt -prompt w1", "word2vec train -data words.txt",
	"caption train -data p.idx -sentences s.txt", "onnx benchmark -onnx m.onnx",
}

// With -quick every program ends, and ends well.
func TestQuick(t *testing.T) {
	c := &input{t.TempDir()}
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(c.file(name), []byte(content), 0o666))
	}
	var words, sentences strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&words, "w%d w%d w%d\n", i%7, i%5, i%3)
	}
	write("words.txt", words.String())
	const pictures, side = 64, 28
	idx := binary.BigEndian.AppendUint32(nil, 0x00000803)
	for _, n := range []uint32{pictures, side, side} {
		idx = binary.BigEndian.AppendUint32(idx, n)
	}
	for i := range pictures {
		for j := range side * side {
			idx = append(idx, byte(i*j))
		}
		fmt.Fprintf(&sentences, "a picture %d\n", i%2)
	}
	write("p.idx", string(idx))
	model, err := os.ReadFile("../onnx/testdata/conformance/lstm_plain/model.onnx")
	require.NoError(t, err)
	write("m.onnx", string(model))
	write("s.txt", sentences.String())

	ran := map[string]bool{}
	for _, r := range resumed { // TestProgramsResumeOnTheirData runs these
		ran[strings.Fields(r.args)[0]] = true
	}
	rows := slices.Clone(quickRuns)
	for _, row := range quickRuns {
		ran[strings.Fields(row)[0]] = true
	}
	for _, program := range programNames(t) {
		chapter := program[0] >= '0' && program[0] <= '9' // has a test of its own, which runs it
		if !chapter && !ran[program] {
			rows = append(rows, program)
		}
	}
	for _, row := range rows {
		args := strings.Fields(row)
		t.Run(strings.Join(args[:min(2, len(args))], " "), func(t *testing.T) {
			o := c.run(t, "", args[0], append(args[1:len(args):len(args)], "-quick")...)
			require.Zero(t, o.code, o)
		})
	}
}
