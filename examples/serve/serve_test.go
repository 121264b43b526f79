package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/emoji"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/series"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var (
	layer = zoo.Recurrent{Cell: "gru", Hidden: 6}
	words = must(text.NewVocabulary(text.VocabularyConfig{
		Specials: []string{text.Unk, text.BOS,
			text.EOS}}, strings.Fields("play the music now stop it")))
	intents = must(text.NewVocabulary(text.VocabularyConfig{}, []string{"start", "stop"}))
)

func languageModel(seed uint64) *lm.Model {
	return must(lm.New(lm.Config{Recurrent: layer, EmbedStd: 2}, words, seed))
}

// every is a model of each kind, and a question that it can be asked.
func every(t *testing.T) map[string]struct {
	model    zoo.Model
	question string
	want     string // a pattern
} {
	var picture bytes.Buffer
	require.NoError(t, png.Encode(&picture, image.NewGray(image.Rect(0, 0, 4, 4))))
	pca := must(reduce.FitPCA(context.Background(), []float64{1, 2, 3, 2, 4, 6.1, 0, 1, 1, 5, 2, 2},
		reduce.PCAConfig{Features: 3, Components: 1}))
	require.NoError(t, pca.SetThreshold(0.5))
	sun := must(vectors.New([]string{"sun", "moon"}, 2, []float32{1, 0, 0, 1}))
	return map[string]struct {
		model    zoo.Model
		question string
		want     string
	}{
		"lm": {languageModel(1), `{"text": "play the", "max": 3}`, `"text":"( ?\S+)*"`},
		"lm next": {languageModel(1), `{"text": "play the", "next": 2}`,
			`"next":\[\{"token":"\S+","prob":0.\d+\},`},
		"seq2seq": {must(seq2seq.New(seq2seq.Config{Encoder: layer}, words, words, 1)),
			`{"text": "play the"}`, `"model":`},
		"dialogue": {must(dialogue.New(dialogue.Config{Encoder: layer}, words, 1)),
			`{"text": "stop it", "max": 3, "user": "a"}`, `"model":`},
		"classifier": {must(label.NewClassifier(label.ClassifierConfig{Config: label.Config{
			Recurrent: layer}}, words, intents, 1)), `{"text": "stop the zebra"}`,
			`"label":"st\w+","prob":0.\d+,"probs":\{"start":0.\d+,"stop":0.\d+\},"unknown":\["zebra"\]`},
		"tagger": {must(label.NewTagger(label.TaggerConfig{Config: label.Config{Recurrent: layer,
			Features: 2}}, nil, intents, 1)), `{"features": [1, 2, 3, 4]}`,
			`"tags":\[\{"label":"st\w+","prob":0.\d+\},\{`},
		"forecaster": {must(forecast.New(forecast.Config{Recurrent: layer, Lookback: 2, Horizon: 3,
			Variables: []string{"x"}}, &series.Scale{Mean: []float64{1}, Deviation: []float64{2}},
			1)),
			`{"rows": [[1], [2]]}`, `"forecast":\[\[[-\d.]+\],\[[-\d.]+\],\[[-\d.]+\]\]`},
		"reducer": {pca, `{"rows": [[1, 2, 3], [9, -9, 9]]}`, `"anomalous":\[false,true\]`},
		"captioner": {must(caption.New(caption.Config{Height: 4, Width: 4, Patch: 2, Hidden: 4,
			Features: 4, Decoder: layer}, words, 1)),
			`{"max": 2, "picture": "` + base64.StdEncoding.EncodeToString(picture.Bytes()) + `"}`,
			`"text":"\S`},
		"emoji": {must(emoji.New(emoji.Config{Raw: true}, sun, []emoji.Pair{{Emoji: "☀",
			Phrase: "sun", Match: true}, {Emoji: "☾", Phrase: "moon", Match: true}})),
			`{"text": "sun"}`, `"emoji":\[\{"token":"☀"`},
	}
}

// started is a server for a model, and where it is.
func started(t *testing.T, m zoo.Model, change func(*settings)) (*server, *httptest.Server) {
	path := filepath.Join(t.TempDir(), "model")
	require.NoError(t, m.Save(path))
	s := defaults(path)
	if change != nil {
		change(s)
	}
	srv, err := s.newServer(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	h := httptest.NewServer(srv.handler())
	t.Cleanup(func() { h.Close(); srv.models.now.stop() })
	return srv, h
}

func post(t *testing.T, url, body string) (int, string) {
	r, err := http.Post(url+"/v1/answer", "application/json", strings.NewReader(body))
	require.NoError(t, err)
	return content(t, r)
}

func get(t *testing.T, url string) (int, string) {
	r, err := http.Get(url)
	require.NoError(t, err)
	return content(t, r)
}

func content(t *testing.T, r *http.Response) (int, string) {
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r.StatusCode, string(b)
}

func TestEveryKindOfModel(t *testing.T) {
	for name, c := range every(t) {
		t.Run(name, func(t *testing.T) {
			_, h := started(t, c.model, nil)
			status, body := post(t, h.URL, c.question)
			require.Equal(t, http.StatusOK, status, body)
			require.Regexp(t, regexp.MustCompile(c.want), body)
			status, body = get(t, h.URL+"/v1/model")
			require.Equal(t, http.StatusOK, status)
			require.Contains(t, body, c.model.Architecture())
			status, body = post(t, h.URL, `{"text": "", "rows": [[]], "features": [1]}`)
			require.GreaterOrEqual(t, status, 200, body)
			require.Less(t, status, 500, body)
		})
	}
}

func TestStream(t *testing.T) {
	m := languageModel(1)
	_, h := started(t, m, nil)
	want, err := m.Generate(context.Background(), "play the", lm.GenerateOptions{Max: 6})
	require.NoError(t, err)
	r, err := http.Post(h.URL+"/v1/answer", "application/json",
		strings.NewReader(`{"text": "play the", "max": 6, "stream": true}`))
	require.NoError(t, err)
	defer r.Body.Close()
	require.Equal(t, "text/event-stream", r.Header.Get("Content-Type"))
	said, done := "", ""
	require.NoError(t, events(r.Body, func(kind, data string) bool {
		var part string
		if kind == "part" {
			require.NoError(t, json.Unmarshal([]byte(data), &part))
			said += part
		} else {
			done += kind
		}
		return true
	}))
	require.Equal(t, want.Added, said)
	require.Equal(t, "done", done)
	status, body := post(t, h.URL, `{"text": "zebra", "stream": true}`)
	require.Equal(t, 422, status, body)
}

func TestStateOfUsers(t *testing.T) {
	m := languageModel(1)
	srv, h := started(t, m, nil)
	want, err := m.Generate(context.Background(), "play the", lm.GenerateOptions{Max: 6})
	require.NoError(t, err)
	said := ""
	for _, prompt := range []string{"play the", "", ""} {
		status, body := post(t, h.URL, `{"user": "ann", "max": 2, "text": "`+prompt+`"}`)
		require.Equal(t, 200, status, body)
		var a answer
		require.NoError(t, json.Unmarshal([]byte(body), &a))
		said += a.Text
	}
	require.Equal(t, want.Added, said)
	n, size := srv.users.size()
	require.Equal(t, 1, n)
	require.Greater(t, size, overhead)
	// A model with other weights forgets, and says so.
	require.NoError(t, languageModel(2).Save(srv.models.path))
	require.NoError(t, srv.models.load())
	status, body := post(t, h.URL, `{"user": "ann", "max": 2, "text": "play"}`)
	require.Equal(t, 200, status)
	require.Contains(t, body, `"forgot":true`)
	r, err := http.NewRequest(http.MethodDelete, h.URL+"/v1/users/ann", nil)
	require.NoError(t, err)
	for _, want := range []int{204, 404} {
		got, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		got.Body.Close()
		require.Equal(t, want, got.StatusCode)
	}
	// A state that cannot be gone on from stays as it was.
	status, _ = post(t, h.URL, `{"user": "bob", "max": 2, "text": "zebra"}`)
	require.Equal(t, 422, status)
}

// Users are kept within their bytes, and those who are being answered are not dropped.
func TestUsersAreBounded(t *testing.T) {
	u := newUsers(10*overhead, time.Hour)
	held, err := u.take(context.Background(), "held")
	require.NoError(t, err)
	for i := range 50 {
		one, err := u.take(context.Background(), fmt.Sprint(i))
		require.NoError(t, err)
		u.release(one, make([]byte, 100))
		_, size := u.size()
		require.LessOrEqual(t, size, 12*overhead)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = u.take(ended, "held")
	require.ErrorIs(t, err, context.Canceled)
	u.release(held, nil)
	u.after = 0
	time.Sleep(time.Millisecond)
	one, err := u.take(context.Background(), "new")
	require.NoError(t, err)
	u.release(one, nil)
	n, _ := u.size()
	require.LessOrEqual(t, n, 1)
}

func TestRefusals(t *testing.T) {
	_, h := started(t, languageModel(1), func(s *settings) { s.body, s.text = 2000, 100 })
	long := strings.Repeat("play ", 50)
	for _, c := range []struct {
		body, want string
		status     int
	}{
		{`{`, "no JSON", 400}, {`{"prompt": "x"}`, "unknown field", 400}, {`[]`, "no JSON", 400},
		{``, "empty", 400}, {`null`, "null in the place", 400}, {`{}}`, "behind the question", 400},
		{`{"text": 1}`, "text is a number, want a value of type string", 400},
		{`{"max": 1.5}`, "max is a number 1.5, want a value of type int", 400},
		{`{"text": "a"`, "ends in the middle", 400}, {`{} x`, "behind the question", 400},
		{`{} {}`, "more than one", 400}, {`{"text": "play", "max": 1000000}`, "max is", 422},
		{`{"text": "` + long + `"}`, "bytes; at most 100", 422},
		{`{"text": "` + strings.Repeat(long, 20) + `"}`, "more than 2000 bytes", 413},
		{`{"text": "play", "top_p": 0.5}`, "Temperature is 0", 422},
		{`{"text": "play", "stop": "zebra"}`, "lacks", 422},
		{`{"text": "play", "temperature": -1}`, "Temperature", 422},
		{`{"text": "zebra"}`, "no word of the prompt", 422},
	} {
		status, body := post(t, h.URL, c.body)
		require.Equal(t, c.status, status, body)
		require.Contains(t, body, c.want)
	}
	r, err := http.Post(h.URL+"/v1/answer", "text/plain", strings.NewReader(`{"text": "play"}`))
	require.NoError(t, err)
	r.Body.Close()
	require.Equal(t, http.StatusUnsupportedMediaType, r.StatusCode)
	for path, want := range map[string]int{"/nothing": 404, "/v1/answer": 405, "/healthz": 200,
		"/readyz": 200, "/": 200} {
		status, _ := get(t, h.URL+path)
		require.Equal(t, want, status, path)
	}
	_, h = started(t, every(t)["classifier"].model, nil)
	status, body := post(t, h.URL, `{"text": "stop", "user": "ann"}`)
	require.Equal(t, 422, status, body)
	status, _ = post(t, h.URL, `{"text": "stop", "stream": true}`)
	require.Equal(t, 422, status)
}

func TestBusy(t *testing.T) {
	srv, h := started(t, languageModel(1), func(s *settings) { s.slots, s.waiting = 1, 1 })
	srv.slot <- struct{}{} // somebody is at work
	srv.waits.Add(2)
	status, body := post(t, h.URL, `{"text": "play"}`)
	require.Equal(t, 503, status, body)
	srv.waits.Add(-2)
	srv.timeout = 20 * time.Millisecond
	status, body = post(t, h.URL, `{"text": "play"}`)
	require.Equal(t, 504, status, body)
	<-srv.slot
}

// A directory that holds something else than a model of the same kind leaves the old one answering.
func TestReload(t *testing.T) {
	srv, h := started(t, languageModel(1), nil)
	_, before := post(t, h.URL, `{"text": "play the"}`)
	weights := filepath.Join(srv.models.path, "model.safetensors")
	good := must(os.ReadFile(weights))
	for _, poison := range []struct {
		want string
		do   func() error
	}{
		{"safetensors", func() error { return os.WriteFile(weights, good[:len(good)-9], 0o666) }},
		{"is NaN", func() error {
			m := languageModel(1)
			m.Params().Params()[0].Value().Float32s()[0] = float32(nan())
			return m.Save(srv.models.path)
		}},
		{"start another server", func() error {
			return every(t)["classifier"].model.Save(srv.models.path)
		}},
		{"no such file", func() error { return os.RemoveAll(srv.models.path) }},
	} {
		require.NoError(t, poison.do())
		require.ErrorContains(t, srv.models.load(), poison.want)
		_, after := post(t, h.URL, `{"text": "play the"}`)
		require.Equal(t, before, after)
	}
	require.NoError(t, languageModel(2).Save(srv.models.path))
	ctx, stop := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { srv.models.watch(ctx, time.Millisecond, nil, srv.log) })
	after := before
	for late := time.Now().Add(2 * time.Minute); after == before && time.Now().Before(late); {
		_, after = post(t, h.URL, `{"text": "play the"}`)
	}
	require.NotEqual(t, before, after, "the model that was saved is served")
	stop()
	watching.Wait()
	_, metrics := get(t, h.URL+"/metrics")
	require.Contains(t, metrics, `seqzoo_reloads_total{result="refused"} 4`)
	require.Contains(t, metrics, `seqzoo_reloads_total{result="loaded"} 2`)
}

// The metrics are what Prometheus reads: names, labels and numbers, each name described once.
func TestMetrics(t *testing.T) {
	_, h := started(t, every(t)["classifier"].model, nil)
	for range 3 {
		status, body := post(t, h.URL, `{"text": "stop it"}`)
		require.Equal(t, 200, status, body)
	}
	status, body := get(t, h.URL+"/metrics")
	require.Equal(t, 200, status)
	line := regexp.MustCompile(`^[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [-+0-9.e]+$`)
	described := map[string]int{}
	for l := range strings.Lines(body) {
		if l = strings.TrimSpace(l); strings.HasPrefix(l, "# TYPE ") {
			described[strings.Fields(l)[2]]++
		} else if !strings.HasPrefix(l, "#") {
			require.Regexp(t, line, l)
		}
	}
	for name, n := range described {
		require.Equal(t, 1, n, name)
	}
	require.Contains(t, body, `seqzoo_requests_total{route="POST /v1/answer",status="200"} 3`)
	require.Contains(t, body, `seqzoo_batch_size_count 3`)
	require.Contains(t, body, `seqzoo_request_seconds_bucket{route="POST /v1/answer",le="+Inf"} 3`)
	require.NotContains(t, body, "# HELP seqzoo_users \n")
}

// Ended in the middle of an answer, a server gives it to its end, and then nothing of it is left.
func TestGracefulEnd(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	path := filepath.Join(t.TempDir(), "model")
	require.NoError(t, languageModel(1).Save(path))
	s := defaults(path)
	srv, err := s.newServer(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.run(ctx, srv, l, nil) }()
	client := &http.Client{Transport: &http.Transport{}}
	r, err := client.Post("http://"+l.Addr().String()+"/v1/answer", "application/json",
		strings.NewReader(`{"text": "play", "max": 400, "stream": true}`))
	require.NoError(t, err)
	last := ""
	require.NoError(t, events(r.Body, func(kind,
		_ string) bool {
		stop()
		last = kind
		return true
	}))
	r.Body.Close()
	require.Equal(t, "done", last)
	require.NoError(t, <-ended)
	client.CloseIdleConnections()
}

func TestTrial(t *testing.T) {
	tr := &trial{clients: 16, length: 1500 * time.Millisecond, reload: 100 * time.Millisecond,
		hidden: 8}
	require.NoError(t, tr.run(context.Background(), io.Discard))
	var table strings.Builder
	tr.report(&table)
	t.Log(table.String())
	require.Empty(t, tr.wrong)
	require.Zero(t, tr.seen["panics"])
	require.Zero(t, tr.seen["requests in flight after the end"])
}

func TestCommandLine(t *testing.T) {
	for want, args := range map[string][]string{
		"-model is missing":       {},
		"not defined":             {"-nonsense"},
		"is not a flag":           {"-model", "x", "y"},
		"-slots must be above":    {"-model", "x", "-slots", "0"},
		"no such file":            {"-model", filepath.Join(t.TempDir(), "none")},
		"-timeout must be above":  {"-model", "x", "-timeout", "0s"},
		"-max-body must be above": {"-model", "x", "-max-body", "-1"},
	} {
		require.ErrorContains(t, serve(context.Background(), args, io.Discard, io.Discard), want)
	}
	var help bytes.Buffer
	require.Error(t, serve(context.Background(), []string{"-help"}, &help, io.Discard))
	require.Contains(t, help.String(), "-model")
	require.ErrorContains(t, serve(context.Background(), []string{"-trial", "1s", "-clients", "0"},
		io.Discard, io.Discard), "above 0")
}
