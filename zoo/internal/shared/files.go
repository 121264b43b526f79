package shared

import (
	"fmt"

	"github.com/seqzoo/seqzoo/internal/modeldir"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// ReadVocabulary reads a vocabulary of a model's directory.
func ReadVocabulary(d *modeldir.Dir, name string) (*text.Vocabulary, error) {
	f, err := d.File(name)
	if err != nil {
		return nil, err
	}
	v, err := text.ReadVocabulary(f, f.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}
