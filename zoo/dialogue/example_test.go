package dialogue_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// A model of dialogues remembers who it talks to; what it remembers is a value.
func ExampleModel() {
	says := [][]string{{"i am ann", "hello", "who am i", "ann"}, {"i am bob", "hello", "who am i",
		"bob"}}
	words := must(text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS}},
		strings.Fields("i am ann bob hello who")))
	m := must(dialogue.New(dialogue.Config{Encoder: zoo.Recurrent{Cell: "gru", Hidden: 16}}, words,
		1))
	var data dialogue.Data
	for _, turns := range says {
		var cut [][]string
		for _, turn := range turns {
			cut = append(cut, strings.Fields(turn))
		}
		data.Train = append(data.Train, must(m.Dialogue(cut)))
	}
	must(train.Fit(context.Background(), must(m.Task(data)), train.Config{
		Optimizer: must(train.NewAdam(train.AdamConfig{LR: 0.02})), Epochs: 150}))
	for _, name := range []string{"ann", "bob"} {
		c := m.NewConversation()
		for _, turn := range []string{"i am " + name, "hello"} {
			if err := c.Read(strings.Fields(turn)); err != nil {
				log.Fatal(err)
			}
		}
		kept := must(must(c.State()).MarshalBinary()) // for the time until the next turn
		var state zoo.State
		if err := state.UnmarshalBinary(kept); err != nil {
			log.Fatal(err)
		}
		later := m.NewConversation()
		if err := later.SetState(state); err != nil {
			log.Fatal(err)
		}
		if err := later.Read(strings.Fields("who am i")); err != nil {
			log.Fatal(err)
		}
		fmt.Println(must(later.Reply(context.Background(), dialogue.ReplyOptions{}))[0].Tokens)
	}
	// Output:
	// [ann]
	// [bob]
}
