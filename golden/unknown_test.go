package golden_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// object is a case, or a part of one, as its file has it.
type object = map[string]any

// A case with something that TestGolden does not know fails by its name, and every other case runs.
func TestUnknownCases(t *testing.T) {
	if os.Getenv("GOLDEN_DIR") != "" {
		t.Skip("GOLDEN_DIR is set, as this test sets it for the run that it starts")
	}
	dir := t.TempDir()
	first, other := firstName(t, "rnn.json"), firstName(t, "lstm.json")
	writeSpoilt(t, dir)

	output, err := golden(dir)
	require.Error(t, err)
	want := []string{
		"FAIL: TestGolden/novel/" + first, `unknown family "novel"`, "FAIL: TestGolden/b.json",
		"PASS: TestGolden/lstm/" + other, "PASS: TestGolden/rnn/a_known_case",
		"FAIL: TestGolden/gru ", "it has no cases", "FAIL: TestGolden/f.json",
		"FAIL: TestGolden/novel#01 ", "FAIL: TestGolden/h.json", "PASS: TestGolden/rnn#01/" + first,
		"FAIL: TestGolden/rnn#01 ", "PASS: TestGolden/lstm#01/" + other, "FAIL: TestGolden/lstm#01 ",
		"there is more behind its end", "FAIL: TestGolden/below/" + first,
		"FAIL: TestGolden/decode/decode_loss", "PASS: TestGolden/lstm#02/" + other,
		"FAIL: TestGolden/lstm#02 ", `unknown key "novel"`,
	}
	for name := range spoilt() {
		if name != "a_known_case" {
			want = append(want, "FAIL: TestGolden/rnn/"+name+" ")
		}
	}
	for _, line := range want {
		require.True(t, strings.Contains(output, line), "no %q in what it says", line)
	}
	for name, dir := range map[string]string{"no such file": filepath.Join(dir, "absent"), "no *.json": t.TempDir()} {
		output, err := golden(dir)
		require.Error(t, err)
		require.True(t, strings.Contains(output, name), "no %q in what it says", name)
	}
}

// spoilt are ways to spoil a case of the family rnn, by name, and one that does not.
func spoilt() map[string]func(c object) {
	tensors := object{"novel": object{"shape": []int{1}, "data": []int{0}}}
	config := func(c object) object { return c["config"].(object) }
	return map[string]func(c object){
		"config_key":   func(c object) { config(c)["novel"] = 1 },
		"config_type":  func(c object) { config(c)["B"] = "two" },
		"config_word":  func(c object) { config(c)["activation"] = "novel" },
		"config_gone":  func(c object) { delete(config(c), "H") },
		"config_size":  func(c object) { config(c)["H"] = -1 },
		"config_none":  func(c object) { delete(c, "config") },
		"key":          func(c object) { c["novel"] = 1 },
		"inputs":       func(c object) { c["inputs"] = tensors },
		"params":       func(c object) { c["params"] = tensors },
		"outputs":      func(c object) { c["outputs"] = tensors },
		"grads":        func(c object) { c["grads"] = tensors },
		"loss":         func(c object) { delete(c, "loss") },
		"config_huge":  func(c object) { config(c)["H"] = 1 << 40 },
		"no_tensors":   func(c object) { c["params"], c["grads"] = object{}, object{} },
		"no_input":     func(c object) { delete(c["inputs"].(object), "x") },
		"no_param":     func(c object) { delete(c["params"].(object), "weight_hh_l0") },
		"no_output":    func(c object) { delete(c["outputs"].(object), "h_n") },
		"no_gradient":  func(c object) { delete(c["grads"].(object), "weight_hh_l0") },
		"short_data":   func(c object) { tensorOf(c, "inputs", "x")["data"] = []int{} },
		"other_shape":  func(c object) { tensorOf(c, "outputs", "y")["shape"] = []int{1} },
		"no_shape":     func(c object) { delete(tensorOf(c, "params", "weight_hh_l0"), "shape") },
		"null":         func(c object) { tensorOf(c, "outputs", "y")["data"] = []any{nil} },
		"null_tensor":  func(c object) { c["outputs"].(object)["y"] = nil },
		"other_number": func(c object) { tensorOf(c, "outputs", "y")["data"] = []float64{1e300} },
		"nan":          func(c object) { tensorOf(c, "outputs", "y")["data"] = []any{"NaN"} },
		"infinite":     func(c object) { tensorOf(c, "grads", "x")["data"] = []any{"-Infinity"} },
		"nan_loss":     func(c object) { c["loss"] = "NaN" },
		"other_dtype":  func(c object) { tensorOf(c, "outputs", "y")["dtype"] = "complex" },
		"no_integers": func(c object) {
			tensorOf(c, "params", "weight_hh_l0")["dtype"] = "int"
			tensorOf(c, "params", "weight_hh_l0")["data"] = []float64{0.5}
		},
		"a_known_case": func(object) {},
	}
}

// writeSpoilt writes files of which something is wrong, and some of which nothing is.
func writeSpoilt(t *testing.T, dir string) {
	var cases []object
	for name, change := range spoilt() {
		c := firstCase(t, "rnn.json")
		c["name"] = name
		change(c)
		cases = append(cases, c)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(in(name), []byte(text), 0o644))
	}
	read := func(name string) string {
		text, err := os.ReadFile(in(name))
		require.NoError(t, err)
		return string(text)
	}
	rnn, lstm := firstCase(t, "rnn.json"), firstCase(t, "lstm.json")
	writeFamily(t, in("a.json"), "novel", rnn)
	write("b.json", "{")
	writeFamily(t, in("c.json"), "rnn", cases...)
	write("c.json", notAsText.ReplaceAllString(read("c.json"), "$1")) // as Python writes them
	writeFamily(t, in("d.json"), "lstm", lstm)
	writeFamily(t, in("e.json"), "gru")
	write("f.json", "")
	write("g.json", read("a.json")[:200])
	write("h.json", "[]")
	rnn["name"] = "last"
	writeFamily(t, in("i.json"), "broken", firstCase(t, "rnn.json"), rnn)
	write("i.json", strings.Replace(strings.Replace(read("i.json"), `"broken"`, `"rnn"`, 1),
		`"name":"last"`, "", 1)) // breaks off in the second case
	write("j.json", read("d.json")+"{}")
	write("m.json", `{"novel":{"x":[1]},"torch":3,`+read("d.json")[1:])
	require.NoError(t, os.MkdirAll(in("below/[x]"), 0o755))
	writeFamily(t, in("below/[x]/k.JSON"), "below", firstCase(t, "rnn.json"))
	decoded := firstCase(t, "decode.json")
	decoded["name"], decoded["loss"] = "decode_loss", 1
	writeFamily(t, in("l.json"), "decode", decoded)
}

// firstName is the name of the first case of a file of testdata.
func firstName(t *testing.T, file string) string { return firstCase(t, file)["name"].(string) }

// notAsText finds what a case of Python's has where JSON wants text.
var notAsText = regexp.MustCompile(`"(NaN|-Infinity)"`)

// golden runs TestGolden on the cases of a folder.
func golden(dir string) (output string, err error) {
	run := exec.Command(os.Args[0], "-test.run=^TestGolden$", "-test.v")
	run.Env = append(os.Environ(), "GOLDEN_DIR="+dir)
	all, err := run.CombinedOutput()
	return string(all), err
}

func tensorOf(c object, group, name string) object { return c[group].(object)[name].(object) }

// firstCase reads the first case of a file of testdata.
func firstCase(t *testing.T, file string) (c object) {
	f, err := readFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(f.Cases[0], &c))
	return c
}

// writeFamily writes a file as generators do, the family first.
func writeFamily(t *testing.T, path, family string, cases ...object) {
	data, err := json.Marshal(struct {
		Family string   `json:"family"`
		Torch  string   `json:"torch"`
		Cases  []object `json:"cases"`
	}{family, "1.13.1", append([]object{}, cases...)})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data, 0o644))
}
