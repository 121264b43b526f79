package word2vec_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

// Words that stand among the same neighbours get vectors that are alike.
func Example() {
	check := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	topics := [][]string{
		{"cat", "dog", "mouse", "fur", "paw", "tail"}, {"sun", "moon", "star", "sky", "night", "light"},
	}
	draw := rng.Stream{Key: rng.New(1)}
	var sentences [][]string
	for range 2000 {
		topic, s := topics[draw.Intn(2)], []string(nil)
		for range 8 {
			s = append(s, topic[draw.Intn(len(topic))])
		}
		sentences = append(sentences, s)
	}
	ctx := context.Background()
	m, err := word2vec.New(ctx, word2vec.Config{Dim: 16, Sample: 1}, sentences)
	check(err)
	check(m.Train(ctx, sentences, word2vec.TrainOptions{}))
	v, err := m.Vectors()
	check(err)
	near, err := v.Similarity("cat", "dog")
	check(err)
	far, err := v.Similarity("cat", "moon")
	check(err)
	fmt.Println("cat is like dog:", near > 0.8)
	fmt.Println("cat is like moon:", far > 0.4)
	// Output:
	// cat is like dog: true
	// cat is like moon: false
}
