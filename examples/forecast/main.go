// Forecast learns to forecast a series of several variables, evaluates what it learned beside naive
// forecasts, and forecasts what comes behind a history on standard input.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/series"
)

const about = `Learns to forecast a series of several variables from a CSV file.

    go run ./examples/forecast train -horizon 24 -save DIR
    go run ./examples/forecast train -data FILE -skip time -train-rows 700 -valid-rows 100 -season 12 -save DIR
    go run ./examples/forecast train -together -known holiday -fill=mask -data FILE -save DIR
    go run ./examples/forecast train -together -by shop -static shop -data FILE -save DIR
    go run ./examples/forecast backtest -every 500 [-data FILE]
    go run ./examples/forecast evaluate -model DIR [-data FILE]
    go run ./examples/forecast forecast -model DIR < history.csv > forecast.csv

The rows of the file are cut into training, validation and test part, in that order; train uses the first two, evaluate the
third. Rows are given as a number or as a share, such as 0.2 or 20%. Errors are those of standardised
values, by mean and deviation of the training part. Without -data the file is ETTh1, which is looked
for in the folder that SEQZOO_DATA names, else in ../shared/data. backtest goes through the rows
behind the training part as if they came in one by one, and trains anew every so many; with -by it does
so in each series, whose rows count from its own first, and each model learns from what all have before
that. Times are not compared: let series begin at the same one, and give -train-rows as a number.

forecast reads a line of names and then rows, the last of which are the history, or of a model with
-known what is known ahead; with -each it forecasts anew behind every row. A row with a value missing
is an error, unless -fill says what takes its place.`

func main() { program().Main() }

func program() cli.Program {
	t := &trainCommand{Training: cli.Training{Epochs: 10, Batch: 32, LR: 0.001, Warmup: 100,
		Clip: 1, Seed: 1, Patience: 3}}
	b := &backtestCommand{trainCommand: trainCommand{Training: t.Training}}
	e := &evaluateCommand{}
	f := &forecastCommand{}
	return cli.Program{Name: "forecast", About: about, Lesson: "05-gru", Commands: []cli.Command{
		{Name: "train", About: "trains a model and evaluates it on the validation part",
			Flags: t.register, Check: t.check, Run: t.run},
		{Name: "evaluate", About: "evaluates a model on the test part", Flags: e.register,
			Check: e.check, Run: e.run},
		{Name: "forecast", About: "forecasts behind the rows on standard input", Flags: f.register,
			Check: f.check, Run: f.run},
		{Name: "backtest", About: "trains again and again while it goes through the series",
			Flags: b.register, Check: b.check, Run: b.run},
	}}
}

// source is the flags that say where a series is, and how it is cut.
type source struct {
	cli.Table
	data, by                       string
	trainRows, validRows, testRows rows
	season                         int
}

// parted is a series with the ends of its parts: for training, validation and test.
type parted struct {
	*series.Series
	ends  [3]int
	which string // of several: the column that tells them apart, and its value
}

// rows is how many rows a part has: a number of them, or a share of all.
type rows struct {
	n     int
	share float64 // in (0, 1), or 0
	given bool    // on the command line
}

// String is the flag.
func (r *rows) String() string {
	if r.share > 0 {
		return strconv.FormatFloat(r.share, 'g', -1, 64)
	}
	return strconv.Itoa(r.n)
}

// Set reads 700, 0.7 or 70%.
func (r *rows) Set(s string) error {
	r.given, r.share = true, 0
	var err error
	if r.n, err = strconv.Atoi(s); err == nil {
		return nil
	}
	percent, isPercent := strings.CutSuffix(s, "%")
	if r.share, err = strconv.ParseFloat(percent, 64); err == nil && isPercent {
		r.share /= 100
	}
	if err != nil || !(r.share > 0 && r.share < 1) {
		return errors.New("want a number of rows, or a share such as 0.2 or 20%")
	}
	return nil
}

// of is the number of rows among all.
func (r *rows) of(all int) int {
	if r.share > 0 {
		return int(math.Round(r.share * float64(all)))
	}
	return r.n
}

func (d *source) register(f *flag.FlagSet) {
	cli.DataFlag(f, &d.data, "in CSV form, plain or gzip, instead of ETTh1")
	d.Table.Register(f)
	d.trainRows, d.validRows, d.testRows = rows{n: 8640}, rows{n: 2880}, rows{n: 2880}
	f.Var(&d.trainRows, "train-rows",
		"`rows` of the training part, or a share of all such as 0.7 or 70%")
	f.Var(&d.validRows, "valid-rows", "`rows` of the validation part, or a share")
	f.Var(&d.testRows, "test-rows",
		"`rows` of the test part, or a share; 0 for all that are left, as by default where fewer "+
			"are left")
	f.IntVar(&d.season, "season", 24, "rows after which things repeat, for the naive forecast")
	f.StringVar(&d.by, "by", "",
		"`column` that tells several series apart, such as the number of a shop: all are learned\n"+
			"from, each in its own parts (by default 70 % and 15 % of its rows, and the "+
			"rest), and\nthe column is not read unless it is -static")
}

func (d *source) check() error {
	if d.by != "" { // the default is for ETTh1
		for of, share := range map[*rows]float64{&d.trainRows: 0.7, &d.validRows: 0.15,
			&d.testRows: 0} {
			if !of.given {
				*of = rows{share: share}
			}
		}
	}
	var errs []error
	for _, n := range []struct {
		flag  string
		value rows
		least int
	}{
		{"train-rows", d.trainRows, 1}, {"valid-rows", d.validRows, 1},
		{"test-rows", d.testRows, 0}, {"season", rows{n: d.season}, 1},
	} {
		if n.value.share == 0 && n.value.n < n.least {
			errs = append(errs, fmt.Errorf("-%s is %d; want at least %d", n.flag, n.value.n,
				n.least))
		}
	}
	return errors.Join(append(errs, d.Table.Check())...)
}

// read is the series, or with -by all of them, which must be long enough for their parts. The
// columns to keep are read even if they tell series apart.
func (d *source) read(messages io.Writer, keep ...string) ([]parted, error) {
	path, err := cli.File(d.data, "timeseries/ETTh1.csv.gz", "give a file by -data")
	if err != nil {
		return nil, err
	}
	s, err := d.Table.Read(path, messages)
	if err != nil {
		return nil, err
	}
	if d.by == "" {
		one, err := d.part(path, s)
		return []parted{one}, err
	}
	each, err := s.Split(d.by)
	if err != nil {
		return nil, fmt.Errorf("%s: -by: %w", path, err)
	}
	names := slices.Clone(s.Names)
	if !slices.Contains(keep, d.by) {
		names = slices.DeleteFunc(names, func(name string) bool { return name == d.by })
	}
	var all []parted
	for _, s := range each {
		which := s.Row(0)[slices.Index(s.Names, d.by)]
		of := d.by + " " + strconv.FormatFloat(which, 'f', -1, 64)
		name := path + ": " + of
		if s, err = s.Select(names...); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		one, err := d.part(name, s)
		if err != nil {
			return nil, err
		}
		one.which = of
		all = append(all, one)
	}
	return all, nil
}

// part cuts a series, which the name is of.
func (d *source) part(name string, s *series.Series) (parted, error) {
	all := s.Len()
	train, valid, test := d.trainRows.of(all), d.validRows.of(all), d.testRows.of(all)
	left := all - train - valid
	if train < 1 || valid < 1 || left < 0 || d.testRows.given && test > left {
		return parted{}, fmt.Errorf("%s has %d rows; -train-rows, -valid-rows and "+
			"-test-rows add up to %d", name, all, train+valid+test)
	}
	if test == 0 || test > left {
		test = left
	}
	return parted{Series: s, ends: [3]int{train, train + valid, train + valid + test}}, nil
}

// The parts of series. What is forecast in validation and test part begins with their first row, so
// the windows before reach back into the part before.
func learned(all []parted) []*series.Series { return partsOf(all, 0, 0) }
func validated(all []parted, lookback int) []*series.Series {
	return partsOf(all, 1, lookback)
}
func tested(all []parted, lookback int) []*series.Series { return partsOf(all, 2, lookback) }

// partsOf are parts number k with so many rows before.
func partsOf(all []parted, k, before int) (parts []*series.Series) {
	for _, p := range all {
		from := 0
		if k > 0 {
			from = max(0, p.ends[k-1]-before)
		}
		parts = append(parts, p.Slice(from, p.ends[k]))
	}
	return parts
}

// trainCommand is the flags of train.
type trainCommand struct {
	cli.Training
	source
	cell, level, targets            string
	known, static                   string
	hidden, layers, lookback, patch int
	horizon                         int
	dropout                         float64
	together                        bool
	quantiles                       []float64
}

func (t *trainCommand) register(f *flag.FlagSet) {
	t.source.register(f)
	f.IntVar(&t.horizon, "horizon", 24, "rows to forecast")
	f.IntVar(&t.lookback, "lookback", 336, "rows to forecast them from")
	f.IntVar(&t.patch, "patch", 24, "rows to a step of the recurrence, a divisor of -lookback")
	cli.CellFlag(f, &t.cell, "gru", "")
	f.IntVar(&t.hidden, "hidden", 64, "width of the layers")
	f.IntVar(&t.layers, "layers", 1, "recurrent layers")
	f.Float64Var(&t.dropout, "dropout", 0.3, "share of what the output layer reads that is dropped")
	f.StringVar(&t.level, "level", "last",
		"what a window is measured from: its last value, its mean, or none")
	f.Func("quantiles", "forecast these `quantiles`, such as 0.05,0.5,0.95, instead of the mean",
		func(s string) (err error) {
			t.quantiles, err = cli.Numbers(s, 0)
			return err
		})
	f.BoolVar(&t.together, "together", false,
		"read all variables together, instead of each as a series of its own by the same weights")
	f.StringVar(&t.targets, "targets", "",
		"with -together: comma-separated `names` of the variables to forecast; default all")
	f.StringVar(&t.known, "known", "",
		"with -together: comma-separated `names` of variables whose values ahead are "+
			"known, such as "+
			"holidays")
	f.StringVar(&t.static, "static", "",
		"with -together: comma-separated `names` of variables that tell series apart, not times")
	t.Training.Register(f)
}

func (t *trainCommand) check() error {
	if t.Quick {
		t.Epochs, t.Steps, t.hidden = 1, 30, 16
	}
	var err error
	if t.targets != "" && !t.together {
		err = errors.New("-targets needs -together: read by themselves, all variables are forecast")
	}
	if t.known+t.static != "" && !t.together {
		err = errors.New("-known and -static need -together: a variable read by itself " +
			"does not see them")
	}
	t.KeepGaps(false)
	c := t.config([]string{"x"}, nil)
	c.Known, c.Static = nil, nil // names of columns that are not read yet
	return errors.Join(err, t.source.check(), t.Training.Check(), c.Validate())
}

func (t *trainCommand) config(variables, targets []string) forecast.Config {
	return forecast.Config{
		Recurrent: cli.Recurrent(t.cell, t.hidden, t.layers, t.dropout),
		Variables: variables, Targets: targets, Lookback: t.lookback, Horizon: t.horizon,
		Patch: t.patch, Quantiles: t.quantiles,
		Shared: !t.together, Level: forecast.Level(t.level), IODropout: t.dropout,
		Known: cli.List(t.known), Static: cli.List(t.static),
		Gaps: map[string]forecast.Gaps{"mean": forecast.MeanForGap,
			"mask": forecast.MaskGaps}[t.Fill()],
	}
}

func (t *trainCommand) run(ctx context.Context, s cli.Std) error {
	all, err := t.read(s.Messages, cli.List(t.static)...)
	if err != nil {
		return err
	}
	learn, valid := learned(all), validated(all, t.lookback)
	scale, err := learn[0].Scale(learn[1:]...)
	if err != nil {
		return err
	}
	var targets []string
	if t.targets != "" {
		targets = cli.List(t.targets)
	}
	m, err := forecast.New(t.config(all[0].Names, targets), scale, t.Seed)
	if err != nil {
		return err
	}
	task, err := m.Task(forecast.Data{Train: learn[0], More: learn[1:], Valid: valid[0],
		MoreValid: valid[1:], Batch: t.Batch, Seed: t.Seed})
	if err != nil {
		return err
	}
	rows, learnt, of := 0, 0, ""
	for _, p := range all {
		rows, learnt = rows+p.Len(), learnt+p.ends[0]
	}
	if len(all) > 1 {
		of = fmt.Sprintf(" in %d series", len(all))
	}
	fmt.Fprintf(s.Out, "%d variables, %d rows%s; %d steps from %d; %d parameters\n",
		len(all[0].Names), rows, of, t.horizon, t.lookback, m.Params().Count())
	_, err = t.Fit(ctx, s, cli.Run{
		Model: m, Task: task, Name: t.cell, Unit: "windows", Monitor: "valid_loss",
		Describe: map[string]string{"model": fmt.Sprintf("%+v", m.Config()),
			"data": fmt.Sprintf("of %d rows", learnt)},
	})
	if err != nil {
		return err
	}
	return report(ctx, s.Out, m, valid, t.season, "validation")
}

// evaluateCommand is the flags of evaluate.
type evaluateCommand struct {
	source
	model, part string
}

func (e *evaluateCommand) register(f *flag.FlagSet) {
	e.KeepGaps(false)
	e.source.register(f)
	cli.ModelFlag(f, &e.model, "")
	f.StringVar(&e.part, "part", "test", "`part` of the data to evaluate on: test or valid")
	cli.OldSwitch(f, "valid", "part", "valid")
}

func (e *evaluateCommand) check() error {
	var err error
	if e.part != "test" && e.part != "valid" {
		err = fmt.Errorf("-part is %q; want test or valid", e.part)
	}
	return errors.Join(cli.Required("model", e.model), err, e.source.check())
}

func (e *evaluateCommand) run(ctx context.Context, s cli.Std) error {
	m, err := forecast.Load(e.model)
	if err != nil {
		return err
	}
	e.KeepGaps(m.Config().Gaps != forecast.RefuseGaps)
	all, err := e.read(s.Messages, m.Config().Static...)
	if err != nil {
		return err
	}
	if e.part == "valid" {
		return report(ctx, s.Out, m, validated(all, m.Config().Lookback), e.season, "validation")
	}
	return report(ctx, s.Out, m, tested(all, m.Config().Lookback), e.season, "test")
}
