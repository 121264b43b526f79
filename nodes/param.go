package nodes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/rng"
)

// Store holds the parameters of a model: a tensor for every path, outside of any graph. All graphs
// of the model (a training window, evaluation, one step of inference) bind the same tensors, so
// nothing is copied or goes stale.
type Store struct {
	dtype  tensor.Dtype
	seed   uint64
	params map[string]*Param
	order  []*Param
}

// NewStore starts an empty store of Float32 or Float64 parameters, initialised from seed. The
// initial value of a parameter depends on the seed and its own path alone, not on what else is
// declared, nor in which order.
func NewStore(dtype tensor.Dtype, seed uint64) *Store {
	checkFloat("NewStore", dtype)
	return &Store{dtype: dtype, seed: seed, params: map[string]*Param{}}
}

// Dtype is the float type of all parameters.
func (s *Store) Dtype() tensor.Dtype { return s.dtype }

// Root is the scope with the empty path.
func (s *Store) Root() *Scope { return &Scope{store: s} }

// Params are all parameters in the order of declaration.
func (s *Store) Params() []*Param { return slices.Clone(s.order) }

// Get finds a parameter by its path.
func (s *Store) Get(path string) (*Param, bool) {
	p, ok := s.params[path]
	return p, ok
}

// Count is the number of elements of all parameters.
func (s *Store) Count() int {
	n := 0
	for _, p := range s.order {
		n += ops.Size(p.shape)
	}
	return n
}

// Scope is a place in a store, such as "encoder/l0". It declares parameters under its path.
type Scope struct {
	store *Store
	path  string
}

// In is the scope of name under s. The name may be formatted: s.In("l%d", k).
func (s *Scope) In(format string, args ...any) *Scope {
	name := fmt.Sprintf(format, args...)
	path := s.join(name)
	if err := checkName(name); err != nil {
		panic(&BuildError{Path: s.path, Op: "Scope", Msg: err.Error()})
	}
	return &Scope{s.store, path}
}

// checkName holds a name to what paths, files and messages can carry.
func checkName(name string) error {
	bad := func(r rune) bool { return r == '/' || !unicode.IsPrint(r) || r == ' ' }
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("the name %q: want one or more printable characters, no "+
			"slash and no space", name)
	}
	return nil
}

func (s *Scope) join(name string) string {
	s.check()
	if s.path == "" {
		return name
	}
	return s.path + "/" + name
}

// check refuses a scope that belongs to no store.
func (s *Scope) check() {
	if s == nil || s.store == nil {
		ops.Failf("Scope", "the scope is nil, or none that Store.Root or Scope.In made")
	}
}

// Dtype is the float type of the scope's parameters.
func (s *Scope) Dtype() tensor.Dtype {
	s.check()
	return s.store.dtype
}

// Path is the scope's path; the root's is empty.
func (s *Scope) Path() string {
	s.check()
	return s.path
}

// Param declares a parameter. Declaring one path twice is a mistake: to use a parameter again, use
// Shared.
func (s *Scope) Param(name string, init Init, shape ...int) *Param {
	path := s.join(name)
	fail := func(err error) {
		panic(&BuildError{Path: s.path, Op: "Param", Msg: err.Error(),
			Err: err})
	}
	if err := checkName(name); err != nil {
		fail(err)
	}
	if s.store.params[path] != nil {
		fail(fmt.Errorf("%s is declared already; to use one parameter twice, ask for it with Shared", path))
	}
	if len(shape) == 0 {
		fail(fmt.Errorf("%s has no shape: want at least one axis", path))
	}
	if err := errors.Join(ops.CheckShape(shape), init.check(shape)); err != nil {
		fail(fmt.Errorf("%s: %w", path, err))
	}
	p := &Param{store: s.store, path: path, shape: slices.Clone(shape), init: init}
	s.store.params[path] = p
	s.store.order = append(s.store.order, p)
	return p
}

// Shared is a parameter that was declared under s before, to be used in one more place.
func (s *Scope) Shared(name string) *Param {
	p := s.store.params[s.join(name)]
	if p == nil {
		panic(&BuildError{Path: s.path, Op: "Shared",
			Msg: fmt.Sprintf("%s is not declared; declare it with Param first", s.join(name))})
	}
	return p
}

// Param is a parameter of a model: a name and a tensor. As an operand it becomes an input of the
// graph at hand.
type Param struct {
	store *Store
	path  string
	shape []int
	init  Init
	own   string // see steps.Own

	once   sync.Once
	value  *tensor.Dense
	frozen atomic.Bool
}

// Name is the parameter's path, such as "encoder/l0/W_ih".
func (p *Param) Name() string { return p.path }

// Leaf is the last part of the path, such as "W_ih".
func (p *Param) Leaf() string { return p.path[strings.LastIndex(p.path, "/")+1:] }

// scope is the path without the leaf.
func (p *Param) scope() string {
	if i := strings.LastIndex(p.path, "/"); i >= 0 {
		return p.path[:i]
	}
	return ""
}

// Shape is a copy of the parameter's shape.
func (p *Param) Shape() []int { return slices.Clone(p.shape) }

// Value is the parameter's tensor. It is allocated and initialised by the first call; changing its
// elements changes the model. A parameter that Scope.Param has not declared has none: nil.
func (p *Param) Value() *tensor.Dense {
	if p == nil || p.store == nil {
		return nil
	}
	p.once.Do(func() {
		v := p.zeros()
		if p.init.IsZero() {
			return
		}
		w := v.F64
		if w == nil {
			w = make([]float64, len(v.F32))
		}
		p.init.fill(&rng.Stream{Key: rng.New(p.store.seed).Named(p.path)}, p.shape, w)
		for i := range v.F32 {
			v.F32[i] = float32(w[i])
		}
	})
	return p.value
}

// blank is Value for whoever writes every element at once, such as a loader of files: a parameter
// that has no value yet gets zeros, and its initial values, which take longer to draw than a file
// to read, are never drawn.
func (p *Param) blank() *tensor.Dense {
	p.once.Do(func() { p.zeros() })
	return p.value
}

// zeros allocates the value.
func (p *Param) zeros() ops.Tensor {
	v := ops.NewTensor(ops.Type{Dtype: p.store.dtype, Shape: p.shape})
	p.value = v.Dense()
	return v
}
