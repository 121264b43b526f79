package lm_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// Train on a text, and ask what follows a phrase.
func Example() {
	check := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	story := strings.Repeat("the cat sat on the mat .\nthe dog sat on the rug .\n", 50)
	tokens, err := text.Words{Lower: true, Lines: true}.Tokens(story)
	check(err)
	vocabulary, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}},
		tokens)
	check(err)
	ids, err := vocabulary.Encode(tokens)
	check(err)
	m, err := lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 24}}, vocabulary, 1)
	check(err)
	task, err := m.Task(lm.Data{Train: ids, Batch: 4})
	check(err)
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.02})
	check(err)
	_, err = train.Fit(context.Background(), task, train.Config{Optimizer: adam, Epochs: 20})
	check(err)

	for _, prompt := range []string{"the cat sat on the", "the dog sat on the"} {
		next, _, err := m.Next(prompt, 1)
		check(err)
		fmt.Println(prompt, next[0].Token)
	}
	// Output:
	// the cat sat on the mat
	// the dog sat on the rug
}
