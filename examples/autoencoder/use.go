package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/reduce"
)

// report writes what a model reaches on rows.
func report(ctx context.Context, s cli.Std, m reduce.Reducer, r *rows, name string) error {
	if r.width != m.Features() {
		return fmt.Errorf("a row has %d numbers, and the model reads rows of %d", r.width,
			m.Features())
	}
	mean, err := reduce.MeanError(m, r.x)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "%s, %d rows: squared error %.5f a feature, code of %d numbers for %d\n",
		name, r.len(), mean, m.Codes(), m.Features())
	switch m := m.(type) {
	case *reduce.PCA:
		var kept float64
		for _, v := range m.ExplainedVarianceRatio() {
			kept += v
		}
		fmt.Fprintf(s.Out, "the components keep %.1f %% of the variance of the rows they "+
			"were fitted to\n", 100*kept)
	case *reduce.VAE:
		b, err := m.Bound(ctx, r.x)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "negative evidence lower bound %.2f nats a row: reconstruction %.2f, "+
			"divergence %.2f\n", b.Total(), b.Reconstruction, b.KL)
	case *reduce.Autoencoder:
		if c := m.Config().Corruption; c.Kind != "" {
			return reportNoise(s, m, c, r)
		}
	}
	return nil
}

// reportNoise writes how much noise of its own kind a denoising autoencoder takes away.
func reportNoise(s cli.Std, m reduce.Reducer, c reduce.Corruption, r *rows) error {
	noisy, err := c.Apply(r.x, r.width, 1)
	if err != nil {
		return err
	}
	clean, err := reduce.Reconstruct(m, noisy)
	if err != nil {
		return err
	}
	low, high := r.x[0], r.x[0]
	for _, v := range r.x {
		low, high = min(low, v), max(high, v)
	}
	if low == high {
		fmt.Fprintf(s.Out, "all numbers are %g: there is no signal to measure noise against\n", low)
		return nil
	}
	before, err := metrics.MSE(noisy, r.x)
	if err != nil {
		return err
	}
	after, err := metrics.MSE(clean, r.x)
	if err != nil {
		return err
	}
	if before == 0 {
		fmt.Fprintf(s.Out, "%s noise of %g changed nothing: there is none to take away\n", c.Kind,
			c.Amount)
		return nil
	}
	p, q := metrics.PSNR(before, float64(high-low)), metrics.PSNR(after, float64(high-low))
	fmt.Fprintf(s.Out, "%s noise of %g: %.2f dB noisy, %.2f dB denoised, a gain of %.2f dB (PSNR)\n", c.Kind, c.Amount, p, q, q-p)
	return nil
}

// scoreNames are the ways to say how unlike the others a row is: by its error, by its error
// relative to what is in the row, and by the geometric mean of the two.
var scoreNames = []string{"error", "relative", "mean"}

// scores are those of rows, by the names above.
func scores(m reduce.Reducer, x []float32) (by [3][]float64, err error) {
	if by[0], err = m.Errors(x); err != nil {
		return by, err
	}
	if by[1], err = reduce.RelativeErrors(m, x); err != nil {
		return by, err
	}
	for i, e := range by[0] {
		by[2] = append(by[2], math.Sqrt(e*by[1][i]))
	}
	return by, nil
}

// aucs are the areas under the curves of the scores.
func aucs(by [3][]float64, positive []bool) (a [3]float64, err error) {
	for i, s := range by {
		if a[i], err = metrics.ROCAUC(s, positive); err != nil {
			return a, err
		}
	}
	return a, nil
}

// isLabel marks the rows of a label.
func (r *rows) isLabel(label int) []bool {
	positive := make([]bool, r.len())
	for i, l := range r.labels {
		positive[i] = l == label
	}
	return positive
}

type evaluateCommand struct {
	source
	model     string
	anomalous int
	explain   int
}

func (e *evaluateCommand) register(f *flag.FlagSet) {
	e.source.register(f)
	cli.ModelFlag(f, &e.model, "")
	f.IntVar(&e.anomalous, "anomalous", -1,
		"measure how well the rows of this label are found as anomalies")
	f.IntVar(&e.explain, "explain", 0,
		"tell of so many rows, those with the largest errors, which numbers make them")
}

func (e *evaluateCommand) check() error {
	err := errors.Join(cli.Required("model", e.model), e.source.check())
	if e.explain < 0 {
		err = errors.Join(err, fmt.Errorf("-explain is %d; want 0 or more rows", e.explain))
	}
	return err
}

func (e *evaluateCommand) run(ctx context.Context, s cli.Std) error {
	m, err := reduce.Load(e.model)
	if err != nil {
		return err
	}
	r, err := e.read(s.Messages, "t10k", e.anomalous >= 0)
	if err != nil {
		return err
	}
	if err := report(ctx, s, m, r, "test"); err != nil {
		return err
	}
	if err := explain(s.Out, m, r, e.explain); err != nil || e.anomalous < 0 {
		return err
	}
	positive := r.isLabel(e.anomalous)
	by, err := scores(m, r.x)
	if err != nil {
		return err
	}
	a, err := aucs(by, positive)
	if err != nil {
		return err
	}
	d, err := metrics.DetectAbove(m.Threshold(), by[0], positive)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "label %d as anomaly: AUC %.3f by the error, %.3f relative, %.3f by their geometric mean; "+
		"error above the threshold %.5f: precision %.3f, recall %.3f, F1 %.3f\n",
		e.anomalous, a[0], a[1], a[2], d.Threshold, d.Precision(), d.Recall(), d.F1())
	return nil
}

// explain tells of the n rows with the largest errors which numbers make them.
func explain(out io.Writer, m reduce.Reducer, r *rows, n int) error {
	if n == 0 {
		return nil
	}
	errs, err := m.Errors(r.x)
	if err != nil {
		return err
	}
	order := make([]int, len(errs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(errs[j], errs[i]) })
	for _, i := range order[:min(n, len(order))] {
		all, err := reduce.Explain(m, r.slice(i, i+1).x, r.variables)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "row %d, error %.5g:", i, errs[i])
		for k, c := range all[0][:min(3, len(all[0]))] {
			name := fmt.Sprint("number ", c.Variable)
			if r.names != nil {
				name = r.names[c.Variable]
			}
			if r.width > r.variables {
				name += fmt.Sprint(" at step ", c.Step)
			}
			fmt.Fprintf(out, "%s %s is %.5g, not %.5g (%.0f %%)", strings.Repeat(";", min(k, 1)), name,
				c.Value, c.Expected, 100*c.Share)
		}
		fmt.Fprintln(out)
	}
	return nil
}

type compareCommand struct {
	source
	models string
}

func (c *compareCommand) register(f *flag.FlagSet) {
	c.source.register(f)
	f.StringVar(&c.models, "models", "",
		"comma-separated `directories` of models; linear ones are compared with the first PCA of their size")
}

func (c *compareCommand) check() error {
	return errors.Join(cli.Required("models", c.models), c.source.check())
}

func (c *compareCommand) run(_ context.Context, s cli.Std) error {
	r, err := c.read(s.Messages, "t10k", false)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "%-24s %-20s %5s %10s %9s %8s %10s\n", "model", "architecture", "code",
		"parameters", "error", "of PCA's", "angle")
	pcas := map[int]*reduce.PCA{}
	pcaErrors := map[int]float64{}
	for _, dir := range strings.Split(c.models, ",") {
		m, err := reduce.Load(strings.TrimSpace(dir))
		if err != nil {
			return err
		}
		if r.width != m.Features() {
			return fmt.Errorf("a row has %d numbers, and %s reads rows of %d", r.width, dir,
				m.Features())
		}
		mean, err := reduce.MeanError(m, r.x)
		if err != nil {
			return err
		}
		k := m.Codes()
		if p, ok := m.(*reduce.PCA); ok && pcas[k] == nil {
			pcas[k], pcaErrors[k] = p, mean
		}
		share, angle := "", ""
		if p := pcas[k]; p != nil {
			if share = "-"; pcaErrors[k] > 0 {
				share = fmt.Sprintf("%.1f %%", 100*mean/pcaErrors[k])
			}
			if angle, err = angleTo(p, m); err != nil {
				return err
			}
		}
		fmt.Fprintf(s.Out, "%-24s %-20s %5d %10d %9.5f %8s %10s\n", filepath.Base(dir),
			m.Architecture(), k, m.Params().Count(), mean, share, angle)
	}
	return nil
}

// angleTo is the largest angle between the components and the space of a linear autoencoder, or ""
// for another model.
func angleTo(p *reduce.PCA, m reduce.Reducer) (string, error) {
	a, ok := m.(*reduce.Autoencoder)
	if !ok || len(a.Config().Widths) != 1 || a.Config().CodeActivation != "linear" ||
		a.Config().Output != "linear" {
		return "", nil
	}
	w, ok := a.Params().Get("decoder/l0/W") // [K, D]; tied, the encoder's [D, K]
	if !ok {
		w, _ = a.Params().Get("encoder/l0/W")
	}
	K, D := m.Codes(), m.Features()
	basis := make([]float64, K*D)
	for i, v := range w.Value().Float32s() {
		if ok {
			basis[i] = float64(v)
		} else {
			basis[i%K*D+i/K] = float64(v)
		}
	}
	angles, err := reduce.PrincipalAngles(p.Components(), basis, D)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%.2f°", angles[K-1]*180/math.Pi), nil
}

// numbers reads a line of n numbers.
func numbers(line string, n int) ([]float32, error) {
	x, err := cli.Numbers(line, n)
	if err != nil {
		return nil, err
	}
	single := make([]float32, n)
	for i, v := range x {
		single[i] = float32(v)
	}
	return single, nil
}

func writeNumbers(w io.Writer, x []float32) error {
	var b strings.Builder
	for i, v := range x {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatFloat(float64(v), 'g', 6, 32))
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

type denoiseCommand struct{ model string }

func (d *denoiseCommand) register(f *flag.FlagSet) {
	cli.ModelFlag(f, &d.model, "")
}

func (d *denoiseCommand) check() error { return cli.Required("model", d.model) }

func (d *denoiseCommand) run(ctx context.Context, s cli.Std) error {
	m, err := reduce.Load(d.model)
	if err != nil {
		return err
	}
	return cli.Lines(ctx, s.In, s.Messages, func(line string) error {
		x, err := numbers(line, m.Features())
		if err != nil {
			return err
		}
		y, err := reduce.Reconstruct(m, x)
		if err != nil {
			return err
		}
		return writeNumbers(s.Out, y)
	})
}

type anomalyCommand struct {
	model     string
	threshold float64
}

func (a *anomalyCommand) register(f *flag.FlagSet) {
	cli.ModelFlag(f, &a.model, "")
	f.Float64Var(&a.threshold, "threshold", 0,
		"error above which a row is an anomaly; 0 for the model's")
}

func (a *anomalyCommand) check() error {
	return errors.Join(cli.AtLeast("threshold", a.threshold, 0), cli.Required("model", a.model))
}

// run answers each line. A recurrent model reads the variables of one time a line, and judges the
// window that ends there.
func (a *anomalyCommand) run(ctx context.Context, s cli.Std) error {
	m, err := reduce.Load(a.model)
	if err != nil {
		return err
	}
	threshold := a.threshold
	if threshold == 0 {
		threshold = m.Threshold()
	}
	if threshold == 0 {
		return fmt.Errorf("%s has no threshold; give one by -threshold", a.model)
	}
	width := m.Features()
	if r, ok := m.(*reduce.RecurrentAutoencoder); ok {
		width = r.Config().Variables
	}
	var window []float32
	return cli.EachLine(ctx, s.In, s.Messages, func(_ int, line string, err error) error {
		var x []float32
		if err == nil {
			x, err = numbers(line, width)
		}
		if err != nil {
			window = window[:0] // times on both sides of a gap do not follow each other
			return err
		}
		window = append(window, x...)
		if len(window) < m.Features() {
			_, err = fmt.Fprintln(s.Out, "-\treading")
			return err
		}
		errs, err := m.Errors(window)
		if err != nil {
			return err
		}
		window = append(window[:0], window[width:]...)
		verdict := "normal"
		if errs[0] > threshold {
			verdict = "anomaly"
		}
		_, err = fmt.Fprintf(s.Out, "%.6g\t%s\n", errs[0], verdict)
		return err
	})
}
