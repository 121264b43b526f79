package lm_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// A text that need not fit in memory comes line by line from its file: once for the vocabulary, and
// once an epoch.
func ExampleData_stream() {
	check := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "")
	check(err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "story.txt")
	story := strings.Repeat("the cat sat on the mat .\nthe dog sat on the rug .\n", 50)
	check(os.WriteFile(path, []byte(story), 0o666))

	lines := text.Sentences(path, text.Words{})
	vocabulary, err := text.NewVocabularyFrom(context.Background(),
		text.VocabularyConfig{Specials: []string{text.Unk, text.EOS}}, lines)
	check(err)
	m, err := lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 24}}, vocabulary, 1)
	check(err)
	ids := func(yield func([]int, error) bool) {
		for tokens, err := range lines {
			var line []int
			if err == nil {
				line, err = vocabulary.Encode(append(tokens, text.EOS))
			}
			if !yield(line, err) {
				return
			}
		}
	}
	task, err := m.Task(lm.Data{Stream: ids, Batch: 4, Buffer: 1000})
	check(err)
	fmt.Println("windows of an epoch:", task.Len())
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.02})
	check(err)
	result, err := train.Fit(context.Background(), task, train.Config{Optimizer: adam, Epochs: 20})
	check(err)
	_, losses := result.History.Column("loss")
	fmt.Println("the loss falls:", losses[len(losses)-1] < losses[0]/2)
	// Output:
	// windows of an epoch: 6
	// the loss falls: true
}

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
