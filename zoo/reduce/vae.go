package reduce

import (
	"cmp"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Likelihood is the distribution of a feature, given the code.
type Likelihood string

const (
	// 1 with probability σ(logit); features in [0, 1] count as probabilities
	BernoulliDecoder Likelihood = "bernoulli"
	GaussianDecoder  Likelihood = "gaussian" // normal with variance 1
)

// VAEConfig sizes a VAE. The zero value of an optional field is its default.
type VAEConfig struct {
	Features int `json:"features"` // D
	// of the encoder's layers before μ and log σ², outermost first; the decoder's are the same,
	// backwards
	Widths []int `json:"widths,omitempty"`
	Code   int   `json:"code"` // K, the width of a code

	// of the layers between: relu (default), tanh, sigmoid
	Activation cells.Activation `json:"activation,omitempty"`
	Likelihood Likelihood       `json:"likelihood,omitempty"` // bernoulli (default), gaussian
	// weight of the divergence (Higgins et al., 2017); 0 means 1, and train.Zero means none
	Beta float64 `json:"beta,omitempty"`
	// nats of each number of a code that cost no more than this (Kingma et al., 2016)
	FreeBits float64 `json:"free_bits,omitempty"`
	// bring the features to mean 0 and variance 1 first; gaussian only
	Standardise bool `json:"standardise,omitempty"`
	Float64     bool `json:"float64,omitempty"` // weights of 64 bits
	// C: numbers behind the features of a row that tell what it is of, such as a label as 0 and 1;
	// encoder and decoder read them, and a code has them behind it (Sohn, Lee and Yan, 2015); 0:
	// none
	Condition int `json:"condition,omitempty"`
	// name of a decoder of one's own, which RegisterDecoder made known; "": layers of the Widths
	Decoder string `json:"decoder,omitempty"`
	// the error above which a row is an anomaly; 0: not chosen. See SetThreshold
	Threshold float64 `json:"threshold,omitempty"`
}

func (c VAEConfig) withDefaults() VAEConfig {
	c.Widths = slices.Clone(c.Widths)
	c.Activation = cmp.Or(c.Activation, cells.ReLU)
	c.Likelihood = cmp.Or(c.Likelihood, BernoulliDecoder)
	c.Beta = cmp.Or(c.Beta, 1)
	return c
}

// Validate reports every field that is out of range.
func (c VAEConfig) Validate() error {
	c = c.withDefaults()
	var bad check.Problems
	bad.Int("features", c.Features, 1, cells.MaxWidth)
	bad.Int("code", c.Code, 1, cells.MaxWidth)
	bad.Add(shared.CheckWidths("widths", c.Widths))
	check.OneOf(&bad, "activation", c.Activation, cells.ReLU, cells.Tanh, cells.Sigmoid)
	bad.Add(checkThreshold(c.Threshold))
	check.OneOf(&bad, "likelihood", c.Likelihood, BernoulliDecoder, GaussianDecoder)
	if c.Likelihood == BernoulliDecoder {
		bad.That(!c.Standardise, "likelihood is bernoulli and standardise is set: "+
			"Bernoulli features are in [0, 1] as they are")
	}
	bad.Optional("condition", c.Condition, 1, cells.MaxWidth, "or 0 for none")
	bad.That(c.Decoder == "" || decoderOf(c.Decoder) != nil, "decoder %q is unknown; there are "+
		"%.200q: RegisterDecoder makes one known", c.Decoder, Decoders())
	const most = 1e6
	bad.Above("beta", c.Beta, most)
	bad.Number("free_bits", c.FreeBits, 0, most)
	return bad.Err()
}

// VAE is a variational autoencoder (Kingma and Welling, 2014): a code is not a point but a normal
// distribution, kept near the standard normal, so that codes can be drawn and rows made of them:
//
//	μ, log σ² = encoder(x),  z = μ + σ∘ε,  ε standard normal,  p(x|z) by the decoder
//	loss = −log p(x|z) + β·KL(N(μ, σ²) ‖ N(0, 1))
//
// A model with a Condition c reads rows [x; c] and has codes [z; c], in every method: the encoder
// reads both, the decoder gives x of [z; c], and what comes back is [x; c]. To see a row under
// another condition, change what is behind its code.
//
// With β = 1 and no free bits the loss is the negative evidence lower bound, in nats a row.
//
// Its parameters are encoder/l0/W [D + C, Widths[0]], encoder/l0/b, …, mu/W, mu/b, logvar/W,
// logvar/b, decoder/l0/W, …, out/W, out/b (of a decoder of one's own what that declares under
// decoder) and, if it standardises, input/mean and input/scale [D + C], 0 and 1 for a condition.
//
// Its methods other than training and SetThreshold are safe for concurrent use.
type VAE struct {
	cfg              VAEConfig
	store            *nodes.Store
	encoder, decoder []nodes.Linear
	mu, logvar, out  nodes.Linear
	own              func(z *nodes.Node) *nodes.Node // a decoder of one's own, or nil
	scaling          *scaling
	graphs           rowGraphs
}

var _ Reducer = (*VAE)(nil)

// NewVAE makes a model with initial weights drawn from seed.
func NewVAE(cfg VAEConfig, seed uint64) (*VAE, error) {
	if err := cfg.Validate(); err != nil {
		return nil, vaePrefix.Wrap(err)
	}
	m := &VAE{cfg: cfg.withDefaults(), store: nodes.NewStore(shared.DtypeOf(cfg.Float64), seed)}
	if err := nodes.Try(m.declare); err != nil {
		return nil, vaePrefix.Wrap(err)
	}
	return m, nil
}

func (m *VAE) declare() {
	c, root := m.cfg, m.store.Root()
	if c.Standardise {
		m.scaling = newScaling(root.In("input"), m.Features(), false)
	}
	m.encoder = shared.Hidden(root.In("encoder"), m.Features(), c.Widths, c.Activation, false)
	inner := append([]int{m.Features()}, c.Widths...)[len(c.Widths)] // the width beside the code
	m.mu = nodes.NewLinear(root.In("mu"), nodes.LinearConfig{In: inner, Out: c.Code})
	m.logvar = nodes.NewLinear(root.In("logvar"), nodes.LinearConfig{In: inner, Out: c.Code})
	if c.Decoder != "" {
		if m.own = decoderOf(c.Decoder)(root.In("decoder"), m.Codes(), c.Features); m.own == nil {
			nodes.Failf("VAE", "the decoder %q gives no function", c.Decoder)
		}
		return
	}
	back := slices.Clone(c.Widths)
	slices.Reverse(back)
	m.decoder = shared.Hidden(root.In("decoder"), m.Codes(), back, c.Activation, false)
	outer := append([]int{m.Codes()}, back...)[len(back)]
	m.out = nodes.NewLinear(root.In("out"), nodes.LinearConfig{In: outer, Out: c.Features})
}

func (m *VAE) posterior(x *nodes.Node) (mu, logvar *nodes.Node) {
	h := shared.Through(m.encoder, m.cfg.Activation, x)
	return m.mu.Of(h), m.logvar.Of(h)
}

// logits is the output of the decoder for codes: logits of probabilities, or means.
func (m *VAE) logits(z *nodes.Node) *nodes.Node {
	if m.own != nil {
		y := m.own(z)
		if y == nil || !slices.Equal(y.Shape(), []int{z.Dim(0), m.cfg.Features}) {
			nodes.Failf("VAE", "the decoder %q makes of codes %v what is not [%d, %d]",
				m.cfg.Decoder, z.Shape(), z.Dim(0), m.cfg.Features)
		}
		return y
	}
	return m.out.Of(shared.Through(m.decoder, m.cfg.Activation, z))
}

func (m *VAE) decode(z *nodes.Node) *nodes.Node {
	if m.cfg.Likelihood == BernoulliDecoder {
		return nodes.Sigmoid(m.logits(z))
	}
	return m.logits(z)
}

// VAEGraph is a VAE in a graph.
type VAEGraph struct {
	Mu, LogVar *nodes.Node // of the posterior, [B, K]
	Z          *nodes.Node // drawn from it, [B, K]
	Logits     *nodes.Node // [B, D]: logits of the Bernoulli decoder, means of the Gaussian

	// −log p(x|z), mean over the rows; Gaussian: ½Σ(x − mean)², without the constant
	Reconstruction *nodes.Node
	KL             *nodes.Node // of each number of the code, mean over the rows, [K]
	Penalty        *nodes.Node // Σ KL, each number counted as at least the free bits
	Loss           *nodes.Node // Reconstruction + β·Penalty
}

// conditioned puts the conditions of rows behind codes.
func (m *VAE) conditioned(z, x *nodes.Node) *nodes.Node {
	if m.cfg.Condition == 0 {
		return z
	}
	return nodes.Concat(-1, z, nodes.Slice(x, -1, m.cfg.Features, m.Features()))
}

// Forward builds the model into the graph of rows x [B, D + C]; ε is noise of that graph. Warm, a
// number [1] or nil for 1, is a factor to β. It panics with a *nodes.BuildError, as package nodes
// does.
func (m *VAE) Forward(x, warm *nodes.Node) (g VAEGraph) {
	shared.NeedMade("VAE", m.store)
	B := float64(x.Dim(0))
	g.Mu, g.LogVar = m.posterior(x)
	eps := x.Graph().Noise(nodes.NoiseRequest{Label: "latent", Kind: nodes.StandardNormal,
		Shape: g.Mu.Shape()})
	g.Z = nodes.Add(g.Mu, nodes.Mul(nodes.Exp(nodes.Scale(g.LogVar, 0.5)), eps))
	g.Logits = m.logits(m.conditioned(g.Z, x))
	if m.cfg.Condition > 0 {
		x = nodes.Slice(x, -1, 0, m.cfg.Features)
	}
	if m.cfg.Likelihood == BernoulliDecoder {
		g.Reconstruction = nodes.Scale(nodes.BCEWithLogits(g.Logits, x, nodes.ReduceSum), 1/B)
	} else {
		g.Reconstruction = nodes.Scale(nodes.MSE(g.Logits, x, nodes.ReduceSum), 0.5/B)
	}
	// By number rather than by row, for the free bits.
	kl := nodes.Sub(nodes.Add(nodes.Square(g.Mu), nodes.Exp(g.LogVar)), nodes.Shift(g.LogVar, 1))
	g.KL = nodes.Scale(nodes.Sum(kl, 0), 0.5/B)
	g.Penalty = g.KL
	if m.cfg.FreeBits > 0 {
		g.Penalty = nodes.Maximum(g.KL, nodes.Scalar(m.cfg.FreeBits))
	}
	g.Penalty = nodes.Sum(g.Penalty)
	weighted := nodes.Scale(g.Penalty, m.cfg.Beta)
	if warm != nil {
		weighted = nodes.Sum(nodes.Mul(warm, weighted))
	}
	g.Loss = nodes.Add(g.Reconstruction, weighted)
	return g
}

// Architecture is "VAE".
func (m *VAE) Architecture() string { return "VAE" }

// Params holds the weights.
func (m *VAE) Params() *nodes.Store { return m.store }

// Config is the configuration that the model was made with, defaults filled in.
func (m *VAE) Config() VAEConfig { return m.cfg }

// Features is the width of a row: D and the width of a condition.
func (m *VAE) Features() int { return m.cfg.Features + m.cfg.Condition }

// Codes is the width of a code: K and the width of a condition.
func (m *VAE) Codes() int { return m.cfg.Code + m.cfg.Condition }

// Threshold is the error above which a row is an anomaly; 0: none was set.
func (m *VAE) Threshold() float64 { return m.cfg.Threshold }

// SetThreshold sets the error above which a row is an anomaly. Choose it on data kept apart from
// the training's.
func (m *VAE) SetThreshold(t float64) error { return setThreshold(&m.cfg.Threshold, t) }

// Transform returns the means μ [N, K] of the codes of rows [N, D], with their conditions behind.
func (m *VAE) Transform(x []float32) ([]float32, error) {
	mu, _, err := m.Posterior(x)
	if err != nil {
		return nil, err
	}
	return m.behind(mu, m.cfg.Code, x, m.cfg.Features), nil
}

// behind puts the conditions of rows, which begin at a place of each, behind others of a width.
func (m *VAE) behind(y []float32, width int, rows []float32, at int) []float32 {
	if m.cfg.Condition == 0 {
		return y
	}
	var out []float32
	for row := range slices.Chunk(rows, at+m.cfg.Condition) {
		out = append(append(out, y[:width]...), row[at:]...)
		y = y[width:]
	}
	return out
}

// Posterior returns means and log variances of the codes of rows [N, D + C], [N, K] each.
func (m *VAE) Posterior(x []float32) (mu, logvar []float32, err error) {
	if err := checkRows(x, m.Features(), "features"); err != nil {
		return nil, nil, vaePrefix.Wrap(err)
	}
	posterior := func(x *nodes.Node) *nodes.Node {
		mu, logvar := m.posterior(x)
		return nodes.Concat(-1, mu, logvar)
	}
	both, err := m.run("posterior", m.scaling.apply(x), m.Features(), posterior)
	if both, err = finiteRows("VAE", both, 2*m.cfg.Code, err); err != nil {
		return nil, nil, err
	}
	for k := m.cfg.Code; len(both) > 0; both = both[2*k:] {
		mu, logvar = append(mu, both[:k]...), append(logvar, both[k:2*k]...)
	}
	return mu, logvar, nil
}

// InverseTransform returns the rows [N, D] that codes [N, K] stand for: probabilities of the
// Bernoulli decoder, means of the Gaussian. Conditions behind the codes are then behind the rows.
func (m *VAE) InverseTransform(codes []float32) ([]float32, error) {
	if err := checkRows(codes, m.Codes(), "code"); err != nil {
		return nil, vaePrefix.Wrap(err)
	}
	y, err := m.run("decode", codes, m.Codes(), m.decode)
	if err != nil {
		return nil, err
	}
	y = m.behind(y, m.cfg.Features, codes, m.cfg.Code)
	return finiteRows("VAE", m.scaling.restore(y), m.Features(), nil)
}

// Errors is the squared error a feature of each row, [N], brought back from the mean of its code,
// after standardising if the model does that.
func (m *VAE) Errors(x []float32) ([]float64, error) {
	if err := checkRows(x, m.Features(), "features"); err != nil {
		return nil, vaePrefix.Wrap(err)
	}
	x = m.scaling.apply(x)
	y, err := m.run("both", x, m.Features(), func(x *nodes.Node) *nodes.Node {
		mu, _ := m.posterior(x)
		return m.decode(m.conditioned(mu, x))
	})
	if err != nil {
		return nil, err
	}
	return rowErrors(m.features(x), y, m.cfg.Features), nil
}

// features are rows without their conditions.
func (m *VAE) features(x []float32) []float32 {
	if m.cfg.Condition == 0 {
		return x
	}
	var out []float32
	for row := range slices.Chunk(x, m.Features()) {
		out = append(out, row[:m.cfg.Features]...)
	}
	return out
}

// Sample draws n codes from the standard normal, by seed, and returns the rows [n, D] that they
// stand for. A model with a Condition has SampleGiven.
func (m *VAE) Sample(n int, seed uint64) ([]float32, error) {
	return m.SampleGiven(nil, n, seed)
}

// SampleGiven is Sample under a condition [C], which is behind each row: [n, D + C].
func (m *VAE) SampleGiven(condition []float32, n int, seed uint64) ([]float32, error) {
	if err := shared.Made(m.store); err != nil {
		return nil, vaePrefix.Wrap(err)
	}
	if len(condition) != m.cfg.Condition {
		return nil, vaePrefix.Errorf("sample: a condition of %d numbers, want %d", len(condition),
			m.cfg.Condition)
	}
	if n < 1 || n > 1<<20 {
		return nil, vaePrefix.Errorf("sample: %d rows, want 1 … %d", n, 1<<20)
	}
	random := rng.Stream{Key: rng.New(seed).Named("sample")}
	codes := make([]float32, 0, n*m.Codes())
	for range n {
		for range m.cfg.Code {
			codes = append(codes, float32(random.Normal()))
		}
		codes = append(codes, condition...)
	}
	return m.InverseTransform(codes)
}

func (m *VAE) run(what string, x []float32, in int,
	build func(*nodes.Node) *nodes.Node) ([]float32, error) {
	y, err := m.graphs.run(what, m.store.Dtype(), x, in, build)
	if err != nil {
		return nil, vaePrefix.Wrap(err)
	}
	return y, nil
}

// Save writes config.json and model.safetensors to path; see zoo.Save.
func (m *VAE) Save(path string) error { return zoo.Save(path, m) }

func init() { zoo.Register("VAE", openVAE) }

func openVAE(_ *zoo.Dir, cfg VAEConfig) (*VAE, error) {
	return NewVAE(cfg, 0)
}
