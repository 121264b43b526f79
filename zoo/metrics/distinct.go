package metrics

import "strings"

// Distinct measures how varied texts are (Li et al., 2016): distinct-n is the number of different
// n-grams in all texts together, divided by the number of all their n-grams. It falls as there is
// more text, so compare equal amounts.
//
// Its zero value is ready to use.
type Distinct struct {
	seen map[string]bool // n-grams of one and two tokens
	all  [2]int
	kept [2]int
}

// Add counts the tokens of one text.
func (d *Distinct) Add(tokens []string) {
	if d.seen == nil {
		d.seen = map[string]bool{}
	}
	for n := range d.all {
		for i := 0; i+n < len(tokens); i++ {
			d.all[n]++
			if gram := strings.Join(tokens[i:i+n+1], "\x00"); !d.seen[gram] {
				d.seen[gram] = true
				d.kept[n]++
			}
		}
	}
}

// Unigrams is distinct-1, 0 … 1; 0 without tokens.
func (d *Distinct) Unigrams() float64 { return d.share(0) }

// Bigrams is distinct-2, 0 … 1; 0 without two tokens in a row.
func (d *Distinct) Bigrams() float64 { return d.share(1) }

func (d *Distinct) share(n int) float64 { return float64(d.kept[n]) / float64(max(d.all[n], 1)) }
