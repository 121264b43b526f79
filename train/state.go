package train

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// State is all that an optimiser, schedule, average or early stop must remember to go on as if it
// had never stopped. It is a copy and shares no memory with its source. What belongs to a parameter
// has the parameter's name as a prefix: encoder/l0/W_ih/exp_avg.
type State struct {
	Kind string // what wrote it ("adam"): nothing else restores it
	Step int    // steps, updates or observations so far
	// may be infinite, as the best metric is before the first; never NaN
	Scalars map[string]float64
	// float32 or float64, contiguous; shape [] for a scalar parameter
	Tensors map[string]*tensor.Dense
}

// check reports whether s was written by kind and holds exactly the named scalars and no tensors.
func (s State) check(kind string, scalars ...string) error {
	if _, err := (&buffers{}).load(kind, s, scalars...); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.Scalars)) {
		if !slices.Contains(scalars, name) {
			return misfit(kind, fmt.Sprintf("scalar %q is unknown", name))
		}
	}
	return nil
}

func misfit(kind string, what ...string) error {
	return fmt.Errorf("train: %s: the state does not fit: %s", kind, strings.Join(what, "; "))
}

// whole is the whole number that scalar name of s must be, from least to limit.
func (s State) whole(name string, least, limit int) (int, error) {
	v := s.Scalars[name]
	if n := int(v); float64(n) == v && least <= n && n <= limit {
		return n, nil
	}
	return 0, fmt.Errorf("scalar %q is %v, and must be a whole number from %d to %d", name, v,
		least, limit)
}

// buffers keeps the tensors that go with each parameter, by the parameter's name.
type buffers struct {
	slots  []string // what is kept for a parameter, each of the parameter's own shape and type
	byName map[string]*buffer
	walk   int // numbers the calls of open, to find a name that is listed twice
	opened []member
}

// buffer is what is kept for one parameter. The numbers of slots[i] are f32[i] or f64[i], as with
// vector.
type buffer struct {
	updates int // how often the parameter was updated
	walk    int
	slots   []vector
	f32     [][]float32
	f64     [][]float64
}

// member is a parameter with what is kept for it.
type member struct {
	parameter
	*buffer
}

const updatesKey = "/steps" // follows a parameter's name in State.Scalars

func newBuffer(slots []vector) *buffer {
	b := &buffer{slots: slots}
	for _, v := range slots {
		b.f32, b.f64 = append(b.f32, v.f32), append(b.f64, v.f64)
	}
	return b
}

// open checks the whole list before anything is changed. The result is good until the next call.
func (b *buffers) open(params []gorgonia.ValueGrad,
	one func(int, gorgonia.ValueGrad) (parameter, error)) ([]member, error) {
	b.walk++
	b.opened = b.opened[:0]
	for i, vg := range params {
		p, err := one(i, vg)
		if err == nil {
			err = b.join(p)
		}
		if err != nil {
			b.forgetNew()
			return nil, err
		}
	}
	return b.opened, nil
}

// forgetNew drops the buffers of parameters that were listed but never updated.
func (b *buffers) forgetNew() {
	maps.DeleteFunc(b.byName, func(_ string, buf *buffer) bool { return buf.updates == 0 })
}

// join adds p to the members of this walk, with a buffer of zeros if p is new.
func (b *buffers) join(p parameter) error {
	buf := b.byName[p.name]
	if buf == nil {
		var slots []vector
		for range b.slots {
			slots = append(slots, p.value.zeros())
		}
		buf = newBuffer(slots)
		if b.byName == nil {
			b.byName = map[string]*buffer{}
		}
		b.byName[p.name] = buf
	}
	if buf.walk == b.walk {
		return fmt.Errorf("parameter %q is listed twice; names must be unique", p.name)
	}
	if len(buf.slots) > 0 && !buf.slots[0].like(p.value) {
		return fmt.Errorf("parameter %q is %v, but %q of it is kept as %v", p.name, p.value,
			b.slots[0], buf.slots[0])
	}
	buf.walk = b.walk
	b.opened = append(b.opened, member{p, buf})
	return nil
}

// save copies the buffers into a state that also holds the scalars given.
func (b *buffers) save(kind string, step int, scalars map[string]float64) State {
	s := State{Kind: kind, Step: step, Scalars: scalars, Tensors: map[string]*tensor.Dense{}}
	for name, buf := range b.byName {
		s.Scalars[name+updatesKey] = float64(buf.updates)
		for i, slot := range b.slots {
			s.Tensors[name+"/"+slot] = buf.slots[i].dense()
		}
	}
	return s
}

// load makes buffers of a copy of s, which must hold all that save writes, the scalars named
// included, and nothing else.
func (b *buffers) load(kind string, s State, scalars ...string) (map[string]*buffer, error) {
	if s.Kind != kind {
		return nil, fmt.Errorf("train: %s: the state is that of %q; it must be that of %q", kind,
			s.Kind, kind)
	}
	var wrong []string
	report := func(format string, args ...any) {
		wrong = append(wrong,
			fmt.Sprintf(format, args...))
	}

	if s.Step < 0 {
		report("Step is %d, and must not be negative", s.Step)
	}
	for _, name := range scalars {
		if v, ok := s.Scalars[name]; !ok || math.IsNaN(v) {
			report("scalar %q is missing or NaN", name)
		}
	}
	loaded := map[string]*buffer{}
	for key := range s.Scalars {
		if slices.Contains(scalars, key) {
			continue
		}
		name, ok := strings.CutSuffix(key, updatesKey)
		if !ok {
			report("scalar %q is unknown", key)
			continue
		}
		var slots []vector
		updates, err := s.whole(key, 1, s.Step)
		if err == nil {
			slots, err = b.loadSlots(name, s)
		}
		if err != nil {
			report("%v", err)
			continue
		}
		loaded[name] = newBuffer(slots)
		loaded[name].updates = updates
	}
	for key := range s.Tensors {
		cut := max(strings.LastIndexByte(key, '/'), 0)
		if _, ok := s.Scalars[key[:cut]+updatesKey]; !ok || !slices.Contains(b.slots, key[cut+1:]) {
			report("tensor %q is unknown", key)
		}
	}
	if wrong != nil {
		slices.Sort(wrong)
		return nil, misfit(kind, wrong...)
	}
	return loaded, nil
}

// loadSlots copies what s keeps for the parameter name.
func (b *buffers) loadSlots(name string, s State) (slots []vector, err error) {
	for _, slot := range b.slots {
		key := name + "/" + slot
		if s.Tensors[key] == nil {
			return nil, fmt.Errorf("tensor %q is missing", key)
		}
		v, err := vectorOf(s.Tensors[key])
		if err != nil {
			return nil, fmt.Errorf("tensor %q %w", key, err)
		}
		if len(slots) > 0 && !v.like(slots[0]) {
			return nil, fmt.Errorf("tensor %q is %v and %q is %v, and they must be the same",
				key, v, b.slots[0], slots[0])
		}
		slots = append(slots, v.clone())
	}
	return slots, nil
}
