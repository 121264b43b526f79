package series

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// timeline looks at the times of rows, which stand in a column that is left out, or a date in one
// and a clock in another: a series is measured at equal distances, and the rows follow each other.
type timeline struct {
	names       []string
	out         []int    // the columns left out, of which the times are in some
	fields      []string // those of the row at hand, as out
	date, clock int      // places in out; clock is -1 if it stands behind the date
	started     bool
	hours       string // the layout of the clock
	readings    []reading
	unread      finding
}

// reading is the times as one way of writing dates gives them. 10/03 may be of October or of March,
// so there may be two.
type reading struct {
	layout            string // "" for a plain number
	last, step        float64
	steps             int // that lead forward
	second            int // the line of the first of them
	back, twice, hole finding
}

// finding is how often something was seen, and in which line first.
type finding struct{ count, line int }

func (f *finding) at(line int) {
	if f.count++; f.count == 1 {
		f.line = line
	}
}

// mostTimeColumns is how many of the columns left out are looked at for times.
const mostTimeColumns = 16

var (
	dateLayouts = []string{"2006-1-2", "2006/1/2", "2006.1.2", "2/1/2006", "1/2/2006", "2.1.2006",
		"2-1-2006", "1-2-2006", "2/1/06",
		"1/2/06", "2.1.06", "2-Jan-2006", "2/Jan/2006", "20060102", "2006-1", "2006/1", "2006"}
	clockLayouts = []string{"15:04:05", "15:04", "15:04:05Z07:00", "15:04:05-0700", "15:04Z07:00",
		"15.04.05", "15.04",
		"3:04:05 PM", "3:04 PM", "150405", "15"}
	midnight = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
)

func (t *timeline) begin(names []string, place []int) {
	for i, p := range place {
		if p < 0 && len(t.out) < mostTimeColumns {
			t.out = append(t.out, i)
			t.names = append(t.names, strings.Clone(names[i]))
		}
	}
	t.fields = make([]string, len(t.out))
}

// field is given the fields of the columns left out.
func (t *timeline) field(column int, field string) {
	if k := slices.Index(t.out, column); k >= 0 {
		t.fields[k] = strings.TrimSpace(field)
	}
}

// row looks at the row whose fields were given.
func (t *timeline) row(line int) {
	if !t.started {
		t.started = true
		t.find()
	}
	if len(t.readings) == 0 {
		return
	}
	var times []float64
	var fit []reading
	for _, r := range t.readings {
		if at, ok := t.time(r.layout); ok {
			times, fit = append(times, at), append(fit, r)
		}
	}
	if len(fit) == 0 {
		t.unread.at(line)
		return
	}
	for i := range fit {
		fit[i].next(times[i], line)
	}
	t.readings = fit
}

// find finds the columns of date and clock by the first row.
func (t *timeline) find() {
	for k, field := range t.fields {
		date, _ := cutClock(field)
		if len(date) < 4 || len(date) > 11 {
			continue
		}
		for _, layout := range dateLayouts {
			if _, err := time.Parse(layout, date); err == nil {
				t.readings = append(t.readings, reading{layout: layout})
			}
		}
		if len(t.readings) > 0 {
			t.date, t.clock = k, -1
			t.findClock()
			return
		}
	}
	for k, field := range t.fields { // seconds, or rows counted through
		if _, err := strconv.ParseFloat(field, 64); err == nil && isTime(t.names[k]) {
			t.date, t.clock, t.readings = k, -1, []reading{{}}
			return
		}
	}
}

// isTime reports whether a column is of times by its name.
func isTime(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "time") || name == "date" || name == "t"
}

// findClock finds how the clock is written, behind the date or in a column of its own.
func (t *timeline) findClock() {
	if _, clock := cutClock(t.fields[t.date]); clock != "" {
		t.hours = clockLayout(clock)
		return
	}
	for k, field := range t.fields {
		layout := clockLayout(field)
		// 15.04 alone may be any number.
		if k != t.date && (strings.Count(layout, ":")+strings.Count(layout, ".") > 1 ||
			layout != "" && isTime(t.names[k])) {
			t.clock, t.hours = k, layout
			return
		}
	}
}

func clockLayout(clock string) string {
	for _, layout := range clockLayouts {
		if _, err := time.Parse(layout, clock); err == nil {
			return layout
		}
	}
	return ""
}

// cutClock cuts a field into date and clock.
func cutClock(field string) (date, clock string) {
	if i := strings.IndexAny(field, " T"); i >= 0 {
		return field[:i], strings.TrimSpace(field[i+1:])
	}
	return field, ""
}

// time is the time of the row at hand, in seconds.
func (t *timeline) time(layout string) (seconds float64, ok bool) {
	if layout == "" {
		x, err := strconv.ParseFloat(t.fields[t.date], 64)
		return x, err == nil && x-x == 0
	}
	date, clock := cutClock(t.fields[t.date])
	if t.clock >= 0 {
		clock = t.fields[t.clock]
	}
	day, err := time.Parse(layout, date)
	if err != nil {
		return 0, false
	}
	seconds = float64(day.Unix())
	if t.hours != "" {
		hours, err := time.Parse(t.hours, clock)
		if err != nil {
			return 0, false
		}
		seconds += hours.Sub(midnight).Seconds()
	}
	return seconds, true
}

// slack is by how much a step may be longer than the shortest one: months have 28 to 31 days, leap
// years a day more.
const slack = 1.2

// next compares a time with the one before.
func (r *reading) next(at float64, line int) {
	step := at - r.last
	first := r.steps == 0 && r.back.count == 0 && r.twice.count == 0 && r.step == 0
	r.last = at
	switch {
	case first:
		r.step = -1 // there is a time before the next one, and no step yet
	case step < 0:
		r.back.at(line)
	case step == 0:
		r.twice.at(line)
	default:
		if r.step > 0 && r.step > slack*step { // all steps so far were longer than this one
			r.hole = finding{r.steps, r.second}
		} else if r.step > 0 && step > slack*r.step {
			r.hole.at(line)
		}
		if r.steps++; r.steps == 1 {
			r.second = line
		}
		if r.step < 0 || step < r.step {
			r.step = step
		}
	}
}

func (r *reading) doubts() int { return r.back.count + r.twice.count + r.hole.count }

// warnings are sentences about times that are out of order, twice there, or unevenly spaced.
func (t *timeline) warnings() (w []string) {
	if len(t.readings) == 0 {
		return nil
	}
	r := slices.MinFunc(t.readings, func(a,
		b reading) int {
		return cmp.Compare(a.doubts(), b.doubts())
	})
	where := fmt.Sprintf("the times in column %.40q", t.names[t.date])
	if t.clock >= 0 {
		where = fmt.Sprintf("the times in columns %.40q and %.40q", t.names[t.date],
			t.names[t.clock])
	}
	if r.back.count > 0 {
		w = append(w, fmt.Sprintf("%s run backwards at line %d%s", where, r.back.line,
			r.back.more()))
	}
	if r.twice.count > 0 {
		w = append(w, fmt.Sprintf("%s come twice: line %d has that of the line before%s", where,
			r.twice.line, r.twice.more()))
	}
	if r.hole.count > 0 {
		w = append(w, fmt.Sprintf("%s have a hole before line %d: a step longer than %s%s", where,
			r.hole.line, r.distance(), r.hole.more()))
	}
	if t.unread.count > 0 {
		w = append(w, fmt.Sprintf("%s are not written as in the first row at line %d%s", where,
			t.unread.line, t.unread.more()))
	}
	return w
}

func (f finding) more() string {
	if f.count < 2 {
		return ""
	}
	return fmt.Sprintf(", and so on %d times in all", f.count)
}

// distance is the shortest step.
func (r *reading) distance() string {
	if r.layout == "" {
		return strconv.FormatFloat(r.step, 'g', 6, 64)
	}
	return time.Duration(r.step * float64(time.Second)).String()
}
