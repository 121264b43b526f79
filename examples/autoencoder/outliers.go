package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/reduce"
)

// outliersCommand is the flags of outliers.
type outliersCommand struct {
	cli.Training
	source
	shape
	codes, test, testLabels string
	score                   string
	valid, quantile         float64
}

func (o *outliersCommand) register(f *flag.FlagSet) {
	o.source.register(f)
	o.shape.register(f)
	f.StringVar(&o.codes, "codes", "2", "comma-separated `numbers` of the widths of code to try")
	f.StringVar(&o.test, "test", "",
		"IDX or CSV `file` to measure on, instead of MNIST's test file")
	f.StringVar(&o.testLabels, "test-labels", "", "IDX `file` of its labels")
	f.Float64Var(&o.valid, "valid-share", 0.1,
		"share of the rows, from the end, that validate; they are measured on too")
	cli.OldNames(f, "valid", "valid-share")
	f.StringVar(&o.score, "score", "mean",
		"score that the threshold is of, `one` of "+strings.Join(scoreNames, ", "))
	f.Float64Var(&o.quantile, "quantile", 0.95,
		"share of the normal validation rows whose score the threshold is above")
	o.Training.Register(f)
}

func (o *outliersCommand) check() error {
	if o.widths == "" && !o.Quick {
		o.widths = "256,64"
	}
	if o.Quick {
		o.Epochs, o.limit = 1, 1000
		if o.widths == "" {
			o.widths = "32"
		}
	}
	var errs []error
	if _, err := o.list(); err != nil {
		errs = append(errs, err)
	}
	if !slices.Contains(scoreNames, o.score) {
		errs = append(errs, fmt.Errorf("-score is %q; want one of %s", o.score,
			strings.Join(scoreNames, ", ")))
	}
	if (o.data == "") != (o.test == "") {
		errs = append(errs, errors.New("-data and -test go together"))
	}
	if !(o.valid > 0 && o.valid < 1) || !(o.quantile > 0 && o.quantile <= 1) {
		errs = append(errs, fmt.Errorf("-valid-share is %g and -quantile %g; want shares", o.valid,
			o.quantile))
	}
	o.code = 1
	return errors.Join(append(errs, o.source.check(), o.shape.check(), o.Training.Check())...)
}

func (o *outliersCommand) list() (codes []int, err error) {
	for _, field := range strings.Split(o.codes, ",") {
		k, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || k < 1 {
			return nil, fmt.Errorf("-codes is %q; want whole numbers, such as 2,32", o.codes)
		}
		codes = append(codes, k)
	}
	return codes, nil
}

func (o *outliersCommand) run(ctx context.Context, s cli.Std) error {
	all, err := o.read(s.Messages, "train", true)
	if err != nil {
		return err
	}
	other := o.source
	other.data, other.labels = o.test, o.testLabels
	test, err := other.read(s.Messages, "t10k", true)
	if err != nil {
		return err
	}
	codes, err := o.list()
	if err != nil {
		return err
	}
	labels := slices.Compact(slices.Sorted(slices.Values(all.labels)))
	fmt.Fprintf(s.Out, "AUC of validation and of test rows by the error, the relative error and "+
		"their geometric mean; precision and recall by -score\n")
	fmt.Fprintf(s.Out, "%-8s %5s  %8s %8s %8s  %8s %8s %8s  %9s %7s\n", "left out", "code", "error",
		"relative", "mean", "error", "relative", "mean", "precision", "recall")
	for _, k := range codes {
		var means [6]float64
		for _, label := range labels {
			sh, t := o.shape, o.Training
			sh.code = k
			if t.Save != "" {
				t.Save = filepath.Join(o.Save, fmt.Sprintf("without-%d-code-%d", label, k))
			}
			fitted, valid := all.split(o.valid)
			m, err := fit(ctx, s, &t, sh, fitted.without(label), valid.without(label), o.quantile,
				map[string]string{
					"-data": o.data, "-limit": strconv.Itoa(o.limit), "-without": strconv.Itoa(label),
					"-valid-share": fmt.Sprint(o.valid),
				})
			if err != nil {
				return err
			}
			v, threshold, err := o.validate(m, valid, label)
			if err != nil {
				return err
			}
			by, err := scores(m, test.x)
			if err != nil {
				return err
			}
			positive := test.isLabel(label)
			a, err := aucs(by, positive)
			if err != nil {
				return err
			}
			d, err := metrics.DetectAbove(threshold, by[slices.Index(scoreNames, o.score)],
				positive)
			if err != nil {
				return err
			}
			for i := range a {
				means[i] += v[i] / float64(len(labels))
				means[3+i] += a[i] / float64(len(labels))
			}
			fmt.Fprintf(s.Out, "%-8d %5d  %8.3f %8.3f %8.3f  %8.3f %8.3f %8.3f  %9.3f %7.3f\n",
				label, k, v[0], v[1], v[2], a[0], a[1], a[2],
				d.Precision(), d.Recall())
		}
		fmt.Fprintf(s.Out, "%-8s %5d  %8.3f %8.3f %8.3f  %8.3f %8.3f %8.3f\n", "mean", k, means[0],
			means[1], means[2], means[3], means[4], means[5])
	}
	return nil
}

// validate measures a model on validation rows, and chooses the threshold of -score on those that
// are not of the label.
func (o *outliersCommand) validate(m reduce.Reducer, valid *rows, label int) (a [3]float64,
	threshold float64, err error) {
	by, err := scores(m, valid.x)
	if err != nil {
		return a, 0, err
	}
	positive := valid.isLabel(label)
	if a, err = aucs(by, positive); err != nil {
		return a, 0, err
	}
	var normal []float64
	for i, s := range by[slices.Index(scoreNames, o.score)] {
		if !positive[i] {
			normal = append(normal, s)
		}
	}
	threshold, err = metrics.Quantile(normal, o.quantile)
	return a, threshold, err
}
