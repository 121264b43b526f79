package train

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/nodes"
)

// Goal says which of two values of a metric is the better one.
type Goal string

// The goals. The empty one is that of the metric's name, as [GoalOf] reads it.
const (
	Smaller Goal = "smaller"
	Larger  Goal = "larger"
)

// The words in the names of metrics that tell which value is better.
var (
	smallerWords = []string{"loss", "error", "errors", "err", "gap", "perplexity", "ppl", "nll",
		"mse", "rmse", "mae", "mape", "smape", "mase", "bce", "entropy", "crossentropy", "kl",
		"reconstruction", "distance", "wer", "cer", "ter", "bits", "bpc", "bpb", "pinball",
		"deviation"}
	largerWords = []string{"accuracy", "acc", "f1", "precision", "recall", "bleu", "auc", "rouge",
		"meteor", "chrf", "spearman", "pearson", "correlation", "r2", "likelihood", "elbo",
		"reward", "iou"}
	turningWords = []string{"negative", "neg", "minus", "inverse"}
)

// GoalOf tells by the words of a metric's name which value is better: that of valid_loss is
// Smaller, that of valid_accuracy Larger. A loss, an error or a gap of something is to be small,
// whatever it is of. The answer is empty for a name without a known word, and for one that turns
// the meaning round, such as negative_likelihood.
func GoalOf(metric string) Goal {
	words := strings.FieldsFunc(strings.ToLower(metric), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	has := func(known []string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(known, w) })
	}
	switch {
	case has(turningWords):
		return ""
	case has(smallerWords):
		return Smaller
	case has(largerWords):
		return Larger
	}
	return ""
}

// goalsWanted completes "it must be".
const goalsWanted = `"smaller", "larger" or ""`

// known reports whether g is a goal, the empty one included.
func (g Goal) known() bool { return g == "" || g == Smaller || g == Larger }

// worst is what every finite value is better than.
func (g Goal) worst() float64 {
	if g == Larger {
		return math.Inf(-1)
	}
	return math.Inf(1)
}

// kind names the kind of a State for this goal. States of the two goals have different kinds, since
// the best metric of one goal means nothing to the other.
func (g Goal) kind(of string) string {
	if g == Larger {
		return of + "_larger"
	}
	return of
}

// better reports whether a metric is better than another by more than a margin. What is not finite
// never is.
func (g Goal) better(metric, than, margin float64) bool {
	if metric-metric != 0 {
		return false
	}
	if g == Larger {
		return metric > than+margin
	}
	return metric < than-margin
}

// aimed is a part of a configuration that compares metrics.
type aimed interface {
	aim() *Goal
	observations() int // so far
}

// aimAll settles the goal of everything that goes by Monitor.
func (f *fit) aimAll() error {
	parts := f.aimed()
	goal := f.Goal
	for name, p := range parts {
		own := *p.aim()
		if own != "" && goal != "" && own != goal {
			return fmt.Errorf("train: Fit: the goal of %s is %s, and another one is %s: they "+
				"observe one metric, %s",
				name, own, goal, f.Monitor)
		}
		goal = cmp.Or(goal, own)
	}
	if goal == "" {
		goal = GoalOf(f.Monitor)
	}
	if goal == "" && (len(parts) > 0 || f.RestoreBest) {
		return fmt.Errorf("train: Fit: whether a larger %q is better cannot be told by its name; "+
			"set Config.Goal to train.Larger or train.Smaller",
			f.Monitor)
	}
	f.Goal = goal
	for _, p := range parts {
		*p.aim() = goal
	}
	f.best.value = goal.worst()
	return nil
}

// aimed are the parts that observe Monitor, by their names.
func (f *fit) aimed() map[string]aimed {
	parts := map[string]aimed{}
	if f.EarlyStop != nil {
		parts["EarlyStop"] = f.EarlyStop
	}
	if p, ok := f.Schedule.(*plateau); ok {
		parts["Schedule"] = p
	}
	return parts
}

// checkFresh refuses what another training has used: it would compare this one with that, or
// average both.
func (f *fit) checkFresh() error {
	if f.Average != nil && f.Average.steps > 0 {
		return fmt.Errorf("train: Fit: Average has averaged %d updates of another training already; "+
			"make a new one for each", f.Average.steps)
	}
	for name, p := range f.aimed() {
		if n := p.observations(); n > 0 {
			return fmt.Errorf("train: Fit: %s has observed %d metrics of another training "+
				"already; make a new one for each",
				name, n)
		}
	}
	return nil
}

// Best is the best validation of a training. Epoch is 0 if there was none.
type Best struct {
	Metric      string // Config.Monitor
	Value       float64
	Epoch, Step int // after which it was measured
}

// best is the best validation so far.
type best struct {
	value       float64
	epoch, step int
	weights     []vector // if there are no Checkpoints to keep them in
}

// keepsBest reports whether the weights of the best validation are kept.
func (f *fit) keepsBest() bool { return f.EarlyStop != nil || f.RestoreBest }

// observe tells schedule and early stop of a validation, and keeps the weights if it was the best
// so far. Loss is the mean of the epoch.
func (f *fit) observe(metrics map[string]float64, loss float64) error {
	m, ok := metrics[f.Monitor]
	if f.Monitor == "loss" {
		m, ok = loss, true
	}
	if !ok && f.monitored {
		if len(metrics) == 0 {
			return fmt.Errorf("train: Monitor is %s, but Validate measures nothing: there are no "+
				"data to validate on", f.Monitor)
		}
		return fmt.Errorf("train: Monitor is %s, but all that Validate measures is %q",
			f.Monitor, slices.Sorted(maps.Keys(metrics)))
	}
	if !ok {
		return nil
	}
	if f.Schedule != nil {
		f.Schedule.Observe(m)
	}
	if f.EarlyStop != nil {
		f.EarlyStop.Observe(m)
	}
	if f.Goal == "" || !f.Goal.better(m, f.best.value, 0) {
		return nil
	}
	f.best.value, f.best.epoch, f.best.step = m, f.epoch, f.step
	if !f.keepsBest() {
		return nil
	}
	return f.averaged(func() error {
		if f.together() && f.saves {
			if err := f.collect(); err != nil {
				return err
			}
		}
		if f.Checkpoints != nil {
			return f.Checkpoints.SaveBest(f.checkpoint())
		}
		if f.RestoreBest && !f.saves {
			return f.copyWeights()
		}
		return nil
	})
}

// copyWeights keeps the weights as they are now in memory.
func (f *fit) copyWeights() error {
	for i, vg := range f.values {
		p, err := openValue(i, vg)
		if err != nil {
			return fmt.Errorf("train: the best weights: %w", err)
		}
		if len(f.best.weights) < len(f.values) {
			f.best.weights = append(f.best.weights, p.value.clone())
		} else {
			f.best.weights[i].copyFrom(p.value)
		}
	}
	return nil
}

// restoreBest gives the parameters the weights of the best validation, if there was one.
func (f *fit) restoreBest() error {
	if f.best.epoch == 0 {
		f.warn("no epoch was done, so that nothing was validated: there is no best %s, and the "+
			"weights are the last ones", f.Monitor)
		return nil
	}
	if f.Checkpoints != nil {
		c, err := f.Checkpoints.best(f.fits)
		if err == nil {
			err = c.Apply(f.params())
		}
		if err != nil {
			return fmt.Errorf("train: the best weights: %w", err)
		}
	}
	if f.together() && f.saves {
		return f.shareWeights()
	}
	if f.Checkpoints != nil {
		return nil
	}
	for i, vg := range f.values {
		p, err := openValue(i, vg)
		if err != nil {
			return fmt.Errorf("train: the best weights: %w", err)
		}
		p.value.copyFrom(f.best.weights[i])
	}
	return nil
}

// neverFinite reports a Monitor of which no epoch knew a number.
func (f *fit) neverFinite() error {
	_, values := f.history.Column(f.Monitor)
	for _, v := range values {
		if v-v == 0 {
			return nil
		}
	}
	if len(values) == 0 {
		return nil
	}
	return errorOf(ErrNotFinite,
		"train: %s is %v after the last of %d epochs, and was not finite after any: the "+
			"validation tells nothing of the weights",
		f.Monitor, values[len(values)-1], len(values))
}

// averaged calls do while the parameters are their averages, if there are any.
func (f *fit) averaged(do func() error) error {
	if f.Average == nil {
		return do()
	}
	if err := f.Average.Swap(f.values); err != nil {
		return err
	}
	return errors.Join(do(), f.Average.Swap(f.values))
}

// weight is a parameter without gradient.
type weight struct{ *nodes.Param }

func (w weight) Value() gorgonia.Value { return w.Param.Value() }
func (w weight) Grad() (gorgonia.Value, error) {
	return nil, fmt.Errorf("%s has no gradient here", w.Name())
}
