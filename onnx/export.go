package onnx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
	"github.com/seqzoo/seqzoo/zoo"
)

// ExportOptions say how a model is written. The zero value is operator set 17.
type ExportOptions struct {
	// Layout names which of the model's graphs is written (see zoo.Layout); the first one if empty.
	Layout string
	// Scans writes every recurrence as a Scan, also where ONNX has an operator for it.
	Scans bool
	// Opset is the version of the operators: 16 to 22; 0 is 17.
	Opset int
}

// layouts are models that lay out graphs for other formats.
type layouts interface{ Layouts() []zoo.Layout }

// Export writes one of a model's graphs to a file, which appears whole or not at all. Sizes such as
// the batch's are left open. RNN, LSTM and GRU cells become ONNX's operators where those mean
// exactly the same; every other cell, a user's own too, is a Scan whose body is the cell's step.
// States are inputs and outputs, so that a caller can go on from them: the file's metadata
// "seqzoo.states" say which output feeds which input, as JSON. Beside it stand what the model's
// directory holds beside its weights, under the names of its files: config.json, vocabulary.json.
// What ONNX cannot say is refused by name.
func Export(m zoo.Model, file string, o ExportOptions) (err error) {
	defer wrap(&err)
	if m == nil {
		return errors.New("the model is nil")
	}
	l, ok := m.(layouts)
	if !ok {
		return fmt.Errorf("%s has no layout for other formats", m.Architecture())
	}
	layout, err := layoutOf(l.Layouts(), m.Architecture(), o.Layout)
	if err != nil {
		return err
	}
	p, err := encode(layout, m.Params(), o)
	if err != nil {
		return fmt.Errorf("%s, layout %s: %w", m.Architecture(), layout.Name, err)
	}
	if err := describe(p, m); err != nil {
		return err
	}
	return write(p, file)
}

// layoutOf is the layout of a name, the first one if that is empty.
func layoutOf(all []zoo.Layout, of, name string) (zoo.Layout, error) {
	k := 0
	if name != "" {
		k = slices.IndexFunc(all, func(l zoo.Layout) bool { return l.Name == name })
	}
	if k >= 0 && k < len(all) {
		return all[k], nil
	}
	var names []string
	for _, l := range all {
		names = append(names, l.Name)
	}
	return zoo.Layout{}, fmt.Errorf("%s has no layout %q; it has %q", of, name, names)
}

// ExportLayout is Export for a graph that a program lays out itself, with parameters of a store.
func ExportLayout(l zoo.Layout, store *nodes.Store, file string, o ExportOptions) (err error) {
	defer wrap(&err)
	p, err := encode(l, store, o)
	if err != nil {
		return err
	}
	return write(p, file)
}

// Save writes an imported model to a file, with its parameters as they are now.
func (m *Model) Save(file string) (err error) {
	defer wrap(&err)
	if m == nil || m.proto == nil {
		return errNoModel
	}
	p := proto.Clone(m.proto).(*pb.ModelProto)
	for i, t := range p.Graph.Initializer {
		v := m.known[t.GetName()]
		if v.param == nil {
			if t.GetDataLocation() == pb.TensorProto_EXTERNAL {
				p.Graph.Initializer[i] = host.Encode(t.GetName(), v.host)
			}
			continue
		}
		x := host.New(v.typ, v.shape...)
		for k := range x.F {
			x.F[k] = paramAt(v.param, k)
		}
		p.Graph.Initializer[i] = host.Encode(t.GetName(), x)
	}
	return write(p, file)
}

// describe adds what the model's directory holds beside its weights: configuration, vocabulary,
// tokeniser.
func describe(p *pb.ModelProto, m zoo.Model) error {
	addMetadata(p, "seqzoo.architecture", m.Architecture())
	files := m.Files()
	config, err := json.Marshal(files.Config)
	if err != nil {
		return err
	}
	addMetadata(p, "config.json", string(config))
	for _, name := range sortedKeys(files.Extra) {
		var b bytes.Buffer
		if err := files.Extra[name](&b); err != nil {
			return err
		}
		if utf8.Valid(b.Bytes()) {
			addMetadata(p, name, b.String())
		}
	}
	return nil
}

func addMetadata(p *pb.ModelProto, key, text string) {
	p.MetadataProps = append(p.MetadataProps, &pb.StringStringEntryProto{Key: &key, Value: &text})
}

// maxFile is the largest message that protobuf reads.
const maxFile = 1<<31 - 1

func write(p *pb.ModelProto, file string) error {
	if n := proto.Size(p); n > maxFile {
		return fmt.Errorf("the model takes %d bytes, more than a file of this format holds", n)
	}
	content, err := proto.MarshalOptions{Deterministic: true}.Marshal(p)
	if err != nil {
		return err
	}
	return safefile.Write(safefile.OS, filepath.Clean(file), func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}
