package golden_test

import (
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
)

// runHRED runs the family hred.
func runHRED(r *goldenRun) {
	c := r.config
	B, N, T, V := c.whole("B"), c.whole("N"), c.whole("T"), c.whole("V")
	encoder, context, decoder := c.object("utterance_encoder"), c.object("context_encoder"),
		c.object("decoder")
	cfg := dialogue.Config{
		Bidirectional: encoder.flag("bidirectional"), ContextInput: c.flag("context_input"),
		Embed: c.whole("E"), Float64: r.dtype == nodes.Float64,
	}
	require.Zero(r, c.whole("bos"))
	require.EqualValues(r, cfg.Embed, encoder.whole("In"))
	wide := context.whole("In")
	decoder.whole("In")
	for _, s := range []settings{context, decoder} {
		require.False(r, s.flag("bidirectional"))
	}
	var read [3][]goldenCell
	cfg.Encoder, read[0] = recurrent(encoder, cfg.Bidirectional)
	if cfg.Encoder.Layers == 1 && wide == 2*cfg.Encoder.Width() {
		cfg.Encoder.Merge = "" // both final states side by side, whatever becomes of the outputs
	}
	cfg.Context, read[1] = recurrent(context, false)
	cfg.Decoder, read[2] = recurrent(decoder, false)
	cut, klWeight := cutOf(c), 0.0
	if v, ok := c.keys["latent"]; ok && v == nil {
		delete(c.keys, "latent")
	} else {
		latent := c.object("latent")
		cfg.Latent = dialogue.Latent{Width: latent.whole("Z"), Hidden: latent.whole("hidden"),
			Variance: dialogue.Variance(latent.word("variance", "exp", "softplus"))}
		klWeight = latent.number("kl_weight")
		latent.done()
	}
	for _, s := range []settings{encoder, context, decoder} {
		s.done()
	}

	m, err := dialogue.New(cfg, numbered(r, V), 1)
	require.NoError(r, err)
	r.store = m.Params()
	placeHRED(r, cfg, read[0], read[1], read[2])

	g := r.start(nodes.Options{})
	lengths := r.ints("turn_lengths", N, B)
	turns := nodes.Transpose(r.ints("turns", N, T, B), 1, 0, 2) // [T, N, B]
	in := dialogue.Inputs{
		Words: turns, Before: r.bind(g.IntInput("before", T, N, B),
			before(r.raw("turns", N, T, B), N, T, B)), Lengths: lengths,
		Turns: r.ints("dialogue_lengths", B),
	}
	if cfg.Latent.Width > 0 {
		in.Eps = r.constant("eps", N-1, B, cfg.Latent.Width)
	}
	out := m.ForwardOver(in, unroll.Options{Strategy: r.strategy, Cut: cut})
	predicted := nodes.Slice(lengths, 0, 1, N)
	live := nodes.Reshape(nodes.LengthMask(nodes.Reshape(predicted, (N-1)*B), T), T, N-1, B, 1)
	r.output("utterances", out.Utterances)
	r.output("context", out.Context)
	r.output("logits", nodes.Transpose(nodes.Mul(out.Logits, live), 1, 0, 2, 3))
	nll := nodes.CrossEntropy(out.Logits, nodes.Slice(turns, 1, 1, N),
		nodes.CrossEntropyOptions{Reduction: nodes.ReduceNone})
	loss, tokens := nodes.Sum(nodes.Mul(nll, nodes.Reshape(live, T, N-1, B))), nodes.Sum(live)
	r.output("nll_sum", loss)
	r.output("tokens", tokens)
	if cfg.Latent.Width > 0 {
		present := nodes.NotIn(predicted, 0)
		for name, n := range map[string]*nodes.Node{
			"mu_prior": out.MuPrior, "logvar_prior": out.LogvarPrior,
			"mu_posterior": out.MuPosterior, "logvar_posterior": out.LogvarPosterior,
		} {
			r.output(name, nodes.Mul(n, nodes.Reshape(present, N-1, B, 1)))
		}
		kl := nodes.Mul(out.KL, present)
		r.output("kl", kl)
		r.output("kl_sum", nodes.Sum(kl))
		loss = nodes.Add(loss, nodes.Scale(nodes.Sum(kl), klWeight))
	}
	r.check(nodes.Div(loss, tokens))
}

// before is the token before each of turns [N, T, B], <bos> (0) first, as [T, N, B].
func before(turns []float64, N, T, B int) []float64 {
	out := make([]float64, len(turns))
	for n := range N {
		for t := 1; t < T; t++ {
			copy(out[(t*N+n)*B:][:B], turns[(n*T+t-1)*B:][:B])
		}
	}
	return out
}

// placeHRED says where the parameters of a case are in the model.
func placeHRED(r *goldenRun, cfg dialogue.Config, encoder, context, decoder []goldenCell) {
	root := r.store.Root()
	r.place("embed.weight", verbatim(root.In("embed").Shared("E")))
	r.place("out.weight", all(root.In("out").Shared("W")))
	r.place("out.bias", all(root.In("out").Shared("b")))
	for k := range cfg.Encoder.Layers {
		s, suffix := root.In("encoder").In("l%d", k), fmt.Sprintf("_l%d", k)
		if cfg.Bidirectional {
			encoder[k].place(r, s.In("forward"), "encoder.", suffix)
			encoder[k].place(r, s.In("backward"), "encoder.", suffix+"_reverse")
		} else {
			encoder[k].place(r, s, "encoder.", suffix)
		}
	}
	for k := range cfg.Context.Layers {
		context[k].place(r, root.In("context").In("l%d", k), "context.", fmt.Sprintf("_l%d", k))
	}
	for k := range cfg.Decoder.Layers {
		decoder[k].place(r, root.In("decoder").In("l%d", k), "decoder.", fmt.Sprintf("_l%d", k))
	}
	placeStarts(r, decoder)
	if cfg.Latent.Width == 0 {
		return
	}
	for _, net := range []string{"prior", "posterior"} {
		for _, layer := range []string{"hidden", "mu", "var"} {
			s := root.In("%s", net).In("%s", layer)
			r.place(net+"_"+layer+".weight", all(s.Shared("W")))
			r.place(net+"_"+layer+".bias", all(s.Shared("b")))
		}
	}
}

// placeStarts says where the parameters are that a decoder starts by: each layer has its own, or is
// some rows of those of all.
func placeStarts(r *goldenRun, decoder []goldenCell) {
	rows := map[string][]part{}
	for k, cell := range decoder {
		s := r.store.Root().In("init").In("l%d", k)
		for _, p := range cell.states() {
			for of, leaf := range map[string]string{".weight": "W_", ".bias": "b_"} {
				param := s.Shared(leaf + p)
				if own := fmt.Sprintf("init_%s_l%d%s", p, k, of); r.Params[own].Shape != nil {
					r.place(own, all(param))
					continue
				}
				name, one := "init_"+p+of, all(param)[0]
				for _, before := range rows[name] {
					one.from += before.n
				}
				rows[name] = append(rows[name], one)
				r.place(name, rows[name])
			}
		}
	}
}
