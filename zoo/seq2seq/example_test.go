package seq2seq_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// A model learns to write numbers in digits, and writes one as it comes.
func ExampleModel() {
	words, digits := strings.Fields("one two three four"), strings.Fields("1 2 3 4")
	var sources, targets [][]string
	for i := range 16 {
		sources = append(sources, []string{words[i/4], words[i%4]})
		targets = append(targets, []string{digits[i/4], digits[i%4]})
	}
	source := must(text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}}, words))
	target := must(text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS}},
		digits))
	m := must(seq2seq.New(seq2seq.Config{Encoder: zoo.Recurrent{Cell: "gru", Hidden: 24},
		Attention: "luong"}, source, target, 1))
	task := must(m.Task(seq2seq.Data{Train: must(m.Pairs(sources, targets)), Batch: 8}))
	must(train.Fit(context.Background(), task, train.Config{
		Optimizer: must(train.NewAdam(train.AdamConfig{LR: 0.02})), Epochs: 60}))
	found := must(m.Translate(context.Background(), []string{"three", "one"}, decode.SearchOptions{
		Text: func(_ int, part string) { fmt.Printf("%q ", part) }}))
	fmt.Println(found[0].Tokens)
	// Output: "3" " 1" [3 1]
}
