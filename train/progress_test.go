package train

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clock is a wall clock that a test sets.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func testProgress() (*Progress, *bytes.Buffer, *clock) {
	var b bytes.Buffer
	c := &clock{time.Unix(1e9, 0)}
	p := NewProgress(&b, "gru", "words")
	p.now = c.now
	return p, &b, c
}

func TestProgressLines(t *testing.T) {
	p, out, clock := testProgress()
	p.start(20, 10, 0)
	clock.t = clock.t.Add(7 * time.Second) // the first batch, with the compilation
	p.batch(0, Batch{Loss: 4, Count: 100}, 4)
	for epoch := range 2 {
		for i := range 10 {
			if epoch > 0 || i > 0 {
				clock.t = clock.t.Add(2 * time.Second)
				p.batch(epoch, Batch{Loss: 4, Count: 100}, 4)
			}
		}
		clock.t = clock.t.Add(9 * time.Second) // validation
		p.epoch(epoch+1, 4.5, map[string]float64{"valid_loss": 3, "accuracy": 0.5})
	}
	p.finish()
	require.Equal(t, `gru epoch 1  batch 3 of 10  loss 4.000  50 words/s  34s left
gru epoch 1  batch 8 of 10  loss 4.000  50 words/s  24s left
gru epoch 1 done  loss 4.500  accuracy 0.5  valid_loss 3  50 words/s  34s
gru epoch 2  batch 1 of 10  loss 4.000  50 words/s  26s left
gru epoch 2  batch 6 of 10  loss 4.000  50 words/s  10s left
gru epoch 2 done  loss 4.500  accuracy 0.5  valid_loss 3  50 words/s  1m3s
`, out.String())
}

// A resumed run is measured by what it does itself.
func TestProgressResumed(t *testing.T) {
	p, out, clock := testProgress()
	p.Unit, p.Interval = "", time.Second
	p.start(1000, 100, 950)
	for range 3 {
		clock.t = clock.t.Add(time.Second)
		p.batch(9, Batch{Loss: 1, Count: 2000}, 1)
	}
	require.Equal(t, `gru epoch 10  batch 51 of 100  loss 1.000
gru epoch 10  batch 52 of 100  loss 1.000  2k items/s  48s left
gru epoch 10  batch 53 of 100  loss 1.000  2k items/s  47s left
`, out.String())
}

// The clock goes back an hour, stands still, or jumps ahead a year.
func TestProgressClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{-time.Hour, 0, 365 * 24 * time.Hour} {
		p, out, clock := testProgress()
		p.Interval = 1
		p.start(30, 10, 0)
		for i := range 30 {
			if i == 0 || i == 1 || i == 15 {
				clock.t = clock.t.Add(jump)
			}
			p.batch(i/10, Batch{Loss: math.NaN(), Count: 100}, math.NaN())
			clock.t = clock.t.Add(time.Millisecond)
			if i%10 == 9 {
				p.epoch(i/10+1, math.NaN(), nil)
			}
		}
		p.epoch(3, 1, map[string]float64{"valid_loss": 1})
		lines := out.String()
		require.Contains(t, lines, "epoch 3 done")
		for _, line := range bytes.Split([]byte(lines), []byte("\n")) {
			_, rest, _ := bytes.Cut(line, []byte("loss NaN")) // the loss itself may be NaN
			require.NotContains(t, string(rest), "NaN")
			require.NotContains(t, string(rest), "Inf")
			require.NotContains(t, string(rest), "-", "neither a rate nor a time is negative")
		}
	}
}

// A bar replaces itself in its line, never wraps, and is gone when other lines are written.
func TestProgressBar(t *testing.T) {
	p, out, clock := testProgress()
	p.start(4, 2, 0)
	p.bar = &bar{out: out, columns: func() int { return 46 }}
	for i := range 4 {
		clock.t = clock.t.Add(time.Second)
		p.batch(i/2, Batch{Loss: 2, Count: 10}, 2)
	}
	p.epoch(2, 1.5, nil)
	p.finish()
	require.Equal(t, []string{
		"", " 25% [=====               ] gru epoch 1  loss",
		" 50% [==========          ] gru epoch 1  loss",
		" 75% [===============     ] gru epoch 2  loss",
		"100% [====================] gru epoch 2  loss",
		"gru epoch 2 done  loss 1.500  10 words/s  4s\n", "",
	}, strings.Split(out.String(), eraseLine))
}

func TestProgressNil(t *testing.T) {
	var p *Progress
	p.start(1, 1, 0)
	p.batch(0, Batch{}, 0)
	p.epoch(1, 0, nil)
	p.finish()
}

func TestShort(t *testing.T) {
	for want, x := range map[string]float64{
		"0": 0, "0.123": 0.1234, "1": 1, "12.3": 12.34, "999": 999.4, "1k": 999.6, "21.5k": 21512,
		"999k": 999_400, "1M": 999_600, "12.3M": 12.34e6,
	} {
		require.Equal(t, want, short(x))
	}
}
