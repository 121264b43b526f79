package forecast

import (
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Session forecasts a series as it comes in, row by row: it keeps the last Lookback rows, which are
// all that a forecast depends on. One goroutine at a time.
type Session struct {
	m    *Model
	rows [][]float64 // at most Lookback, the oldest first
}

// NewSession begins a series.
func (m *Model) NewSession() *Session { return &Session{m: m} }

// Push adds the next row of the series, [Variables], in its units. After an error the session is as
// before.
func (s *Session) Push(row []float64) error {
	if s.m == nil {
		return errNoSession
	}
	if _, err := s.m.standardise(row, len(s.rows)); err != nil {
		return prefix.Wrap(err)
	}
	if len(s.rows) == s.m.cfg.Lookback {
		s.rows = append(s.rows[:0], s.rows[1:]...)
	}
	s.rows = append(s.rows, slices.Clone(row))
	return nil
}

// Ready reports whether there are as many rows as a forecast reads.
func (s *Session) Ready() bool { return s.m != nil && len(s.rows) == s.m.cfg.Lookback }

// Forecast forecasts the Horizon steps behind the last row: [Horizon][Targets], in the units of the
// series; ahead is that of Model.Forecast. Before it is Ready that is an error.
func (s *Session) Forecast(ahead ...[]float64) ([][]float64, error) {
	if s.m == nil {
		return nil, errNoSession
	}
	return s.m.Forecast(s.rows, ahead...)
}

// Reset begins a new series.
func (s *Session) Reset() { s.rows = nil }

const windowPart = "window"

// State is the rows that count, as a value: another session, or one of a later run of the program,
// goes on from it by SetState. Before the first row it is empty.
func (s *Session) State() (zoo.State, error) {
	if s.m == nil || len(s.rows) == 0 {
		return zoo.State{}, nil
	}
	parts, err := run.NewState([]cells.Part{{Name: windowPart, Width: len(s.rows[0])}}, len(s.rows),
		nodes.Float64)
	if err != nil {
		return zoo.State{}, prefix.Wrap(err)
	}
	for i, row := range s.rows {
		parts.Parts()[0].Put64(i*len(row), row)
	}
	return shared.NewState(architecture, &s.m.identity, parts, nil), nil
}

// SetState makes the session one that has read what the state's had. A state of another model, or
// of one with other weights, is an error of the kind zoo.ErrMisfit. After an error the session is
// as before.
func (s *Session) SetState(state zoo.State) error {
	if s.m == nil {
		return errNoSession
	}
	if state.Empty() {
		s.Reset()
		return nil
	}
	parts, _, err := state.Of(architecture, &s.m.identity)
	if err != nil {
		return prefix.Wrap(err)
	}
	fresh, V := s.m.NewSession(), len(s.m.cfg.Variables)
	if n := len(parts.Parts()); n != 1 || parts.Parts()[0].Len()%V != 0 ||
		parts.Parts()[0].Len() > V*s.m.cfg.Lookback {
		return prefix.Errorf("the state holds no window of this model: %w", zoo.ErrMisfit)
	}
	for row := range slices.Chunk(parts.Parts()[0].Float64s(), V) {
		if err := fresh.Push(row); err != nil {
			return err
		}
	}
	*s = *fresh
	return nil
}

var errNoSession = prefix.Errorf("the session is none that NewSession made")
