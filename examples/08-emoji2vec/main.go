// 08-emoji2vec is a chapter of the course: sums of emoji, one that comes out and one that does not.
package main

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/emoji"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

//go:embed *.go *.md
var files embed.FS

func main() { course.Main(files, described, learned, sums, why) }

// five are the emoji of the two sums.
var five = []string{"😭", "😆", "😂", "😠", "😫"}

// described shows what people say of the five emoji.
func described(p *course.Page) error {
	all, err := said()
	if err != nil {
		return err
	}
	var english, japanese [][]any
	for _, e := range five {
		s := all[slices.IndexFunc(all, func(s Said) bool { return s.Emoji == e })]
		english = append(english, []any{e, strings.Join(quoted[e], ", "),
			strings.Join(s.English, ", ")})
		japanese = append(japanese, []any{e, strings.Join(s.Japanese, "、")})
	}
	p.Table("What they are said to show", []string{"emoji", "by emoji2vec's data",
		"by Unicode (CLDR 48)"}, english...)
	p.Table("The same in Japanese", []string{"emoji", "by Unicode (CLDR 48)"}, japanese...)
	p.Value("emoji", "%d", len(all))
	p.Value("pairs", "%d", len(pairsOf(all, quoted)))
	return nil
}

// learn gives every emoji a vector among those of the words.
func learn(p *course.Page, words *vectors.Vectors, pairs []emoji.Pair, seed int) (*emoji.Model,
	error) {
	m, err := emoji.New(emoji.Config{Negatives: 1, Mean: true, Raw: true}, words, pairs)
	if err != nil {
		return nil, err
	}
	task, err := m.Task(emoji.Data{Train: pairs, Batch: 64, Seed: uint64(seed)})
	if err != nil {
		return nil, err
	}
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
	if err != nil {
		return nil, err
	}
	_, err = train.Fit(p.Context(), task, train.Config{Optimizer: adam, Epochs: 30,
		Seed: uint64(seed), Warn: func(string) {}})
	return m, err
}

// learned asks about descriptions that were kept apart, and for the words nearest to an emoji.
func learned(p *course.Page) error {
	all, words, err := material(p)
	if err != nil {
		return err
	}
	var auc []float64
	for seed := range seeds(p) {
		pairs, apart := parted(pairsOf(all, quoted), uint64(seed))
		m, err := learn(p, words, pairs, seed)
		if err != nil {
			return err
		}
		score, err := m.Evaluate(apart)
		if err != nil {
			return err
		}
		auc = append(auc, score.AUC)
	}
	m, err := learn(p, words, pairsOf(all, quoted), 0)
	if err != nil {
		return err
	}
	list := ""
	for _, e := range append(five, "🐶", "🍎", "👸") {
		_, near, err := m.Similar([]string{e}, nil, 4)
		if err != nil {
			return err
		}
		list += e + "  " + strings.Join(named(near), ", ") + "\n"
	}
	p.Verbatim(list)
	p.Value("auc", "%.2f", slices.Sorted(slices.Values(auc))[len(auc)/2])
	p.Claim("descriptions that were kept apart are told from others better than by chance",
		slices.Min(auc) > 0.6)
	return nil
}

// equation is a sum, and what it should be.
type equation struct {
	says, is    string
	plus, minus []string
}

var equations = []equation{
	{"😭 + 😆", "😂", []string{"😭", "😆"}, nil},
	{"😠 + 😭", "😫", []string{"😠", "😭"}, nil},
	{"😺 + 😭", "😿", []string{"😺", "😭"}, nil},
	{"🤴 − 👨 + 👩", "👸", []string{"🤴", "👩"}, []string{"👨"}},
	{"👑 − 👨 + 👩", "👸", []string{"👑", "👩"}, []string{"👨"}},
}

// reckon learns with every seed and asks for each sum.
func reckon(p *course.Page, words *vectors.Vectors, pairs []emoji.Pair,
	equations ...equation) (out Places, err error) {
	out = Places{map[string][]vectors.Match{}, map[string][]int{}}
	for seed := range seeds(p) {
		m, err := learn(p, words, pairs, seed)
		if err != nil {
			return out, err
		}
		for _, e := range equations {
			found, _, err := m.Similar(e.plus, e.minus, len(m.Emoji()))
			if err != nil {
				return out, err
			}
			if seed == 0 {
				out.First[e.says] = found[:5]
			}
			out.Of[e.says] = append(out.Of[e.says], placeOf(found, e.is))
		}
	}
	return out, nil
}

// sums asks for every sum, with either set of descriptions.
func sums(p *course.Page) error {
	all, words, err := material(p)
	if err != nil {
		return err
	}
	got, err := reckon(p, words, pairsOf(all, quoted), equations...)
	if err != nil {
		return err
	}
	unicode, err := reckon(p, words, pairsOf(all, nil), equations...)
	if err != nil {
		return err
	}
	var rows [][]any
	for _, e := range equations {
		var near []string
		for _, m := range got.First[e.says] {
			near = append(near, fmt.Sprintf("%s %.2f", m.Word, m.Similarity))
		}
		rows = append(rows, []any{e.says, e.is, spread(got.Of[e.says]),
			spread(unicode.Of[e.says]), strings.Join(near, " ")})
	}
	p.Table("The emoji nearest to a sum, with their cosines", []string{"sum", "should be", "place",
		"place (Unicode)", "nearest"}, rows...)
	laugh, tired := got.Of["😭 + 😆"], got.Of["😠 + 😭"]
	p.Value("seeds", "%d", len(laugh))
	p.Value("laughFirst", "%d", first(laugh))
	p.Value("tired", "%d", median(tired))
	p.Value("laughUnicode", "%d", median(unicode.Of["😭 + 😆"]))
	p.Value("tiredUnicode", "%d", median(unicode.Of["😠 + 😭"]))
	p.Claim("😭 + 😆 = 😂 comes first with most seeds", 2*first(laugh) > len(laugh))
	p.Claim("😠 + 😭 = 😫 is not among the first twenty with any seed", slices.Min(tired) > 20)
	return nil
}

// why looks at what the vectors know, and says something else of two emoji.
func why(p *course.Page) error {
	all, words, err := material(p)
	if err != nil {
		return err
	}
	if err := drawn(p, all, words); err != nil {
		return err
	}
	both := []string{"angry crying", "crying mad", "angry tears", "mad cry"}
	figure := plot.Plot{Title: "Where anger + crying finds them",
		X: "descriptions of anger and tears added",
		Y: "place of the emoji", LogY: true, YRange: plot.Range{Low: 1, High: 500},
		Alt: "With more descriptions of anger and tears the tired face climbs from beyond the " +
			"hundredth place to the first ones, and the apple climbs too."}
	for _, e := range []string{"😫", "🍎"} {
		before := slices.Clone(quoted[e])
		if before == nil {
			before = all[slices.IndexFunc(all, func(s Said) bool { return s.Emoji == e })].English
		}
		var places [][]float64 // by number of descriptions, then seed
		for n := range len(both) + 1 {
			instead := maps.Clone(quoted)
			instead[e] = append(slices.Clone(before), both[:n]...)
			got, err := reckon(p, words, pairsOf(all, instead),
				equation{e, e, []string{"😠", "😭"}, nil})
			if err != nil {
				return err
			}
			places = append(places, floats(got.Of[e]))
			p.Progress("%d descriptions added", n)
		}
		key := map[string]string{"😫": "tired", "🍎": "apple"}[e]
		figure.AddRuns(names[e], []float64{0, 1, 2, 3, 4}, turned(places))
		p.Value(key+"Before", "%d", middle(places[0]))
		p.Value(key+"After", "%d", middle(places[4]))
		times := map[string]int{"😫": 10, "🍎": 2}[e]
		p.Claim(fmt.Sprintf("four descriptions of anger and tears bring it to a place at least "+
			"%d times as good: %s", times, names[e]),
			middle(places[0]) >= times*middle(places[4]))
	}
	p.Plot(&figure)
	return nil
}
