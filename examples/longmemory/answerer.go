package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	compiled "github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"gorgonia.org/tensor"
)

// question is a task whose sequences are read step by step and answered at some of their steps with
// one of a few classes.
type question struct {
	name    string
	in      int  // numbers that a step reads, or 0: it reads one of ids tokens
	ids     int  // different tokens
	classes int  // different answers
	last    bool // only the last step is answered
	// draw fills a sequence of T steps: x [T·in], or tokens [T], and answers [T], unasked where no
	// answer is wanted.
	draw func(r *rng.Stream, T int, x []float32, tokens, answers []int)
	// Sequences that are a set, and not made up, are size many, and pick fills the one of a number.
	size int
	pick func(i int, x []float32, answers []int)
}

// unasked is the answer of a step of which none is wanted.
const unasked = -1

// answerer is recurrent layers, with an embedding below them if tokens are read, and a class for
// each step above.
type answerer struct {
	question
	store  *nodes.Store
	embed  *nodes.Param
	layers unroll.Layer
	out    nodes.Linear
	// share of what the last layer says that is left out before the answer, in training
	dropout float64
}

func newAnswerer(q question, c zoo.Recurrent, seed uint64) (*answerer, error) {
	a := &answerer{question: q, store: nodes.NewStore(nodes.Float32, seed)}
	err := nodes.Try(func() {
		root, in := a.store.Root(), q.in
		if q.in == 0 {
			in = c.Hidden
			a.embed = root.In("embed").Param("E", nodes.Normal(0, 1), q.ids, in)
		}
		a.layers = c.Build(root, in)
		a.out = nodes.NewLinear(root.In("out"), nodes.LinearConfig{In: a.layers.Width(),
			Out: q.classes})
	})
	return a, err
}

// start takes the weights of the last checkpoint that a run with -save has left in the directory.
// It is read without being opened for writing: the other run, or other processes of this one, may
// have it open.
func (a *answerer) start(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, cli.CheckpointsIn, "checkpoint-*.safetensors"))
	if err != nil {
		return fmt.Errorf("-start: %s: %w", dir, err)
	}
	if len(files) == 0 {
		return fmt.Errorf("-start: there is no checkpoint in %s; want the -save of another run",
			filepath.Join(dir, cli.CheckpointsIn))
	}
	last, err := train.ReadCheckpoint(slices.Max(files)) // the steps are padded with zeros
	if err != nil {
		return fmt.Errorf("-start: %w", err)
	}
	weights := map[string]*tensor.Dense{}
	for _, p := range a.store.Params() {
		weights[p.Name()] = p.Value()
	}
	if err := last.Apply(weights); err != nil {
		return fmt.Errorf("-start: %s: %w", dir, err)
	}
	return nil
}

// answers is the model compiled for B sequences of T steps, with its loss and the classes that it
// finds likeliest.
type answers struct {
	*train.Step
	q               question
	T, B            int
	x               compiled.Floats // [T, B, in]
	tokens, targets []int           // [T, B]; targets [1, B] if only the last step is answered
	row             struct {
		x               []float32
		tokens, answers []int
	}
}

func (a *answerer) compile(T, B int, training bool) (s *answers, err error) {
	s = &answers{q: a.question, T: T, B: B}
	var x, targets, loss, said *nodes.Node
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Training: training})
		var in *nodes.Node
		if a.embed != nil {
			x = g.IntInput("tokens", T, B)
			in = nodes.Embedding(a.embed, x, -1)
		} else {
			x = g.Input("numbers", T, B, a.in)
			in = x
		}
		y := a.layers.Unroll(in, nil, unroll.Options{}).Y()
		if a.last {
			y = nodes.Slice(y, 0, T-1, T)
		}
		logits := a.out.Of(nodes.Dropout(y, a.dropout))
		targets = g.IntInput("answers", logits.Dim(0), B)
		loss = nodes.CrossEntropy(logits, targets,
			nodes.CrossEntropyOptions{Ignore: []int{unasked}})
		said = nodes.ArgMax(logits)
	})
	if err != nil {
		return nil, err
	}
	if training {
		s.Step, err = train.NewStep(loss)
	} else {
		s.Step, err = train.NewStep(loss, said)
	}
	if err != nil {
		return nil, err
	}
	var in compiled.Inputs
	if a.embed != nil {
		s.tokens = in.Ints(x)
	} else {
		s.x = in.Floats(x)
	}
	s.targets = in.Ints(targets)
	s.row.x, s.row.tokens, s.row.answers = make([]float32, T*a.in), make([]int, T), make([]int, T)
	return s, in.Err()
}

// draw fills the batch with sequences that depend on the key alone.
func (s *answers) draw(key rng.Key) {
	r := rng.Stream{Key: key}
	for b := range s.B {
		s.q.draw(&r, s.T, s.row.x, s.row.tokens, s.row.answers)
		s.put(b)
	}
}

// read fills the batch with the sequences of a set from number first on; behind the last one it
// asks nothing.
func (s *answers) read(first int) {
	for b := range s.B {
		if first+b < s.q.size {
			s.q.pick(first+b, s.row.x, s.row.answers)
		} else {
			for t := range s.row.answers {
				s.row.answers[t] = unasked
			}
		}
		s.put(b)
	}
}

// put lays the sequence that was filled in last into column b of the batch.
func (s *answers) put(b int) {
	from := s.T - len(s.targets)/s.B // the first step that has an answer
	for t := range s.T {
		if s.tokens != nil {
			s.tokens[t*s.B+b] = s.row.tokens[t]
		} else {
			s.x.Put32((t*s.B+b)*s.q.in, s.row.x[t*s.q.in:(t+1)*s.q.in])
		}
		if t >= from {
			s.targets[(t-from)*s.B+b] = s.row.answers[t]
		}
	}
}

// score counts the answers that were wanted and are right, the sequences that were asked anything,
// and those of them without a wrong answer.
func (s *answers) score() (right, asked, sequences, whole int) {
	said := s.Ints(0)
	for b := range s.B {
		wanted, wrong := 0, 0
		for k := b; k < len(s.targets); k += s.B {
			if s.targets[k] == unasked {
				continue
			}
			if wanted++; said[k] != s.targets[k] {
				wrong++
			}
		}
		right, asked = right+wanted-wrong, asked+wanted
		if wanted > 0 {
			sequences++
			if wrong == 0 {
				whole++
			}
		}
	}
	return right, asked, sequences, whole
}

// answersTask draws every batch anew, from seed and counter: there is no position in any data.
type answersTask struct {
	model     *answerer
	step      *answers
	epoch     int
	validated func(accuracy, whole float64) error
	watch     func(ctx context.Context) (accuracy, whole float64, err error)
}

func (a *answerer) task(T, B, epoch int, seed uint64) (*answersTask, error) {
	s, err := a.compile(T, B, true)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.name, err)
	}
	watch := func(ctx context.Context) (float64, float64, error) {
		return a.measure(ctx, T, 256, rng.New(seed).Named("watched"))
	}
	return &answersTask{model: a, step: s, epoch: epoch, watch: watch}, nil
}

func (t *answersTask) Params() []*nodes.Param       { return t.model.store.Params() }
func (t *answersTask) Len() int                     { return t.epoch }
func (t *answersTask) Load(*train.Checkpoint) error { return nil }

// Save notes what the sequences are drawn by, besides the seed.
func (t *answersTask) Save(c *train.Checkpoint) {
	c.SetDigest("size of the sequences", fmt.Sprintf("%s %d by %d", t.model.name,
		t.step.T, t.step.B))
}

func (t *answersTask) Next(seed uint64, counter int) (b train.Batch, err error) {
	t.step.draw(rng.New(seed).Named(t.model.name).Numbered(uint64(counter)))
	b.Count = t.step.B
	b.Loss, err = t.step.Run(seed, counter)
	b.Grads = t.step.Grads()
	return b, err
}

func (t *answersTask) Validate(ctx context.Context) (map[string]float64, error) {
	accuracy, whole, err := t.watch(ctx)
	if err == nil && t.validated != nil {
		err = t.validated(accuracy, whole)
	}
	return map[string]float64{"valid_accuracy": accuracy, "valid_whole": whole}, err
}

// measure is the share of right answers, and of sequences without a wrong one, among n new
// sequences of T steps, or with n = 0 among all of the set from which they come, each once.
func (a *answerer) measure(ctx context.Context, T, n int, key rng.Key) (accuracy, whole float64,
	err error) {
	all := n == 0
	if all {
		n = a.size
	}
	B := min(n, 64)
	s, err := a.compile(T, B, false)
	if err != nil {
		return 0, 0, err
	}
	defer s.Close()
	var right, asked, sequences, clean int
	for i := range (n + B - 1) / B {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		if all {
			s.read(i * B)
		} else {
			s.draw(key.Numbered(uint64(i)))
		}
		if _, err := s.Run(0, 0); err != nil {
			return 0, 0, err
		}
		r, k, q, w := s.score()
		right, asked, sequences, clean = right+r, asked+k, sequences+q, clean+w
	}
	return float64(right) / float64(asked), float64(clean) / float64(sequences), nil
}
