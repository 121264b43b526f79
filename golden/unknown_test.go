package golden_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
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
	tensors := object{"novel": object{"shape": []int{1}, "data": []int{0}}}
	config := func(c object) object { return c["config"].(object) }
	changes := map[string]func(c object){
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
		"a_known_case": func(object) {},
	}

	dir := t.TempDir()
	var cases []object
	for name, change := range changes {
		c := firstCase(t, "rnn.json")
		c["name"] = name
		change(c)
		cases = append(cases, c)
	}
	writeFamily(t, filepath.Join(dir, "a.json"), "novel", firstCase(t, "rnn.json"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b.json"), []byte("{"), 0o644))
	writeFamily(t, filepath.Join(dir, "c.json"), "rnn", cases...)
	writeFamily(t, filepath.Join(dir, "d.json"), "lstm", firstCase(t, "lstm.json"))

	run := exec.Command(os.Args[0], "-test.run=^TestGolden$", "-test.v")
	run.Env = append(os.Environ(), "GOLDEN_DIR="+dir)
	output, err := run.CombinedOutput()
	require.Error(t, err)
	want := []string{
		"FAIL: TestGolden/novel/" + firstCase(t, "rnn.json")["name"].(string),
		`unknown family "novel"`,
		"FAIL: TestGolden/b.json",
		"PASS: TestGolden/lstm/" + firstCase(t, "lstm.json")["name"].(string),
		"PASS: TestGolden/rnn/a_known_case",
	}
	for name := range changes {
		if name != "a_known_case" {
			want = append(want, "FAIL: TestGolden/rnn/"+name+" ")
		}
	}
	for _, line := range want {
		require.Contains(t, string(output), line)
	}
}

// firstCase reads the first case of a file of testdata.
func firstCase(t *testing.T, file string) (c object) {
	f, err := readFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(f.Cases[0], &c))
	return c
}

func writeFamily(t *testing.T, path, family string, cases ...object) {
	data, err := json.Marshal(object{"family": family, "torch": "1.13.1", "cases": cases})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data, 0o644))
}
