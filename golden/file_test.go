package golden_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
)

// directory is where the cases are read from, and whether GOLDEN_DIR says so. A relative path is
// taken from the root of the repository, where go test is called.
func directory() (dir string, given bool) {
	dir = os.Getenv("GOLDEN_DIR")
	switch {
	case dir == "":
		return "testdata", false
	case filepath.IsAbs(dir):
		return dir, true
	}
	return filepath.Join("..", dir), true
}

// filesUnder are the paths of all *.json in a folder and those below it, in order.
func filesUnder(dir string) (paths []string, err error) {
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.EqualFold(filepath.Ext(path), ".json") {
			paths = append(paths, path)
		}
		return err
	})
	return paths, err
}

// goldenFile is a family, as its file has it.
type goldenFile struct {
	Family string            `json:"family"`
	Torch  string            `json:"torch"`
	Cases  []json.RawMessage `json:"cases"` // each a goldenCase
}

type goldenCase struct {
	Label   string           `json:"name"`
	Config  json.RawMessage  `json:"config"`
	Inputs  map[string]array `json:"inputs"`
	Params  map[string]array `json:"params"`
	Outputs map[string]array `json:"outputs"`
	Loss    *float64         `json:"loss"`
	Grads   map[string]array `json:"grads"`
}

// family is the family of a case in a file of the given one: its configuration says it where a file
// mixes families.
func (c goldenCase) family(file string) string {
	var config struct{ Family string }
	_ = json.Unmarshal(c.Config, &config) // reading the configuration says what is wrong with it
	return cmp.Or(config.Family, file)
}

// array is a tensor: row-major, integers as floats, which hold them exactly.
type array struct {
	Shape []int     `json:"shape"`
	Data  []float64 `json:"data"`
	Dtype string    `json:"dtype"`
}

// readFile reads a family, whose cases have different names. What it could read it returns with an
// error too.
func readFile(path string) (file goldenFile, err error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return file, err
	}
	if !json.Valid(content) { // so that a number that is none spoils its case alone
		content = notNumbers.ReplaceAll(content, []byte(`"$0"`))
	}
	if err := file.read(json.NewDecoder(bytes.NewReader(content))); err != nil {
		return file, err
	}
	if len(file.Cases) == 0 {
		return file, errors.New("it has no cases")
	}
	names := map[string]bool{}
	for _, raw := range file.Cases {
		name := nameOf(raw)
		if names[name] {
			return file, fmt.Errorf("two cases have the name %q", name)
		}
		names[name] = true
	}
	return file, nil
}

// notNumbers are what Python's json writes for them, which is no JSON.
var notNumbers = regexp.MustCompile(`-?\b(NaN|Infinity)\b`)

// read reads a file case by case, so that one that breaks off has its first cases.
func (f *goldenFile) read(in *json.Decoder) error {
	if t, err := in.Token(); err != nil || t != json.Delim('{') {
		return cmp.Or(err, fmt.Errorf("it begins with %v, want {", t))
	}
	var wrong error // in what does not keep the cases from being read
	for in.More() {
		key, err := in.Token()
		if err != nil {
			return errors.Join(wrong, err)
		}
		if key == "cases" {
			if err := f.readCases(in); err != nil {
				return errors.Join(wrong, err)
			}
			continue
		}
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return errors.Join(wrong, err)
		}
		switch key {
		case "family":
			err = json.Unmarshal(value, &f.Family)
		case "torch":
			err = json.Unmarshal(value, &f.Torch)
		default:
			err = fmt.Errorf("unknown key %q", key)
		}
		wrong = errors.Join(wrong, err)
	}
	if _, err := in.Token(); err != nil {
		return errors.Join(wrong, err)
	}
	if t, err := in.Token(); err != io.EOF {
		wrong = errors.Join(wrong, err, fmt.Errorf("there is more behind its end: %v", t))
	}
	return wrong
}

func (f *goldenFile) readCases(in *json.Decoder) error {
	if t, err := in.Token(); err != nil || t != json.Delim('[') {
		return cmp.Or(err, fmt.Errorf("cases: %v, want [", t))
	}
	for in.More() {
		var raw json.RawMessage
		if err := in.Decode(&raw); err != nil {
			return err
		}
		f.Cases = append(f.Cases, raw)
	}
	_, err := in.Token()
	return err
}

// nameOf is the name of a case, whatever else it holds.
func nameOf(raw json.RawMessage) string {
	var c struct{ Name string }
	_ = json.Unmarshal(raw, &c) // a case that cannot be read has no name, and readCase says why
	return c.Name
}

func readCase(t *testing.T, raw json.RawMessage) (c goldenCase) {
	require.NoError(t, decodeStrict(raw, &c))
	for _, group := range []map[string]array{c.Inputs, c.Params, c.Outputs, c.Grads} {
		for name, a := range group {
			require.Len(t, a.Data, size(a.Shape), name)
			require.Contains(t, []string{"", "int"}, a.Dtype, "dtype of %s", name)
			if a.Dtype == "int" {
				for _, x := range a.Data {
					require.Equal(t, math.Trunc(x), x, "%s is of integers", name)
				}
			}
		}
	}
	return c
}

// UnmarshalJSON refuses null, which encoding/json takes for 0.
func (a *array) UnmarshalJSON(content []byte) error {
	if bytes.Contains(content, []byte("null")) {
		return errors.New("a tensor holds null")
	}
	type plain array
	return decodeStrict(content, (*plain)(a))
}

// decodeStrict refuses keys that v does not have.
func decodeStrict(content []byte, v any) error {
	in := json.NewDecoder(bytes.NewReader(content))
	in.DisallowUnknownFields()
	return in.Decode(v)
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// arrayOf is a node's value.
func arrayOf(n *nodes.Node) array {
	return array{Shape: n.Shape(),
		Data: testkit.Floats(n.Value())}
}

// fill writes data to a tensor of the same size.
func fill(to *tensor.Dense, data []float64) {
	switch d := to.Data().(type) {
	case []float64:
		copy(d, data)
	case []float32:
		for i, x := range data {
			d[i] = float32(x)
		}
	case []int:
		for i, x := range data {
			d[i] = int(x)
		}
	}
}

// settings is a configuration. Each key is taken out once, and none may be left in the end.
type settings struct {
	t    *testing.T
	keys map[string]any
}

func newSettings(t *testing.T, raw json.RawMessage) settings {
	s := settings{t: t}
	require.NoError(t, json.Unmarshal(raw, &s.keys))
	return s
}

func take[V any](s settings, key string) V {
	s.t.Helper()
	v, ok := s.keys[key].(V)
	require.True(s.t, ok, "config: %q is %v", key, s.keys[key])
	delete(s.keys, key)
	return v
}

func (s settings) number(key string) float64 { s.t.Helper(); return take[float64](s, key) }
func (s settings) flag(key string) bool      { s.t.Helper(); return take[bool](s, key) }
func (s settings) has(key string) bool       { _, ok := s.keys[key]; return ok }

func (s settings) whole(key string) int {
	s.t.Helper()
	x := s.number(key)
	require.Equal(s.t, math.Trunc(x), x, "config: %q", key)
	require.LessOrEqual(s.t, math.Abs(x), 1e4, "config: %q is beyond what is computed here", key)
	return int(x)
}

// word is one of the words that are known.
func (s settings) word(key string, known ...string) string {
	s.t.Helper()
	w := take[string](s, key)
	require.Contains(s.t, known, w, "config: %q", key)
	return w
}

func (s settings) object(key string) settings {
	s.t.Helper()
	return settings{s.t, take[map[string]any](s, key)}
}

// without takes out keys that say nothing, if they do.
func (s settings) without(keys ...string) {
	s.t.Helper()
	for _, key := range keys {
		require.Contains(s.t, []any{nil, 0.0, "", "none"}, s.keys[key], "config: %q", key)
		delete(s.keys, key)
	}
}

func (s settings) done() { s.t.Helper(); require.Empty(s.t, s.keys, "config: unknown keys") }
