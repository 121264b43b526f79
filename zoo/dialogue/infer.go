package dialogue

import (
	"cmp"
	"context"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// ReplyOptions say how a reply is found. The zero value takes the likeliest token each time; with a
// latent variable, given one that is drawn from the prior by Seed.
type ReplyOptions struct {
	Beam      int     // width of a beam search; 0 and 1: none
	Best      int     // replies to return at most, with a beam; default 1
	Max       int     // tokens at most, <eos> included; default 60
	Alpha     float64 // of the beam: length normalisation, see decode.BeamOptions
	EarlyStop bool    // of the beam

	Sample     decode.Sampler // without a beam: temperature, top-k, nucleus
	Seed       uint64         // of the latent variable and of the sampling, where there is one
	MeanLatent bool           // the latent variable is its prior mean instead of a draw

	// Each and Text are called with the tokens so far, and with each part of the text, as those of
	// decode.SearchOptions are.
	Each func(tokens []string)
	Text func(part string)
}

// Reply is an utterance that was found.
type Reply struct {
	Tokens   []string
	LogProb  float64   // of all tokens, <eos> included; given the latent variable, if there is one
	Score    float64   // by which replies are ranked
	LogProbs []float64 // of each token
	Ended    bool      // by <eos>, not by Max
	Copied   []int     // the places of words that the vocabulary lacks, copied from what was said
}

// Conversation is a dialogue as it goes on. It keeps the state of the context after the turns so
// far, so that a turn is read once. It is for one goroutine at a time; any number of conversations
// of one model may go on at once. It holds nothing that needs closing.
type Conversation struct {
	m     *Model
	turns int
	state [][]float64 // of the context layers, [width] each; the output is context
	after []float64   // the context after the last turn, [C]
	said  memoryOfTurns
}

var errNoConversation = prefix.Errorf(
	"the conversation is an empty value: NewConversation makes one")

// NewConversation begins a dialogue.
func (m *Model) NewConversation() *Conversation {
	c := &Conversation{m: m}
	c.Reset()
	return c
}

// Reset begins a new dialogue.
func (c *Conversation) Reset() {
	c.turns, c.state, c.after, c.said = 0, nil, nil, memoryOfTurns{}
	if c.m == nil {
		return // Read says so
	}
	for _, p := range c.m.context.Parts() {
		c.state = append(c.state, make([]float64, p.Width))
	}
}

// Turns is how many were read.
func (c *Conversation) Turns() int { return c.turns }

// Read takes in the next turn, whoever says it. Tokens that the vocabulary lacks are read as <unk>.
// After an error the conversation is as before.
func (c *Conversation) Read(tokens []string) error {
	if c.m == nil {
		return errNoConversation
	}
	if err := shared.Made(c.m.store); err != nil {
		return prefix.Wrap(err)
	}
	tokens = c.m.cfg.Text.Formed(tokens)
	ids, err := c.m.vocabulary.Encode(tokens)
	if err == nil {
		err = shared.CheckIDs("utterance", ids, c.m.vocabulary.Len())
	}
	if err != nil {
		return prefix.Errorf("turn %d: %w", c.turns, err)
	}
	lease, err := c.m.readers.Take(turnLength(len(ids)+1), c.m.newTurnReader)
	if err != nil {
		return prefix.Wrap(err)
	}
	defer lease.Put()
	r := lease.Graph
	clear(r.words)
	copy(r.words, ids)
	r.words[len(ids)], r.length[0] = c.m.eos, len(ids)+1
	for i, s := range c.state {
		r.state[i].Put64(0, s)
	}
	if err := r.Run(0, 0); err != nil {
		return prefix.Errorf("turn %d: %w", c.turns, err)
	}
	for i := range r.state {
		c.state[i] = r.Output(i).Float64s()
	}
	c.after = r.Output(len(r.state)).Float64s()
	if c.m.cfg.Copy > 0 {
		each := r.Output(len(r.state) + 1).Float64s()
		c.said = c.said.add(tokens, each[:len(tokens)*c.m.cfg.utterance()], c.m.cfg.Copy)
	}
	c.turns++
	return nil
}

// Reply finds what may be said next, best first. The conversation stays as it is: Read takes in
// what is said indeed. A cancelled context ends it with what there is and the context's error.
func (c *Conversation) Reply(ctx context.Context, o ReplyOptions) ([]Reply, error) {
	if c.turns == 0 {
		return nil, prefix.Errorf("there is nothing to reply to: the conversation has no turn yet")
	}
	t := decode.SearchOptions{Beam: o.Beam, Best: o.Best, Max: o.Max, Alpha: o.Alpha,
		EarlyStop: o.EarlyStop, Sample: o.Sample}
	if o.Sample.Temperature > 0 { // otherwise it is of the latent variable alone
		t.Seed = o.Seed
	}
	if o.Each != nil {
		t.Each = func(_ int, tokens []string) { o.Each(tokens) }
	}
	if o.Text != nil {
		t.Text = func(_ int, part string) { o.Text(part) }
	}
	if err := t.Check(); err != nil {
		return nil, prefix.Wrap(err)
	}
	if o.MeanLatent && c.m.cfg.Latent.Width == 0 {
		return nil, prefix.Errorf(
			"the option MeanLatent is set, and the model has no latent variable")
	}
	cut, err := c.m.cfg.Text.Tokeniser()
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	width := max(o.Beam, 1)
	size := responderSize{width: width, places: len(c.said.words)}
	lease, err := c.m.responders.Take(size, c.m.newResponder)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	defer lease.Put()
	r := lease.Graph
	r.after.Put64(0, c.after)
	if r.eps.Len() > 0 {
		eps := make([]float64, c.m.cfg.Latent.Width)
		random := rng.Stream{Key: rng.New(o.Seed).Named("latent").Numbered(uint64(c.turns))}
		for i := range eps {
			if !o.MeanLatent {
				eps[i] = random.Normal()
			}
		}
		r.eps.Put64(0, eps)
	}
	words, err := r.start(c)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	common := decode.Options{End: c.m.eos, Max: cmp.Or(o.Max, longestReply),
		Never: shared.Silent(c.m.vocabulary)}
	found, err := r.Write(ctx, c.m.bos, common, t, 0,
		func(int) shared.Tokens { return words }, cut)
	var out []Reply
	if len(found) > 0 {
		for _, h := range found[0] {
			p := Reply{Tokens: shared.Written(words, h.Tokens), LogProb: h.LogProb,
				Score: h.Score, Ended: h.Ended}
			p.LogProbs = h.LogProbs[:len(p.Tokens)]
			for k, id := range h.Tokens[:len(p.Tokens)] {
				if id >= c.m.vocabulary.Len() {
					p.Copied = append(p.Copied, k)
				}
			}
			out = append(out, p)
		}
	}
	if err != nil {
		err = prefix.Wrap(err)
	}
	return out, err
}

// longestReply is the default of ReplyOptions.Max.
const longestReply = 60

// Reply finds what may be said after the turns of a dialogue, best first. To go on with the
// dialogue, a Conversation need not read it again.
func (m *Model) Reply(ctx context.Context, dialogue [][]string, o ReplyOptions) ([]Reply, error) {
	if len(dialogue) > MaxTurns {
		return nil, prefix.Errorf("the dialogue has %d turns; at most %d are taken",
			len(dialogue), MaxTurns)
	}
	c := m.NewConversation()
	for _, tokens := range dialogue {
		if err := interrupt.Err(ctx); err != nil {
			return nil, prefix.Wrap(err)
		}
		if err := c.Read(tokens); err != nil {
			return nil, err
		}
	}
	return c.Reply(ctx, o)
}

// turnReader is the encoder and one step of the context layers, compiled for utterances of a
// length.
type turnReader struct {
	// outputs: the parts of the state after the turn, the context, and if the model copies what the
	// encoder puts out for each token
	*run.Step
	words, length []int
	state         []run.Floats
}

// turnLength is the length of an utterance, its end included.
type turnLength int

func (n turnLength) Round() turnLength              { return turnLength(run.Round(int(n))) }
func (n turnLength) Serves(request turnLength) bool { return request <= n }
func (n turnLength) Cost() int                      { return int(n) }

func (m *Model) newTurnReader(shape turnLength) (r *turnReader, err error) {
	r = &turnReader{}
	length := int(shape)
	var words, n *nodes.Node
	var outputs []*nodes.Node
	var state cells.State
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype()})
		words, n = g.IntInput("words", length, 1), g.IntInput("length", 1)
		state = shared.InputState(g, m.context.Parts(), 1)
		u, each := m.utterances(words, n, unroll.Options{})
		context := m.context.Unroll(nodes.Reshape(u, 1, 1, -1), state,
			unroll.Options{Strategy: unroll.Expand})
		outputs = append(slices.Clone(context.Final()), nodes.Reshape(context.Y(), -1))
		if m.cfg.Copy > 0 {
			outputs = append(outputs, each)
		}
	})
	if err != nil {
		return nil, err
	}
	if r.Step, err = run.New(outputs); err != nil {
		return nil, err
	}
	var in run.Inputs
	r.words, r.length, r.state = in.Ints(words), in.Ints(n), in.State(state)
	return r, in.Err()
}
