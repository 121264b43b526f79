package vectors_test

import (
	"fmt"
	"log"

	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// Vectors of words answer which words are like which.
func ExampleVectors() {
	v, err := vectors.New([]string{"cat", "dog", "car"}, 2, []float32{1, 0.1, 0.9, 0.2, 0, 1})
	if err != nil {
		log.Fatal(err)
	}
	for _, word := range []string{"dog", "car"} {
		s, err := v.Similarity("cat", word)
		fmt.Printf("%s %.2f %v\n", word, s, err)
	}
	// Output:
	// dog 0.99 <nil>
	// car 0.10 <nil>
}
