package forecast

import (
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Layouts is the model over windows, "window": [Lookback, batch, variables], and what else Forward
// reads behind them, to forecasts [Horizon, batch, targets], or [Horizon, batch, targets,
// quantiles]. Both are standardised: the text "scale.json" has means and deviations.
func (m *Model) Layouts() []zoo.Layout {
	if shared.Made(m.store) != nil {
		return nil
	}
	return []zoo.Layout{{Name: "window", Sizes: []string{"batch"},
		Build: func(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
			x := g.Input("window", m.cfg.Lookback, sizes[0], m.inputs())
			return []zoo.Port{{Name: "window", Node: x}},
				[]zoo.Port{{Name: "forecast", Node: m.Forward(x, unroll.Scan)}}
		}}}
}
