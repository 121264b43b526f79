package word2vec

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"

	"github.com/seqzoo/seqzoo/internal/interrupt"
)

// often is how many words are looked at between two looks at a context.
const often = 1 << 12

// PhrasesConfig says which pairs of neighbours become one word. The zero value is the original
// tool's choice.
type PhrasesConfig struct {
	MinCount  int     // δ, and the least count of a pair; 0 means 5
	Threshold float64 // least score; 0 means 100
	Joiner    string  // stands between the words of a phrase; "" means "_"
}

// Phrases are pairs of words that stand together more often than by chance (Mikolov et al., 2013):
// those with a score of at least Threshold,
//
//	score(a, b) = (count(a b) − δ) / (count(a)·count(b)) · words of the text
//
// Joining a text, and finding phrases in the outcome, gives phrases of up to four words.
type Phrases struct {
	joiner string
	scores map[[2]string]float64
}

// FindPhrases finds the phrases of a text. A cancelled context ends it soon with its error.
func FindPhrases(ctx context.Context, cfg PhrasesConfig, sentences [][]string) (*Phrases, error) {
	return FindPhrasesFrom(ctx, cfg, all(sentences))
}

// FindPhrasesFrom is FindPhrases of a text as NewFrom takes it.
func FindPhrasesFrom(ctx context.Context, cfg PhrasesConfig,
	sentences iter.Seq2[[]string, error]) (*Phrases, error) {
	if sentences == nil {
		return nil, errNoSentences
	}
	if cfg.MinCount < 0 || cfg.Threshold < 0 || math.IsNaN(cfg.Threshold) {
		return nil, fmt.Errorf("word2vec: phrases: MinCount is %d and Threshold %g; neither may be "+
			"negative", cfg.MinCount, cfg.Threshold)
	}
	if strings.ContainsAny(cfg.Joiner, " \t\r\n") {
		return nil, errors.New("word2vec: phrases: Joiner must not hold white space")
	}
	if err := interrupt.Err(ctx); err != nil {
		return nil, fmt.Errorf("word2vec: phrases: %w", err)
	}
	if cfg.MinCount == 0 {
		cfg.MinCount = 5
	}
	if cfg.Threshold == 0 {
		cfg.Threshold = 100
	}
	p := &Phrases{joiner: cfg.Joiner, scores: map[[2]string]float64{}}
	if p.joiner == "" {
		p.joiner = "_"
	}
	words, pairs, total, sentence := map[string]*counted{}, map[[2]string]int{}, 0, 0
	for s, err := range sentences {
		if err != nil {
			return nil, fmt.Errorf("word2vec: phrases: sentence %d: %w", sentence, err)
		}
		sentence++
		total += len(s)
		before := ""
		for i, w := range s {
			if i%often == 0 && ctx.Err() != nil {
				return nil, fmt.Errorf("word2vec: phrases: %w", ctx.Err())
			}
			c := words[w]
			if c == nil {
				c = &counted{word: strings.Clone(w)} // w may be a part of a text that is not kept
				words[c.word] = c
			}
			c.n++
			if i > 0 {
				pairs[[2]string{before, c.word}]++
			}
			before = c.word
		}
	}
	for pair, n := range pairs {
		score := float64(n-cfg.MinCount) / float64(words[pair[0]].n) / float64(words[pair[1]].n)
		score *= float64(total)
		if n >= cfg.MinCount && score >= cfg.Threshold {
			p.scores[pair] = score
		}
	}
	return p, nil
}

// counted is a word and how often it was seen.
type counted struct {
	word string
	n    int
}

// Len is the number of phrases.
func (p *Phrases) Len() int { return len(p.scores) }

// Score is that of two words, 0 if they are no phrase.
func (p *Phrases) Score(a, b string) float64 { return p.scores[[2]string{a, b}] }

// Join gives a sentence with its phrases as single words. From left to right, a word belongs to one
// phrase at most.
func (p *Phrases) Join(sentence []string) []string {
	joined, _ := p.JoinContext(context.Background(), sentence)
	return joined
}

// JoinContext is Join for a long sentence. A cancelled context ends it soon with its error.
func (p *Phrases) JoinContext(ctx context.Context, sentence []string) ([]string, error) {
	if err := interrupt.Err(ctx); err != nil {
		return nil, fmt.Errorf("word2vec: phrases: %w", err)
	}
	var joined []string
	for i := 0; i < len(sentence); i++ {
		if len(joined)%often == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("word2vec: phrases: %w", ctx.Err())
		}
		w := sentence[i]
		if i+1 < len(sentence) && p.Score(w, sentence[i+1]) > 0 {
			w += p.joiner + sentence[i+1]
			i++
		}
		joined = append(joined, w)
	}
	return joined, nil
}
