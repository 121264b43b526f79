package golden_test

import (
	"context"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/zoo/reduce"
)

// runVAE runs the family vae: variational, denoising and linear autoencoders, and PCA.
func runVAE(r *goldenRun) {
	switch r.config.word("model", "vae", "denoising", "linear", "pca") {
	case "vae":
		runVariational(r)
	case "denoising":
		runDenoising(r)
	case "linear":
		m := linearAutoencoder(r, r.config.flag("tied"))
		B := r.config.whole("B")
		r.start(nodes.Options{})
		g := m.Forward(r.constant("x", B, m.Features()))
		r.output("h", g.Code)
		r.output("y", g.Output)
		r.check(g.Loss)
	case "pca":
		runPCA(r)
	}
}

// dense places the layer of PyTorch's name.
func (r *goldenRun) dense(name string, s *nodes.Scope, bias bool) {
	r.place(name+".weight", all(s.Shared("W")))
	if bias {
		r.place(name+".bias", all(s.Shared("b")))
	}
}

func runVariational(r *goldenRun) {
	c := r.config
	B, D, Z := c.whole("B"), c.whole("D"), c.whole("Z")
	cfg := reduce.VAEConfig{
		Features: D, Widths: []int{c.whole("H")}, Code: Z, Activation: "tanh",
		Likelihood: reduce.Likelihood(c.word("likelihood", "bernoulli", "gaussian")),
		Beta:       c.exact("beta"), FreeBits: c.number("free_bits"),
		Float64: r.dtype == nodes.Float64,
	}
	m, err := reduce.NewVAE(cfg, 1)
	require.NoError(r, err)
	r.store = m.Params()
	root := r.store.Root()
	r.dense("enc", root.In("encoder").In("l0"), true)
	r.dense("mu", root.In("mu"), true)
	r.dense("logvar", root.In("logvar"), true)
	r.dense("dec", root.In("decoder").In("l0"), true)
	r.dense("out", root.In("out"), true)

	r.start(nodes.Options{Training: true, Noise: func(q nodes.NoiseRequest) *nodes.Node {
		require.Equal(r, nodes.StandardNormal, q.Kind)
		return r.constant("eps", q.Shape...)
	}})
	g := m.Forward(r.constant("x", B, D), nil)
	r.output("mu", g.Mu)
	r.output("logvar", g.LogVar)
	r.output("z", g.Z)
	if cfg.Likelihood == reduce.BernoulliDecoder {
		r.output("logits", g.Logits)
	} else {
		r.output("mean", g.Logits)
	}
	r.output("reconstruction", g.Reconstruction)
	r.output("kl", nodes.Sum(g.KL))
	r.output("kl_penalty", g.Penalty)
	r.check(g.Loss)
}

func runDenoising(r *goldenRun) {
	c := r.config
	B, D := c.whole("B"), c.whole("D")
	cfg := reduce.AutoencoderConfig{
		Features: D, Widths: []int{c.whole("H")}, CodeActivation: "sigmoid",
		Loss: reduce.BinaryCrossEntropy, Tied: c.flag("tied"),
		Float64: r.dtype == nodes.Float64,
	}
	noise, kind := "noise", nodes.StandardNormal
	if c.word("corruption", "mask", "gaussian") == "mask" {
		noise, kind = "mask", nodes.Bernoulli
		cfg.Corruption = reduce.Corruption{Kind: reduce.Masking, Amount: 0.3}
	} else {
		// the noise is given as it is
		cfg.Corruption = reduce.Corruption{Kind: reduce.GaussianNoise, Amount: 1}
	}
	m, err := reduce.NewAutoencoder(cfg, 1)
	require.NoError(r, err)
	r.store = m.Params()
	root := r.store.Root()
	r.dense("enc", root.In("encoder").In("l0"), true)
	if cfg.Tied {
		r.place("dec.bias", all(root.In("decoder").In("l0").Shared("b")))
	} else {
		r.dense("dec", root.In("decoder").In("l0"), true)
	}
	r.start(nodes.Options{Training: true, Noise: func(q nodes.NoiseRequest) *nodes.Node {
		require.Equal(r, kind, q.Kind)
		return r.constant(noise, q.Shape...)
	}})
	g := m.Forward(r.constant("x", B, D))
	r.output("h", g.Code)
	r.output("logits", g.Logits)
	r.check(g.Loss)
}

// linearAutoencoder has no biases.
func linearAutoencoder(r *goldenRun, tied bool) *reduce.Autoencoder {
	m, err := reduce.NewAutoencoder(reduce.AutoencoderConfig{
		Features: r.config.whole("D"), Widths: []int{r.config.whole("K")}, NoBias: true, Tied: tied,
		Float64: r.dtype == nodes.Float64,
	}, 1)
	require.NoError(r, err)
	r.store = m.Params()
	r.dense("enc", r.store.Root().In("encoder").In("l0"), false)
	if !tied {
		r.dense("dec", r.store.Root().In("decoder").In("l0"), false)
	}
	return m
}

// runPCA holds a linear autoencoder at its optimum, and PCA itself, to the same numbers.
func runPCA(r *goldenRun) {
	m := linearAutoencoder(r, false)
	N, D := r.config.whole("N"), m.Features()
	x := r.raw("x", N, D)
	pca := fitPCA(r, x, reduce.PCAConfig{Features: D, Components: m.Codes()})

	g := r.start(nodes.Options{})
	given := func(name string, values []float64, shape ...int) *nodes.Node {
		n := r.bind(g.Input(name, shape...), values)
		r.output(name, n)
		return n
	}
	mean := given("mean", pca.Mean(), D)
	given("singular_values", pca.SingularValues()[:min(N, D)], min(N, D))
	v := r.bind(g.Input("components", m.Codes(), D), pca.Components())
	r.output("projector", nodes.MatMul(nodes.Transpose(v, 1, 0), v))
	left := 0.0
	for _, s := range pca.Variance()[m.Codes():] {
		left += s * float64(N-1) / float64(N)
	}
	r.output("pca_error", nodes.Sum(r.bind(g.Input("pca_error", 1), []float64{left})))

	// the optimum, rounded, is not quite one: where weights are large it shows in their gradients
	if r.dtype == nodes.Float32 {
		large := 1.0
		for _, p := range r.Params {
			large = max(large, slices.Max(p.Data), -slices.Min(p.Data))
		}
		r.atol *= large * large
	}
	out := m.Forward(nodes.Sub(r.constant("x", N, D), mean))
	r.output("reconstruction", nodes.Add(out.Output, mean))
	r.check(out.Loss)
}

// fitPCA fits to numbers as the mode has them.
func fitPCA(r *goldenRun, x []float64, cfg reduce.PCAConfig) (m *reduce.PCA) {
	var err error
	if r.dtype == nodes.Float64 {
		m, err = reduce.FitPCA(context.Background(), x, cfg)
	} else {
		single := make([]float32, len(x))
		for i, v := range x {
			single[i] = float32(v)
		}
		m, err = reduce.FitPCA(context.Background(), single, cfg)
	}
	require.NoError(r, err)
	return m
}
