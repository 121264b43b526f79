package main

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/zoo/emoji"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// An emoji a line, with its names and keywords in English and in Japanese, of the Unicode Common
// Locale Data Repository.
//
//go:embed descriptions.tsv.gz
var descriptions []byte

// The vectors of the words in them, which examples/word2vec learns from WikiText-2: 100 whole
// numbers each, a hundred times those of the vector less the mean of all 20,487 words, at length 1.
//
//go:embed words.txt.gz
var wordVectors []byte

// Said is what an emoji is said to show.
type Said struct {
	Emoji             string
	English, Japanese []string
}

// said reads the descriptions.
func said() ([]Said, error) {
	z, err := gzip.NewReader(bytes.NewReader(descriptions))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	var out []Said
	for line := range strings.Lines(string(text)) {
		field := strings.Split(strings.TrimSpace(line), "\t")
		if len(field) != 3 {
			return nil, fmt.Errorf("descriptions: %q has not three fields", line)
		}
		out = append(out, Said{field[0], strings.Split(field[1], "|"),
			strings.Split(field[2], "|")})
	}
	return out, nil
}

// quoted is what people said of the five emoji, as the training data of emoji2vec has it (Eisner et
// al., 2016; github.com/uclnlp/emoji2vec, MIT licence, © 2018 UCL Machine Reading).
var quoted = map[string][]string{
	"😭": {"loudly crying face", "cry", "crying", "sob", "sobbing", "bawling", "tears", "hurt",
		"sad", "somber", "melancholy", "morn"},
	"😆": {"laugh", "laughing", "smiling", "big grin"},
	"😂": {"face with tears of joy", "laughing crying", "laughing tears", "tears", "cry",
		"laughing", "happy", "lol"},
	"😠": {"angry", "mad", "irritated", "vexed", "grumpy face"},
	"😫": {"tired face", "tired", "exhausted", "fed up", "sleepy"},
}

// pairsOf makes pairs of a description and an emoji: those of Unicode, or, for the emoji that instead
// has, its own.
func pairsOf(all []Said, instead map[string][]string) (pairs []emoji.Pair) {
	for _, s := range all {
		phrases, ok := instead[s.Emoji]
		if !ok {
			phrases = s.English
		}
		for _, phrase := range phrases {
			pairs = append(pairs, emoji.Pair{Phrase: phrase, Emoji: s.Emoji, Match: true})
		}
	}
	return pairs
}

// wordSpace is the vectors of words, each at length 1.
func wordSpace(ctx context.Context) (*vectors.Vectors, error) {
	v, err := vectors.Read(ctx, bytes.NewReader(wordVectors), int64(len(wordVectors)),
		vectors.ReadOptions{})
	if err != nil {
		return nil, err
	}
	words, data := make([]string, v.Len()), []float32{}
	for i := range words {
		words[i] = v.Word(i)
		for _, x := range v.Row(i) {
			data = append(data, x/float32(length(v.Row(i))))
		}
	}
	return vectors.New(words, v.Dim(), data)
}

// parted keeps a tenth of the pairs apart, of emoji that have others, and gives each a false one
// besides: the phrase with an emoji that it does not describe.
func parted(pairs []emoji.Pair, seed uint64) (learned, apart []emoji.Pair) {
	r := rand.New(rand.NewPCG(seed, 8))
	has, left := map[string]bool{}, map[string]int{}
	var all []string
	for _, p := range pairs {
		if left[p.Emoji]++; left[p.Emoji] == 1 {
			all = append(all, p.Emoji)
		}
		has[p.Phrase+p.Emoji] = true
	}
	for _, p := range pairs {
		if left[p.Emoji] == 1 || r.IntN(10) > 0 {
			learned = append(learned, p)
			continue
		}
		left[p.Emoji]--
		other := all[r.IntN(len(all))]
		for has[p.Phrase+other] {
			other = all[r.IntN(len(all))]
		}
		apart = append(apart, p, emoji.Pair{Phrase: p.Phrase, Emoji: other})
	}
	return learned, apart
}

// material is what there is to learn from.
func material(p *course.Page) ([]Said, *vectors.Vectors, error) {
	all, err := said()
	if err != nil {
		return nil, nil, err
	}
	words, err := wordSpace(p.Context())
	return all, words, err
}

// placeOf is the place of an emoji among what was found, 1 for the first; 0 if it is not there.
func placeOf(found []vectors.Match, emoji string) int {
	return 1 + slices.IndexFunc(found, func(m vectors.Match) bool { return m.Word == emoji })
}

func seeds(p *course.Page) int { return course.Pick(p, 1, 5, 20) }

// spread writes numbers as their median, and their range if they differ.
func spread(numbers []int) string {
	sorted := slices.Sorted(slices.Values(numbers))
	low, high := sorted[0], sorted[len(sorted)-1]
	if low == high {
		return fmt.Sprint(low)
	}
	return fmt.Sprintf("%d (%d … %d)", sorted[len(sorted)/2], low, high)
}

// Places are what sums give with each seed.
type Places struct {
	First map[string][]vectors.Match // the nearest with the first seed, by sum
	Of    map[string][]int           // the place of the emoji that it should be, by sum
}

// first says how often an emoji comes first.
func first(places []int) (n int) {
	for _, place := range places {
		if place == 1 {
			n++
		}
	}
	return n
}

func median(places []int) int { return slices.Sorted(slices.Values(places))[len(places)/2] }

func middle(places []float64) int {
	return int(slices.Sorted(slices.Values(places))[len(places)/2])
}

func floats(places []int) (out []float64) {
	for _, place := range places {
		out = append(out, float64(place))
	}
	return out
}

// turned makes rows of columns.
func turned(columns [][]float64) [][]float64 {
	out := make([][]float64, len(columns[0]))
	for _, c := range columns {
		for i, x := range c {
			out[i] = append(out[i], x)
		}
	}
	return out
}

func named(found []vectors.Match) (names []string) {
	for _, m := range found {
		names = append(names, m.Word)
	}
	return names
}

// names are those of the five emoji, since pictures have letters alone.
var names = map[string]string{"😭": "loudly crying", "😆": "grinning, squinting",
	"😂": "tears of joy", "😠": "angry face", "😫": "tired face", "🍎": "red apple"}

// drawn draws the cosines of emoji and sums with words.
func drawn(p *course.Page, all []Said, words *vectors.Vectors) error {
	m, err := learn(p, words, pairsOf(all, quoted), 0)
	if err != nil {
		return err
	}
	show := []string{"crying", "tears", "laughing", "angry", "mad", "tired", "sleepy"}
	figure := plot.Map{Title: "Cosines of emoji and sums with words, in hundredths", X: "word",
		Y: "emoji or sum", Scale: "cosine",
		Low: -1, High: 1, Diverging: true, Numbers: true, Cell: 34, Cols: show,
		Alt: "Tears of joy and crying + grinning are both on the side of crying and of laughing; " +
			"angry + crying is near crying, angry and mad, and the tired face on the other side " +
			"of these."}
	row := func(name string, terms ...string) error {
		sum := make([]float64, words.Dim())
		for _, t := range terms {
			v, err := m.Vector(t)
			if err != nil {
				return err
			}
			for i, x := range v {
				sum[i] += float64(x) / length(v)
			}
		}
		var cosines []float64
		for _, word := range show {
			w, err := words.Vector(word)
			if err != nil {
				return err
			}
			dot, square := 0.0, 0.0
			for i, x := range w {
				dot, square = dot+sum[i]*float64(x), square+sum[i]*sum[i]
			}
			cosines = append(cosines, dot/math.Sqrt(square)) // words are of length 1
		}
		figure.Rows, figure.Values = append(figure.Rows, name), append(figure.Values, cosines)
		return nil
	}
	for _, e := range five {
		if err := row(names[e], e); err != nil {
			return err
		}
	}
	if err := errors.Join(row("crying + grinning", "😭", "😆"),
		row("angry + crying", "😠", "😭")); err != nil {
		return err
	}
	p.Map(&figure)
	return nil
}

func length(v []float32) float64 {
	square := 0.0
	for _, x := range v {
		square += float64(x) * float64(x)
	}
	return math.Sqrt(square)
}
