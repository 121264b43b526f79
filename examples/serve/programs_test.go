package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// The programs that a reader of docs/serving.md writes first, without examples/serve.

// intentHandler is a classifier of intents over HTTP: all there is to it.
func intentHandler(m *label.Classifier) http.Handler {
	cut := must(m.Config().Text.Tokeniser())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tokens, err := cut.Tokens(r.FormValue("q"))
		var s label.Sequence
		if err == nil {
			s, err = m.Encode(tokens)
		}
		var p label.Prediction
		if err == nil {
			p, err = m.Predict(s)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"intent": p.Label, "prob": p.Prob})
	})
}

func fit(t *testing.T, task train.Task, epochs int) {
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.02})
	require.NoError(t, err)
	_, err = train.Fit(context.Background(), task, train.Config{Optimizer: adam, Epochs: epochs})
	require.NoError(t, err)
}

func TestIntentsOverHTTP(t *testing.T) {
	says := map[string][]string{
		"play":    {"play some music", "put on a song", "start the radio", "music please"},
		"weather": {"will it rain", "how warm is it", "is it cold outside", "rain tomorrow"},
	}
	var tokens, labels [][]string
	for intent, all := range says {
		for _, s := range all {
			tokens, labels = append(tokens, strings.Fields(s)), append(labels, []string{intent})
		}
	}
	v := must(text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}}, tokens...))
	m := must(label.NewClassifier(label.ClassifierConfig{Config: label.Config{
		Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 12}}}, v,
		must(text.NewVocabulary(text.VocabularyConfig{}, []string{"play", "weather"})), 1))
	var examples []label.Labelled
	for i := range tokens {
		examples = append(examples, must(m.EncodeLabelled(tokens[i], labels[i]...)))
	}
	fit(t, must(m.Task(label.Data{Train: examples, Batch: 4})), 40)

	var one strings.Builder // as a program embeds it
	require.NoError(t, zoo.Write(&one, m))
	files := fstest.MapFS{"model.zip": {Data: []byte(one.String())}}
	embedded, err := zoo.As[*label.Classifier](zoo.LoadFS(files, "model.zip"))
	require.NoError(t, err)
	h := httptest.NewServer(intentHandler(embedded))
	defer h.Close()
	for q, want := range map[string]string{"play+a+song": "play", "is+it+warm+outside": "weather"} {
		status, body := get(t, h.URL+"/?q="+q)
		require.Equal(t, 200, status, body)
		require.Contains(t, body, fmt.Sprintf(`"intent":%q`, want))
	}
	status, body := get(t, h.URL+"/?q=")
	require.Equal(t, 422, status, body)
}

// A translator of dates, one direction of a pair of languages that is learned in a second.
func TestTranslator(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains")
	}
	digits := strings.Split("one two three four five six", " ")
	v := must(text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk, text.BOS,
		text.EOS}}, digits, strings.Split("123456", "")))
	m := must(seq2seq.New(seq2seq.Config{Encoder: zoo.Recurrent{Cell: "gru", Hidden: 24},
		Attention: "luong"}, v, v, 1))
	var sources, targets [][]string
	for i := range digits {
		for j := range digits {
			sources = append(sources, []string{digits[i], digits[j]})
			targets = append(targets, []string{fmt.Sprint(i + 1), fmt.Sprint(j + 1)})
		}
	}
	fit(t, must(m.Task(seq2seq.Data{Train: must(m.Pairs(sources, targets)), Batch: 12})), 60)
	_, h := started(t, m, nil)
	right := 0
	for i, s := range sources {
		found, err := m.Translate(context.Background(), s, decode.SearchOptions{})
		require.NoError(t, err)
		_, body := post(t, h.URL, fmt.Sprintf(`{"text": %q}`, strings.Join(s, " ")))
		var a answer
		require.NoError(t, json.Unmarshal([]byte(body), &a))
		require.Equal(t, strings.Join(found[0].Tokens, " "), a.Text, "served as translated")
		if a.Text == strings.Join(targets[i], " ") {
			right++
		}
	}
	require.Greater(t, right, 30, "of %d", len(sources))
}
