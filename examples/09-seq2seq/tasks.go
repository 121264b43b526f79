package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// pair is a source and its target, whose letters are the tokens.
type pair struct{ Source, Target string }

// task makes up pairs, and says how a model is to learn them.
type task struct {
	name          string
	pair          func(r *rand.Rand) pair
	train, epochs int
	hidden        int
	// the source is read from its end; the decoder sees its summary at every step
	backwards, see bool
}

var tasks = []task{
	{name: "reversal", pair: func(r *rand.Rand) pair { return reversal(r, 2+r.IntN(longest-1)) },
		train: 15_000, epochs: 6,
		hidden: 64},
	{name: "addition", pair: addition, train: 6000, epochs: 14, hidden: 64, backwards: true,
		see: true},
	{name: "postfix", pair: postfix, train: 10_000, epochs: 8, hidden: 64, see: true},
	{name: "dates", pair: date, train: 6000, epochs: 5, hidden: 64, backwards: true, see: true},
}

// longest is the length of the longest numbers that are learned to be reversed.
const longest = 8

// reversal is digits and the same backwards.
func reversal(r *rand.Rand, n int) pair {
	var b []byte
	for range n {
		b = append(b, byte('0'+r.IntN(10)))
	}
	source := string(b)
	slices.Reverse(b)
	return pair{source, string(b)}
}

// addition is two numbers below 100 and their sum.
func addition(r *rand.Rand) pair {
	a, b := r.IntN(100), r.IntN(100)
	return pair{fmt.Sprintf("%d+%d", a, b), fmt.Sprint(a + b)}
}

// date is a day of 1970 to 2029 as people write it, and as ISO 8601 does.
func date(r *rand.Rand) pair {
	day := time.Date(1970, 1, 1+r.IntN(21_914), 0, 0, 0, 0, time.UTC)
	layouts := []string{"January 2, 2006", "Jan 2, 2006", "2 Jan 2006", "2006年1月2日", "1/2/2006"}
	return pair{day.Format(layouts[r.IntN(len(layouts))]), day.Format(time.DateOnly)}
}

// postfix is a sum of products as people write it, and as a machine with a stack reads it.
func postfix(r *rand.Rand) pair {
	var source, target []string
	for range 1 + r.IntN(3) {
		var product []string
		for range 1 + r.IntN(3) {
			product = append(product, string(rune('a'+r.IntN(6))))
		}
		source = append(source, strings.Join(product, "*"))
		t := product[0]
		for _, x := range product[1:] {
			t += x + "*"
		}
		target = append(target, t)
	}
	t := target[0]
	for _, x := range target[1:] {
		t += x + "+"
	}
	return pair{strings.Join(source, "+"), t}
}

// pairs makes up n to learn from and held others.
func (t task) pairs(n, held int, seed uint64) (learned, apart []pair) {
	r := rand.New(rand.NewPCG(seed, 9))
	met := map[string]bool{}
	for tries := 0; len(learned)+len(apart) < n+held && tries < 20*(n+held); tries++ {
		p := t.pair(r)
		if met[p.Source] {
			continue
		}
		met[p.Source] = true
		if len(apart) < held {
			apart = append(apart, p)
		} else {
			learned = append(learned, p)
		}
	}
	return learned, apart
}
