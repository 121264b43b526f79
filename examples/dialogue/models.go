package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/text/japanese"
)

// levels are what the models can speak in.
var levels = map[string]text.Tokeniser{"word": text.Words{Lower: true}, "char": text.Chars{}, "ja": japanese.Words{}}

// checkLevel refuses a level that there is not.
func checkLevel(level string) error {
	if levels[level] == nil {
		return fmt.Errorf("the level is %q; want word, char or ja", level)
	}
	return nil
}

// levelFile is a file in the model's directory that holds its level. Models of the level word need none.
const levelFile = "level.json"

// saveLevel writes the level of a model.
func saveLevel(dir, level string) error {
	return safefile.Write(safefile.OS, filepath.Join(dir, levelFile), func(w io.Writer) error {
		return json.NewEncoder(w).Encode(level)
	})
}

// loadLevel is how the model in a directory cuts what is said.
func loadLevel(dir string) (text.Tokeniser, error) {
	path := filepath.Join(dir, levelFile)
	s, err := text.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return levels["word"], nil
	}
	if err != nil {
		return nil, err
	}
	var level string
	if err = json.Unmarshal([]byte(s), &level); err == nil {
		err = checkLevel(level)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return levels[level], nil
}

func (d *decoding) sampler() *decode.Sampler {
	return &decode.Sampler{Temperature: d.temperature, TopP: d.topP}
}

// load opens a model of dialogues, and says how it cuts what is said.
func load(dir string) (zoo.Model, text.Tokeniser, error) {
	m, err := zoo.Load(dir)
	if err != nil {
		return nil, nil, err
	}
	switch m.(type) {
	case *dialogue.Model, *seq2seq.Model:
		words, err := loadLevel(dir)
		return m, words, err
	}
	return nil, nil, fmt.Errorf("%s holds a %s, not a model of dialogues", dir, m.Architecture())
}

// vocabularyOf is that of a model of dialogues.
func vocabularyOf(m zoo.Model) *text.Vocabulary {
	if s, ok := m.(*seq2seq.Model); ok {
		v, _ := s.Vocabularies()
		return v
	}
	return m.(*dialogue.Model).Vocabulary()
}

// replier is a model that says what comes next.
type replier interface {
	begin()                                                  // a new dialogue
	read(turn []string) error                                // takes in a turn
	reply(ctx context.Context, d decoding) ([]string, error) // finds the next one
}

// newReplier makes a model talk.
func newReplier(m zoo.Model) replier {
	if s, ok := m.(*seq2seq.Model); ok {
		return &oneTurn{m: s}
	}
	return hierarchical{m.(*dialogue.Model).NewConversation()}
}

// hierarchical talks with all turns in mind.
type hierarchical struct{ *dialogue.Conversation }

func (h hierarchical) begin()                   { h.Reset() }
func (h hierarchical) read(turn []string) error { return h.Read(turn) }

func (h hierarchical) reply(ctx context.Context, d decoding) ([]string, error) {
	found, err := h.Reply(ctx, dialogue.ReplyOptions{Beam: d.beam, Alpha: 0.6, Sample: *d.sampler(), Seed: d.seed})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0].Tokens, nil
}

// oneTurn knows the last turn only.
type oneTurn struct {
	m    *seq2seq.Model
	last []string
}

func (o *oneTurn) begin() { o.last = nil }

func (o *oneTurn) read(turn []string) error {
	if len(turn) == 0 {
		return errors.New("there is no word in it")
	}
	o.last = turn
	return nil
}

func (o *oneTurn) reply(ctx context.Context, d decoding) ([]string, error) {
	found, err := o.m.Translate(ctx, o.last, decode.SearchOptions{Beam: d.beam, Alpha: 0.6, Max: 60, Sample: *d.sampler(), Seed: d.seed})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0].Tokens, nil
}

// pairs are the turns of dialogues, each with the one after it.
func pairs(m *seq2seq.Model, dialogues [][][]string) ([]seq2seq.Pair, error) {
	var from, to [][]string
	for _, d := range dialogues {
		from, to = append(from, d[:len(d)-1]...), append(to, d[1:]...)
	}
	return m.Pairs(from, to)
}

// encoded are dialogues as ids.
func encoded(m *dialogue.Model, dialogues [][][]string) ([]dialogue.Dialogue, error) {
	out := make([]dialogue.Dialogue, len(dialogues))
	for i, turns := range dialogues {
		var err error
		if out[i], err = m.Dialogue(turns); err != nil {
			return nil, fmt.Errorf("dialogue %d: %w", i+1, err)
		}
	}
	return out, nil
}
