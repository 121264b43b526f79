// Tag learns to give every token of a sentence a tag, evaluates what it learned, and tags standard
// input.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/text"
)

const about = `Learns to tag the tokens of sentences with layers that read both ways.

    go run ./examples/tag train -save DIR                              to restore the punctuation of the SGD dialogues
    go run ./examples/tag train -data FILE -valid FILE -save DIR       from lines of token TAB tag, a blank line after each sentence
    go run ./examples/tag train -format conllu -tag XPOS …              from CoNLL-U; other forms are found out, or named by -format
    go run ./examples/tag train -intent -data FILE -valid FILE -save DIR   a label of the sentence, and tags
    go run ./examples/tag evaluate -model DIR [-data FILE]
    go run ./examples/tag tag -model DIR < sentences

Without files, the sentences are turns of the SGD dialogues, looked for in the folder that SEQZOO_DATA names, else in
../shared/data: lower-cased words whose punctuation is taken away, and whose tags are what stood behind them: , . ? ! or O for
nothing. tag reads a sentence a line, cut at white space, and writes the tags; those of punctuation it puts where they belong.`

func main() { program().Main() }

func program() cli.Program {
	t := &trainCommand{Training: cli.Training{Epochs: 2, Batch: 32, LR: 0.003, Warmup: 100, Clip: 1,
		Seed: 1}}
	e := &evaluateCommand{}
	c := &tagCommand{}
	return cli.Program{Name: "tag", About: about, Lesson: "06-bidirectional",
		Commands: []cli.Command{
			{Name: "train", About: "trains a model and evaluates it on validation data",
				Flags: t.register, Check: t.check, Run: t.run},
			{Name: "evaluate", About: "evaluates a model on test data", Flags: e.register,
				Check: e.check, Run: e.run},
			{Name: "tag", About: "tags each line of standard input", Flags: c.register, Check: c.check,
				Run: c.run},
		}}
}

// trainCommand is the flags of train.
type trainCommand struct {
	cli.Training
	columns                  columns
	train, valid, cell       string
	hidden, layers, minCount int
	dropout                  float64
	oneWay, crf, intent      bool
	head                     int
	unicode                  text.Form
}

func (t *trainCommand) register(f *flag.FlagSet) {
	t.columns.register(f)
	cli.DataFlag(f, &t.train, "to learn from instead of the SGD dialogues, token TAB tag")
	cli.ValidFlag(f, &t.valid, "of validation data, token TAB tag")
	cli.OldNames(f, "train", "data")
	cli.CellFlag(f, &t.cell, "lstm", "")
	f.IntVar(&t.hidden, "hidden", 64, "width of the layers, in each direction")
	f.IntVar(&t.layers, "layers", 1, "recurrent layers")
	cli.UnicodeFlag(f, &t.unicode)
	cli.MinCountFlag(f, &t.minCount, 2)
	f.Float64Var(&t.dropout, "dropout", 0.2,
		"share of the inputs and outputs of the layers that is dropped")
	f.BoolVar(&t.crf, "crf", false,
		"the tags of a sentence depend on each other: a conditional random field")
	f.BoolVar(&t.intent, "intent", false,
		"the tag of a sentence's last line is the label of the sentence, such as an intent: "+
			"learn both")
	f.IntVar(&t.head, "head", 0, "width of a hidden layer before the output layer; 0 for none")
	f.BoolVar(&t.oneWay, "one-way", false, "read from left to right only")
	t.Register(f)
}

func (t *trainCommand) check() error {
	if t.Quick {
		t.Epochs, t.Steps, t.hidden = 1, 30, 16
	}
	var err error
	if (t.train == "") != (t.valid == "") {
		err = errors.New("-data and -valid go together")
	}
	return errors.Join(err, t.columns.Validate(), t.Training.Check(), t.config().Validate())
}

func (t *trainCommand) config() label.TaggerConfig {
	return label.TaggerConfig{CRF: t.crf, Config: label.Config{
		Recurrent:     cli.Recurrent(t.cell, t.hidden, t.layers, t.dropout),
		Text:          text.Cut{Spaced: true, KeepCase: true, Unicode: t.unicode},
		Bidirectional: !t.oneWay, IODropout: t.dropout, Head: t.head,
	}}
}

func (t *trainCommand) run(ctx context.Context, s cli.Std) error {
	train, valid, err := t.read(s.Messages)
	if err != nil {
		return err
	}
	if t.Quick {
		train, valid = train[:min(len(train), 960)], valid[:min(len(valid), 64)]
	}
	if t.intent {
		return t.runIntent(ctx, s, train, valid)
	}
	var tokens, labels []string
	for _, sentence := range train {
		tokens, labels = append(tokens, sentence.Tokens...), append(labels, sentence.Tags...)
	}
	vocabulary, err := text.NewVocabulary(text.VocabularyConfig{MinCount: t.minCount,
		Specials: []string{text.Unk}}, tokens)
	if err != nil {
		return err
	}
	tags, err := text.NewVocabulary(text.VocabularyConfig{}, labels)
	if err != nil {
		return err
	}
	m, err := label.NewTagger(t.config(), vocabulary, tags, t.Seed)
	if err != nil {
		return err
	}
	examples, err := encode(m, train)
	if err != nil {
		return fmt.Errorf("training: %w", err)
	}
	watched, err := encode(m, valid)
	if err != nil {
		return fmt.Errorf("validation: %w", err)
	}
	fmt.Fprintf(s.Out, "%d sentences, %d tokens to learn from, %d sentences to validate; %d "+
		"tags, vocabulary %d, %d parameters\n",
		len(train), len(tokens), len(valid), tags.Len(), vocabulary.Len(), m.Params().Count())
	task, err := m.Task(label.Data{Train: examples, Valid: watched, Batch: t.Batch, Seed: t.Seed})
	if err != nil {
		return t.at(err, train, valid)
	}
	_, err = t.Fit(ctx, s, cli.Run{
		Model: m, Task: task, Name: t.cell, Unit: "tokens", Monitor: "valid_loss",
		Describe: map[string]string{
			"model": fmt.Sprintf("%+v", m.Config()),
			"data":  fmt.Sprintf("of %d sentences, %d tokens", len(train), len(tokens)),
		},
	})
	if err != nil {
		return t.at(err, train, valid)
	}
	return atLine(t.valid, valid)(report(ctx, s.Out, m, newCounts(train), valid, "validation"))
}

// at says on which line of which file the sentence begins that an error is about.
func (t *trainCommand) at(err error, train, valid []text.Tagged) error {
	return cli.AtLines(err, atLine(t.train, train), atLine(t.valid, valid))
}

// evaluateCommand is the flags of evaluate.
type evaluateCommand struct {
	columns     columns
	model, data string
	counting    bool
	train       string
}

func (e *evaluateCommand) register(f *flag.FlagSet) {
	cli.ModelFlag(f, &e.model, "")
	e.columns.register(f)
	cli.DataFlag(f, &e.data, "of token TAB tag instead of the SGD dialogues kept apart")
	f.BoolVar(&e.counting, "counting", false,
		"show beside it what counting the tags of words in the training data reaches")
	f.StringVar(&e.train, "count-in", "",
		"with -counting: the training `file`, instead of the SGD dialogues")
	cli.OldNames(f, "train", "count-in")
}

func (e *evaluateCommand) check() error {
	err := errors.Join(cli.Required("model", e.model), e.columns.Validate())
	if e.train != "" && !e.counting {
		err = errors.Join(err, errors.New("-count-in is what -counting counts in"))
	}
	return err
}

func (e *evaluateCommand) run(ctx context.Context, s cli.Std) error {
	both, m, err := load(e.model)
	if err != nil {
		return err
	}
	if both != nil && e.counting {
		return errors.New("-counting is of taggers, and the model gives sentences a label too")
	}
	if both != nil {
		return e.runIntent(ctx, s, both)
	}
	test, name, err := e.read(s.Messages, m.Config().Text.Unicode)
	if err != nil {
		return err
	}
	var counted *counts
	if e.counting {
		train, _, err := (&trainCommand{columns: e.columns, train: e.train, valid: e.train,
			unicode: m.Config().Text.Unicode}).read(s.Messages)
		if err != nil {
			return err
		}
		counted = newCounts(train)
	}
	return atLine(e.data, test)(report(ctx, s.Out, m, counted, test, name))
}

// tagCommand is the flags of tag.
type tagCommand struct{ model, show string }

func (c *tagCommand) register(f *flag.FlagSet) {
	cli.ModelFlag(f, &c.model, "")
	f.StringVar(&c.show, "show", "",
		"how: columns (token TAB tag), slash (token/tag), or behind (a tag that is not O behind "+
			"its token)\n"+
			"(default behind for punctuation, else slash)")
}

func (c *tagCommand) check() error {
	err := cli.Required("model", c.model)
	if c.show != "" && c.show != "columns" && c.show != "slash" && c.show != "behind" {
		err = errors.Join(err, fmt.Errorf("-show is %q; want columns, slash or behind", c.show))
	}
	return err
}

func (c *tagCommand) run(ctx context.Context, s cli.Std) error {
	both, m, err := load(c.model)
	if err != nil {
		return err
	}
	form, known, names := text.Form(""), (*text.Vocabulary)(nil), (*text.Vocabulary)(nil)
	if both != nil {
		form, known, names = both.Config().Text.Unicode, both.Vocabulary(), both.Tags()
	} else {
		form, known, names = m.Config().Text.Unicode, m.Vocabulary(), m.Labels()
	}
	show := c.show
	if show == "" {
		show = "behind"
		for id := range names.Len() {
			if label, _ := names.Token(id); label != nothing && !isPunctuation(label) {
				show = "slash"
			}
		}
	}
	return cli.Answers(ctx, s, func(line string) error {
		tokens := strings.Fields(line)
		if len(tokens) == 0 {
			_, err := fmt.Fprintln(s.Out)
			return err
		}
		var b strings.Builder
		tags, err := predict(both, m, lower(form.Tokens(tokens), known), &b)
		if err != nil {
			return err
		}
		for i, token := range tokens {
			tag := tags[i].Label
			switch {
			case show == "columns":
				fmt.Fprintf(&b, "%s\t%s\n", token, tag)
				continue
			case i > 0:
				b.WriteByte(' ')
			}
			switch {
			case show == "slash":
				b.WriteString(token + "/" + tag)
			case tag == nothing:
				b.WriteString(token)
			default:
				b.WriteString(token + " " + tag)
			}
		}
		_, err = fmt.Fprintln(s.Out, b.String())
		return err
	})
}

// lower folds the case of tokens that the model knows in lower case only.
func lower(tokens []string, known *text.Vocabulary) []string {
	out := make([]string, len(tokens))
	for i, token := range tokens {
		out[i] = token
		if _, ok := known.ID(token); !ok {
			out[i] = strings.ToLower(token)
		}
	}
	return out
}
