package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// post asks a question.
func (t *trial) post(ctx context.Context, c *http.Client, q map[string]any) (*http.Response, error) {
	content, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+"/v1/answer",
		bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	return c.Do(r)
}

// answered reads an answer in one piece.
func (t *trial) answered(r *http.Response) (a answer, ok bool, err error) {
	defer r.Body.Close()
	if r.StatusCode == http.StatusServiceUnavailable || r.StatusCode == http.StatusGatewayTimeout {
		t.note(fmt.Sprintf("told to come back (%d)", r.StatusCode), 1)
		return a, false, nil
	}
	if r.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(r.Body)
		return a, false, fmt.Errorf("status %d: %s", r.StatusCode, b)
	}
	err = json.NewDecoder(r.Body).Decode(&a)
	return a, err == nil, err
}

// plain asks for an answer in one piece.
func (t *trial) plain(ctx context.Context, c *http.Client, prompt string, _ int) error {
	begin := time.Now()
	r, err := t.post(ctx, c, map[string]any{"text": prompt, "max": trialTokens})
	if err != nil {
		return err
	}
	a, ok, err := t.answered(r)
	if ok {
		t.took(time.Since(begin))
		t.compare("answers in one piece", a.Model, prompt, a.Text)
	}
	return err
}

// events reads a stream; each is told of every event, and ends the reading by false.
func events(r io.Reader, each func(kind, data string) bool) error {
	s := bufio.NewScanner(r)
	kind := ""
	for s.Scan() {
		if k, ok := strings.CutPrefix(s.Text(), "event: "); ok {
			kind = k
		} else if data, ok := strings.CutPrefix(s.Text(), "data: "); ok && !each(kind, data) {
			return nil
		}
	}
	return s.Err()
}

// streamed asks for an answer as it is written.
func (t *trial) streamed(ctx context.Context, c *http.Client, prompt string, _ int) error {
	r, err := t.post(ctx, c, map[string]any{"text": prompt, "max": trialTokens, "stream": true})
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		_, _, err := t.answered(r)
		return err
	}
	var said strings.Builder
	var last answer
	failed := ""
	err = events(r.Body, func(kind, data string) bool {
		var part string
		switch kind {
		case "part":
			if json.Unmarshal([]byte(data), &part) == nil {
				said.WriteString(part)
			}
		case "done":
			failed = fmt.Sprint(json.Unmarshal([]byte(data), &last))
		default:
			failed = data
		}
		return true
	})
	if err != nil {
		return err
	}
	if failed != "<nil>" {
		return fmt.Errorf("the stream ended by %q", failed)
	}
	if said.String() != last.Text {
		t.fault(fmt.Errorf("parts %q of the text %q", said.String(), last.Text))
	}
	t.compare("answers as streams", last.Model, prompt, last.Text)
	return nil
}

// killed asks for a stream and goes away in the middle.
func (t *trial) killed(ctx context.Context, c *http.Client, prompt string, _ int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := t.post(ctx, c, map[string]any{"text": prompt, "max": 200, "stream": true})
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		_, _, err := t.answered(r)
		return err
	}
	_ = events(r.Body, func(string, string) bool { return false })
	t.note("clients who went away in the middle", 1)
	return nil
}

// slow reads a stream byte by byte, for a while.
func (t *trial) slow(ctx context.Context, _ *http.Client, prompt string, _ int) error {
	c, err := net.Dial("tcp", t.address)
	if err != nil {
		return err
	}
	defer c.Close()
	body, err := json.Marshal(map[string]any{"text": prompt, "max": 200, "stream": true})
	if err != nil {
		return err
	}
	fmt.Fprintf(c,
		"POST /v1/answer HTTP/1.1\r\nHost: x\r\nContent-Type: "+
			"application/json\r\nContent-Length: %d\r\n\r\n%s",
		len(body), body)
	one := make([]byte, 1)
	for range 40 {
		if _, err := c.Read(one); err != nil {
			break
		}
		if wait(ctx, 20*time.Millisecond); ctx.Err() != nil {
			break
		}
	}
	t.note("clients who read a byte at a time", 1)
	return nil
}

// stateful writes a text in two parts, the second from the state after the first.
func (t *trial) stateful(ctx context.Context, c *http.Client, prompt string, client int) error {
	user := fmt.Sprintf("user %d", client)
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete,
		t.url+"/v1/users/"+strings.ReplaceAll(user, " ", "%20"), nil)
	if err != nil {
		return err
	}
	gone, err := c.Do(r)
	if err != nil {
		return err
	}
	gone.Body.Close()
	first, err := t.post(ctx, c, map[string]any{"text": prompt, "max": trialTokens / 2,
		"user": user})
	if err != nil {
		return err
	}
	a, ok, err := t.answered(first)
	if !ok {
		return err
	}
	second, err := t.post(ctx, c, map[string]any{"text": "", "max": trialTokens / 2, "user": user})
	if err != nil {
		return err
	}
	b, ok, err := t.answered(second)
	if !ok {
		return err
	}
	switch {
	case b.Forgot != (a.Model != b.Model):
		t.fault(fmt.Errorf("a state of %s at %s: forgot is %v", a.Model, b.Model, b.Forgot))
	case b.Forgot:
		t.note("states of users that a new model forgot", 1)
	default:
		t.compare("answers from the state of a user", a.Model, prompt, a.Text+b.Text)
	}
	return nil
}

// endless is a body of n bytes that no memory is needed for.
type endless struct{ left int }

func (e *endless) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(b), e.left)
	for i := range n {
		b[i] = ' '
	}
	e.left -= n
	return n, nil
}

// large sends a body of 100 MB.
func (t *trial) large(ctx context.Context, c *http.Client) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+"/v1/answer",
		&endless{hundredMB})
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	got, err := c.Do(r)
	if err == nil {
		got.Body.Close()
		if got.StatusCode != http.StatusRequestEntityTooLarge {
			return fmt.Errorf("a body of 100 MB: status %d", got.StatusCode)
		}
	} // or the server has closed the connection while it was sent
	t.note("bodies of 100 MB, refused", 1)
	return nil
}

// garbage sends what is no question.
func (t *trial) garbage(ctx context.Context, c *http.Client) error {
	for body, want := range map[string]int{
		"{": 400, `{"text": 3}`: 400, `{"txt": "a"}`: 400, `[]`: 400, `{"text": "a"} {}`: 400,
		`{"text": "a", "max": -1}`: 422, `{"text": "zebra"}`: 422, `{"text": "a", "stop": "zebra"}`: 422,
		`{"text": "the", "top_k": 5}`: 422, `{"text": "the", "beam": 99}`: 422,
	} {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+"/v1/answer",
			strings.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		got, err := c.Do(r)
		if err != nil {
			return err
		}
		got.Body.Close()
		if got.StatusCode != want && got.StatusCode != http.StatusServiceUnavailable {
			return fmt.Errorf("the question %s: status %d, want %d", body, got.StatusCode, want)
		}
		t.note("questions that are none, refused", 1)
	}
	return nil
}

// cutOff promises a body and goes away.
func (t *trial) cutOff(context.Context, *http.Client) error {
	c, err := net.Dial("tcp", t.address)
	if err != nil {
		return err
	}
	fmt.Fprint(c,
		"POST /v1/answer HTTP/1.1\r\nHost: x\r\nContent-Type: "+
			"application/json\r\nContent-Length: 100\r\n\r\n{")
	t.note("bodies that were cut off", 1)
	return c.Close()
}
