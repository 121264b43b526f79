package golden_test

import (
	"github.com/seqzoo/seqzoo/nodes"
)

var reductions = map[string]nodes.Reduction{"mean": nodes.ReduceMean, "sum": nodes.ReduceSum,
	"none": nodes.ReduceNone}

// runLosses runs the family losses.
func runLosses(r *goldenRun) {
	c := r.config
	B, T, V := c.whole("B"), c.whole("T"), c.whole("V")
	kind := c.word("loss", "cross_entropy", "perplexity", "bce_with_logits", "mse", "l1", "huber",
		"kl_standard_normal",
		"kl_diag_gaussians", "log_sum_exp", "log_softmax", "softmax")
	how := c.word("reduction", "mean", "sum", "none")
	c.number("scale") // how the inputs were drawn
	reduction := reductions[how]
	r.start(nodes.Options{})

	// done checks a loss that is an output of that name.
	done := func(name string, loss *nodes.Node) {
		r.output(name, loss)
		if how == "none" {
			loss = r.cotangentLoss()
		}
		r.check(loss)
	}
	switch kind {
	case "cross_entropy", "perplexity":
		ignore := c.whole("ignore_index")
		logits, targets := r.input("logits", T, B, V), r.ints("targets", T, B)
		loss := nodes.CrossEntropy(logits, targets, nodes.CrossEntropyOptions{
			Ignore: []int{ignore}, Smoothing: c.number("label_smoothing"), Reduction: reduction,
		})
		if kind == "perplexity" {
			r.output("mean_nll", loss)
			done("perplexity", nodes.Exp(loss))
			return
		}
		r.output("tokens", nodes.Sum(nodes.NotIn(targets, ignore)))
		done("loss", loss)
	case "bce_with_logits", "mse", "l1", "huber":
		delta := c.number("delta")
		x, target := r.input("x", T, B, V), r.constant("target", T, B, V)
		switch kind {
		case "bce_with_logits":
			done("loss", nodes.BCEWithLogits(x, target, reduction))
		case "mse":
			done("loss", nodes.MSE(x, target, reduction))
		case "l1":
			done("loss", nodes.L1(x, target, reduction))
		case "huber":
			done("loss", nodes.Huber(x, target, delta, reduction))
		}
	case "kl_standard_normal", "kl_diag_gaussians":
		var kl *nodes.Node
		if kind == "kl_standard_normal" {
			kl = nodes.KLStandardNormal(r.input("mu", B, V), r.input("logvar", B, V))
		} else {
			kl = nodes.KLGaussians(r.input("mu_q", B, V), r.input("logvar_q", B, V),
				r.input("mu_p", B, V), r.input("logvar_p", B, V))
		}
		r.output("kl", kl)
		if how == "sum" {
			r.check(nodes.Sum(kl))
		} else {
			r.check(nodes.Mean(kl))
		}
	default:
		f := map[string]func(nodes.Operand) *nodes.Node{
			"log_sum_exp": nodes.LogSumExp, "log_softmax": nodes.LogSoftmax,
			"softmax": nodes.Softmax,
		}[kind]
		done("y", f(r.input("x", T, B, V)))
	}
}

// runEmbedding runs the family embedding.
func runEmbedding(r *goldenRun) {
	c := r.config
	B, T, V, E := c.whole("B"), c.whole("T"), c.whole("V"), c.whole("E")
	padding := c.whole("padding_index")
	s := r.store.Root()
	param := func(name string, shape ...int) *nodes.Param {
		return s.Param(name, nodes.Zeros(),
			shape...)
	}
	table := param("E", V, E)
	r.place("embed.weight", verbatim(table))
	r.start(nodes.Options{})
	switch c.word("kind", "lookup", "one_hot", "tied") {
	case "lookup":
		r.output("y", nodes.Embedding(table, r.ints("ids", T, B), padding))
		r.check(r.cotangentLoss())
	case "one_hot":
		r.output("y", nodes.MatMul(r.constant("one_hot", T, B, V), table))
		r.check(r.cotangentLoss())
	case "tied":
		w, b, out := param("W", E, E), param("b", E), param("b_out", V)
		r.place("proj.weight", all(w))
		r.place("proj.bias", all(b))
		r.place("out.bias", all(out))
		e := nodes.Embedding(table, r.ints("ids", T, B), padding)
		h := nodes.Tanh(nodes.Add(nodes.MatMul(e, w), b))
		logits := nodes.Add(nodes.MatMulT(h, table), out)
		r.output("logits", logits)
		r.check(nodes.CrossEntropy(logits, r.ints("targets", T, B), nodes.CrossEntropyOptions{}))
	}
}
