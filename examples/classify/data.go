package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/images"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// pixels is how many a picture of MNIST has.
const pixels = 784

// dataset is what train learns from and validates with: texts or pictures.
type dataset struct {
	name, unit     string
	unicode        text.Form        // of the words
	tokens, labels *text.Vocabulary // tokens nil for pictures
	train, valid   []text.Labelled  // texts
	// or pictures, the last validPictures of which are validated with
	pictures *images.Set
}

// validPictures is how many of MNIST's training pictures are kept apart for validation, and
// validDialogues how many of SGD's.
const (
	validPictures  = 5000
	validDialogues = 500
)

// read is the data that the flags name.
func (t *trainCommand) read() (d *dataset, err error) {
	if t.task == "mnist" {
		set, err := mnist("train")
		if err != nil {
			return nil, err
		}
		if set.Rows*set.Cols != pixels || set.Len() <= validPictures {
			return nil, fmt.Errorf("MNIST's training set has %d pictures of %d by %d: it is not "+
				"whole", set.Len(), set.Rows, set.Cols)
		}
		labels, err := digits()
		return &dataset{name: "sequential MNIST", unit: "pictures", labels: labels, pictures: set},
			err
	}
	d = &dataset{name: t.train, unit: "texts", unicode: t.unicode}
	if t.train == "" {
		d.name = "who says it, SGD dialogues"
		path, err := cli.DataFile("sgd-dialogues/train.txt.gz", "give files by -data and -valid")
		if err != nil {
			return nil, err
		}
		dialogues, err := readDialogues(path)
		if err != nil {
			return nil, err
		}
		cut := max(0, len(dialogues)-validDialogues)
		d.train, d.valid = turns(dialogues[:cut]), turns(dialogues[cut:])
	} else if d.train, err = text.ReadLabelled(t.train); err != nil {
		return nil, err
	} else if d.valid, err = text.ReadLabelled(t.valid); err != nil {
		return nil, err
	}
	var tokens, labels []string
	for _, l := range d.train {
		tokens, labels = append(tokens, words(t.unicode, l.Text)...),
			append(labels, labelsOf(l, t.several)...)
	}
	if d.labels, err = text.NewVocabulary(text.VocabularyConfig{}, labels); err != nil {
		return nil, err
	}
	d.tokens, err = text.NewVocabulary(text.VocabularyConfig{MinCount: t.minCount,
		Specials: []string{text.Unk}}, tokens)
	return d, err
}

// labelsOf are the labels of a text: one, or several with commas between.
func labelsOf(l text.Labelled, several bool) (labels []string) {
	if !several {
		return []string{l.Label}
	}
	for _, one := range strings.Split(l.Label, ",") {
		if one = strings.TrimSpace(one); one != "" && !slices.Contains(labels, one) {
			labels = append(labels, one)
		}
	}
	return labels
}

// words are the tokens of a text that is tokenised already, in a Unicode form.
func words(form text.Form, s string) []string {
	return form.Tokens(strings.Fields(strings.ToLower(form.Of(s))))
}

// readDialogues reads a dialogue a line, turns separated by tabs.
func readDialogues(path string) ([][]string, error) {
	s, err := text.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var dialogues [][]string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			dialogues = append(dialogues, strings.Split(line, "\t"))
		}
	}
	return dialogues, nil
}

// turns are the utterances of dialogues, labelled by who says them. The user begins, and they speak
// by turns.
func turns(dialogues [][]string) (all []text.Labelled) {
	for _, d := range dialogues {
		for i, turn := range d {
			if turn = strings.TrimSpace(turn); turn != "" {
				all = append(all, text.Labelled{Label: []string{"user", "system"}[i%2], Text: turn})
			}
		}
	}
	return all
}

// mnist reads a part of MNIST, train or t10k.
func mnist(part string) (*images.Set, error) {
	var paths [2]string
	for i, kind := range []string{"images-idx3", "labels-idx1"} {
		var err error
		if paths[i], err = cli.DataFile("mnist/"+part+"-"+kind+"-ubyte.gz",
			"give files by -data and -labels"); err != nil {
			return nil, err
		}
	}
	return images.ReadLabelled(paths[0], paths[1])
}

// examples are what m learns from and what it is validated with.
func (d *dataset) examples(m *label.Classifier, file, validFile string) (train, valid []label.Labelled, err error) {
	if d.pictures != nil {
		all, err := pictures(m, d.pictures)
		if err != nil {
			return nil, nil, err
		}
		cut := len(all) - validPictures
		return all[:cut], all[cut:], nil
	}
	if train, err = texts(m, file, d.train); err != nil {
		return nil, nil, err
	}
	valid, err = texts(m, validFile, d.valid)
	return train, valid, err
}

// atLine adds to an error about one of the texts of a file on which line it stands.
func atLine(file string, texts []text.Labelled) func(error) error {
	return func(err error) error {
		return cli.AtLine(err, file, func(i int) int {
			if i >= len(texts) { // of pictures
				return 0
			}
			return texts[i].Line
		})
	}
}

func texts(m *label.Classifier, file string, lines []text.Labelled) ([]label.Labelled, error) {
	examples := make([]label.Labelled, len(lines))
	for i, l := range lines {
		var err error
		if examples[i], err = m.EncodeLabelled(words(m.Config().Text.Unicode, l.Text),
			labelsOf(l, m.Config().Several)...); err != nil {
			if l.Line > 0 {
				return nil, fmt.Errorf("%s: line %d: %w", file, l.Line, err)
			}
			return nil, fmt.Errorf("text %d: %w", i+1, err) // a turn of a dialogue
		}
	}
	return examples, nil
}

// pictures are sequences of pixels, row by row from the top left, from 0 to 1.
func pictures(m *label.Classifier, set *images.Set) ([]label.Labelled, error) {
	examples := make([]label.Labelled, set.Len())
	x := set.Floats()
	n := set.Rows * set.Cols
	for i := range examples {
		id, ok := m.Labels().ID(strconv.Itoa(int(set.Labels[i])))
		if !ok {
			return nil, fmt.Errorf("picture %d has the label %d, which the model does not know", i,
				set.Labels[i])
		}
		examples[i] = label.Labelled{Sequence: label.Sequence{Features: x[i*n : (i+1)*n]},
			Labels: []int{id}}
	}
	return examples, nil
}

// read is the data that the flags name, for a model that reads texts, with their lines, or
// pictures.
func (e *evaluateCommand) read(m *label.Classifier) (examples []label.Labelled, lines []text.Labelled,
	name string, err error) {
	if m.Vocabulary() == nil {
		if e.data != "" && e.labels == "" {
			return nil, nil, "", cli.Usagef("the model reads pictures: -data wants -labels, the file " +
				"of their labels")
		}
		var set *images.Set
		if e.data == "" {
			name = "MNIST, test set"
			set, err = mnist("t10k")
		} else {
			name = e.data
			set, err = images.ReadLabelled(e.data, e.labels)
		}
		if err == nil {
			examples, err = pictures(m, set)
		}
		return examples, nil, name, err
	}
	if e.labels != "" {
		return nil, nil, "", cli.Usagef("the model reads texts, whose labels stand before them in " +
			"-data; -labels is for pictures")
	}
	if e.data == "" {
		name = "SGD dialogues kept apart"
		path, err := cli.DataFile("sgd-dialogues/valid.txt", "give a file by -data")
		if err != nil {
			return nil, nil, "", err
		}
		dialogues, err := readDialogues(path)
		if err != nil {
			return nil, nil, "", err
		}
		lines = turns(dialogues)
	} else if lines, err = text.ReadLabelled(e.data); err != nil {
		return nil, nil, "", err
	}
	examples, err = texts(m, e.data, lines)
	return examples, lines, pick(name == "", e.data, name), err
}

// parsePixels reads the pixels of a picture, numbers from 0 to 255.
func parsePixels(line string) (x label.Sequence, err error) {
	numbers, err := cli.Numbers(line, 0)
	if err != nil {
		return x, fmt.Errorf("pixels: %w", err)
	}
	for i, p := range numbers {
		if !(p >= 0 && p <= 255) {
			return x, fmt.Errorf("pixel %d is %g; want a number from 0 to 255", i, p)
		}
		x.Features = append(x.Features, float32(p)/255)
	}
	return x, nil
}

// scores are what is printed of an evaluation.
type scores struct {
	accuracy float64 // of examples all of whose labels are right
	class    func(id int) metrics.Score
	macro    metrics.Score
}

func scoresOf(e *label.Evaluation) (s scores, err error) {
	if e.Several != nil {
		return scores{e.Several.Exact(), e.Several.Class, e.Several.Macro()}, nil
	}
	s = scores{accuracy: e.Confusion.Accuracy(), class: func(id int) metrics.Score {
		one, _ := e.Confusion.Class(id) // there are as many classes as labels
		return one
	}}
	s.macro, err = e.Confusion.Macro()
	return s, err
}

// report prints how well m does on examples.
func report(ctx context.Context, out io.Writer, m *label.Classifier, examples []label.Labelled,
	name string) error {
	e, err := m.Evaluate(ctx, examples)
	if err != nil {
		return err
	}
	scores, err := scoresOf(e)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %d examples, accuracy %.2f %%, loss %.4f nats\n", name, len(examples),
		100*scores.accuracy, e.Loss)
	if v := m.Vocabulary(); v != nil {
		if unk, ok := v.ID(text.Unk); ok {
			cli.WarnUnknown(out, name, unk, len(examples),
				func(i int) []int { return examples[i].IDs })
		}
	}
	fmt.Fprintf(out, "%-12s %10s %10s %10s %10s\n", "class", "precision", "recall", "F1", "members")
	var ids []int
	for id := range m.Labels().Len() {
		ids = append(ids, id)
	}
	label := func(id int) string { l, _ := m.Labels().Token(id); return l }
	slices.SortFunc(ids, func(a, b int) int { return strings.Compare(label(a), label(b)) })
	const most = 30 // classes that are listed
	for _, id := range ids[:min(len(ids), most)] {
		s := scores.class(id)
		fmt.Fprintf(out, "%-12s %10.4f %10.4f %10.4f %10d\n", label(id), s.Precision, s.Recall,
			s.F1, s.Support)
	}
	macro := scores.macro
	fmt.Fprintf(out, "%-12s %10.4f %10.4f %10.4f %10d\n", "macro mean", macro.Precision,
		macro.Recall, macro.F1, macro.Support)
	return nil
}
