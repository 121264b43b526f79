package all_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
)

// unrolledTask is taskOf by a strategy and with recomputation.
func unrolledTask(m zoo.Model, by unroll.Strategy, recompute int) (train.Task, error) {
	learn, _ := ids(theSame)
	switch m := m.(type) {
	case *lm.Model:
		return m.Task(lm.Data{Train: slices.Concat(learn...), Batch: 4, Unroll: by,
			Recompute: recompute, Window: unroll.Window{Stride: 5}})
	case *label.Tagger:
		return m.Task(label.Data{Train: labelled(learn, 3), Batch: 4, Unroll: by,
			Recompute: recompute})
	}
	d := seq2seq.Data{Batch: 4, Unroll: by, Recompute: recompute}
	for _, s := range learn {
		d.Train = append(d.Train, seq2seq.Pair{Source: s, Target: s})
	}
	return m.(*seq2seq.Model).Task(d)
}

// Cells of odd kinds in all their wrappers learn the same whether steps are one loop or laid out,
// states kept or computed again, and batches whole or divided: every row has the noise that it has
// in the whole, also where a part of its state is a matrix.
func TestOddCellsInEveryWay(t *testing.T) {
	for _, spec := range []string{
		"odd-tape,norm,weight_drop=0.3,hidden_dropout=0.2,zoneout=0.1,zoneout_parts=all",
		"odd-gap,noise=0.2,norm,weight_drop=0.3,hidden_dropout=0.2,zoneout=0.1",
		"convlstm,width=2,peephole,norm,weight_drop=0.2,zoneout=0.2,zoneout_parts=c/odd-blur,norm",
	} {
		for _, family := range []string{"lm", "tagger", "seq2seq bahdanau"} {
			t.Run(spec+"/"+family, func(t *testing.T) {
				t.Parallel()
				fit := func(by unroll.Strategy, recompute, shards int) (sum float64) {
					m, err := families[family](zoo.Recurrent{Cell: spec, Hidden: 4})
					require.NoError(t, err)
					task, err := unrolledTask(m, by, recompute)
					require.NoError(t, err)
					_, err = train.Fit(t.Context(), task, train.Config{
						Optimizer: must(train.NewSGD(train.SGDConfig{LR: 0.01})), Epochs: 2,
						MaxSteps: 2, Seed: 1, Shards: shards, Warn: func(string) {}})
					require.NoError(t, err)
					for _, p := range m.Params().Params() {
						for i, x := range p.Value().Float32s() {
							sum += float64(x) * float64(1+i%3)
						}
					}
					return sum
				}
				want := fit(unroll.Scan, 0, 0)
				require.InDelta(t, want, fit(unroll.Expand, 0, 0), 1e-3, "laid out")
				require.InDelta(t, want, fit(unroll.Scan, 2, 0), 1e-4, "computed again")
				require.InDelta(t, want, fit(unroll.Scan, 0, 2), 1e-3, "in shards")
			})
		}
	}
}
