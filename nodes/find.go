package nodes

import (
	"fmt"
	"path"
	"strings"
)

// Freeze keeps p as it is in trainings to come, or no longer does: the steps of package train that
// are compiled from then on compute no gradient of it, and what only that gradient needs costs
// nothing. Parameters are not frozen at first, and a saved model does not remember.
func (p *Param) Freeze(frozen bool) { p.frozen.Store(frozen) }

// Frozen reports whether p is frozen.
func (p *Param) Frozen() bool { return p.frozen.Load() }

// Find returns the parameters whose paths match any of the patterns, in the order of declaration. A
// pattern is a path, which stands for all that is under it too; in each of its parts * is any text,
// ? a character and [a-z] one of several (see path.Match), and a part ** is any number of parts:
//
//	encoder          all parameters of the encoder
//	encoder/l0/W_ih  one
//	**/b*            every bias
//
// It is an error if a pattern is malformed or matches nothing, as one with a slip of the pen does.
func (s *Store) Find(patterns ...string) ([]*Param, error) {
	var found []*Param
	matched := make([]bool, len(patterns))
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			return nil, fmt.Errorf("nodes: Find: the pattern %q is malformed", pattern)
		}
	}
	for _, p := range s.order {
		in := false
		for i, pattern := range patterns {
			if matches(strings.Split(pattern, "/"), strings.Split(p.path, "/")) {
				in, matched[i] = true, true
			}
		}
		if in {
			found = append(found, p)
		}
	}
	for i, ok := range matched {
		if !ok {
			return nil, fmt.Errorf("nodes: Find: no parameter matches %q; there are %s", patterns[i],
				s.some())
		}
	}
	return found, nil
}

// matches reports whether a path, or a scope that it is under, fits a pattern.
func matches(pattern, parts []string) bool {
	if len(pattern) == 0 {
		return true
	}
	if pattern[0] == "**" {
		return matches(pattern[1:], parts) || len(parts) > 0 && matches(pattern, parts[1:])
	}
	if len(parts) == 0 {
		return false
	}
	ok, _ := path.Match(pattern[0], parts[0]) // Find has seen that it is well formed
	return ok && matches(pattern[1:], parts[1:])
}

// some lists parameters for a message.
func (s *Store) some() string {
	const most = 8
	names := make([]string, 0, most+1)
	for i, p := range s.order {
		if i == most {
			names = append(names, "…")
			break
		}
		names = append(names, p.path)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
