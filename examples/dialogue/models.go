package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
	_ "github.com/seqzoo/seqzoo/zoo/text/japanese" // level ja
)

// levelFile held the level of a model before its own configuration did. Models of the level word
// had none.
const levelFile = "level.json"

// oldLevel is how a model was said to cut what is said by a file beside it.
func oldLevel(dir string) (cut text.Cut, err error) {
	cut.Level = "word"
	path := filepath.Join(dir, levelFile)
	s, err := text.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return cut, nil
	}
	if err != nil {
		return cut, err
	}
	if err = json.Unmarshal([]byte(s), &cut.Level); err == nil {
		err = cut.Validate()
	}
	if err != nil {
		return cut, fmt.Errorf("%s: %w", path, err)
	}
	return cut, nil
}

// alpha is the strength of the length normalisation, which only a beam has.
func (d *decoding) alpha() float64 {
	if d.beam > 1 {
		return 0.6
	}
	return 0
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
	var cut text.Cut
	switch m := m.(type) {
	case *dialogue.Model:
		cut = m.Config().Text
	case *seq2seq.Model:
		cut = m.Config().Text
	default:
		return nil, nil, fmt.Errorf("%s holds a %s, not a model of dialogues", dir,
			m.Architecture())
	}
	if cut == (text.Cut{}) {
		if cut, err = oldLevel(dir); err != nil {
			return nil, nil, err
		}
	}
	words, err := cut.Tokeniser()
	return m, words, err
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
	found, err := h.Reply(ctx, dialogue.ReplyOptions{Beam: d.beam, Alpha: d.alpha(),
		Sample: *d.sampler(), Seed: d.seed})
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
	search := decode.SearchOptions{Beam: d.beam, Alpha: d.alpha(), Max: 60, Sample: *d.sampler()}
	if d.temperature > 0 {
		search.Seed = d.seed
	}
	found, err := o.m.Translate(ctx, o.last, search)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0].Tokens, nil
}

// said is the dialogues of a file as tokens, one a line.
type said struct {
	file      string
	before    int // lines of the file before the first of them
	dialogues [][][]string
}

// from are the dialogues from number i on, up to n of them.
func (s said) from(i, n int) said {
	s.dialogues = s.dialogues[i:min(i+n, len(s.dialogues))]
	s.before += i
	return s
}

// at says on which line the dialogue stands that an error is about, or the pair of turns if
// the model reads pairs.
func (s said) at(m zoo.Model, err error) error {
	if _, ok := m.(*seq2seq.Model); !ok {
		return cli.AtLine(err, s.file, func(i int) int { return s.before + i + 1 })
	}
	return cli.AtLine(err, s.file, func(pair int) int {
		for i, d := range s.dialogues {
			if pair -= len(d) - 1; pair < 0 {
				return s.before + i + 1
			}
		}
		return 0
	})
}

// pairs are the turns of dialogues, each with the one after it.
func (s said) pairs(m *seq2seq.Model) ([]seq2seq.Pair, error) {
	var from, to [][]string
	for _, d := range s.dialogues {
		from, to = append(from, d[:len(d)-1]...), append(to, d[1:]...)
	}
	pairs, err := m.Pairs(from, to)
	return pairs, s.at(m, err)
}

// encoded are dialogues as ids.
func (s said) encoded(m *dialogue.Model) ([]dialogue.Dialogue, error) {
	out := make([]dialogue.Dialogue, len(s.dialogues))
	for i, turns := range s.dialogues {
		var err error
		if out[i], err = m.Dialogue(turns); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", s.file, s.before+i+1, err)
		}
	}
	return out, nil
}
