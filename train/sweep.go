package train

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/seqzoo/seqzoo/internal/safefile"
)

// Run is a training with its settings, as a sweep made it or a directory holds it.
type Run struct {
	Name     string            // of its folder
	Settings map[string]string // such as "hidden": "64"; nil if the folder does not tell
	History  *History
	Err      error // why it failed, or nil
}

// SweepConfig configures Sweep. The zero value of an optional field is its default.
type SweepConfig struct {
	Dir     string // for the runs, each in a folder of its own; required
	Workers int    // runs side by side; 0 means as many as there are processors
}

// The files of a run in its folder.
const (
	historyFile  = "history.csv"
	settingsFile = "settings.json"
)

// Grid is all combinations of values, such as {"cell": {"gru", "lstm"}, "hidden": {"32", "64"}},
// the settings in the order of their names, of which the last changes fastest. Without values there
// is one, that without settings; a setting without values gives none.
func Grid(values map[string][]string) []map[string]string {
	grid := []map[string]string{{}}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		var next []map[string]string
		for _, settings := range grid {
			for _, v := range values[name] {
				more := maps.Clone(settings)
				more[name] = v
				next = append(next, more)
			}
		}
		grid = next
	}
	return grid
}

// Sweep trains with each of the settings, several side by side in one process. Fit trains one: what
// it makes is its own, and dir is its folder, where it may keep checkpoints and the model. Its
// history and its settings are written there in the end, from which ReadRuns reads them; a run that
// is there already is not made again, so that a sweep that was interrupted goes on; one of other
// settings with the same name is an error. The runs do not depend on how many are side by side.
//
// Runs that failed have an Err, and do not stop the others; the error is all of theirs, or the
// context's. Interrupted runs are not finished, and are left out.
func Sweep(ctx context.Context, c SweepConfig, settings []map[string]string,
	fit func(ctx context.Context, dir string, settings map[string]string) (*Result, error)) ([]Run,
	error) {
	check := checks{config: "SweepConfig"}
	check.field(c.Dir != "", "Dir", `""`, "a directory")
	check.field(c.Workers >= 0, "Workers", c.Workers, "0 (as many as processors) or more")
	check.bad.That(ctx != nil, "train: Sweep: the context is nil")
	check.bad.That(fit != nil, "train: Sweep: the function that trains is nil")
	names := map[string]bool{}
	for _, s := range settings {
		check.bad.That(!names[runName(s)], "train: Sweep: two runs have the name %s", runName(s))
		names[runName(s)] = true
	}
	if err := check.err(); err != nil {
		return nil, err
	}
	runs := make([]Run, len(settings))
	next := make(chan int)
	var working sync.WaitGroup
	for range min(cmp.Or(c.Workers, runtime.GOMAXPROCS(0)), max(len(settings), 1)) {
		working.Go(func() {
			for i := range next {
				runs[i] = oneRun(ctx, c.Dir, settings[i], fit)
			}
		})
	}
	for i := range settings {
		next <- i
	}
	close(next)
	working.Wait()
	if ctx.Err() != nil {
		runs = slices.DeleteFunc(runs, func(r Run) bool { return r.History == nil || r.Err != nil })
		return runs, fmt.Errorf("%w: %w", ErrInterrupted, ctx.Err())
	}
	var errs []error
	for _, r := range runs {
		if r.Err != nil {
			errs = append(errs, fmt.Errorf("train: run %s: %w", r.Name, r.Err))
		}
	}
	return runs, errors.Join(errs...)
}

// runName is a name for settings that any file system takes.
func runName(settings map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		parts = append(parts, name+"="+settings[name])
	}
	return cmp.Or(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("._=-,+", r) {
			return r
		}
		return '_'
	}, strings.TrimLeft(strings.Join(parts, ","), ".")), "run")
}

// oneRun makes a run, or reads it if it has been made.
func oneRun(ctx context.Context, parent string, settings map[string]string,
	fit func(context.Context, string, map[string]string) (*Result, error)) Run {
	r := Run{Name: runName(settings), Settings: maps.Clone(settings)}
	dir := filepath.Join(parent, r.Name)
	done, err := readRun(dir)
	switch {
	case err == nil && maps.Equal(done.Settings, settings):
		return done
	case err == nil && done.Settings != nil:
		r.Err = fmt.Errorf("%s holds a run of other settings, %q; use another directory", dir,
			done.Settings)
		return r
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		r.Err = err
		return r
	}
	if r.Err = ctx.Err(); r.Err != nil {
		return r
	}
	if r.Err = os.MkdirAll(dir, 0o777); r.Err != nil {
		return r
	}
	result, err := fit(ctx, dir, maps.Clone(settings))
	if r.Err = err; err != nil {
		return r
	}
	r.History = &History{}
	if result != nil && result.History != nil {
		r.History = result.History
	}
	r.Err = errors.Join(
		safefile.Write(safefile.OS, filepath.Join(dir, settingsFile), func(w io.Writer) error {
			return json.NewEncoder(w).Encode(settings)
		}),
		safefile.Write(safefile.OS, filepath.Join(dir, historyFile), r.History.WriteCSV))
	return r
}

// maxSettings is the most bytes that the settings of a run may take.
const maxSettings = 1 << 20

// readRun reads a run from its folder; fs.ErrNotExist says that it holds none.
func readRun(dir string) (r Run, err error) {
	r.Name, r.History = filepath.Base(dir), &History{}
	f, _, err := safefile.Open(filepath.Join(dir, historyFile))
	if err != nil {
		return r, err
	}
	defer f.Close()
	if err := r.History.ReadCSV(f); err != nil {
		return r, fmt.Errorf("%s: %w", f.Name(), err)
	}
	content, err := safefile.ReadFile(filepath.Join(dir, settingsFile), maxSettings)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &r.Settings)
	}
	if err != nil {
		return r, fmt.Errorf("train: the settings of run %s: %w", r.Name, err)
	}
	return r, nil
}

// ReadRuns reads the runs in the folders of a directory, in the order of their names: those of a
// Sweep, and any other folder with a history.csv, such as a program's -save. Other folders are
// passed over.
func ReadRuns(dir string) ([]Run, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("train: runs: %w", err)
	}
	var runs []Run
	for _, e := range entries {
		r, err := readRun(filepath.Join(dir, e.Name()))
		switch {
		case err == nil:
			runs = append(runs, r)
		case !e.IsDir() || errors.Is(err, fs.ErrNotExist):
		default:
			return nil, fmt.Errorf("train: run %s: %w", e.Name(), err)
		}
	}
	return runs, nil
}

// Best is the best finite value of a metric, by its goal; the empty goal is that of its name.
// Without such a value Epoch is 0 and ok false. Epoch is, as in Result, the number of the epoch,
// counted from 1, at whose end it was measured; of a row before the end, that of the one at hand.
func (h *History) Best(metric string, goal Goal) (b Best, ok bool) {
	goal = cmp.Or(goal, GoalOf(metric), Smaller)
	b.Metric, b.Value = metric, goal.worst()
	c := h.byName[metric]
	if c == nil {
		return Best{Metric: metric}, false
	}
	for i, v := range c.values {
		if goal.better(v, b.Value, 0) {
			at := h.rows[c.rows[i]]
			b.Value, b.Epoch, b.Step, ok = v, at.epoch+1, at.step, true
		}
	}
	if !ok {
		return Best{Metric: metric}, false
	}
	return b, true
}

// WriteRuns writes a table of runs, the best by a metric first: its best value, the epoch and step
// after which it was measured, and the settings in which the runs differ. The empty goal is that of
// the metric's name. Runs without the metric come last.
func WriteRuns(w io.Writer, runs []Run, metric string, goal Goal) error {
	if goal = cmp.Or(goal, GoalOf(metric)); goal != Smaller && goal != Larger {
		return fmt.Errorf("train: runs: whether a larger %q is better cannot be told by its name; "+
			"say train.Larger or train.Smaller", metric)
	}
	type line struct {
		Run
		best Best
		ok   bool
	}
	lines := make([]line, len(runs))
	for i, r := range runs {
		lines[i] = line{Run: r}
		if r.History != nil {
			lines[i].best, lines[i].ok = r.History.Best(metric, goal)
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int {
		switch {
		case a.ok != b.ok && a.ok, a.ok && b.ok && goal.better(a.best.Value, b.best.Value, 0):
			return -1
		case a.ok != b.ok, a.ok && goal.better(b.best.Value, a.best.Value, 0):
			return 1
		}
		return 0
	})
	names := differing(runs)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "run\t%s\tepoch\tstep", metric)
	for _, name := range names {
		fmt.Fprintf(table, "\t%s", name)
	}
	fmt.Fprintln(table)
	for _, l := range lines {
		value, epoch, step := "-", "-", "-"
		if l.ok {
			value, epoch, step = fmt.Sprintf("%.4g", l.best.Value), fmt.Sprint(l.best.Epoch),
				fmt.Sprint(l.best.Step)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s", l.Name, value, epoch, step)
		for _, name := range names {
			fmt.Fprintf(table, "\t%s", cmp.Or(l.Settings[name], "-"))
		}
		fmt.Fprintln(table)
	}
	return table.Flush()
}

// differing are the settings that are not the same in all runs.
func differing(runs []Run) (names []string) {
	values := map[string]map[string]bool{}
	for _, r := range runs {
		for name := range r.Settings {
			values[name] = map[string]bool{}
		}
	}
	for name, seen := range values {
		for _, r := range runs {
			seen[r.Settings[name]] = true
		}
		if len(seen) > 1 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
