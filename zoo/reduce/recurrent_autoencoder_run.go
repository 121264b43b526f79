package reduce

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// checkSeries reports series that cannot be read.
func (m *RecurrentAutoencoder) checkSeries(series [][]float32) error {
	if len(series) == 0 {
		return errors.New("there are no series")
	}
	for i, x := range series {
		if err := m.checkOne(x); err != nil {
			return fmt.Errorf("series %d: %w", i, err)
		}
	}
	return nil
}

func (m *RecurrentAutoencoder) checkOne(x []float32) error {
	if err := checkRows(x, m.cfg.Variables, "variables"); err != nil {
		return fmt.Errorf("step and variable: %w", err)
	}
	if T := len(x) / m.cfg.Variables; T > MaxSteps {
		return fmt.Errorf("it has %d steps; at most %d are read", T, MaxSteps)
	}
	return nil
}

// EncodeSeries returns the codes [N, K] of N series [T, V] of any lengths.
func (m *RecurrentAutoencoder) EncodeSeries(series [][]float32) ([]float32, error) {
	if err := m.checkSeries(series); err != nil {
		return nil, recurrentPrefix.Wrap(err)
	}
	var codes []float32
	err := m.run(encodeSeries, scaled(m.scaling, series), nil, nil,
		func(g *seriesGraph, n int, _ []int) {
			codes = append(codes, g.Output(0).Rows(0, n).Float32s()...)
		})
	return finiteRows("recurrent autoencoder", codes, m.cfg.Code, err)
}

// DecodeSeries writes the series [T, V] of the given lengths T that codes [N, K] stand for.
func (m *RecurrentAutoencoder) DecodeSeries(codes []float32, lengths []int) ([][]float32, error) {
	fail := func(err error) ([][]float32, error) {
		return nil,
			recurrentPrefix.Wrap(err)
	}
	if err := checkRows(codes, m.cfg.Code, "code"); err != nil {
		return fail(err)
	}
	if n := len(codes) / m.cfg.Code; n != len(lengths) {
		return fail(fmt.Errorf("%d codes and %d lengths: want as many", n, len(lengths)))
	}
	for i, T := range lengths {
		if T < 1 || T > MaxSteps {
			return fail(fmt.Errorf("length %d is %d, want 1 … %d", i, T, MaxSteps))
		}
	}
	series, err := m.written(decodeSeries, nil, codes, lengths)
	if err != nil {
		return nil, err
	}
	for i, x := range series {
		if _, err := finiteRows("", m.scaling.restore(x), len(x), nil); err != nil {
			return fail(&RowError{i, shared.ErrOverflow})
		}
	}
	return series, nil
}

// StepErrors is the squared error a variable of each step of series, [T] each, after standardising
// if the model does that.
func (m *RecurrentAutoencoder) StepErrors(series [][]float32) ([][]float64, error) {
	if err := m.checkSeries(series); err != nil {
		return nil, recurrentPrefix.Wrap(err)
	}
	x := scaled(m.scaling, series)
	y, err := m.written(bothWays, x, nil, nil)
	if err != nil {
		return nil, err
	}
	errs := make([][]float64, len(x))
	for i := range x {
		errs[i] = rowErrors(x[i], y[i], m.cfg.Variables)
	}
	return errs, nil
}

// windows cuts rows [N, D] into series.
func (m *RecurrentAutoencoder) windows(x []float32) (series [][]float32, err error) {
	if err := checkRows(x, m.Features(), "features"); err != nil {
		return nil, recurrentPrefix.Wrap(err)
	}
	for d := m.Features(); len(x) > 0; x = x[d:] {
		series = append(series, x[:d:d])
	}
	return series, nil
}

// Transform returns the codes [N, K] of windows [N, D].
func (m *RecurrentAutoencoder) Transform(x []float32) ([]float32, error) {
	series, err := m.windows(x)
	if err != nil {
		return nil, err
	}
	return m.EncodeSeries(series)
}

// InverseTransform returns the windows [N, D] that codes [N, K] stand for.
func (m *RecurrentAutoencoder) InverseTransform(codes []float32) ([]float32, error) {
	lengths := make([]int, len(codes)/max(m.cfg.Code, 1))
	for i := range lengths {
		lengths[i] = m.cfg.Window
	}
	series, err := m.DecodeSeries(codes, lengths)
	if err != nil {
		return nil, err
	}
	x := make([]float32, 0, len(series)*m.Features())
	for _, s := range series {
		x = append(x, s...)
	}
	return x, nil
}

// Errors is the squared error a step and variable of each window, [N], after standardising if the
// model does that.
func (m *RecurrentAutoencoder) Errors(x []float32) ([]float64, error) {
	series, err := m.windows(x)
	if err != nil {
		return nil, err
	}
	steps, err := m.StepErrors(series)
	if err != nil {
		return nil, err
	}
	errs := make([]float64, len(steps))
	for i, of := range steps {
		for _, e := range of {
			errs[i] += e / float64(len(of))
		}
	}
	return errs, nil
}

// scaled is series as the model sees them.
func scaled(s *scaling, series [][]float32) [][]float32 {
	if s == nil {
		return series
	}
	out := make([][]float32, len(series))
	for i, x := range series {
		out[i] = s.apply(x)
	}
	return out
}

// run runs series, or codes with lengths, through graphs of one use, some at a time, and calls each
// with the graph, how many of its B are real, and their lengths.
func (m *RecurrentAutoencoder) run(use string, series [][]float32, codes []float32, lengths []int,
	each func(g *seriesGraph, n int, lengths []int)) error {
	const most = 64
	if lengths == nil {
		for _, x := range series {
			lengths = append(lengths, len(x)/m.cfg.Variables)
		}
	}
	for len(lengths) > 0 {
		n := min(len(lengths), most)
		shape := seriesShape{use: use, T: slices.Max(lengths[:n]), B: n}
		err := m.graphs.Do(shape, m.compile, func(g *seriesGraph) error {
			if series != nil {
				g.feed(series[:n])
			} else {
				g.codes.Fill(0)
				clear(g.lengths)
				g.codes.Put32(0, codes[:n*m.cfg.Code])
				copy(g.lengths, lengths[:n])
			}
			if err := g.Run(0, 0); err != nil {
				return err
			}
			each(g, n, lengths[:n])
			return nil
		})
		if err != nil {
			return recurrentPrefix.Wrap(err)
		}
		if series != nil {
			series = series[n:]
		} else {
			codes = codes[n*m.cfg.Code:]
		}
		lengths = lengths[n:]
	}
	return nil
}

// written is the series that come out of a use of the model, as the model sees them.
func (m *RecurrentAutoencoder) written(use string, series [][]float32, codes []float32,
	lengths []int) (out [][]float32, err error) {
	V := m.cfg.Variables
	err = m.run(use, series, codes, lengths, func(g *seriesGraph, n int, lengths []int) {
		y := g.Output(0)
		B := len(g.lengths)
		for b := range n {
			x := make([]float32, lengths[b]*V)
			for t := range lengths[b] {
				y.Read32((t*B+b)*V, x[t*V:(t+1)*V])
			}
			out = append(out, x)
		}
	})
	return out, err
}
