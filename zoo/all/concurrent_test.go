package all_test

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// One model and one set of options, a used sampler among them, serve many goroutines at once, and
// each gets what it gets alone.
func TestModelsConcurrently(t *testing.T) {
	words := []string{"a", "b", "c", "d", "e", "f"}
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS, text.Unk}}, words)
	require.NoError(t, err)
	layer, ctx := zoo.Recurrent{Cell: "gru", Hidden: 5}, context.Background()
	language, err := lm.New(lm.Config{Recurrent: layer}, v, 1)
	require.NoError(t, err)
	translator, err := seq2seq.New(seq2seq.Config{Encoder: layer}, v, v, 1)
	require.NoError(t, err)
	classifier, err := label.NewClassifier(label.ClassifierConfig{Config: label.Config{Recurrent: layer}}, v, v, 1)
	require.NoError(t, err)
	talker, err := dialogue.New(dialogue.Config{Encoder: layer, Latent: dialogue.Latent{Width: 2}}, v, 1)
	require.NoError(t, err)

	sampler := decode.Sampler{Temperature: 1.2, TopP: 0.9}
	generate := lm.GenerateOptions{Max: 8, Sample: sampler, Seed: 3}
	search := decode.SearchOptions{Max: 8, Sample: sampler, Seed: 3}
	beam := decode.SearchOptions{Max: 8, Beam: 3, Best: 2}
	reply := dialogue.ReplyOptions{Max: 8, Sample: sampler, Seed: 3}
	for name, use := range map[string]func(i int) (any, error){
		"lm": func(i int) (any, error) {
			g, err := language.Generate(ctx, words[i%6], generate)
			if err != nil {
				return nil, err
			}
			return g.Tokens, nil
		},
		"seq2seq": func(i int) (any, error) { return translator.Translate(ctx, words[:1+i%6], search) },
		"beam":    func(i int) (any, error) { return translator.Translate(ctx, words[i%6:], beam) },
		"label": func(i int) (any, error) {
			s, err := classifier.Encode(words[i%6:])
			if err != nil {
				return nil, err
			}
			return classifier.PredictAll(ctx, []label.Sequence{s, s})
		},
		"dialogue": func(i int) (any, error) {
			c := talker.NewConversation()
			if err := c.Read(words[i%6:]); err != nil {
				return nil, err
			}
			return c.Reply(ctx, reply)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var alone [16]any
			for i := range alone {
				var err error
				alone[i], err = use(i)
				require.NoError(t, err)
			}
			var errs [16]error
			var wait sync.WaitGroup
			for i := range alone {
				wait.Go(func() {
					got, err := use(i)
					if err == nil && !reflect.DeepEqual(alone[i], got) {
						err = fmt.Errorf("alone it was %v, and now it is %v", alone[i], got)
					}
					errs[i] = err
				})
			}
			wait.Wait()
			for _, err := range errs {
				require.NoError(t, err)
			}
		})
	}
}
