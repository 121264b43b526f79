package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// evaluation is the flags of evaluate.
type evaluation struct {
	decoding
	model, data      string
	replies, samples int
}

func newEvaluation() *evaluation { return &evaluation{} }

func (e *evaluation) register(f *flag.FlagSet) {
	e.decoding.register(f)
	cli.ModelFlag(f, &e.model, "")
	cli.DataFlag(f, &e.data,
		"of dialogues instead of those of the Schema-Guided Dialogues to validate on")
	f.IntVar(&e.replies, "replies", 100,
		"dialogues in which the model replies to every turn, for distinct-1 and -2; 0 for none")
	f.IntVar(&e.samples, "samples", 10, "vhred: draws of the latent variable")
}

func (e *evaluation) check() error {
	errs := []error{cli.Required("model", e.model), e.decoding.check()}
	if e.replies < 0 || e.samples < 1 {
		errs = append(errs, fmt.Errorf("-replies is %d and -samples %d; want 0 or more, 1 or more",
			e.replies, e.samples))
	}
	return errors.Join(errs...)
}

func (e *evaluation) run(ctx context.Context, s cli.Std) error {
	path, err := cli.File(e.data, "sgd-dialogues/valid.txt", "give a file by -data")
	if err != nil {
		return err
	}
	m, words, err := load(e.model)
	if err != nil {
		return err
	}
	dialogues, err := read(ctx, path, words)
	if err != nil {
		return err
	}
	e.count(s, path, vocabularyOf(m), dialogues.dialogues)
	start := time.Now()
	switch m := m.(type) {
	case *seq2seq.Model:
		p, err := dialogues.pairs(m)
		if err != nil {
			return err
		}
		loss, err := m.Loss(ctx, p)
		if err != nil {
			return dialogues.at(m, err)
		}
		fmt.Fprintf(s.Out, "perplexity %.3f (%.4f nats a word), from the turn before alone\n",
			math.Exp(loss), loss)
	case *dialogue.Model:
		if err := e.hred(ctx, s, m, dialogues); err != nil {
			return err
		}
	}
	fmt.Fprintf(s.Messages, "%.1f s\n", time.Since(start).Seconds())
	return e.vary(ctx, s, m, dialogues.from(0, e.replies))
}

// count says what is to be predicted.
func (e *evaluation) count(s cli.Std, path string, v *text.Vocabulary, dialogues [][][]string) {
	unknown, all := 0, 0
	for _, d := range dialogues {
		for _, tokens := range d[1:] {
			for _, token := range tokens {
				if _, ok := v.ID(token); !ok {
					unknown++
				}
			}
			all += len(tokens) + 1
		}
	}
	fmt.Fprintf(s.Out,
		"%s: %d dialogues, %d words to predict with the ends of turns, of which %.1f %% are %s\n",
		path, len(dialogues), all, 100*float64(unknown)/float64(all), text.Unk)
}

func (e *evaluation) hred(ctx context.Context, s cli.Std, m *dialogue.Model,
	dialogues said) error {
	ds, err := dialogues.encoded(m)
	if err != nil {
		return err
	}
	var o dialogue.EvaluateOptions
	if m.Config().Latent.Width > 0 {
		o = dialogue.EvaluateOptions{Samples: e.samples, Seed: e.seed}
	}
	score, err := m.Evaluate(ctx, ds, o)
	if err != nil {
		return dialogues.at(m, err)
	}
	if m.Config().Latent.Width == 0 {
		fmt.Fprintf(s.Out, "perplexity %.3f (%.4f nats a word), from all turns before\n",
			score.Perplexity(), score.Bound)
		return nil
	}
	fmt.Fprintf(s.Out, "bound of the perplexity %.3f (%.4f nats a word), with the mean of "+
		"%d draws\n",
		score.Perplexity(), score.Bound, e.samples)
	fmt.Fprintf(s.Out, "    reconstruction %.4f nats a word, divergence %.3f nats a turn\n",
		score.Reconstruction, score.KL)
	fmt.Fprintf(s.Out, "importance-weighted bound %.3f (%.4f nats a word)\n",
		math.Exp(score.Weighted), score.Weighted)
	fmt.Fprintf(s.Out, "of %d latent units %d are active, and %d diverge by more than 0.01 nats\n",
		m.Config().Latent.Width, score.ActiveUnits, score.InformativeUnits)
	return nil
}

// vary measures how varied the replies to all turns are.
func (e *evaluation) vary(ctx context.Context, s cli.Std, m zoo.Model,
	all said) error {
	if len(all.dialogues) == 0 {
		return nil
	}
	var replied, spoken metrics.Distinct
	r, d := newReplier(m), e.decoding
	n, tokens, same := 0, 0, 0
	for i, turns := range all.dialogues {
		r.begin()
		for k, turn := range turns[1:] {
			if err := r.read(turns[k]); err != nil {
				return fmt.Errorf("%s: line %d: turn %d: %w", all.file, all.before+i+1, k+1, err)
			}
			d.seed = e.seed + uint64(n)
			reply, err := r.reply(ctx, d)
			if err != nil {
				return fmt.Errorf("%s: line %d: the reply to turn %d: %w", all.file,
					all.before+i+1, k+1, err)
			}
			replied.Add(reply)
			spoken.Add(turn)
			n, tokens = n+1, tokens+len(reply)
			if slices.Equal(reply, turn) {
				same++
			}
		}
	}
	fmt.Fprintf(s.Out, "%d replies in %d dialogues, %.1f words each, %d exact: distinct-1 %.4f, "+
		"distinct-2 %.4f (what was said indeed: %.4f, %.4f)\n", n, len(all.dialogues),
		float64(tokens)/float64(n), same, replied.Unigrams(), replied.Bigrams(), spoken.Unigrams(),
		spoken.Bigrams())
	return nil
}

// replying is the flags of reply.
type replying struct {
	decoding
	model  string
	listen bool
}

func (r *replying) register(f *flag.FlagSet) {
	r.decoding.register(f)
	cli.ModelFlag(f, &r.model, "")
	f.BoolVar(&r.listen, "listen", false,
		"the lines are the turns of both sides; replies are not taken for turns")
}

func (r *replying) check() error {
	return errors.Join(cli.Required("model", r.model), r.decoding.check())
}

func (r *replying) run(ctx context.Context, s cli.Std) error {
	m, words, err := load(r.model)
	if err != nil {
		return err
	}
	talk, d := newReplier(m), r.decoding
	return cli.Lines(ctx, s.In, s.Messages, func(line string) error {
		turn, err := words.Tokens(line)
		if err != nil {
			return err
		}
		if len(turn) == 0 || line == "/new" {
			talk.begin()
			fmt.Fprintln(s.Out)
			return nil
		}
		if unknown := vocabularyOf(m).Unknowns(turn); len(unknown) > 0 {
			fmt.Fprintf(s.Messages, "unknown words, read as %s: %q\n", text.Unk, unknown)
		}
		if err := talk.read(turn); err != nil {
			return err
		}
		d.seed++ // another draw each time
		reply, err := talk.reply(ctx, d)
		if err != nil {
			return err
		}
		fmt.Fprintln(s.Out, words.Join(reply))
		if r.listen {
			return nil
		}
		return talk.read(reply)
	})
}
