package kernels

import (
	"flag"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var share = flag.String("share", "",
	"measure the products whose names match this against the peak of the core; . is all of them")

// TestShare prints the rate of products and their share of the peak. Times are the thread's own.
// Turns of the product and of multiply-adds on registers alternate, since the clock of a core
// changes with what it does.
func TestShare(t *testing.T) {
	if *share == "" {
		t.Skip("measures only with -share")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer SetLevel(CurrentLevel())
	for _, l := range Levels()[1:] {
		SetLevel(l)
		for i, s := range multiplications {
			measure[float32](t, fmt.Sprintf("type=f32/%s/level=%s", s, l), s)
			if i >= 6 && i < 9 {
				measure[float64](t, fmt.Sprintf("type=f64/%s/level=%s", s, l), s)
			}
		}
	}
}

func measure[F Float](t *testing.T, name string, s multiplication) {
	if !regexp.MustCompile(*share).MatchString(name) {
		return
	}
	round, flops := peak[F](level)
	if round == nil {
		t.Skip("there is no peak to measure")
	}
	multiply := prepare[F](s)
	multiply()
	reps := max(1, int(2e7/s.flops()))
	// as long, at most 1 ms or so
	rounds := min(max(1, int(s.flops()*float64(reps)/float64(flops))), 30000)
	var each, top []float64
	for end := cpuTime() + 600*time.Millisecond; len(each) < 11 || cpuTime() < end; {
		start := cpuTime()
		for range reps {
			multiply()
		}
		middle := cpuTime()
		round(rounds)
		each = append(each, s.flops()*float64(reps)/float64(middle-start))
		top = append(top, float64(rounds*flops)/float64(cpuTime()-middle))
	}
	slices.Sort(each)
	slices.Sort(top)
	rate, limit := each[len(each)/2], top[len(top)/2]
	fmt.Printf("%s %6.1f GFLOP/s, %5.1f %% of %.0f\n", name, rate, 100*rate/limit, limit)
}

// cpuTime is the time that this thread has run.
func cpuTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}
