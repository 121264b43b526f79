package label_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func fit(task train.Task, epochs int) {
	must(train.Fit(context.Background(), task, train.Config{
		Optimizer: must(train.NewAdam(train.AdamConfig{LR: 0.02})), Epochs: epochs}))
}

// A classifier learns what a sentence asks for.
func ExampleClassifier() {
	says := []string{"play some music", "put on a song", "music please", "a song please",
		"will it rain", "how warm is it", "is it cold outside", "rain tomorrow"}
	intents := must(text.NewVocabulary(text.VocabularyConfig{}, []string{"play", "weather"}))
	var tokens [][]string
	for _, s := range says {
		tokens = append(tokens, strings.Fields(s))
	}
	words := must(text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}},
		tokens...))
	m := must(label.NewClassifier(label.ClassifierConfig{Config: label.Config{
		Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 12}}}, words, intents, 1))
	var examples []label.Labelled
	for i, t := range tokens {
		intent, _ := intents.Token(i / 4)
		examples = append(examples, must(m.EncodeLabelled(t, intent)))
	}
	fit(must(m.Task(label.Data{Train: examples, Batch: 4})), 40)
	for _, s := range []string{"play a song", "is it warm outside"} {
		p := must(m.Predict(must(m.Encode(strings.Fields(s)))))
		fmt.Println(s, "→", p.Label, p.Prob > 0.8)
	}
	// Output:
	// play a song → play true
	// is it warm outside → weather true
}

// A tagger labels every step; one that reads one way tags while the steps come in, and its state is
// a value.
func ExampleTagger() {
	signs := must(text.NewVocabulary(text.VocabularyConfig{}, []string{"rising", "falling"}))
	m := must(label.NewTagger(label.TaggerConfig{Config: label.Config{
		Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 8}, Features: 1}}, nil, signs, 1))
	rising, _ := signs.ID("rising")
	falling, _ := signs.ID("falling")
	var examples []label.Labelled
	for start := range 20 {
		var e label.Labelled
		for i := range 12 { // up and down
			level := (start + i) % 8
			e.Features = append(e.Features, float32(min(level, 8-level))/4)
			sign := rising
			if level == 0 || level > 4 { // it came down to here
				sign = falling
			}
			e.Labels = append(e.Labels, sign)
		}
		examples = append(examples, e)
	}
	fit(must(m.Task(label.Data{Train: examples, Batch: 4})), 40)
	s := must(m.NewSession())
	for _, x := range []float32{0, 0.25, 0.5, 0.75, 1, 0.75, 0.5} {
		p := must(s.Read(label.Sequence{Features: []float32{x}}))
		fmt.Print(p[0].Label, " ")
	}
	// Output: falling rising rising rising rising falling falling
}
