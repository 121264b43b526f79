package lm

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// GenerateOptions says how a text is continued. The zero value takes the likeliest token at each
// step, up to 50 tokens.
type GenerateOptions struct {
	Max    int            // tokens at most; 0 means 50
	Sample decode.Sampler // temperature, top-k, nucleus
	Seed   uint64         // of the sampling; refused where nothing is drawn
	Stop   string         // end before this token, such as <eos>; "" never
	Each   func(token string)

	// From is the state to go on from, of a session or of an earlier Generate. The prompt comes
	// after the text that they had read, and may be empty. The zero value is the start.
	From zoo.State

	// Text, if set, is called with each part of the new text as soon as it is certain: whole
	// characters, with the space before a word that follows another, and without special tokens.
	Text func(part string)
}

// Generated is a continued text.
type Generated struct {
	*Prompt
	New  []string // the tokens that were added
	Text string   // prompt and new tokens, joined
	// the text that the new tokens add, with a space in front where one belongs: all parts that the
	// option Text was called with. A character that Max cuts is left out: it comes whole when the
	// text goes on from State
	Added string
	// of the new tokens under the model, <unk> left out, before temperature and filters
	LogProb float64
	State   zoo.State // of a session that has read it all
}

// check reports options that are out of range, or would do nothing.
func (m *Model) checkOptions(o *GenerateOptions) error {
	var bad check.Problems
	bad.That(o.Max >= 0, "Max is %d, want 0 or more", o.Max)
	bad.Add(o.Sample.Validate())
	bad.Add(o.Sample.CheckSeed(o.Seed))
	o.Stop = m.cfg.Unicode.Of(o.Stop)
	if id, ok := m.vocabulary.ID(o.Stop); o.Stop != "" {
		bad.That(ok, "Stop is %.40q, which the vocabulary lacks: it would never come", o.Stop)
		bad.That(!ok || !slices.Contains(m.silent, id), "Stop is %q, which is never written",
			o.Stop)
	}
	return bad.Err()
}

// Generate continues a prompt. A cancelled context ends it: Generate then returns the text so far
// and the context's error.
func (m *Model) Generate(ctx context.Context, prompt string, o GenerateOptions) (*Generated,
	error) {
	if err := m.checkOptions(&o); err != nil {
		return nil, prefix.Wrap(err)
	}
	p := &Prompt{}
	if prompt != "" || o.From.Empty() {
		var err error
		if p, err = m.Prompt(prompt); err != nil {
			return nil, err
		}
	}
	s, lease, err := m.begin()
	if err != nil {
		return nil, err
	}
	defer lease.Put()
	g := lease.Graph
	if err := s.set(g, o.From); err != nil {
		return nil, prefix.Errorf("From: %w", err)
	}
	out := &Generated{Prompt: p}
	if err = s.read(ctx, g, p); err == nil {
		err = s.generate(ctx, g, o, out)
	}
	out.Text = strings.TrimSpace(m.tokeniser.Join(append(slices.Clone(p.Tokens), out.New...)))
	if err != nil {
		return out, prefix.Wrap(err)
	}
	return out, nil
}

func (s *Session) generate(ctx context.Context, g *stepGraph, o GenerateOptions,
	out *Generated) error {
	random := rng.Stream{Key: rng.New(o.Seed).Named("generate")}
	stream := text.NewStream(s.m.tokeniser, s.tokens(s.tail)...)
	unread := false // the token that was chosen last
	defer func() {
		if out.State = s.State(); unread {
			id, _ := s.m.vocabulary.ID(out.New[len(out.New)-1])
			out.State = s.state(s.after, append(slices.Clone(s.tail), id))
		}
	}()
	for most := cmp.Or(o.Max, 50); ; {
		if err := interrupt.Err(ctx); err != nil {
			return err
		}
		s.hide()
		id, err := decode.Sample(&o.Sample, s.logits, &random)
		if err != nil {
			return err
		}
		token, _ := s.m.vocabulary.Token(id)
		if token == o.Stop {
			return nil
		}
		out.LogProb += logProb(s.logits, id)
		out.New = append(out.New, token)
		if o.Each != nil {
			o.Each(token)
		}
		if part := s.part(stream, id); part != "" {
			if out.Added += part; o.Text != nil {
				o.Text(part)
			}
		}
		if unread = true; len(out.New) == most { // nobody needs its logits
			return nil
		}
		if err := s.step(g, id); err != nil {
			return err
		}
		unread = false
	}
}

// part returns the text that a token adds. Special tokens add none, except the end of a line.
func (s *Session) part(stream *text.Stream, id int) string {
	token, _ := s.m.vocabulary.Token(id)
	if id < s.m.specials && token != text.EOS {
		return ""
	}
	return stream.Add(token)
}

// tokens returns the tokens of the ids that are in the vocabulary.
func (s *Session) tokens(ids []int) []string {
	var tokens []string
	for _, id := range ids {
		if token, _ := s.m.vocabulary.Token(id); id >= s.m.specials || token == text.EOS {
			tokens = append(tokens, token)
		}
	}
	return tokens
}
