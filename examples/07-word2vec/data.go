package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/examples/nextword/data"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/vectors"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

// language is a small world in words: pairs of a man and a woman, and what is said of them.
type language struct {
	name   string
	pairs  [][2]string
	does   [][]string  // of each pair, both
	gender [2][]string // of all men, of all women
	anyone []string
	after  string // between the subject and what is said; "" is nothing
	and    string
	before string // the subject
	drawn  []int  // pairs whose names do not cover each other
}

var languages = []language{
	{
		name: "English", drawn: []int{0, 1, 2, 7}, before: "the ", after: " ", and: " and ",
		pairs: [][2]string{{"king", "queen"}, {"man", "woman"}, {"prince", "princess"}, {"boy",
			"girl"},
			{"father", "mother"}, {"uncle", "aunt"}, {"actor", "actress"}, {"hero", "heroine"}},
		does: [][]string{
			{"rules the land", "sits on the throne", "wears a golden crown"},
			{"works in town", "pays the taxes", "drives an old car"},
			{"will inherit the castle", "rides a white horse", "dances at every ball"},
			{"goes to school", "plays with toys", "does some homework"},
			{"raises the children", "cooks for the family", "tells bedtime stories"},
			{"visits at christmas", "brings presents", "likes the nephews"},
			{"stands on the stage", "learns the lines", "bows to the applause"},
			{"slays the dragon", "saves the village", "fights with courage"},
		},
		gender: [2][]string{
			{"shaves his beard", "says that he is tired", "puts on his suit"},
			{"combs her long hair", "says that she is tired", "puts on her dress"},
		},
		anyone: []string{"eats bread", "sleeps well", "walks home", "drinks water"},
	},
	{
		name: "Japanese", drawn: []int{0, 1, 3, 5, 6}, after: " は ", and: " て ",
		pairs: [][2]string{{"王", "女王"}, {"男", "女"}, {"王子", "王女"}, {"少年", "少女"}, {"父", "母"},
			{"おじ", "おば"}, {"俳優", "女優"}, {"兄", "姉"}},
		does: [][]string{
			{"国 を 治め", "玉座 に 座っ", "冠 を かぶっ"},
			{"町 で 働い", "税金 を 払っ", "車 を 運転し"},
			{"城 を 継い", "白馬 に 乗っ", "舞踏会 で 踊っ"},
			{"学校 に 通っ", "おもちゃ で 遊び", "宿題 を し"},
			{"子ども を 育て", "家族 の 食事 を 作っ", "昔話 を 聞かせ"},
			{"正月 に 訪ね", "お年玉 を 渡し", "甥 を かわいがっ"},
			{"舞台 に 立っ", "台本 を 覚え", "拍手 に 応え"},
			{"弟 の 面倒 を 見", "先 に 卒業し", "勉強 を 教え"},
		},
		gender: [2][]string{
			{"ひげ を そっ", "彼 の 部屋 に 帰っ", "背広 を 着"},
			{"長い 髪 を とかし", "彼女 の 部屋 に 帰っ", "ドレス を 着"},
		},
		anyone: []string{"パン を 食べ", "よく 眠っ", "道 を 歩い", "水 を 飲ん"},
	},
}

// text makes up sentences: a person, and two things of the person's kind, of the person's sex or of
// anyone.
func (l language) text(sentences int, seed uint64) (out [][]string) {
	r := rand.New(rand.NewPCG(seed, 7))
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	for range sentences {
		pair, sex := r.IntN(len(l.pairs)), r.IntN(2)
		part := func() string {
			switch n := r.IntN(10); {
			case n < 4:
				return pick(l.does[pair])
			case n < 8:
				return pick(l.gender[sex])
			}
			return pick(l.anyone)
		}
		out = append(out, strings.Fields(l.before+l.pairs[pair][sex]+l.after+part()+l.and+part()))
	}
	return out
}

// everyone is a text in which everyone occurs: its first sentences name each person, one after the
// other.
func (l language) everyone(sentences int, seed uint64) (out [][]string) {
	text := l.text(sentences, seed)
	for i, s := range text {
		if i < 2*len(l.pairs) {
			s = strings.Fields(l.before + l.pairs[i/2][i%2] + l.after + l.anyone[0])
		}
		out = append(out, s)
	}
	return out
}

// question asks what is to c as b is to a: b − a + c.
type question struct{ a, b, c, answer string }

// questions are all that the pairs give: man is to woman as king is to queen.
func (l language) questions() (out []question) {
	for i, p := range l.pairs {
		for j, q := range l.pairs {
			if i != j {
				out = append(out, question{p[0], p[1], q[0], q[1]}, question{p[1], p[0], q[1],
					q[0]})
			}
		}
	}
	return out
}

// asked is how questions are answered: the shares that are right, in percent.
type asked struct {
	With    float64 // all words are searched
	Without float64 // the three given words are left out
	Naive   float64 // they are left out, and the word nearest to the third is the answer
}

func (a asked) plus(b asked, share float64) asked {
	return asked{a.With + share*b.With, a.Without + share*b.Without, a.Naive + share*b.Naive}
}

// ask asks questions.
func ask(v search, questions []question) (out asked, err error) {
	for _, q := range questions {
		all, err := v.sums([]string{q.b, q.c}, []string{q.a}, 4)
		if err != nil {
			return out, err
		}
		near, err := v.Similar([]string{q.c}, nil, 3)
		if err != nil {
			return out, err
		}
		if all[0].Word == q.answer {
			out.With++
		}
		if without(all, q.a, q.b, q.c)[0].Word == q.answer {
			out.Without++
		}
		if without(near, q.a, q.b, q.c)[0].Word == q.answer {
			out.Naive++
		}
	}
	return asked{}.plus(out, 100/float64(len(questions))), nil
}

// without is a list less the given words.
func without(list []vectors.Match, given ...string) []vectors.Match {
	return slices.DeleteFunc(slices.Clone(list),
		func(m vectors.Match) bool { return slices.Contains(given, m.Word) })
}

func percent(x float64) string { return fmt.Sprintf("%.0f %%", x) }

func mean(x []float64) (sum float64) {
	for _, a := range x {
		sum += a / float64(len(x))
	}
	return sum
}

func listed(numbers []int) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(numbers)), ", "), "[]")
}

// shakespeare is the speeches of the plays, in lower case.
func shakespeare() (out [][]string, err error) {
	text, err := data.Text()
	if err != nil {
		return nil, err
	}
	for speech := range strings.SplitSeq(strings.ToLower(text), "\n\n") {
		out = append(out, letters.FindAllString(speech, -1))
	}
	return out, nil
}

var letters = regexp.MustCompile(`[a-z]+(?:'[a-z]+)?`)

// learn gives the words of a text vectors.
func learn(ctx context.Context, cfg word2vec.Config, text [][]string) (*vectors.Vectors, error) {
	m, err := word2vec.New(ctx, cfg, text)
	if err != nil {
		return nil, err
	}
	if err := m.Train(ctx, text, word2vec.TrainOptions{}); err != nil {
		return nil, err
	}
	return m.Vectors()
}

// search is vectors in which one searches for sums.
type search struct{ *vectors.Vectors }

// sum is the positive vectors less the negative ones, each at length 1.
func (v search) sum(positive, negative []string) ([]float32, error) {
	out := make([]float32, v.Dim())
	for k, word := range slices.Concat(positive, negative) {
		x, err := v.Vector(word)
		if err != nil {
			return nil, err
		}
		sign := float32(1)
		if k >= len(positive) {
			sign = -1
		}
		for i := range x {
			out[i] += sign * x[i] / float32(length(x))
		}
	}
	return out, nil
}

// sums are the n words nearest to a sum.
func (v search) sums(positive, negative []string, n int) ([]vectors.Match, error) {
	sum, err := v.sum(positive, negative)
	if err != nil {
		return nil, err
	}
	return v.SimilarTo(sum, n)
}

// neighbours lists the n words nearest to each of the words.
func neighbours(v *vectors.Vectors, n int, words ...string) (list string, err error) {
	for _, word := range words {
		near, err := v.Similar([]string{word}, nil, n)
		if err != nil {
			return "", err
		}
		list += word + ": " + firsts(near, n) + "\n"
	}
	return list, nil
}

func length(x []float32) float64 {
	square := 0.0
	for _, a := range x {
		square += float64(a) * float64(a)
	}
	return math.Sqrt(square)
}

// place is that of a word in a list, 1 for the first.
func place(list []vectors.Match, word string) int {
	return 1 + slices.IndexFunc(list, func(m vectors.Match) bool { return m.Word == word })
}

// firsts writes the first words of a list.
func firsts(list []vectors.Match, n int) string {
	var out []string
	for _, m := range list[:min(n, len(list))] {
		out = append(out, fmt.Sprintf("%s %.2f", m.Word, m.Similarity))
	}
	return strings.Join(out, ", ")
}

func turned(columns [][]float64) [][]float64 {
	out := make([][]float64, len(columns[0]))
	for _, c := range columns {
		for i, x := range c {
			out[i] = append(out[i], x)
		}
	}
	return out
}

// row writes row i of a matrix with columns of so many decimals.
func row(x run.Floats, i, columns, decimals int) string {
	var out []string
	for k := range columns {
		out = append(out, fmt.Sprintf("%.*f", decimals, x.At(i*columns+k)))
	}
	return strings.Join(out, " ")
}

// drawn draws the people of a world along two directions: from man to woman, and from man to king.
func drawn(p *course.Page, l language, v *vectors.Vectors) error {
	woman, err := search{v}.sum([]string{l.pairs[1][1]}, []string{l.pairs[1][0]})
	if err != nil {
		return err
	}
	king, err := search{v}.sum([]string{l.pairs[0][0]}, []string{l.pairs[1][0]})
	if err != nil {
		return err
	}
	figure := plot.Plot{Title: l.name + ": people along two directions", X: "man → woman",
		Y:   "man → king",
		Alt: "Every woman stands to the right of the man of her pair, at nearly the same distance."}
	for _, i := range l.drawn {
		pair := l.pairs[i]
		c := plot.Curve{Name: "a pair", Texts: pair[:]}
		for _, word := range pair {
			x, err := search{v}.sum([]string{word}, []string{l.pairs[1][0]})
			if err != nil {
				return err
			}
			c.X, c.Y = append(c.X, along(x, woman)), append(c.Y, along(x, king))
		}
		figure.Curves = append(figure.Curves, c)
	}
	p.Plot(&figure)
	return nil
}

// along is how far x goes in a direction, in lengths of it.
func along(x, direction []float32) float64 {
	dot := 0.0
	for i := range x {
		dot += float64(x[i]) * float64(direction[i])
	}
	return dot / (length(direction) * length(direction))
}

func seeds(p *course.Page) int { return course.Pick(p, 1, 5, 10) }

// runOnce computes the loss and the outputs for the ids 0, 1, 2 …
func runOnce(ids, loss *nodes.Node, outputs ...*nodes.Node) (*train.Step, float64, error) {
	step, err := train.NewStep(loss, outputs...)
	if err != nil {
		return nil, 0, err
	}
	var in run.Inputs
	at := in.Ints(ids)
	for i := range at {
		at[i] = i
	}
	value, err := step.Run(1, 0)
	if err = errors.Join(in.Err(), err); err != nil {
		return nil, 0, errors.Join(err, step.Close())
	}
	return step, value, nil
}
