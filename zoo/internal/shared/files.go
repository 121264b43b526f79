package shared

import (
	"fmt"
	"io"

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

// TokeniserFile holds the byte pairs of models that cut text by them.
const TokeniserFile = "tokenizer.json"

// PutCut adds to the files of a model the byte pairs by which it cuts text, if it has any.
func PutCut(files map[string]func(io.Writer) error, c text.Cut) map[string]func(io.Writer) error {
	if c.BPE != nil {
		files[TokeniserFile] = func(w io.Writer) error { _, err := c.BPE.WriteTo(w); return err }
	}
	return files
}

// ReadCut reads what PutCut wrote.
func ReadCut(d *modeldir.Dir, c *text.Cut) (err error) {
	if c.Level == "bpe" {
		c.BPE, err = ReadBPE(d)
	}
	return err
}

// ReadWords reads the vocabulary of a model of text, and how it cuts text.
func ReadWords(d *modeldir.Dir, name string, c *text.Cut) (*text.Vocabulary, error) {
	v, err := ReadVocabulary(d, name)
	if err != nil {
		return nil, err
	}
	return v, ReadCut(d, c)
}

// ReadBPE reads the byte pairs of a model's directory.
func ReadBPE(d *modeldir.Dir) (*text.BPE, error) {
	f, err := d.File(TokeniserFile)
	if err != nil {
		return nil, err
	}
	b, err := text.ReadBPE(f, f.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", TokeniserFile, err)
	}
	return b, nil
}
