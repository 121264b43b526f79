package train

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"unsafe"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/safetensors"
	"github.com/seqzoo/seqzoo/run"
)

func bytesOf64(x []uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 8*len(x))
}

// digestible are the numbers of tensors, by name.
func digestible(tensors map[string]*tensor.Dense) map[string]any {
	m := map[string]any{}
	for name, t := range tensors {
		m[name] = []any{[]int(t.Shape()), t.Data()}
	}
	return m
}

// collect gives every process what single ones have computed: the state of the optimizer and the
// state that goes from batch to batch.
func (f *fit) collect() error {
	if !f.together() {
		return nil
	}
	if c, ok := f.task.(Carrying); ok {
		if err := f.collectCarried(c.Carried()); err != nil {
			return f.lost(err)
		}
	}
	if f.dividesUpdates() {
		s, err := f.wholeState()
		if err != nil {
			return err
		}
		f.optimizerState = &s
	}
	return nil
}

// collectCarried gives every process the rows of all shards.
func (f *fit) collectCarried(s *run.State) error {
	for _, t := range s.Tensors() {
		v, err := vectorOfDense(t)
		if err != nil || v.len() == 0 {
			return err
		}
		data := v.flat().bytes()
		rows := t.Shape()[0]
		counts, first := make([]int, f.Processes.Size()), 0
		for r := range counts {
			from, to := ShardRows(f.joint.shards, r, f.Processes.Size())
			begin, _ := ShardRows(rows, from, f.joint.shards)
			end, _ := ShardRows(rows, to, f.joint.shards)
			counts[r] = (end - begin) * (len(data) / rows)
			if r == f.Processes.Rank() {
				first = begin * (len(data) / rows)
			}
		}
		own := data[first : first+counts[f.Processes.Rank()]]
		if err := f.Processes.AllGather(own, data, counts); err != nil {
			return err
		}
	}
	return nil
}

// wholeState is the state of the optimizer, of which this process has a part.
func (f *fit) wholeState() (State, error) {
	c := newCheckpoint()
	c.States[optimizerState] = f.Optimizer.State()
	var b bytes.Buffer
	if err := c.Write(&b); err != nil {
		return State{}, err
	}
	all, err := gatherBytes(f.Processes, b.Bytes())
	if err != nil {
		return State{}, f.lost(err)
	}
	var whole State
	for r, data := range all {
		part, err := checkpointOf(data)
		if err != nil {
			return State{}, err
		}
		s := part.States[optimizerState]
		if r == 0 {
			whole = State{Kind: s.Kind, Scalars: map[string]float64{},
				Tensors: map[string]*tensor.Dense{}}
		}
		whole.Step = max(whole.Step, s.Step)
		for name, v := range s.Scalars {
			if was, ok := whole.Scalars[name]; !ok || v > was {
				whole.Scalars[name] = v
			}
		}
		if err := f.joinTensors(whole.Tensors, s.Tensors, r); err != nil {
			return State{}, err
		}
	}
	return whole, nil
}

const optimizerState = "optimizer"

// joinTensors copies the parts that process rank has to the whole tensors of a state.
func (f *fit) joinTensors(whole, parts map[string]*tensor.Dense, rank int) error {
	for key, t := range parts {
		slot, from, to := f.joint.pieceOf(key, rank)
		v, err := vectorOfTensor(t)
		if err != nil || slot == nil || v.len() != to-from {
			return fmt.Errorf("train: the state %q of the optimizer is of no part of a parameter",
				key)
		}
		if whole[key] == nil {
			whole[key] = tensor.New(tensor.Of(t.Dtype()), tensor.WithShape(slot.shape.Clone()...))
		}
		w, err := vectorOfTensor(whole[key])
		if err != nil {
			return err
		}
		copy(w.f32[min(from, len(w.f32)):], v.f32)
		copy(w.f64[min(from, len(w.f64)):], v.f64)
	}
	return nil
}

// pieceOf finds the parameter whose name begins a key of a state, and the part that a process has.
func (j *joint) pieceOf(key string, rank int) (of *slot, from, to int) {
	for i := range j.layout.slots {
		s := &j.layout.slots[i]
		if strings.Contains("/"+key, "/"+s.name+"/") && (of == nil || len(s.name) > len(of.name)) {
			of, from, to = s, 0, 0
			if part := spanOf(j.spans[rank], i); part != nil {
				from, to = part.from, part.to
			}
		}
	}
	return of, from, to
}

// divideState gives the optimizer of this process its part of a state.
func (f *fit) divideState(s State) error {
	if s.Step == 0 && len(s.Tensors) == 0 {
		return nil
	}
	part := State{Kind: s.Kind, Step: s.Step, Scalars: maps.Clone(s.Scalars),
		Tensors: map[string]*tensor.Dense{}}
	for key, t := range s.Tensors {
		slot, from, to := f.joint.pieceOf(key, f.Processes.Rank())
		v, err := vectorOfTensor(t)
		if err != nil || slot == nil || v.len() != slot.len() {
			return fmt.Errorf("train: the state %q of the optimizer is of no parameter of the task",
				key)
		}
		if from < to {
			part.Tensors[key] = v.flat().slice(from, to).dense(to - from)
		}
	}
	for name := range s.Scalars {
		slot, from, to := f.joint.pieceOf(name+"/", f.Processes.Rank())
		if slot != nil && strings.HasSuffix(name, slot.name+updatesKey) && from == to {
			delete(part.Scalars, name)
		}
	}
	return f.Optimizer.Restore(part)
}

// slice is a part of x, which has numbers of one type.
func (x flat) slice(from, to int) flat {
	if x.f64 != nil {
		return flat{f64: x.f64[from:to]}
	}
	return flat{f32: x.f32[from:to]}
}

// undivide gives the optimizer of every process the whole state, at the end of a training.
func (f *fit) undivide() error {
	if !f.together() || !f.dividesUpdates() || f.joint == nil {
		return nil
	}
	s, err := f.wholeState()
	if err != nil {
		return err
	}
	return f.Optimizer.Restore(s)
}

// shareWeights gives every process the weights of the first.
func (f *fit) shareWeights() error {
	for _, s := range f.joint.layout.slots {
		if err := f.Processes.Broadcast(s.flat().bytes(), 0); err != nil {
			return f.lost(err)
		}
	}
	return nil
}

// shareCheckpoint gives every process the checkpoint that the first one resumes from; nil if it is
// to begin. The first one calls it with its own.
func (f *fit) shareCheckpoint(c *Checkpoint) (*Checkpoint, error) {
	if !f.together() {
		return c, nil
	}
	var b bytes.Buffer
	if c != nil {
		if err := c.Write(&b); err != nil {
			return nil, err
		}
	}
	length := []uint64{uint64(b.Len())}
	if err := f.Processes.Broadcast(bytesOf64(length), 0); err != nil {
		return nil, f.lost(err)
	}
	if length[0] == 0 {
		return nil, nil
	}
	if length[0] > math.MaxInt {
		return nil, errors.New("train: the checkpoint is too large")
	}
	data := b.Bytes()
	if !f.first() {
		data = make([]byte, length[0])
	}
	if err := f.Processes.Broadcast(data, 0); err != nil {
		return nil, f.lost(err)
	}
	if f.first() {
		return c, nil
	}
	return checkpointOf(data)
}

// checkpointOf reads what Checkpoint.Write has written.
func checkpointOf(data []byte) (*Checkpoint, error) {
	f, err := safetensors.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("train: checkpoint of another process: %w", err)
	}
	return decodeCheckpoint(f)
}
