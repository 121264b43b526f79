package vectors

import (
	"errors"
	"fmt"

	"github.com/seqzoo/seqzoo/zoo/text"
)

// Fill makes the vectors of words the rows of a table [V, Dim] for a vocabulary, such as the
// embedding of a model before it is trained, and returns how many it found; other rows stay.
//
//	embed, _ := model.Params().Get("embed/E")
//	found, err := words.Fill(embed.Value().Float32s(), model.Vocabulary())
func (v *Vectors) Fill(table []float32, words *text.Vocabulary) (found int, err error) {
	if v == nil || words == nil {
		return 0, errors.New("vectors: fill: there are no vectors, or no vocabulary")
	}
	if len(table) != words.Len()*v.Dim() || len(table) == 0 {
		return 0, fmt.Errorf("vectors: fill: the table has %d numbers; %d words of %d dimensions "+
			"want %d: make the embedding as wide as the vectors", len(table), words.Len(), v.Dim(),
			words.Len()*v.Dim())
	}
	for id := range words.Len() {
		token, _ := words.Token(id)
		if i, ok := v.Index(token); ok {
			copy(table[id*v.Dim():(id+1)*v.Dim()], v.Row(i))
			found++
		}
	}
	return found, nil
}
