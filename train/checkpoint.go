package train

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/safetensors"
)

// Checkpoint is everything that a run needs to go on, to the bit, as if it had never stopped.
// Names are free, but valid UTF-8. Random numbers are functions of seed and step, so no generator
// has a state to keep.
type Checkpoint struct {
	Step     int                      // optimizer steps done
	Params   map[string]*tensor.Dense // the weights, by path: encoder/l0/W_ih
	States   map[string]State         // of optimizer, schedule, average, …; no slash in the names
	Tensors  map[string]*tensor.Dense // what else has many numbers, such as a recurrent state
	Counters map[string]uint64        // seed, epoch, position in the data, …
	Text     map[string]string        // configuration, hash of the vocabulary, …
}

// A checkpoint is one safetensors file. These begin the names of its tensors and of its metadata.
const (
	checkpointFormat = 1
	formatKey        = "seqzoo.checkpoint" // metadata: the format's number
	stepName         = "step"              // U64 []
	paramPrefix      = "param/"            // F32 or F64
	tensorPrefix     = "tensor/"           // F32 or F64
	counterPrefix    = "counter/"          // U64 []
	textPrefix       = "text/"             // metadata
	statePrefix      = "state/"            // metadata NAME: the kind; then tensors
	stateStep        = "step"              // NAME/step, U64 []
	stateScalar      = "scalar/"           // NAME/scalar/…, F64 []
	stateTensor      = "tensor/"           // NAME/tensor/…, F32 or F64
)

// maxCheckpointRank bounds what a file can make of tensor.Dense, which keeps several numbers for
// each axis.
const maxCheckpointRank = 8

// Write writes the checkpoint to w. Tensors are float32 or float64, contiguous and row-major, of
// at most 8 axes.
func (c *Checkpoint) Write(w io.Writer) error {
	tensors, metadata, err := c.encode()
	if err = errors.Join(err, check.Given("the writer", w)); err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	return safetensors.Write(w, tensors, metadata)
}

func (c *Checkpoint) encode() (tensors []safetensors.Tensor, metadata map[string]string,
	err error) {
	number := func(name string, v uint64) {
		tensors = append(tensors, safetensors.New(name, nil, []uint64{v}))
	}
	dense := func(prefix string, ds map[string]*tensor.Dense) {
		for name, d := range ds {
			t, e := encodeDense(prefix+name, d)
			if e != nil {
				err = errors.Join(err, e)
			}
			tensors = append(tensors, t)
		}
	}
	if c.Step < 0 {
		return nil, nil, fmt.Errorf("Step is %d, and must not be negative", c.Step)
	}
	metadata = map[string]string{formatKey: strconv.Itoa(checkpointFormat)}
	number(stepName, uint64(c.Step))
	dense(paramPrefix, c.Params)
	dense(tensorPrefix, c.Tensors)
	for name, v := range c.Counters {
		number(counterPrefix+name, v)
	}
	for name, text := range c.Text {
		metadata[textPrefix+name] = text
	}
	for name, s := range c.States {
		if strings.Contains(name, "/") || s.Step < 0 {
			return nil, nil, fmt.Errorf("state %q at step %d: it must have a name without slash "+
				"and no negative step", name, s.Step)
		}
		metadata[statePrefix+name] = s.Kind
		prefix := statePrefix + name + "/"
		number(prefix+stateStep, uint64(s.Step))
		dense(prefix+stateTensor, s.Tensors)
		for name, v := range s.Scalars {
			tensors = append(tensors, safetensors.New(prefix+stateScalar+name, nil, []float64{v}))
		}
	}
	return tensors, metadata, err
}

func encodeDense(name string, d *tensor.Dense) (t safetensors.Tensor, err error) {
	v, err := vectorOfTensor(d)
	switch {
	case err != nil:
		return t, fmt.Errorf("%q %w", name, err)
	case v.len() == 0 || len(v.shape) > maxCheckpointRank:
		return t, fmt.Errorf("%q has shape %v: it must have values, and at most %d axes", name,
			v.shape, maxCheckpointRank)
	case v.f32 != nil:
		return safetensors.New(name, v.shape, v.f32), nil
	}
	return safetensors.New(name, v.shape, v.f64), nil
}

// vectorOfTensor is vectorOfDense for tensors that may be nil or new(tensor.Dense).
func vectorOfTensor(d *tensor.Dense) (vector, error) {
	if d == nil || d.Dtype().Type == nil {
		return vector{}, errors.New("has no values")
	}
	return vectorOfDense(d)
}

// ReadCheckpoint reads the checkpoint at path. It needs no lock, since a checkpoint's file is
// never changed, only replaced. A file in which a single byte has changed is refused, as is one
// made by a newer format.
func ReadCheckpoint(path string) (*Checkpoint, error) { return readCheckpoint(path, nil) }

// readCheckpoint is ReadCheckpoint, which asks fits, unless that is nil, before it takes memory for
// the values: a file that takes little room on a disk may have many.
func readCheckpoint(path string, fits func(*outline) error) (*Checkpoint, error) {
	f, from, err := safetensors.OpenFile(path)
	if err != nil {
		return nil, fmt.Errorf("train: checkpoint %w", err)
	}
	defer from.Close()
	var misfit error
	c, err := checkedCheckpoint(f, func(o *outline) error {
		if fits != nil {
			misfit = fits(o)
		}
		return misfit
	})
	switch {
	case misfit != nil:
		return nil, misfit
	case err != nil:
		return nil, fmt.Errorf("train: checkpoint %s: %w", path, err)
	}
	return c, nil
}

func checkedCheckpoint(f *safetensors.File, fits func(*outline) error) (*Checkpoint, error) {
	o, err := outlineOf(f)
	if err == nil {
		err = fits(o)
	}
	if err == nil {
		err = f.Load()
	}
	if err != nil {
		return nil, err
	}
	return decodeCheckpoint(f)
}

// outline is the content of a checkpoint's file without its values.
type outline struct {
	*Checkpoint                  // texts, and the kinds of states, alone
	params      map[string]saved // without numbers
	others      map[string]saved // of states and tensors, by their names in the file
}

// outlineOf refuses what is seen to be no checkpoint of this library without its values.
func outlineOf(f *safetensors.File) (*outline, error) {
	if err := checkHeader(f); err != nil {
		return nil, err
	}
	if !f.Checked {
		return nil, errors.New("it has no checksum: it was changed or is not by this library")
	}
	c, err := headOf(f)
	if err != nil {
		return nil, err
	}
	o := &outline{c, map[string]saved{}, map[string]saved{}}
	for _, t := range f.Tensors {
		s := saved{v: vector{shape: t.Shape, dtype: tensor.Float32}}
		switch t.DType {
		case "F32":
		case "F64":
			s.v.dtype = tensor.Float64
		default:
			s.err = fmt.Errorf("is %s; it must be F32 or F64", t.DType)
		}
		if name, ok := strings.CutPrefix(t.Name, paramPrefix); ok {
			o.params[name] = s
		} else {
			o.others[t.Name] = s
		}
	}
	return o, nil
}

// checkHeader refuses what is seen to be no checkpoint without its values.
func checkHeader(f *safetensors.File) error {
	format, err := strconv.Atoi(f.Metadata[formatKey])
	switch {
	case err != nil || format < 1:
		return errors.New("it holds no checkpoint of a training run")
	case format > checkpointFormat:
		return fmt.Errorf("it was made by checkpoint format %d, this is format %d: a "+
			"newer version of the library reads it", format, checkpointFormat)
	}
	return f.CheckRoom()
}

// headOf is what a checkpoint has without the values of its file.
func headOf(f *safetensors.File) (*Checkpoint, error) {
	c := &Checkpoint{
		Step:     -1,
		Params:   map[string]*tensor.Dense{},
		States:   map[string]State{},
		Tensors:  map[string]*tensor.Dense{},
		Counters: map[string]uint64{},
		Text:     map[string]string{},
	}
	for key, value := range f.Metadata {
		if name, ok := strings.CutPrefix(key, textPrefix); ok {
			c.Text[name] = value
		} else if name, ok := strings.CutPrefix(key, statePrefix); ok &&
			!strings.Contains(name, "/") {
			c.States[name] = State{Kind: value, Step: -1, Scalars: map[string]float64{},
				Tensors: map[string]*tensor.Dense{}}
		} else if key != formatKey {
			return nil, fmt.Errorf("metadata %.64q: unknown", key)
		}
	}
	return c, nil
}

func decodeCheckpoint(f *safetensors.File) (*Checkpoint, error) {
	if err := checkHeader(f); err != nil {
		return nil, err
	}
	c, err := headOf(f)
	if err != nil {
		return nil, err
	}
	for _, t := range f.Tensors {
		if err := c.decode(t); err != nil {
			return nil, fmt.Errorf("tensor %.64q: %w", t.Name, err)
		}
	}
	for name, s := range c.States {
		if s.Step < 0 {
			return nil, fmt.Errorf("state %.64q: its step is missing", name)
		}
	}
	if c.Step < 0 {
		return nil, errors.New("its step is missing")
	}
	return c, nil
}

func (c *Checkpoint) decode(t safetensors.Tensor) (err error) {
	if name, ok := strings.CutPrefix(t.Name, paramPrefix); ok {
		c.Params[name], err = decodeDense(t)
		return err
	}
	if name, ok := strings.CutPrefix(t.Name, tensorPrefix); ok {
		c.Tensors[name], err = decodeDense(t)
		return err
	}
	if name, ok := strings.CutPrefix(t.Name, counterPrefix); ok {
		c.Counters[name], err = decodeScalar[uint64](t)
		return err
	}
	if t.Name == stepName {
		c.Step, err = decodeStep(t)
		return err
	}
	if rest, ok := strings.CutPrefix(t.Name, statePrefix); ok {
		name, rest, _ := strings.Cut(rest, "/")
		if s, ok := c.States[name]; ok {
			err = s.decode(rest, t)
			c.States[name] = s
			return err
		}
	}
	return errors.New("unknown")
}

func (s *State) decode(rest string, t safetensors.Tensor) (err error) {
	if name, ok := strings.CutPrefix(rest, stateScalar); ok {
		s.Scalars[name], err = decodeScalar[float64](t)
		return err
	}
	if name, ok := strings.CutPrefix(rest, stateTensor); ok {
		s.Tensors[name], err = decodeDense(t)
		return err
	}
	if rest == stateStep {
		s.Step, err = decodeStep(t)
		return err
	}
	return errors.New("unknown")
}

func decodeStep(t safetensors.Tensor) (int, error) {
	v, err := decodeScalar[uint64](t)
	if err == nil && v > math.MaxInt {
		err = fmt.Errorf("%d overflows", v)
	}
	return int(v), err
}

func decodeScalar[E safetensors.Element](t safetensors.Tensor) (E, error) {
	if len(t.Shape) > 0 {
		return 0, fmt.Errorf("shape %v: it must be a scalar", t.Shape)
	}
	v, err := safetensors.Values[E](t)
	if err != nil {
		return 0, err
	}
	return v[0], nil
}

func decodeDense(t safetensors.Tensor) (*tensor.Dense, error) {
	if len(t.Data) == 0 || len(t.Shape) > maxCheckpointRank {
		return nil, fmt.Errorf("%d axes, %d bytes: it must have values, and at most %d axes",
			len(t.Shape), len(t.Data), maxCheckpointRank)
	}
	switch t.DType {
	case "F32":
		return denseOf[float32](t)
	case "F64":
		return denseOf[float64](t)
	}
	return nil, fmt.Errorf("%s: it must be F32 or F64", t.DType)
}

func denseOf[E float32 | float64](t safetensors.Tensor) (*tensor.Dense, error) {
	v, err := safetensors.Values[E](t)
	if err != nil {
		return nil, err
	}
	if len(t.Shape) == 0 {
		return tensor.New(tensor.FromScalar(v[0])), nil
	}
	return tensor.New(tensor.WithShape(t.Shape...), tensor.WithBacking(v)), nil
}

// Apply copies the checkpoint's weights into params, in place. The names must be the same, with
// the same shapes and types: a checkpoint of another architecture changes nothing, and the error
// lists what differs, ten lines at most.
func (c *Checkpoint) Apply(params map[string]*tensor.Dense) error {
	pairs, err := c.match(params)
	for _, p := range pairs {
		p.to.copyFrom(p.from)
	}
	return err
}

// weightPair is a weight of a model and that of a checkpoint.
type weightPair struct{ to, from vector }

// saved is a tensor of a checkpoint, or what is wrong with it.
type saved struct {
	v   vector
	err error
}

// match finds the weight of the checkpoint for each of params.
func (c *Checkpoint) match(params map[string]*tensor.Dense) (pairs []weightPair, err error) {
	weights := map[string]saved{}
	for name, d := range c.Params {
		v, err := vectorOfTensor(d)
		weights[name] = saved{v, err}
	}
	return matchWeights(params, weights)
}

// matchWeights finds the one of weights for each of params, which may be without its numbers.
func matchWeights(params map[string]*tensor.Dense,
	weights map[string]saved) (pairs []weightPair, err error) {
	var differ []string
	report := func(name, format string, args ...any) {
		differ = append(differ, fmt.Sprintf("%s: "+format, append([]any{name}, args...)...))
	}
	for name, d := range params {
		from, ok := weights[name]
		if !ok {
			report(name, "missing in the checkpoint")
			continue
		}
		to, err := vectorOfTensor(d)
		switch {
		case from.err != nil:
			report(name, "in the checkpoint it %v", from.err)
		case err != nil:
			report(name, "in the model it %v", err)
		case !to.like(from.v):
			report(name, "%v in the checkpoint, %v in the model", from.v, to)
		default:
			pairs = append(pairs, weightPair{to, from.v})
		}
	}
	for name := range weights {
		if _, ok := params[name]; !ok {
			report(name, "in the checkpoint, but not in the model")
		}
	}
	if len(differ) > 0 {
		const most = 10
		n := len(differ)
		slices.Sort(differ)
		if n > most {
			differ = append(differ[:most-1], fmt.Sprintf("and %d more", n-most+1))
		}
		return nil, errorOf(ErrOtherModel, "train: the checkpoint is of another architecture, %d "+
			"parameters differ:\n\t%s", n, strings.Join(differ, "\n\t"))
	}
	return pairs, nil
}
