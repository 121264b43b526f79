package label

import (
	"cmp"
	"io"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/text"
)

const jointPrefix = check.Prefix("zoo: joint: ")

// JointConfig sizes a Joint. The zero value of an optional field is its default.
type JointConfig struct {
	Config
	Pool Pool `json:"pool"`          // outputs that the label is given for; default PoolLast
	CRF  bool `json:"crf,omitempty"` // of the tags, as in TaggerConfig
	// weight of the loss of the tags beside the loss of the label; 0 means 1
	TagWeight float64 `json:"tag_weight,omitempty"`
}

// withDefaults fills in the defaults of fields that are not set.
func (c JointConfig) withDefaults() JointConfig {
	c.Config = c.Config.withDefaults()
	c.Pool, c.TagWeight = cmp.Or(c.Pool, PoolLast), cmp.Or(c.TagWeight, 1)
	return c
}

// Validate reports every field that is out of range.
func (c JointConfig) Validate() error {
	c = c.withDefaults()
	var bad check.Problems
	bad.Add(c.Config.Validate())
	check.OneOf(&bad, "pool", c.Pool, PoolLast, PoolMean, PoolMax)
	bad.Above("tag_weight", c.TagWeight, 1e6)
	return bad.Err()
}

// Joint gives a sequence a label and every step of it a tag, by two heads over layers that both
// share, such as the intent of a sentence and its slots (Liu and Lane, 2016):
//
//	h_1 … h_T = recurrent layers over x_1 … x_T
//	p(label) as a Classifier of h,  p(tag_t) as a Tagger of h_t
//	loss = −log p(label) + TagWeight·mean over t of −log p(tag_t)
//
// Its parameters are those of a Classifier, and tags/out/W [Hidden or twice that, tags],
// tags/out/b, and with a hidden layer or a CRF tags/head/… and tags/crf/….
//
// Its methods other than training are safe for concurrent use.
type Joint struct {
	cfg   JointConfig
	label labeller // which has the layers
	tags  labeller // which reads what those of label put out
	idle  run.Pool[labelShape, *jointGraph]
}

// NewJoint makes a model with initial weights drawn from seed. A model that reads features has no
// vocabulary of tokens: nil.
func NewJoint(cfg JointConfig, tokens, labels, tags *text.Vocabulary, seed uint64) (*Joint, error) {
	if err := cfg.Validate(); err != nil {
		return nil, jointPrefix.Wrap(err)
	}
	cfg = cfg.withDefaults()
	m := &Joint{cfg: cfg}
	if tags == nil || tags.Len() < 1 {
		return nil, jointPrefix.Errorf("it needs tags, at least 1")
	}
	if err := m.label.declare(jointPrefix, cfg.Config, output{pool: cfg.Pool}, tokens, labels,
		seed); err != nil {
		return nil, err
	}
	t := &m.tags
	t.prefix, t.cfg, t.output = jointPrefix, cfg.Config, output{pool: eachStep, crf: cfg.CRF}
	t.tokens, t.labels, t.store, t.layers = tokens, tags, m.label.store, m.label.layers
	t.embed, t.scope = m.label.embed, "tag "
	if err := nodes.Try(func() { t.declareOutput(t.store.Root().In("tags")) }); err != nil {
		return nil, jointPrefix.Wrap(err)
	}
	return m, nil
}

// JointLabelled is a sequence with the id of its label, and those of its tags, one a step.
type JointLabelled struct {
	Sequence
	Label int
	Tags  []int
}

// ofLabel and ofTags are the example as either head sees it.
func (e JointLabelled) ofLabel() Labelled { return Labelled{e.Sequence, []int{e.Label}} }
func (e JointLabelled) ofTags() Labelled  { return Labelled{e.Sequence, e.Tags} }

// Params holds the weights.
func (m *Joint) Params() *nodes.Store { return m.label.store }

// Vocabulary are the tokens that the model reads, or nil if it reads features.
func (m *Joint) Vocabulary() *text.Vocabulary { return m.label.tokens }

// Labels are the labels of sequences.
func (m *Joint) Labels() *text.Vocabulary { return m.label.labels }

// Tags is the vocabulary of the tags of steps.
func (m *Joint) Tags() *text.Vocabulary { return m.tags.labels }

// Config is the configuration that the model was made with, defaults filled in.
func (m *Joint) Config() JointConfig { return m.cfg }

// Forward builds the model into the graph of its operands: x is ids [T, B] or features [T, B,
// Features], and lengths are [B], or nil if all sequences have T steps. It returns logits of the
// labels [B, labels] and of the tags [T, B, tags]. It panics with a *nodes.BuildError, as package
// nodes does.
func (m *Joint) Forward(x, lengths *nodes.Node, s unroll.Strategy) (label, tags *nodes.Node) {
	return m.forward(x, lengths, unroll.Options{Strategy: s})
}

func (m *Joint) forward(x, lengths *nodes.Node, how unroll.Options) (label, tags *nodes.Node) {
	shared.NeedMade("JointLabeller", m.label.store)
	r := m.label.read(x, lengths, how)
	return m.label.score(m.label.pooled(r, lengths)), m.tags.score(m.tags.pooled(r, lengths))
}

// Encode is a sequence of tokens. Those that the vocabulary lacks become its <unk>.
func (m *Joint) Encode(tokens []string) (Sequence, error) {
	if m.label.store == nil {
		return Sequence{}, jointPrefix.Wrap(shared.ErrEmpty)
	}
	return m.label.Encode(tokens)
}

// EncodeLabelled is a sequence of tokens with its label and its tags, one a token, which must be
// known.
func (m *Joint) EncodeLabelled(tokens []string, label string, tags []string) (e JointLabelled,
	err error) {
	if m.label.store == nil {
		return e, jointPrefix.Wrap(shared.ErrEmpty)
	}
	one, err := m.label.EncodeLabelled(tokens, label)
	if err != nil {
		return e, err
	}
	each, err := m.tags.EncodeLabelled(tokens, tags...)
	return JointLabelled{one.Sequence, one.Labels[0], each.Labels}, err
}

func (m *Joint) check(examples []JointLabelled) error {
	if err := shared.Made(m.label.store); err != nil {
		return err
	}
	for i, e := range examples {
		if err := m.label.checkLabelled(e.ofLabel()); err != nil {
			return check.Example("example", i, "label: %w", err)
		}
		if err := m.tags.checkLabelled(e.ofTags()); err != nil {
			return check.Example("example", i, "tags: %w", err)
		}
	}
	return nil
}

// Architecture is "JointLabeller".
func (m *Joint) Architecture() string { return joint }

const (
	joint    = "JointLabeller"
	tagsFile = "tags.json"
)

// Save writes config.json, vocabulary.json (tokens only), labels.json, tags.json and
// model.safetensors to path; see zoo.Save.
func (m *Joint) Save(path string) error { return zoo.Save(path, m) }

// Files are the files that Save writes beside the weights.
func (m *Joint) Files() zoo.Files {
	files := m.label.files()
	files[tagsFile] = func(w io.Writer) error { _, err := m.tags.labels.WriteTo(w); return err }
	return zoo.Files{Config: m.cfg, Extra: files}
}

func init() {
	zoo.Register(joint, openJoint, zoo.VocabularyFile, zoo.LabelsFile, tagsFile,
		zoo.TokeniserFile)
}

func openJoint(d *zoo.Dir, cfg JointConfig) (*Joint, error) {
	tokens, labels, err := openVocabularies(d, &cfg.Config)
	if err != nil {
		return nil, err
	}
	tags, err := shared.ReadVocabulary(d, tagsFile)
	if err != nil {
		return nil, err
	}
	return NewJoint(cfg, tokens, labels, tags, 0)
}

// LoadJoint is Load for a directory that must hold a Joint.
func LoadJoint(dir string) (*Joint, error) { return zoo.LoadAs[*Joint](dir, "a JointLabeller") }
