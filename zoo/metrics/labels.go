package metrics

import (
	"errors"
	"fmt"
)

// Accuracy is the share of predictions that are right, in [0, 1].
func Accuracy[L comparable](predicted, truth []L) (float64, error) {
	if err := sameLength("Accuracy", len(predicted), len(truth)); err != nil {
		return 0, err
	}
	right := 0
	for i, p := range predicted {
		if p == truth[i] {
			right++
		}
	}
	return float64(right) / float64(len(truth)), nil
}

func sameLength(what string, predicted, truth int) error {
	switch {
	case predicted != truth:
		return lengthError("metrics: %s: %d predictions and %d true values: want as many", what,
			predicted, truth)
	case truth == 0:
		return fmt.Errorf("metrics: %s: there is nothing to measure", what)
	}
	return nil
}

// Score is how well one class is found. Precision is the share of the predictions of the class that
// are right, Recall the share of its members that are predicted as such, F1 their harmonic mean
// 2PR/(P + R) (van Rijsbergen, 1979). A share of no predictions or members is 0.
type Score struct {
	Precision, Recall, F1 float64
	Support               int // members of the class
}

func score(right, predicted, members int) Score {
	s := Score{Precision: share(right, predicted), Recall: share(right, members), Support: members}
	s.F1 = share(2*right, predicted+members)
	return s
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// Binary scores the class true.
func Binary(predicted, truth []bool) (Score, error) {
	if err := sameLength("Binary", len(predicted), len(truth)); err != nil {
		return Score{}, err
	}
	var right, positive, members int
	for i, p := range predicted {
		if p {
			positive++
		}
		if truth[i] {
			members++
		}
		if p && truth[i] {
			right++
		}
	}
	return score(right, positive, members), nil
}

// Confusion counts how often a class was predicted for members of another.
type Confusion struct {
	counts    [][]int // [true class][predicted]
	predicted []int
	members   []int
	right     int
	total     int
}

// NewConfusion makes an empty table. Classes are numbered from 0. A number of classes below 1 or
// above 1 << 14 makes a table of one class.
func NewConfusion(classes int) *Confusion {
	c := &Confusion{}
	if classes > maxClasses {
		classes = 1 // Add then refuses all other classes
	}
	c.grow(max(classes, 1))
	return c
}

func (c *Confusion) grow(classes int) {
	c.counts = make([][]int, classes)
	for i := range c.counts {
		c.counts[i] = make([]int, classes)
	}
	c.predicted, c.members = make([]int, classes), make([]int, classes)
}

// Confuse counts the classes predicted for examples.
func Confuse(predicted, truth []int, classes int) (*Confusion, error) {
	if err := sameLength("Confuse", len(predicted), len(truth)); err != nil {
		return nil, err
	}
	if classes < 1 || classes > maxClasses {
		return nil, fmt.Errorf("metrics: Confuse: %d classes, want 1 … %d", classes, maxClasses)
	}
	c := NewConfusion(classes)
	for i, p := range predicted {
		if err := c.Add(p, truth[i]); err != nil {
			return nil, fmt.Errorf("%w, example %d", err, i)
		}
	}
	return c, nil
}

// maxClasses bounds the table, which has a place for every pair of classes.
const maxClasses = 1 << 14

// Add counts one example.
func (c *Confusion) Add(predicted, truth int) error {
	if n := len(c.counts); predicted < 0 || predicted >= n || truth < 0 || truth >= n {
		return fmt.Errorf("metrics: class %d predicted, true %d; there are classes 0 … %d",
			predicted, truth, n-1)
	}
	c.counts[truth][predicted]++
	c.predicted[predicted]++
	c.members[truth]++
	c.total++
	if predicted == truth {
		c.right++
	}
	return nil
}

// Classes is the number of classes.
func (c *Confusion) Classes() int { return len(c.counts) }

// Total is the number of examples.
func (c *Confusion) Total() int { return c.total }

// Count is the number of members of one class that were predicted as another; 0 if there is no such
// class.
func (c *Confusion) Count(predicted, truth int) int {
	if n := len(c.counts); predicted < 0 || predicted >= n || truth < 0 || truth >= n {
		return 0
	}
	return c.counts[truth][predicted]
}

// Accuracy is the share of examples that are right; 0 without examples.
func (c *Confusion) Accuracy() float64 { return share(c.right, c.total) }

// Class scores one class, from 0 to Classes−1.
func (c *Confusion) Class(k int) (Score, error) {
	if k < 0 || k >= len(c.counts) {
		return Score{}, fmt.Errorf("metrics: class %d; there are classes 0 … %d", k,
			len(c.counts)-1)
	}
	return score(c.counts[k][k], c.predicted[k], c.members[k]), nil
}

// Macro is the unweighted mean of the scores of the given classes, or without any of all classes
// that have members or were predicted. So its F1 is the mean of their F1.
func (c *Confusion) Macro(classes ...int) (mean Score, err error) {
	if classes, err = c.pick(classes); err != nil {
		return Score{}, err
	}
	for _, k := range classes {
		s := score(c.counts[k][k], c.predicted[k], c.members[k])
		mean.Precision += s.Precision / float64(len(classes))
		mean.Recall += s.Recall / float64(len(classes))
		mean.F1 += s.F1 / float64(len(classes))
		mean.Support += s.Support
	}
	return mean, nil
}

// Micro scores the given classes, or without any all classes, together: their right predictions
// divided by all predictions of them, and by all their members. Over all classes Precision, Recall
// and F1 are the accuracy; leave out a class such as O in tagging, which means no entity.
func (c *Confusion) Micro(classes ...int) (Score, error) {
	classes, err := c.pick(classes)
	if err != nil {
		return Score{}, err
	}
	var right, predicted, members int
	for _, k := range classes {
		right += c.counts[k][k]
		predicted += c.predicted[k]
		members += c.members[k]
	}
	return score(right, predicted, members), nil
}

// pick returns the given classes, checked, or without any those that occur.
func (c *Confusion) pick(classes []int) ([]int, error) {
	if c.total == 0 {
		return nil, errors.New("metrics: there is nothing to measure")
	}
	if len(classes) > 0 {
		for i, k := range classes {
			if k < 0 || k >= len(c.counts) {
				return nil, fmt.Errorf("metrics: class %d; there are classes 0 … %d", k,
					len(c.counts)-1)
			}
			for _, other := range classes[:i] {
				if other == k {
					return nil, fmt.Errorf("metrics: class %d is given twice", k)
				}
			}
		}
		return classes, nil
	}
	for k := range c.counts {
		if c.predicted[k]+c.members[k] > 0 {
			classes = append(classes, k)
		}
	}
	return classes, nil
}
