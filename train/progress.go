package train

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"
)

// Progress shows how a training goes: on a terminal a bar with loss, rate and time left, elsewhere
// a plain line every Interval, and in both a line at the end of each epoch. The loss is the mean of
// the epoch so far, weighted by Batch.Count. A nil *Progress shows nothing.
type Progress struct {
	Name     string        // stands before everything
	Unit     string        // what Batch.Count counts: "words"; "" means "items"
	Interval time.Duration // between plain lines; 0 means 10 s

	out io.Writer
	now func() time.Time
	bar *bar // on a terminal

	perEpoch, total int // batches
	done            int // batches, those before a resume included

	// The first batch of a run, for which graphs are compiled, counts neither for the rate nor for
	// the time left.
	ran      int // batches after the first
	units    int // in these
	busy     time.Duration
	first    time.Time // end of the first batch
	last     time.Time // end of the last batch or validation
	began    time.Time
	lastLine time.Time
}

// NewProgress shows progress on w, usually os.Stderr.
func NewProgress(w io.Writer, name, unit string) *Progress {
	return &Progress{Name: name, Unit: unit, out: w, now: time.Now}
}

// start begins a run in which done of total batches are done already.
func (p *Progress) start(total, perEpoch, done int) {
	if p == nil {
		return
	}
	if p.Unit == "" {
		p.Unit = "items"
	}
	if p.Interval <= 0 {
		p.Interval = 10 * time.Second
	}
	p.total, p.perEpoch, p.done = total, perEpoch, done
	p.ran, p.units, p.busy, p.first = 0, 0, 0, time.Time{}
	p.began = p.now()
	p.lastLine = p.began
	if f, ok := p.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = &bar{out: p.out, columns: columnsOf(f)}
	}
}

// batch reports a batch of an epoch whose mean loss, this batch included, is loss.
func (p *Progress) batch(epoch int, b Batch, loss float64) {
	if p == nil {
		return
	}
	now := p.now()
	if p.first.IsZero() {
		p.first = now
	} else {
		p.ran++
		p.units += b.Count
		p.busy += max(0, now.Sub(p.last))
	}
	p.last = now
	p.done++
	if p.bar != nil {
		if now.Sub(p.bar.drawn).Abs() >= 100*time.Millisecond || p.done == p.total {
			p.bar.drawn = now
			p.bar.draw(p.done, p.total, fmt.Sprintf("%s epoch %d  loss %.3f%s%s", p.Name, epoch+1,
				loss, p.rate(), p.left(now)))
		}
		return
	}
	if now.Sub(p.lastLine) >= p.Interval {
		p.lastLine = now
		fmt.Fprintf(p.out, "%s epoch %d  batch %d of %d  loss %.3f%s%s\n",
			p.Name, epoch+1, p.done-epoch*p.perEpoch, p.perEpoch, loss, p.rate(), p.left(now))
	}
}

// rate is units a second, validation left out; "" before there is one.
func (p *Progress) rate() string {
	if p.busy <= 0 {
		return ""
	}
	return fmt.Sprintf("  %s %s/s", short(float64(p.units)/p.busy.Seconds()), p.Unit)
}

// left estimates the time to the end, validations as they were so far included; "" before there is
// an estimate.
func (p *Progress) left(now time.Time) string {
	if p.ran == 0 || p.total <= p.done {
		return ""
	}
	each := max(0, now.Sub(p.first).Seconds()) / float64(p.ran)
	return fmt.Sprintf("  %v left",
		time.Duration(each*float64(p.total-p.done)*float64(time.Second)).Round(time.Second))
}

// epoch reports that n epochs are done, the last of which had the given mean loss.
func (p *Progress) epoch(n int, loss float64, metrics map[string]float64) {
	if p == nil {
		return
	}
	var b strings.Builder
	var bad []string
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		fmt.Fprintf(&b, "  %s %.4g", name, metrics[name])
		if v := metrics[name]; v-v != 0 {
			bad = append(bad, name)
		}
	}
	p.bar.clear()
	p.last = p.now()
	fmt.Fprintf(p.out, "%s epoch %d done  loss %.3f%s%s  %v\n", p.Name, n, loss, b.String(),
		p.rate(),
		max(0, p.last.Sub(p.began)).Round(100*time.Millisecond))
	if bad != nil {
		fmt.Fprintf(p.out, "%s epoch %d: not finite: %s\n", p.Name, n, strings.Join(bad, ", "))
	}
}

// warn shows a warning on a line of its own.
func (p *Progress) warn(warning string) {
	if p != nil {
		p.bar.clear()
		fmt.Fprintf(p.out, "%s warning: %s\n", p.Name, warning)
	}
}

// finish leaves the terminal as it was.
func (p *Progress) finish() {
	if p != nil {
		p.bar.clear()
		p.bar = nil
	}
}

// short prints a number that is not negative with three digits and a suffix.
func short(x float64) string {
	switch {
	case x < 0.01:
		return "0"
	case x >= 999.5e3:
		return fmt.Sprintf("%.3gM", x/1e6)
	case x >= 999.5:
		return fmt.Sprintf("%.3gk", x/1e3)
	}
	return fmt.Sprintf("%.3g", x)
}
