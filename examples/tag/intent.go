package main

import (
	"context"
	"fmt"
	"io"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// load opens a tagger, or a model that gives sentences a label too.
func load(dir string) (both *label.Joint, m *label.Tagger, err error) {
	loaded, err := zoo.Load(dir)
	if both, ok := loaded.(*label.Joint); ok {
		return both, nil, nil
	}
	m, err = zoo.As[*label.Tagger](loaded, err)
	return nil, m, err
}

// predict tags tokens, and writes the label of the sentence, if there is one, in front of them.
func predict(both *label.Joint, m *label.Tagger, tokens []string,
	out io.Writer) ([]label.Prediction, error) {
	if both == nil {
		x, err := m.Encode(tokens)
		if err != nil {
			return nil, err
		}
		return m.Predict(x)
	}
	x, err := both.Encode(tokens)
	if err != nil {
		return nil, err
	}
	p, err := both.Predict(x)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(out, "%s\t", p.Label.Label)
	return p.Tags, err
}

// intended are sentences whose last line holds their label, apart from it.
func intended(sentences []text.Tagged) (labels []string, rest []text.Tagged, err error) {
	for _, s := range sentences {
		n := len(s.Tokens) - 1
		if n < 1 {
			return nil, nil, fmt.Errorf("line %d: the sentence has %d lines; -intent takes its last "+
				"for its label, and one or more before it", s.Line, n+1)
		}
		labels = append(labels, s.Tags[n])
		s.Tokens, s.Tags = s.Tokens[:n], s.Tags[:n]
		rest = append(rest, s)
	}
	return labels, rest, nil
}

// encodeIntent brings sentences to ids.
func encodeIntent(m *label.Joint, sentences []text.Tagged) (all []label.JointLabelled, err error) {
	labels, sentences, err := intended(sentences)
	if err != nil {
		return nil, err
	}
	for i, s := range sentences {
		e, err := m.EncodeLabelled(s.Tokens, labels[i], s.Tags)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", s.Line, err)
		}
		all = append(all, e)
	}
	return all, nil
}

func (t *trainCommand) runIntent(ctx context.Context, s cli.Std, train, valid []text.Tagged) error {
	intents, sentences, err := intended(train)
	if err != nil {
		return fmt.Errorf("training: %w", err)
	}
	var tokens, tags []string
	for _, sentence := range sentences {
		tokens, tags = append(tokens, sentence.Tokens...), append(tags, sentence.Tags...)
	}
	vocabulary, err := text.NewVocabulary(text.VocabularyConfig{MinCount: t.minCount,
		Specials: []string{text.Unk}}, tokens)
	if err != nil {
		return err
	}
	labels, err := text.NewVocabulary(text.VocabularyConfig{}, intents)
	if err != nil {
		return err
	}
	slots, err := text.NewVocabulary(text.VocabularyConfig{}, tags)
	if err != nil {
		return err
	}
	c := t.config()
	m, err := label.NewJoint(label.JointConfig{Config: c.Config, CRF: c.CRF}, vocabulary, labels,
		slots, t.Seed)
	if err != nil {
		return err
	}
	data := label.JointData{Batch: t.Batch, Seed: t.Seed}
	if data.Train, err = encodeIntent(m, train); err != nil {
		return fmt.Errorf("training: %w", err)
	}
	if data.Valid, err = encodeIntent(m, valid); err != nil {
		return fmt.Errorf("validation: %w", err)
	}
	fmt.Fprintf(s.Out,
		"%d sentences to learn from, %d to validate; %d labels, %d tags, vocabulary %d, "+
			"%d parameters\n", len(train), len(valid), labels.Len(), slots.Len(), vocabulary.Len(),
		m.Params().Count())
	task, err := m.Task(data)
	if err != nil {
		return t.at(err, train, valid)
	}
	_, err = t.Fit(ctx, s, cli.Run{
		Model: m, Task: task, Name: t.cell, Unit: "sentences", Monitor: "valid_loss",
		Describe: map[string]string{
			"model": fmt.Sprintf("%+v", m.Config()),
			"data":  fmt.Sprintf("of %d sentences, %d tokens", len(train), len(tokens)),
		},
	})
	if err != nil {
		return t.at(err, train, valid)
	}
	return atLine(t.valid, valid)(reportIntent(ctx, s.Out, m, data.Valid, "validation"))
}

func (e *evaluateCommand) runIntent(ctx context.Context, s cli.Std, m *label.Joint) error {
	test, name, err := e.read(s.Messages, m.Config().Text.Unicode)
	if err != nil {
		return err
	}
	examples, err := encodeIntent(m, test)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return atLine(e.data, test)(reportIntent(ctx, s.Out, m, examples, name))
}

// reportIntent prints how many labels and tags are right.
func reportIntent(ctx context.Context, out io.Writer, m *label.Joint,
	examples []label.JointLabelled, name string) error {
	e, err := m.Evaluate(ctx, examples)
	if err != nil {
		return err
	}
	fmt.Fprintf(out,
		"%s: %d sentences, loss %.4f; labels right %.4f, tags %.4f, all of a sentence %.4f\n",
		name, len(examples), e.Loss, e.Label.Confusion.Accuracy(), e.Tags.Confusion.Accuracy(),
		e.Exact)
	if e.Tags.Entities != nil {
		entities(out, e.Tags.Entities)
	}
	return nil
}
