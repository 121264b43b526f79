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

	"github.com/seqzoo/seqzoo/examples/internal/cli"
	"github.com/seqzoo/seqzoo/zoo/metrics"
)

// outliersCommand is the flags of outliers.
type outliersCommand struct {
	cli.Training
	source
	shape
	codes, test, testLabels string
	valid, quantile         float64
}

func (o *outliersCommand) register(f *flag.FlagSet) {
	o.source.register(f)
	o.shape.register(f)
	f.StringVar(&o.codes, "codes", "2", "comma-separated `numbers` of the widths of code to try")
	f.StringVar(&o.test, "test", "", "IDX or CSV `file` to measure on, instead of MNIST's test file")
	f.StringVar(&o.testLabels, "test-labels", "", "IDX `file` of its labels")
	f.Float64Var(&o.valid, "valid", 0.1, "share of the rows, from the end, that validate; they are measured on too")
	f.Float64Var(&o.quantile, "quantile", 0.95, "share of the normal validation rows whose relative error the threshold is above")
	o.Training.Register(f)
}

func (o *outliersCommand) check() error {
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
	if (o.data == "") != (o.test == "") {
		errs = append(errs, errors.New("-data and -test go together"))
	}
	if !(o.valid > 0 && o.valid < 1) || !(o.quantile > 0 && o.quantile <= 1) {
		errs = append(errs, fmt.Errorf("-valid is %g and -quantile %g; want shares", o.valid, o.quantile))
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
	all, err := o.read("train", true)
	if err != nil {
		return err
	}
	other := o.source
	other.data, other.labels = o.test, o.testLabels
	test, err := other.read("t10k", true)
	if err != nil {
		return err
	}
	codes, err := o.list()
	if err != nil {
		return err
	}
	labels := slices.Compact(slices.Sorted(slices.Values(all.labels)))
	fmt.Fprintf(s.Out, "%-8s %5s  %9s %9s  %9s %9s  %9s %7s\n", "left out", "code", "valid AUC", "relative", "test AUC", "relative", "precision", "recall")
	for _, k := range codes {
		var means [4]float64
		for _, label := range labels {
			sh, t := o.shape, o.Training
			sh.code = k
			if t.Save != "" {
				t.Save = filepath.Join(o.Save, fmt.Sprintf("without-%d-code-%d", label, k))
			}
			fitted, valid := all.split(o.valid)
			m, err := fit(ctx, s, &t, sh, fitted.without(label), valid.without(label), o.quantile, map[string]string{
				"-data": o.data, "-limit": strconv.Itoa(o.limit), "-without": strconv.Itoa(label), "-valid": fmt.Sprint(o.valid),
			})
			if err != nil {
				return err
			}
			var aucs [4]float64
			var d metrics.Detection // by the relative error, above the threshold chosen on normal validation rows
			for i, r := range []*rows{valid, test} {
				positive := r.isLabel(label)
				for j, name := range []string{"error", "relative"} {
					errs, err := scores[name](m, r.x)
					if err != nil {
						return err
					}
					if aucs[2*i+j], err = metrics.ROCAUC(errs, positive); err != nil {
						return err
					}
					if name == "error" {
						continue
					}
					if r == valid {
						var normal []float64
						for n, e := range errs {
							if !positive[n] {
								normal = append(normal, e)
							}
						}
						d.Threshold, err = metrics.Quantile(normal, o.quantile)
					} else {
						d, err = metrics.DetectAbove(d.Threshold, errs, positive)
					}
					if err != nil {
						return err
					}
				}
			}
			for i, a := range aucs {
				means[i] += a / float64(len(labels))
			}
			fmt.Fprintf(s.Out, "%-8d %5d  %9.3f %9.3f  %9.3f %9.3f  %9.3f %7.3f\n", label, k, aucs[0], aucs[1], aucs[2], aucs[3], d.Precision(), d.Recall())
		}
		fmt.Fprintf(s.Out, "%-8s %5d  %9.3f %9.3f  %9.3f %9.3f\n", "mean", k, means[0], means[1], means[2], means[3])
	}
	return nil
}
