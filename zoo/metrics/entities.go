package metrics

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Entity is a run of tokens [From, To) that tags name, such as a person.
type Entity struct {
	Type     string // the part of its tags behind the first "-"; "_" if there is none
	From, To int
}

// FindEntities reads the entities of a sequence of tags in the schemes IOB1, IOB2 and IOBES: O, or
// B, I, E or S and a type, as in B-PER. Sequences that break the scheme are read as conlleval and
// seqeval read them by default: an I without a B before it, or of another type than the tag before,
// begins an entity. The error names a tag that belongs to no such scheme.
func FindEntities(tags []string) (found []Entity, err error) {
	was, wasType, from := byte('O'), "", 0
	for i := 0; i <= len(tags); i++ {
		is, isType := byte('O'), "_"
		if i < len(tags) {
			var ok bool
			if is, isType, ok = splitTag(tags[i]); !ok {
				return nil, fmt.Errorf("metrics: tag %d is %q: want O, or B, I, E or S with a "+
					"type, as in B-PER", i, tags[i])
			}
		}
		if ends(was, is, wasType != isType) {
			found = append(found, Entity{wasType, from, i})
		}
		if begins(was, is, wasType != isType) {
			from = i
		}
		was, wasType = is, isType
	}
	return found, nil
}

// IsEntityTag reports whether FindEntities reads a tag.
func IsEntityTag(tag string) bool {
	_, _, ok := splitTag(tag)
	return ok
}

// splitTag returns the letter of a tag and its type. A letter alone has the type "_".
func splitTag(tag string) (letter byte, of string, ok bool) {
	if tag == "" || !strings.Contains("OBIES", tag[:1]) {
		return 0, "", false
	}
	letter, rest := tag[0], tag[1:]
	if rest == "" {
		return letter, "_", true
	}
	of, ok = strings.CutPrefix(rest, "-")
	if of == "" {
		of = "_"
	}
	return letter, of, ok && letter != 'O'
}

// ends reports whether an entity ends between two tags, and begins whether the second begins one.
// Other says that their types differ.
func ends(was, is byte, other bool) bool {
	switch was {
	case 'O':
		return false
	case 'E', 'S':
		return true
	}
	return is == 'B' || is == 'S' || is == 'O' || other // after B or I
}

func begins(was, is byte, other bool) bool {
	switch is {
	case 'O':
		return false
	case 'B', 'S':
		return true
	}
	return was == 'E' || was == 'S' || was == 'O' || other // I or E
}

// EntityScores counts predicted entities: one is right if its type and both its ends are right
// (Tjong Kim Sang and De Meulder, 2003), as in conlleval and seqeval. The zero value is ready to
// use.
type EntityScores struct {
	types map[string]*tally
}

type tally struct{ right, predicted, members int }

// Add counts the entities of one sequence, by its predicted and its true tags. On an error nothing
// is counted.
func (s *EntityScores) Add(predicted, truth []string) error {
	if len(predicted) != len(truth) {
		return lengthError("metrics: EntityScores: %d predicted tags and %d true ones: want as "+
			"many",
			len(predicted), len(truth))
	}
	found, err := FindEntities(predicted)
	if err != nil {
		return fmt.Errorf("%w (predicted)", err)
	}
	there, err := FindEntities(truth)
	if err != nil {
		return fmt.Errorf("%w (true)", err)
	}
	known := map[Entity]bool{}
	for _, e := range there {
		known[e] = true
		s.of(e.Type).members++
	}
	for _, e := range found {
		s.of(e.Type).predicted++
		if known[e] {
			s.of(e.Type).right++
		}
	}
	return nil
}

func (s *EntityScores) of(name string) *tally {
	if s.types == nil {
		s.types = map[string]*tally{}
	}
	if s.types[name] == nil {
		s.types[name] = &tally{}
	}
	return s.types[name]
}

// Types are the types of all true and predicted entities, in the order of their names.
func (s *EntityScores) Types() []string { return slices.Sorted(maps.Keys(s.types)) }

// Type scores one type; one that never occurred scores 0.
func (s *EntityScores) Type(name string) Score {
	if c := s.types[name]; c != nil {
		return score(c.right, c.predicted, c.members)
	}
	return Score{}
}

// Micro scores the entities of all types together; its F1 is the usual score.
func (s *EntityScores) Micro() Score {
	var all tally
	for _, c := range s.types {
		all.right += c.right
		all.predicted += c.predicted
		all.members += c.members
	}
	return score(all.right, all.predicted, all.members)
}

// Macro is the unweighted mean of the scores of all types. Without any it is 0.
func (s *EntityScores) Macro() (mean Score) {
	return meanScore(len(s.types), func(i int) Score { return s.Type(s.Types()[i]) })
}

// meanScore is the unweighted mean of n scores.
func meanScore(n int, of func(i int) Score) (mean Score) {
	for i := range n {
		s := of(i)
		mean.Precision += s.Precision / float64(n)
		mean.Recall += s.Recall / float64(n)
		mean.F1 += s.F1 / float64(n)
		mean.Support += s.Support
	}
	return mean
}

// LabelScores counts labels of examples that may have several, or none. Classes are numbered from
// 0; the zero value knows none yet, and grows.
type LabelScores struct {
	classes []tally
	exact   int
	total   int
}

// Add counts one example, by its predicted and its true labels, in any order. On an error nothing
// is counted.
func (s *LabelScores) Add(predicted, truth []int) error {
	for _, labels := range [][]int{predicted, truth} {
		for i, k := range labels {
			if k < 0 || k >= maxClasses {
				return fmt.Errorf("metrics: label %d; there are labels 0 … %d", k, maxClasses-1)
			}
			if slices.Contains(labels[:i], k) {
				return fmt.Errorf("metrics: label %d is given twice for one example", k)
			}
		}
	}
	right := 0
	for _, k := range predicted {
		s.class(k).predicted++
		if slices.Contains(truth, k) {
			s.class(k).right++
			right++
		}
	}
	for _, k := range truth {
		s.class(k).members++
	}
	if right == len(predicted) && right == len(truth) {
		s.exact++
	}
	s.total++
	return nil
}

func (s *LabelScores) class(k int) *tally {
	for len(s.classes) <= k {
		s.classes = append(s.classes, tally{})
	}
	return &s.classes[k]
}

// Total is the number of examples.
func (s *LabelScores) Total() int { return s.total }

// Exact is the share of examples all of whose labels are right.
func (s *LabelScores) Exact() float64 { return share(s.exact, s.total) }

// Class scores one label; one that never occurred scores 0.
func (s *LabelScores) Class(k int) Score {
	if k < 0 || k >= len(s.classes) {
		return Score{}
	}
	c := s.classes[k]
	return score(c.right, c.predicted, c.members)
}

// Micro scores all labels together.
func (s *LabelScores) Micro() Score {
	var all tally
	for _, c := range s.classes {
		all.right += c.right
		all.predicted += c.predicted
		all.members += c.members
	}
	return score(all.right, all.predicted, all.members)
}

// Macro is the unweighted mean of the scores of all labels that occurred or were predicted.
func (s *LabelScores) Macro() Score {
	var occurred []int
	for k, c := range s.classes {
		if c.predicted+c.members > 0 {
			occurred = append(occurred, k)
		}
	}
	return meanScore(len(occurred), func(i int) Score { return s.Class(occurred[i]) })
}
