package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/emoji"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// question is what a client may ask, of whatever kind the model is. Which fields a model reads is
// said by GET /v1/model.
type question struct {
	Text     string      `json:"text"`
	Features []float32   `json:"features"` // of a labeller that reads features
	Rows     [][]float64 `json:"rows"`     // of a forecaster or a reducer
	Picture  string      `json:"picture"`  // PNG or JPEG, in base64

	Max         int     `json:"max"` // tokens to write at most
	Temperature float64 `json:"temperature"`
	TopK        int     `json:"top_k"`
	TopP        float64 `json:"top_p"`
	Seed        uint64  `json:"seed"`
	Stop        string  `json:"stop"`
	Beam        int     `json:"beam"`
	Next        int     `json:"next"` // of a language model: so many likely next tokens, and no text

	User   string `json:"user"`   // whose state it goes on from
	Stream bool   `json:"stream"` // server-sent events
}

func (q *question) sampler() decode.Sampler {
	return decode.Sampler{Temperature: q.Temperature, TopK: q.TopK, TopP: q.TopP}
}

// answer is what the model says. Fields that do not apply are left out.
type answer struct {
	Text      string             `json:"text,omitempty"`
	Next      []scored           `json:"next,omitempty"`
	Label     string             `json:"label,omitempty"`
	Prob      float64            `json:"prob,omitempty"`
	Probs     map[string]float64 `json:"probs,omitempty"`
	Tags      []tag              `json:"tags,omitempty"`
	Forecast  [][]float64        `json:"forecast,omitempty"`
	Codes     [][]float32        `json:"codes,omitempty"`
	Errors    []float64          `json:"errors,omitempty"`
	Anomalous []bool             `json:"anomalous,omitempty"`
	Emoji     []scored           `json:"emoji,omitempty"`
	Unknown   []string           `json:"unknown,omitempty"` // words that the vocabulary lacks
	Forgot    bool               `json:"forgot,omitempty"`  // the user's state was of another model
	Model     string             `json:"model"`             // its version
}

type scored struct {
	Token string  `json:"token"`
	Prob  float64 `json:"prob"`
}

type tag struct {
	Token string  `json:"token,omitempty"`
	Label string  `json:"label"`
	Prob  float64 `json:"prob"`
}

// statusError is an error with the status that it is answered with.
type statusError struct {
	status int
	error
}

func (e *statusError) Unwrap() error { return e.error }

// bad makes err the client's.
func bad(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &statusError{http.StatusUnprocessableEntity, err}
}

// answerer answers questions by a model.
type answerer struct {
	model  zoo.Model
	fields []string // of a question that it reads
	steps  bool     // it keeps a state for each user
	// together answers many, each with text or numbers alone; nil: it answers one at a time
	together func(ctx context.Context, qs []*question) ([]*answer, error)
	// check refuses a question of together that cannot be answered, before it is among others
	check func(q *question) error
	// alone answers one, streaming if say is not nil, from a state to a state
	alone func(ctx context.Context, q *question, state zoo.State, say func(part string)) (*answer,
		zoo.State, error)
}

// answererOf says how a model of any kind is asked.
func answererOf(m zoo.Model) (*answerer, error) {
	a := &answerer{model: m}
	var err error
	switch m := m.(type) {
	case *lm.Model:
		a.fields = []string{"text", "max", "temperature", "top_k", "top_p", "seed", "stop", "next",
			"user", "stream"}
		a.steps, a.alone = true, completing(m)
	case *dialogue.Model:
		a.fields = []string{"text", "max", "temperature", "top_k", "top_p", "seed", "beam", "user",
			"stream"}
		a.steps = true
		a.alone, err = talking(m)
	case *seq2seq.Model:
		a.fields = []string{"text", "max", "temperature", "top_k", "top_p", "seed", "beam",
			"stream"}
		err = a.translating(m)
	case *label.Classifier:
		a.fields = []string{"text or features"}
		err = a.classifying(m)
	case *label.Tagger:
		a.fields = []string{"text or features"}
		err = a.tagging(m)
	case *forecast.Model:
		a.fields, a.alone = []string{"rows"}, forecasting(m)
	case *caption.Model:
		a.fields = []string{"picture", "max", "beam"}
		a.alone, err = captioning(m)
	case *emoji.Model:
		a.fields, a.alone = []string{"text", "next"}, emojis(m)
	case reduce.Reducer:
		a.fields, a.alone = []string{"rows"}, reducing(m)
	default:
		err = fmt.Errorf("nobody has said how a %s is asked", m.Architecture())
	}
	return a, err
}

// alone is what answers one question.
type alone = func(ctx context.Context, q *question, state zoo.State,
	say func(part string)) (*answer, zoo.State, error)

func completing(m *lm.Model) alone {
	return func(ctx context.Context, q *question, state zoo.State, say func(string)) (*answer,
		zoo.State, error) {
		if q.Next > 0 {
			return suggesting(m, q, state)
		}
		g, err := m.Generate(ctx, q.Text, lm.GenerateOptions{Max: q.Max, Sample: q.sampler(),
			Seed: q.Seed, Stop: q.Stop, From: state, Text: say})
		if err != nil {
			return nil, state, bad(err)
		}
		return &answer{Text: g.Added, Unknown: g.Unknown}, g.State, nil
	}
}

// suggesting reads a text and says which tokens may come next.
func suggesting(m *lm.Model, q *question, state zoo.State) (*answer, zoo.State, error) {
	s, err := m.NewSession()
	if err != nil {
		return nil, state, err
	}
	if err := s.SetState(state); err != nil {
		return nil, state, bad(err)
	}
	p, err := s.Read(q.Text)
	if err != nil {
		return nil, state, bad(err)
	}
	next, err := s.Next(q.Next)
	if err != nil {
		return nil, state, bad(err)
	}
	a := &answer{Unknown: p.Unknown}
	for _, n := range next {
		a.Next = append(a.Next, scored{n.Token, n.Prob})
	}
	return a, s.State(), nil
}

func talking(m *dialogue.Model) (alone, error) {
	cut, err := m.Config().Text.Tokeniser()
	return func(ctx context.Context, q *question, state zoo.State, say func(string)) (*answer,
		zoo.State, error) {
		tokens, err := cut.Tokens(q.Text)
		if err != nil {
			return nil, state, bad(err)
		}
		c := m.NewConversation()
		if err := c.SetState(state); err != nil {
			return nil, state, bad(err)
		}
		if err := c.Read(tokens); err != nil {
			return nil, state, bad(err)
		}
		o := dialogue.ReplyOptions{Max: q.Max, Sample: q.sampler(), Seed: q.Seed, Beam: q.Beam,
			Text: say}
		found, err := c.Reply(ctx, o)
		if err != nil || len(found) == 0 {
			return nil, state, bad(err)
		}
		if err := c.Read(found[0].Tokens); err != nil {
			return nil, state, err
		}
		after, err := c.State()
		return &answer{Text: cut.Join(found[0].Tokens),
			Unknown: m.Vocabulary().Unknowns(tokens)}, after, err
	}, err
}

// translating answers questions without options together, and others one at a time.
func (a *answerer) translating(m *seq2seq.Model) error {
	cut, err := m.Config().Text.Tokeniser()
	sources, _ := m.Vocabularies()
	options := func(q *question) decode.SearchOptions {
		o := decode.SearchOptions{Max: q.Max, Beam: q.Beam, Sample: q.sampler(), Seed: q.Seed}
		if q.Beam > 1 {
			o.Alpha = 1
		}
		return o
	}
	a.check = func(q *question) error { return sourceTokens(cut, q.Text) }
	a.together = func(ctx context.Context, qs []*question) ([]*answer, error) {
		texts := make([][]string, len(qs))
		for i, q := range qs {
			var err error
			if texts[i], err = cut.Tokens(q.Text); err != nil {
				return nil, bad(err)
			}
		}
		found, err := m.TranslateAll(ctx, texts, options(qs[0]))
		if err != nil {
			return nil, bad(err)
		}
		answers := make([]*answer, len(qs))
		for i, f := range found {
			answers[i] = &answer{Unknown: sources.Unknowns(texts[i])}
			if len(f) > 0 {
				answers[i].Text = cut.Join(f[0].Tokens)
			}
		}
		return answers, nil
	}
	a.alone = func(ctx context.Context, q *question, state zoo.State, say func(string)) (*answer,
		zoo.State, error) {
		tokens, err := cut.Tokens(q.Text)
		if err != nil {
			return nil, state, bad(err)
		}
		o := options(q)
		if say != nil {
			o.Text = func(_ int, part string) { say(part) }
		}
		found, err := m.Translate(ctx, tokens, o)
		if err != nil {
			return nil, state, bad(err)
		}
		said := &answer{Unknown: sources.Unknowns(tokens)}
		if len(found) > 0 {
			said.Text = cut.Join(found[0].Tokens)
		}
		return said, state, nil
	}
	return err
}

func sourceTokens(cut text.Tokeniser, s string) error {
	tokens, err := cut.Tokens(s)
	if err == nil && len(tokens) == 0 {
		err = errors.New("the text is empty")
	}
	return bad(err)
}

// sequenceOf reads a question for a labeller.
func sequenceOf(encode func([]string) (label.Sequence, error), cut text.Tokeniser, reads bool,
	q *question) (s label.Sequence, tokens []string, err error) {
	if !reads {
		return label.Sequence{Features: q.Features}, nil, nil
	}
	if tokens, err = cut.Tokens(q.Text); err == nil {
		s, err = encode(tokens)
	}
	return s, tokens, err
}

func (a *answerer) classifying(m *label.Classifier) error {
	cut, err := m.Config().Text.Tokeniser()
	read := func(q *question) (label.Sequence, []string, error) {
		return sequenceOf(m.Encode, cut, m.Vocabulary() != nil, q)
	}
	a.check = func(q *question) error { _, _, err := read(q); return bad(err) }
	a.together = func(ctx context.Context, qs []*question) ([]*answer, error) {
		sequences, answers := make([]label.Sequence, len(qs)), make([]*answer, len(qs))
		for i, q := range qs {
			s, tokens, err := read(q)
			if err != nil {
				return nil, bad(err)
			}
			sequences[i], answers[i] = s, &answer{}
			if tokens != nil {
				answers[i].Unknown = m.Vocabulary().Unknowns(tokens)
			}
		}
		found, err := m.PredictAll(ctx, sequences)
		if err != nil {
			return nil, bad(err)
		}
		for i, p := range found {
			answers[i].Label, answers[i].Prob = p.Label, p.Prob
			answers[i].Probs = map[string]float64{}
			for id, prob := range p.Probs {
				name, _ := m.Labels().Token(id)
				answers[i].Probs[name] = prob
			}
		}
		return answers, nil
	}
	return err
}

func (a *answerer) tagging(m *label.Tagger) error {
	cut, err := m.Config().Text.Tokeniser()
	read := func(q *question) (label.Sequence, []string, error) {
		return sequenceOf(m.Encode, cut, m.Vocabulary() != nil, q)
	}
	a.check = func(q *question) error { _, _, err := read(q); return bad(err) }
	a.together = func(ctx context.Context, qs []*question) ([]*answer, error) {
		sequences, all := make([]label.Sequence, len(qs)), make([][]string, len(qs))
		for i, q := range qs {
			var err error
			if sequences[i], all[i], err = read(q); err != nil {
				return nil, bad(err)
			}
		}
		found, err := m.PredictAll(ctx, sequences)
		if err != nil {
			return nil, bad(err)
		}
		answers := make([]*answer, len(qs))
		for i, tags := range found {
			answers[i] = &answer{}
			for t, p := range tags {
				one := tag{Label: p.Label, Prob: p.Prob}
				if all[i] != nil {
					one.Token = all[i][t]
				}
				answers[i].Tags = append(answers[i].Tags, one)
			}
		}
		return answers, nil
	}
	return err
}
