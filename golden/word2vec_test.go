package golden_test

import (
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/zoo/word2vec"
)

// runWord2Vec runs the family word2vec.
func runWord2Vec(r *goldenRun) {
	c := r.config
	B, V, E := c.whole("B"), c.whole("V"), c.whole("E")
	cfg := word2vec.NetworkConfig{
		Model:  word2vec.Architecture(c.word("model", "skipgram", "cbow")),
		Output: word2vec.Output(c.word("output", "negative", "hierarchical", "full")),
		V:      V, E: E,
	}
	if cfg.Model == word2vec.CBOW {
		cfg.Sum = !c.flag("cbow_mean")
	}
	how := c.word("reduction", "mean", "sum")
	network := word2vec.NewNetwork(r.store.Root(), cfg)
	for _, name := range []string{"in", "out"} {
		r.place(name+".weight", verbatim(r.store.Root().Shared(name)))
	}
	r.start(nodes.Options{})
	var x word2vec.Examples
	r.used["targets"] = true // stands in every file; a path says it all
	if cfg.Model == word2vec.CBOW {
		x.Contexts, x.ContextLengths = r.ints("contexts", B, c.whole("W")),
			r.ints("context_lengths", B)
	} else {
		x.Centers = r.ints("centers", B)
	}
	switch cfg.Output {
	case word2vec.Negative:
		x.Targets, x.Negatives = r.ints("targets", B), r.ints("negatives", B, c.whole("K"))
	case word2vec.Hierarchical:
		L := c.whole("L")
		x.Points, x.Codes, x.Lengths = r.ints("points", B, L), r.ints("codes", B, L),
			r.ints("code_lengths", B)
	case word2vec.Full:
		x.Targets = r.ints("targets", B)
	}
	hidden, losses := network.Losses(x)
	r.output("hidden", hidden)
	r.output("losses", losses)
	if how == "sum" {
		r.check(nodes.Sum(losses))
	} else {
		r.check(nodes.Mean(losses))
	}
}
