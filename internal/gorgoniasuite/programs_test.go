package gorgoniasuite

import (
	"bytes"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

//go:embed testdata/machine.go.txt
var machine []byte

// programs are Gorgonia's programs that need no data; the others stand there with the reason.
var programs = map[string]string{
	"286":                 "",
	"logisticregression":  "",
	"charRNN":             "its machine is NewLispMachine",
	"convnet":             "needs MNIST",
	"convnet_cuda":        "needs MNIST and CUDA",
	"iris":                "needs a library that reads tables",
	"mnist":               "reads MNIST: no machine",
	"resnet":              "needs MNIST",
	"stacked_autoencoder": "needs MNIST",
	"tiny-yolo-v2-coco":   "needs weights",
	"tiny-yolo-v3-coco":   "needs weights",
}

var (
	qualified  = regexp.MustCompile(`\b(\w+\.)?NewTapeMachine\(`)
	iterations = regexp.MustCompile(`trainIter = 500`)
	// What a program prints apart from its results: the instructions of Gorgonia's machine, a time,
	// and what comes after the first of its graphs.
	aside = regexp.MustCompile(`(?s)^Instructions:.*?Interation|Time taken[^\n]*|START\n.*`)
)

// Gorgonia's programs print on graph.Compile what they print on its own machine.
func TestGorgoniasPrograms(t *testing.T) {
	s := theSuite(t)
	dirs, err := os.ReadDir(filepath.Join(s.source, "examples"))
	require.NoError(t, err)
	for _, d := range dirs {
		reason, known := programs[d.Name()]
		require.True(t, known, "the table does not have the program %s", d.Name())
		if reason != "" {
			continue
		}
		t.Run(d.Name(), func(t *testing.T) {
			t.Parallel()
			s.replaceMachine(t, "examples/"+d.Name(), "main")
			binary := filepath.Join(s.dir, d.Name()+".exe")
			command(t, s.dir, "build", "-trimpath", "-o", binary, "./examples/"+d.Name())
			output := func(machine string) (string, error) {
				cmd := exec.CommandContext(t.Context(), binary)
				cmd.Env = environment(machine)
				out, err := cmd.CombinedOutput()
				return aside.ReplaceAllString(string(out), ""), err
			}
			want, err := output("gorgonia")
			// Gorgonia's comparison dies in the second of its two graphs
			if d.Name() != "logisticregression" {
				require.NoError(t, err, want)
			}
			got, err := output("")
			require.NoError(t, err, got)
			require.Equal(t, want, got)
		})
	}
}

// The examples of Gorgonia's package of neural network operations.
func TestGorgoniasNeuralNetworkExamples(t *testing.T) {
	s := theSuite(t)
	s.replaceMachine(t, "ops/nn", "nnops_test")
	binary := filepath.Join(s.dir, "nn.test")
	command(t, s.dir, "test", "-c", "-trimpath", "-vet=off", "-o", binary, "./ops/nn")
	cmd := exec.CommandContext(t.Context(), binary, "-test.v")
	cmd.Env = environment("")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: ExampleConv2d")
}

// replaceMachine replaces NewTapeMachine in a folder of the copy: in its tests if the package is
// one of tests.
func (s *suite) replaceMachine(t *testing.T, folder, pkg string) {
	files, err := filepath.Glob(filepath.Join(s.dir, filepath.FromSlash(folder), "*.go"))
	require.NoError(t, err)
	name := "replaced.go"
	if strings.HasSuffix(pkg, "_test") {
		name = "replaced_test.go"
	}
	replaced := false
	for _, f := range files {
		src, err := os.ReadFile(f)
		require.NoError(t, err)
		if bytes.Contains(src, []byte("+build cuda")) || !qualified.Match(src) {
			continue
		}
		replaced = true
		src = qualified.ReplaceAll(src, []byte("newMachineUnderTest("))
		src = iterations.ReplaceAll(src, []byte("trainIter = 20"))
		write(t, f, src)
	}
	require.True(t, replaced, "no machine in %s", folder)
	write(t, filepath.Join(filepath.Dir(files[0]), name),
		bytes.ReplaceAll(machine, []byte("PACKAGE"), []byte(pkg)))
}
