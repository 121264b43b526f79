package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every program says what it does with help, -h, -help and --help, and ends with 0; a mistake on
// the command line is told in one line, with 2.
func TestHelp(t *testing.T) {
	mains, err := filepath.Glob("*/main.go")
	require.NoError(t, err)
	require.Greater(t, len(mains), 15)
	for _, file := range mains {
		program := filepath.Dir(file)
		t.Run(program, func(t *testing.T) {
			run := func(args ...string) (said string, code int) {
				c := exec.Command(build(t, program), args...)
				var b bytes.Buffer
				c.Stdout, c.Stderr = &b, &b
				if err := c.Run(); err != nil {
					require.IsType(t, &exec.ExitError{}, err)
				}
				return b.String(), c.ProcessState.ExitCode()
			}
			want, code := run("help")
			require.Zero(t, code, want)
			if full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0); err == nil { // Linux
				c := exec.Command(build(t, program), "help")
				c.Stdout = full
				require.Error(t, c.Run())
				require.Equal(t, 1, c.ProcessState.ExitCode())
				require.NoError(t, full.Close())
			}
			require.Greater(t, strings.Count(want, "\n"), 4)
			lesson := regexp.MustCompile(`examples/(\S+) -lesson`).FindStringSubmatch(want)
			if none := []string{"classify", "curves", "living", "onnx", "serve"}; lesson != nil {
				require.FileExists(t, filepath.Join(lesson[1], "record.json"))
			} else if _, chapter := os.Stat(filepath.Join(program, "record.json")); chapter != nil {
				require.Contains(t, none, program, "the chapter of the course that shows it "+
					"is not named")
			}
			for _, ask := range []string{"-h", "-help", "--help"} {
				said, code := run(ask)
				require.Zero(t, code, said)
				require.Equal(t, want, said)
			}
			for _, mistake := range [][]string{{"-nosuch"}, {"-quick", "nosuch", "-x"},
				{"nosuch", "nosuch"}} {
				if program == "curves" && mistake[0] != "-nosuch" {
					continue // takes files
				}
				said, code := run(mistake...)
				require.Equal(t, 2, code, said)
				require.Equal(t, 1, strings.Count(said, "\n"), said)
				require.True(t, strings.HasPrefix(said, program+": "), said)
			}
			if !strings.Contains(want, "commands:") {
				return
			}
			said, code := run()
			require.Equal(t, 2, code)
			require.Contains(t, said, want)
			_, commands, _ := strings.Cut(want, "commands:\n")
			for line := range strings.Lines(commands) {
				if !strings.HasPrefix(line, "    ") {
					break
				}
				command := strings.Fields(line)[0]
				want, code := run(command, "-h")
				require.Zero(t, code, want)
				require.Contains(t, want, program+" "+command+": ")
				for _, ask := range [][]string{{"help", command}, {command, "help"},
					{command, "--help"}} {
					said, code := run(ask...)
					require.Zero(t, code, said)
					require.Equal(t, want, said, ask)
				}
			}
		})
	}
}

// A history without a metric is an error that says so, not a list of nothing.
func TestCurvesOfNothing(t *testing.T) {
	history := filepath.Join(t.TempDir(), "history.csv")
	require.NoError(t, os.WriteFile(history, []byte("step,epoch\n"), 0o666))
	out, err := exec.Command(build(t, "curves"), history).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), `has no "valid_perplexity", and no other metric`)
}
