package train

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Progress shows how a training goes: on a terminal a bar with loss, rate and time left, elsewhere a plain line every
// Interval and at the end of each epoch. A nil *Progress shows nothing.
type Progress struct {
	Name     string        // stands before everything
	Unit     string        // what Batch.Count counts: "words"; "" means "items"
	Interval time.Duration // between plain lines; 0 means 10 s

	out      io.Writer
	bar      *progressbar.ProgressBar // on a terminal
	len      int                      // batches an epoch
	total    int
	done     int // batches, those before a resume included
	first    int // batches done before this run
	counted  int // units in this run
	loss     float64
	began    time.Time
	lastLine time.Time
}

// NewProgress shows progress on w, usually os.Stderr.
func NewProgress(w io.Writer, name, unit string) *Progress {
	return &Progress{Name: name, Unit: unit, out: w}
}

func (p *Progress) start(batches, epochs, done int) {
	if p == nil {
		return
	}
	if p.Unit == "" {
		p.Unit = "items"
	}
	if p.Interval == 0 {
		p.Interval = 10 * time.Second
	}
	p.len, p.total, p.done, p.first = batches, batches*epochs, done, done
	p.began = time.Now()
	p.lastLine = p.began
	if f, ok := p.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions(p.total,
			progressbar.OptionSetWriter(p.out), progressbar.OptionSetDescription(p.Name),
			progressbar.OptionSetWidth(24), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth(),
		)
		p.bar.Add(done)
	}
}

// rate is units a second in this run.
func (p *Progress) rate() float64 {
	return float64(p.counted) / max(time.Since(p.began).Seconds(), 1e-9)
}

// left estimates the time to the end from the mean time of a batch.
func (p *Progress) left() time.Duration {
	ran := p.done - p.first
	if ran == 0 {
		return 0
	}
	each := time.Since(p.began) / time.Duration(ran)
	return (each * time.Duration(max(p.total-p.done, 0))).Round(time.Second)
}

func (p *Progress) batch(epoch int, b Batch) {
	if p == nil {
		return
	}
	p.done++
	p.counted += b.Count
	const memory = 0.98 // of the running mean
	if p.loss == 0 {
		p.loss = b.Loss
	}
	p.loss = memory*p.loss + (1-memory)*b.Loss
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("%s epoch %d  loss %.3f  %s %s/s", p.Name, epoch+1, p.loss, short(p.rate()), p.Unit))
		p.bar.Add(1)
		return
	}
	if time.Since(p.lastLine) >= p.Interval {
		p.lastLine = time.Now()
		fmt.Fprintf(p.out, "%s epoch %d  batch %d of %d  loss %.3f  %s %s/s  %v left\n",
			p.Name, epoch+1, p.done-epoch*p.len, p.len, p.loss, short(p.rate()), p.Unit, p.left())
	}
}

func (p *Progress) epoch(n int, metrics map[string]float64) {
	if p == nil {
		return
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		fmt.Fprintf(&b, "  %s %.4g", name, metrics[name])
	}
	if p.bar != nil {
		p.bar.Clear()
	}
	fmt.Fprintf(p.out, "%s epoch %d done  loss %.3f%s  %s %s/s  %v\n", p.Name, n, p.loss, b.String(),
		short(p.rate()), p.Unit, time.Since(p.began).Round(100*time.Millisecond))
}

func (p *Progress) finish() {
	if p != nil && p.bar != nil {
		p.bar.Clear()
		p.bar.Close()
		p.bar = nil
	}
}

// short prints a number with three digits and a suffix.
func short(x float64) string {
	switch {
	case x >= 1e6:
		return fmt.Sprintf("%.3gM", x/1e6)
	case x >= 1e3:
		return fmt.Sprintf("%.3gk", x/1e3)
	}
	return fmt.Sprintf("%.3g", x)
}
