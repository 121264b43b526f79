package train

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/nodes"
)

// Group is parameters that have an optimizer of their own (see NewGroups).
type Group struct {
	Params    []*nodes.Param // nil: all that no other group has
	Optimizer Optimizer      // required; serves this group alone
}

// NewGroups trains each group of parameters by its own optimizer: with its own rate, decay or
// method. Biases without weight decay, for a model of parameters m.Params():
//
//	biases, err := m.Params().Find("**/b*")
//	// …
//	plain, err := train.NewAdamW(train.AdamConfig{LR: 1e-3})
//	decaying, err := train.NewAdamW(train.AdamConfig{LR: 1e-3, WeightDecay: 0.01})
//	optimizer, err := train.NewGroups(
//		train.Group{Optimizer: decaying}, train.Group{Params: biases, Optimizer: plain})
//
// The rate is that of the first group; to set it, as schedules do, changes all in proportion. Each
// group counts its own steps, and one without a gradient in a step does none. A parameter that is
// in no group is an error of Step, so one group usually has no Params.
//
// It is an error if there is no group, a group has no optimizer, or one of another group, or no
// parameter, a parameter is in two, two take the rest, or the rate of the first is 0, to which the
// others have no proportion.
func NewGroups(groups ...Group) (Optimizer, error) {
	g := &grouped{of: map[string]int{}, rest: -1}
	if len(groups) == 0 {
		return nil, errors.New("train: NewGroups: there is no group")
	}
	for i, group := range groups {
		if err := g.add(i, group); err != nil {
			return nil, fmt.Errorf("train: NewGroups: group %d: %w", i, err)
		}
	}
	base := groups[0].Optimizer.LR()
	if len(groups) > 1 && !(base > 0 && !math.IsInf(base, 1)) {
		return nil, fmt.Errorf("train: NewGroups: group 0 has a rate of %v; it must be finite "+
			"and more than 0", base)
	}
	for _, m := range g.members {
		m.share = 1
		if own := m.LR(); own != base {
			m.share = own / base
		}
	}
	return g, nil
}

// grouped is the optimizer of NewGroups.
type grouped struct {
	members []*groupMember
	of      map[string]int // group of a parameter by its name
	rest    int            // group of all others, or −1
	steps   int
}

type groupMember struct {
	Optimizer
	share float64 // of the rate of the first group
	list  []gorgonia.ValueGrad
}

func (g *grouped) add(i int, group Group) error {
	if group.Optimizer == nil {
		return errors.New("it has no optimizer")
	}
	for j, m := range g.members {
		if same(m.Optimizer, group.Optimizer) {
			return fmt.Errorf("its optimizer is that of group %d too; make one for each", j)
		}
	}
	switch {
	case group.Params == nil && g.rest >= 0:
		return fmt.Errorf("it has no Params, as group %d has none: one group only can have the "+
			"rest", g.rest)
	case group.Params == nil:
		g.rest = i
	case len(group.Params) == 0:
		return errors.New("its list of Params is empty; nil stands for all that no other group has")
	}
	for k, p := range group.Params {
		if p == nil || p.Name() == "" {
			return fmt.Errorf("parameter %d is nil", k)
		}
		if j, taken := g.of[p.Name()]; taken {
			return fmt.Errorf("it has %s, which group %d has", p.Name(), j)
		}
		g.of[p.Name()] = i
	}
	g.members = append(g.members, &groupMember{Optimizer: group.Optimizer})
	return nil
}

// same reports whether two optimizers are one.
func same(a, b Optimizer) bool { return reflect.TypeOf(a).Comparable() && a == b }

// groupOf is the group of a parameter, or −1.
func (g *grouped) groupOf(name string) int {
	if i, ok := g.of[name]; ok {
		return i
	}
	return g.rest
}

// readier is an optimizer that can tell whether a step would fail, before it changes anything.
type readier interface {
	ready(params []gorgonia.ValueGrad) error
}

func (g *grouped) ready(params []gorgonia.ValueGrad) error {
	for _, m := range g.members {
		m.list = m.list[:0]
	}
	for i, vg := range params {
		p, err := openValueGrad(i, vg)
		if err != nil {
			return err
		}
		at := g.groupOf(p.name)
		if at < 0 {
			return fmt.Errorf("parameter %q is in no group; a group without Params takes all "+
				"that no other has", p.name)
		}
		g.members[at].list = append(g.members[at].list, vg)
	}
	for i, m := range g.members {
		r, ok := m.Optimizer.(readier)
		if !ok || len(m.list) == 0 {
			continue
		}
		if err := r.ready(m.list); err != nil {
			return fmt.Errorf("group %d: %w", i, err)
		}
	}
	return nil
}

func (g *grouped) Step(params []gorgonia.ValueGrad) error {
	if err := g.ready(params); err != nil {
		return fmt.Errorf("train: groups: %w", err)
	}
	for i, m := range g.members {
		if len(m.list) == 0 {
			continue
		}
		if err := m.Step(m.list); err != nil {
			return fmt.Errorf("train: groups: group %d: %w", i, err)
		}
	}
	g.steps++
	return nil
}

func (g *grouped) LR() float64 { return g.members[0].LR() }

func (g *grouped) SetLR(lr float64) {
	for _, m := range g.members {
		m.SetLR(lr * m.share)
	}
}

const groupsKind = "groups"

// prefix begins the names of a group's values in a State.
func (g *grouped) prefix(i int) string { return fmt.Sprintf("group %d/", i) }

// kind names the optimizers, so that a state goes to the same ones alone.
func (g *grouped) kind(states []State) string {
	kinds := make([]string, len(states))
	for i, s := range states {
		kinds[i] = s.Kind
	}
	return groupsKind + "(" + strings.Join(kinds, ", ") + ")"
}

func (g *grouped) states() []State {
	states := make([]State, len(g.members))
	for i, m := range g.members {
		states[i] = m.State()
	}
	return states
}

// groupSteps follows the prefix of a group in State.Scalars.
const groupSteps = "steps of all"

func (g *grouped) State() State {
	states := g.states()
	s := State{Kind: g.kind(states), Step: g.steps, Scalars: map[string]float64{},
		Tensors: map[string]*tensor.Dense{}}
	for i, of := range states {
		s.Scalars[g.prefix(i)+groupSteps] = float64(of.Step)
		for name, v := range of.Scalars {
			s.Scalars[g.prefix(i)+name] = v
		}
		for name, v := range of.Tensors {
			s.Tensors[g.prefix(i)+name] = v
		}
	}
	return s
}

func (g *grouped) Restore(s State) error {
	before := g.states()
	kind := g.kind(before)
	if s.Kind != kind {
		return fmt.Errorf("train: groups: the state is that of %q; it must be that of %q", s.Kind, kind)
	}
	if s.Step < 0 {
		return misfit(groupsKind, fmt.Sprintf("Step is %d, and must not be negative", s.Step))
	}
	states, err := g.divide(s, before)
	if err != nil {
		return misfit(groupsKind, err.Error())
	}
	for i, m := range g.members {
		if err := m.Restore(states[i]); err != nil {
			for j := range i { // what has been restored goes back
				err = errors.Join(err, g.members[j].Restore(before[j]))
			}
			return fmt.Errorf("train: groups: group %d: %w", i, err)
		}
	}
	g.steps = s.Step
	return nil
}

// divide gives each group its part of s.
func (g *grouped) divide(s State, before []State) ([]State, error) {
	states := make([]State, len(g.members))
	count := 0
	for i := range states {
		steps, err := s.whole(g.prefix(i)+groupSteps, 0, math.MaxInt32)
		if _, ok := s.Scalars[g.prefix(i)+groupSteps]; !ok {
			err = fmt.Errorf("scalar %q is missing", g.prefix(i)+groupSteps)
		}
		if err != nil {
			return nil, err
		}
		states[i] = State{Kind: before[i].Kind, Step: steps, Scalars: map[string]float64{},
			Tensors: map[string]*tensor.Dense{}}
		for _, key := range slices.Sorted(maps.Keys(s.Scalars)) {
			name, ok := strings.CutPrefix(key, g.prefix(i))
			if !ok {
				continue
			}
			count++
			if name == groupSteps {
				continue
			}
			states[i].Scalars[name] = s.Scalars[key]
			if param, ok := strings.CutSuffix(name, updatesKey); ok && g.groupOf(param) != i {
				return nil, fmt.Errorf("parameter %q was in group %d, and is not", param, i)
			}
		}
		for key, v := range s.Tensors {
			if name, ok := strings.CutPrefix(key, g.prefix(i)); ok {
				states[i].Tensors[name] = v
				count++
			}
		}
	}
	if count != len(s.Scalars)+len(s.Tensors) {
		return nil, errors.New("it holds what belongs to no group")
	}
	return states, nil
}
