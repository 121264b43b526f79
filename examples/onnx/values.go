package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/onnx"
)

// numbers are a tensor as JSON.
type numbers struct {
	Type string    `json:"type"`
	Dims []int     `json:"dims"`
	Data []float64 `json:"data"`
}

// maxData is the largest file of numbers.
const maxData = 1 << 30

// readValues reads the inputs of a model.
func readValues(file string, m *onnx.Model) (onnx.Values, error) {
	if strings.EqualFold(filepath.Ext(file), ".csv") {
		return readCSV(file, m)
	}
	return readJSON(file)
}

func readJSON(file string) (onnx.Values, error) {
	content, err := cli.ReadFile(file, maxData)
	if err != nil {
		return nil, err
	}
	var all map[string]numbers
	if err := json.Unmarshal(content, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	values := onnx.Values{}
	for name, x := range all {
		t, ok := types()[x.Type]
		if !ok {
			return nil, fmt.Errorf("%s: %s is of the type %q, which is none of ONNX's", file, name, x.Type)
		}
		v := onnx.Of(t, x.Data, x.Dims...)
		if v.Err() != nil {
			return nil, fmt.Errorf("%s: %s: %w", file, name, v.Err())
		}
		values[name] = v
	}
	return values, nil
}

// types are the types of numbers by name.
func types() map[string]onnx.Type {
	all := map[string]onnx.Type{}
	for _, t := range []onnx.Type{onnx.Float32, onnx.Float64, onnx.Float16, onnx.BFloat16, onnx.Int64,
		onnx.Int32, onnx.Int16, onnx.Int8, onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64,
		onnx.Bool} {
		all[t.String()] = t
	}
	return all
}

// readCSV reads a matrix for the only input of a model.
func readCSV(file string, m *onnx.Model) (onnx.Values, error) {
	if len(m.Inputs()) != 1 {
		return nil, fmt.Errorf("%s: the model has inputs %v; want one for a CSV, or JSON", file, m.Inputs())
	}
	f, err := cli.OpenFile(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s has no lines", file)
	}
	var data []float64
	for i, row := range rows {
		for _, cell := range row {
			x, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %q is no number", file, i+1, cell)
			}
			data = append(data, x)
		}
	}
	in := m.Inputs()[0]
	shape := []int{len(rows), len(rows[0])}
	for len(shape) < len(in.Shape) {
		shape = append([]int{1}, shape...)
	}
	if len(in.Shape) == 1 {
		shape = []int{len(data)}
	}
	return onnx.Values{in.Name: onnx.Of(in.Type, data, shape...)}, nil
}

func writeValues(w io.Writer, values onnx.Values) error {
	all := map[string]numbers{}
	for name, t := range values {
		all[name] = numbers{t.Type().String(), append([]int{}, t.Shape()...), t.Float64s()}
	}
	return json.NewEncoder(w).Encode(all)
}

func saveValues(file string, values onnx.Values) error {
	return cli.WriteFile(file, func(w io.Writer) error { return writeValues(w, values) })
}

// parseSizes reads "time=50,batch=1".
func parseSizes(text string) (map[string]int, error) {
	sizes := map[string]int{}
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		name, number, ok := strings.Cut(part, "=")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n < 1 {
			return nil, cli.Usagef("-sizes has %q, want name=number", part)
		}
		sizes[strings.TrimSpace(name)] = n
	}
	return sizes, nil
}
