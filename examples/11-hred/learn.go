package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// outcome is how a model learned and what it replies.
type outcome struct {
	Seen, KL []float64          // after each pass: dialogues seen, and nats a reply
	Replies  [][][]string       // by the likeliest words, by words that are drawn; of each talk
	Shown    map[int][][]string // several replies to the talks that are shown
}

func learned(p *course.Page) []talk { return newTalks(1, course.Pick(p, 100, 3000, 10000)) }

// asked are the dialogues that the models have to answer. They are drawn anew; those that can only
// be answered from the first turn are so few that most were met in training too.
func asked(p *course.Page) []talk { return newTalks(2, course.Pick(p, 30, 400, 2000)) }

func vocabulary(talks []talk) (*text.Vocabulary, error) {
	var all [][]string
	for _, t := range talks {
		all = append(all, t.Turns...)
	}
	return text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk, text.BOS,
		text.EOS}}, all...)
}

func seeds(p *course.Page) int { return course.Pick(p, 1, 2, 3) }

func units(p *course.Page) int { return course.Pick(p, 8, 48, 48) }

// fit trains on a task; row is told what validation measures after every pass.
func fit(p *course.Page, task train.Task, passes int, seed uint64, row func(train.Row)) error {
	schedule, err := train.NewCosine(train.CosineConfig{LR: 0.006, MinLR: 0.0003, Total: max(50,
		passes*task.Len())})
	if err != nil {
		return err
	}
	adam, err := train.NewAdam(train.AdamConfig{})
	if err != nil {
		return err
	}
	_, err = train.Fit(p.Context(), task, train.Config{Optimizer: adam, Schedule: schedule,
		Epochs: passes, Seed: seed,
		Clip: train.Clip{Norm: 1}, Warn: func(string) {},
		OnRow: []func(train.Row) error{func(r train.Row) error {
			if row != nil {
				row(r)
			}
			return nil
		}}})
	return err
}

// trainedSeq2Seq learns replies from the turn before.
func trainedSeq2Seq(p *course.Page) (outcome, error) {
	return course.Once(p, "seq2seq", func() (out outcome, err error) {
		talks := learned(p)
		v, err := vocabulary(talks)
		if err != nil {
			return out, err
		}
		r := zoo.Recurrent{Cell: "gru", Hidden: units(p)}
		m, err := seq2seq.New(seq2seq.Config{Encoder: r, EmbedStd: 1}, v, v, 1)
		if err != nil {
			return out, err
		}
		var before, replies [][]string
		for _, t := range talks {
			for i := range 3 {
				before, replies = append(before, t.Turns[i]), append(replies, t.Turns[i+1])
			}
		}
		pairs, err := m.Pairs(before, replies)
		if err != nil {
			return out, err
		}
		task, err := m.Task(seq2seq.Data{Train: pairs, Batch: 48})
		if err != nil {
			return out, err
		}
		if err := fit(p, task, course.Pick(p, 1, 6, 10), 1, nil); err != nil {
			return out, err
		}
		var last [][]string
		for _, t := range asked(p) {
			last = append(last, t.Turns[2])
		}
		found, err := m.TranslateAll(p.Context(), last, decode.SearchOptions{})
		var said [][]string
		for _, f := range found {
			said = append(said, f[0].Tokens)
		}
		out.Replies = [][][]string{said}
		return out, err
	})
}

// variant is a VHRED, or an HRED if it has no latent variable, and how it is trained.
type variant struct {
	Name        string
	Latent      int
	Annealing   int // passes over which the weight of the divergence rises
	FreeBits    float64
	WordDropout float64
}

// trained trains a model of dialogues, once, and has it reply: by the likeliest words, and by words
// that are drawn.
func trained(p *course.Page, c variant, seed int) (outcome, error) {
	name := fmt.Sprintf("%s, seed %d", c.Name, seed)
	return course.Once(p, name, func() (out outcome, err error) {
		talks := learned(p)
		m, task, err := c.task(p, talks, uint64(seed+1))
		if err != nil {
			return out, err
		}
		err = fit(p, task, course.Pick(p, 1, 16, 30), uint64(seed+1), func(r train.Row) {
			if kl, ok := r.Metrics["valid_kl"]; ok {
				out.Seen = append(out.Seen, float64((len(out.Seen)+1)*len(talks)))
				out.KL = append(out.KL, kl)
			}
			p.Progress("%s, seed %d: pass %d", c.Name, seed+1, r.Epoch+1)
		})
		if err != nil {
			return out, err
		}
		for _, draw := range []float64{0, 1} {
			var said [][]string
			for i, t := range asked(p) {
				o := dialogue.ReplyOptions{Seed: uint64(i + 1)}
				if draw > 0 {
					o.Sample = decode.Sampler{Temperature: draw}
				}
				found, err := m.Reply(p.Context(), t.Turns[:3], o)
				if err != nil {
					return out, err
				}
				said = append(said, found[0].Tokens)
			}
			out.Replies = append(out.Replies, said)
		}
		out.Shown = map[int][][]string{}
		for _, i := range some(asked(p)) {
			for seed := range 4 {
				found, err := m.Reply(p.Context(), asked(p)[i].Turns[:3],
					dialogue.ReplyOptions{Seed: uint64(100 + seed)})
				if err != nil {
					return out, err
				}
				out.Shown[i] = append(out.Shown[i], found[0].Tokens)
			}
		}
		return out, err
	})
}

// some are the talks that are shown: the first of each kind.
func some(talks []talk) []int {
	return []int{slices.IndexFunc(talks, func(t talk) bool { return !t.Open }),
		slices.IndexFunc(talks, func(t talk) bool { return t.Open })}
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

func (c variant) task(p *course.Page, talks []talk, seed uint64) (*dialogue.Model, train.Task,
	error) {
	v, err := vocabulary(talks)
	if err != nil {
		return nil, nil, err
	}
	r := zoo.Recurrent{Cell: "gru", Hidden: units(p)}
	m, err := dialogue.New(dialogue.Config{Encoder: r, ContextInput: true,
		Latent: dialogue.Latent{Width: c.Latent}}, v, seed)
	if err != nil {
		return nil, nil, err
	}
	var learn, valid []dialogue.Dialogue
	for i, t := range slices.Concat(talks, asked(p)[:min(100, len(asked(p)))]) {
		d, err := m.Dialogue(t.Turns)
		if err != nil {
			return nil, nil, err
		}
		if i < len(talks) {
			learn = append(learn, d)
		} else {
			valid = append(valid, d)
		}
	}
	d := dialogue.Data{Train: learn, Valid: valid, Batch: 16, Seed: seed, FreeBits: c.FreeBits,
		WordDropout: c.WordDropout}
	if c.Annealing > 0 {
		d.KLWeight = dialogue.RisingTo(c.Annealing * len(learn) / 16)
	}
	task, err := m.Task(d)
	return m, task, err
}

// variety is what is said of replies to open questions, as numbers.
type variety struct {
	Distinct1, Distinct2 float64 // different words and pairs of words, as a share of all
	Most                 float64 // share of the most frequent reply
	Fits                 float64 // share of those that suit the animal
}

func measure(talks []talk, replies [][]string) (v variety) {
	words, pairs, whole := map[string]int{}, map[string]int{}, map[string]int{}
	nWords, nPairs, n, fits := 0, 0, 0, 0
	for i, t := range talks {
		if !t.Open {
			continue
		}
		r := replies[i]
		n++
		whole[strings.Join(r, " ")]++
		if t.fits(r) {
			fits++
		}
		for k, w := range r {
			words[w]++
			nWords++
			if k > 0 {
				pairs[r[k-1]+" "+w]++
				nPairs++
			}
		}
	}
	most := 0
	for _, times := range whole {
		most = max(most, times)
	}
	share := func(part, of int) float64 { return float64(part) / float64(max(of, 1)) }
	v.Distinct1, v.Distinct2 = share(len(words), nWords), share(len(pairs), nPairs)
	v.Most, v.Fits = share(most, n), share(fits, n)
	return v
}

// remembers is the share of right replies to questions that only the first turn answers.
func remembers(talks []talk, replies [][]string) float64 {
	right, n := 0, 0
	for i, t := range talks {
		if !t.Open {
			if n++; t.fits(replies[i]) {
				right++
			}
		}
	}
	return float64(right) / float64(max(n, 1))
}

// three are the models that are compared: seq2seq, HRED, and the VHRED that is helped.
func three(p *course.Page) (plain, h, v outcome, err error) {
	if plain, err = trainedSeq2Seq(p); err != nil {
		return plain, h, v, err
	}
	if h, err = trained(p, hred, 0); err != nil {
		return plain, h, v, err
	}
	v, err = trained(p, helped, 0)
	return plain, h, v, err
}

// truth is the replies that were given.
func truth(talks []talk) (replies [][]string) {
	for _, t := range talks {
		replies = append(replies, t.Turns[3])
	}
	return replies
}
