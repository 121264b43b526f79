// 09-seq2seq is a chapter of the course: one sequence read, another one written.
package main

import (
	"embed"
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

//go:embed *.go *.md
var files embed.FS

func main() { course.Main(files, learned, lengths, steps, beams) }

// learn trains a model for a task.
func learn(p *course.Page, t task, pairs []pair, epochs int, seed uint64) (*seq2seq.Model, error) {
	source, err := text.NewVocabulary(text.VocabularyConfig{}, letters(pairs, false,
		t.backwards)...)
	if err != nil {
		return nil, err
	}
	target, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS}},
		letters(pairs, true, false)...)
	if err != nil {
		return nil, err
	}
	m, err := seq2seq.New(seq2seq.Config{Encoder: zoo.Recurrent{Cell: "lstm", Hidden: t.hidden},
		EmbedSource: 16,
		EmbedTarget: 16, Peeky: t.see}, source, target, seed)
	if err != nil {
		return nil, err
	}
	data, err := m.Pairs(letters(pairs, false, t.backwards), letters(pairs, true, false))
	if err != nil {
		return nil, err
	}
	task, err := m.Task(seq2seq.Data{Train: data, Batch: 64, Seed: seed})
	if err != nil {
		return nil, err
	}
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.005})
	if err != nil {
		return nil, err
	}
	_, err = train.Fit(p.Context(), task, train.Config{Optimizer: adam, Epochs: epochs, Seed: seed,
		Clip: train.Clip{Norm: 1}, Warn: func(string) {}})
	return m, err
}

// learned trains a model for each task, and asks it what it has not seen.
func learned(p *course.Page) error {
	runs, err := course.Once(p, "runs", func() (Runs, error) { return runAll(p) })
	if err != nil {
		return err
	}
	var rows [][]any
	samples := ""
	for _, t := range tasks {
		for _, s := range runs.Samples[t.name] {
			samples += s.Source + " → " + s.Target + "\n"
		}
		rows = append(rows, []any{t.name, fmt.Sprintf("%.0f %%", runs.Right[t.name])})
		p.Value(t.name, "%.0f %%", runs.Right[t.name])
	}
	p.Verbatim(samples)
	p.Table("500 new questions of each kind, right to the last letter", []string{"task", "right"},
		rows...)
	if p.Size != course.Quick {
		for _, name := range []string{"reversal", "addition", "postfix"} {
			p.Claim("more than two thirds of the answers are right: "+name, runs.Right[name] > 67)
			p.Claim("dates come out less often: "+name, runs.Right["dates"] < runs.Right[name])
		}
	}
	return nil
}

// lengths draws where answers go wrong.
func lengths(p *course.Page) error {
	runs, err := course.Once(p, "runs", func() (Runs, error) { return runAll(p) })
	if err != nil {
		return err
	}
	figure := plot.Plot{Title: "Reversal by length", X: "digits", Y: "right answers, %",
		YRange: plot.Range{Low: 0, High: 100},
		Alt:    "Short numbers are reversed rightly, fewer long ones, and hardly any that are longer than those learned."}
	var digits []float64
	for n := range runs.ByLength[0] {
		digits = append(digits, float64(n+2))
	}
	figure.AddRuns(fmt.Sprintf("learned with 2 to %d digits", longest), digits, runs.ByLength)
	p.Plot(&figure)
	at := func(n int) float64 { // the median of the seeds
		var of []float64
		for _, run := range runs.ByLength {
			of = append(of, run[n-2])
		}
		slices.Sort(of)
		return of[len(of)/2]
	}
	p.Plot(&plot.Plot{Title: "Dates, letter by letter", Y: "right letters, %",
		YRange: plot.Range{Low: 0, High: 100},
		Groups: []string{"Y1", "Y2", "Y3", "Y4", "-", "M1", "M2", "- ", "D1", "D2"},
		Bars:   []plot.Bars{{Name: "right letters", Values: runs.Date}},
		Alt:    "The hyphens and the century are right; of the other digits, many are not."})
	p.Value("short", "%.0f %%", at(longest/2))
	p.Value("longest", "%.0f %%", at(longest))
	p.Value("longer", "%.0f %%", at(longest+2))
	p.Value("digits", "%d", longest)
	p.Value("seeds", "%d", len(runs.ByLength))
	p.Value("hidden", "%d", tasks[0].hidden)
	p.Value("day", "%.0f %%", runs.Date[9])
	if p.Size != course.Quick {
		p.Claim("numbers two digits longer than those learned come out less than half as often as the longest of those",
			at(longest+2) < at(longest)/2)
		p.Claim("the longest that were learned come out less often than those half as long",
			at(longest) <= at(longest/2))
	}
	return nil
}

// steps shows how one answer is written, letter by letter.
func steps(p *course.Page) error {
	runs, err := course.Once(p, "runs", func() (Runs, error) { return runAll(p) })
	if err != nil {
		return err
	}
	var rows [][]any
	before := "<bos>"
	for i, s := range runs.Steps {
		rows = append(rows, []any{i + 1, before, s.Text, fmt.Sprintf("%.3f", s.P)})
		before = s.Text
	}
	p.Table("Greedily, letter by letter: "+runs.Source, []string{"step", "reads", "writes",
		"probability"}, rows...)
	rows = nil
	for _, b := range runs.Best {
		rows = append(rows, []any{b.Text, fmt.Sprintf("%.3f", b.P)})
	}
	p.Table("Whole answers that a beam of 5 finds", []string{"answer", "probability"}, rows...)
	p.Value("source", "%s", runs.Source)
	p.Claim("the best answer of a beam is at least as likely as the greedy one",
		product(runs.Steps) <= runs.Best[0].P*1.0001)
	return nil
}

// beams compares greedy search with beams.
func beams(p *course.Page) error {
	runs, err := course.Once(p, "runs", func() (Runs, error) { return runAll(p) })
	if err != nil {
		return err
	}
	var rows [][]any
	for _, w := range widths {
		b := runs.Beams[w]
		rows = append(rows, []any{w, fmt.Sprintf("%.1f %%", b.Right), fmt.Sprintf("%.4f",
			b.LogProb)})
	}
	p.Table("500 dates, by the width of the beam", []string{"width", "right",
		"mean log-probability of the answer"}, rows...)
	widest := slices.Max(widths)
	p.Value("greedyRight", "%.1f %%", runs.Beams[1].Right)
	p.Value("beamRight", "%.1f %%", runs.Beams[widest].Right)
	p.Value("widest", "%d", widest)
	p.Claim("a beam's answers are on average at least as likely",
		runs.Beams[widest].LogProb >= runs.Beams[1].LogProb-1e-6)
	return nil
}
