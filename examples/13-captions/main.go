// 13-captions is a chapter of the course: attention from pictures to words.
package main

import (
	"embed"
	"fmt"
	"image"
	"strings"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/text"
)

//go:embed *.go *.md
var files embed.FS

func main() { course.Main(files, pictures, learn, looks, counts) }

// pictures shows scenes with their sentences.
func pictures(p *course.Page) error {
	some := newScenes(3, 8)
	var all []image.Image
	for _, s := range some {
		all = append(all, enlarged(s))
	}
	p.Image(tiles(4, all...), "Eight pictures of two to four bright shapes on a dark ground.", 0)
	lines := ""
	for i, s := range some {
		lines += fmt.Sprintf("%d  %s\n", i+1, strings.Join(s.Words, " "))
	}
	p.Verbatim(lines)
	return nil
}

// newModel is a model that has not learned anything. Without attention one patch is the whole
// picture, so that there is one place to look at, and four times as many units read it.
func newModel(p *course.Page, attention bool, seed uint64) (*caption.Model, error) {
	words, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk, text.BOS,
		text.EOS}},
		shapes, []string{"beside", "over"})
	if err != nil {
		return nil, err
	}
	units := course.Pick(p, 8, 64, 64)
	c := caption.Config{Height: side, Width: side, Patch: 12, Stride: 4, Hidden: units,
		Features: units,
		Decoder:  zoo.Recurrent{Cell: "gru", Hidden: units}}
	if !attention {
		c.Patch, c.Stride, c.Hidden = side, side, 4*units
	}
	return caption.New(c, words, seed)
}

// learn trains a model with attention and one without, on the same scenes.
func learn(p *course.Page) error {
	figure := plot.Plot{Title: "Learning to describe pictures", X: "scenes seen",
		Y:    "loss on new scenes, nats a word",
		LogY: true,
		Alt:  "The loss with attention falls far below that of a model that sees the picture as a whole."}
	for _, name := range []string{"attention", "the whole picture at once"} {
		var runs [][]float64
		var x []float64
		for seed := range seeds(p) {
			t, err := trained(p, name == "attention", uint64(seed+1))
			if err != nil {
				return err
			}
			x, runs = t.Seen, append(runs, t.Loss)
		}
		figure.AddRuns(name, x, runs)
	}
	p.Plot(&figure)
	return nil
}

// fit trains a model on scenes; row is told the loss on others after every pass.
func fit(p *course.Page, m *caption.Model, scenes, others []scene,
	row func(train.Row) error) error {
	learned, err := examples(m, scenes)
	if err != nil {
		return err
	}
	valid, err := examples(m, others)
	if err != nil {
		return err
	}
	task, err := m.Task(caption.Data{Train: learned, Valid: valid, Batch: 32})
	if err != nil {
		return err
	}
	passes := course.Pick(p, 1, 6, 20)
	schedule, err := train.NewCosine(train.CosineConfig{LR: 0.003, MinLR: 0.00003,
		Total: passes * task.Len()})
	if err != nil {
		return err
	}
	adam, err := train.NewAdam(train.AdamConfig{})
	if err != nil {
		return err
	}
	_, err = train.Fit(p.Context(), task, train.Config{Optimizer: adam, Schedule: schedule,
		Epochs: passes,
		Clip:   train.Clip{Norm: 5}, OnRow: []func(train.Row) error{row}, Warn: func(string) {}})
	return err
}

// looks shows where each word of a caption looked.
func looks(p *course.Page) error {
	t, err := trained(p, true, 1)
	if err != nil {
		return err
	}
	m, err := newModel(p, true, 1)
	if err != nil {
		return err
	}
	for _, things := range []int{2, 4} {
		i := t.rightOne(things)
		s, words, maps := tested(p)[i], t.Found[i], t.Maps[i]
		all := []image.Image{enlarged(s)}
		var rows [][]any
		for k, word := range words {
			var box image.Rectangle
			if k < len(s.Boxes) {
				box = s.Boxes[k]
			}
			all = append(all, looked(s, m, maps[k], box))
			on := "–"
			if !box.Empty() {
				on = fmt.Sprintf("%.0f %%", 100*onto(m, maps[k], box))
			}
			rows = append(rows, []any{k + 1, word, on})
		}
		p.Verbatim(strings.Join(words, " ") + "\n")
		p.Image(tiles(4, all...),
			"The picture, and once for each word with the places that it looked at in orange and a blue frame around what it is about.", 0)
		if p.Size != course.Quick {
			p.Table("", []string{"picture", "word", "weight on the thing"}, rows...)
		}
	}
	return nil
}

// counts compares the captions with what the scenes show, and the weights with where it is.
func counts(p *course.Page) error {
	var rows [][]any
	exact := map[string]span{}
	for _, name := range []string{"attention", "the whole picture at once"} {
		row := []any{name}
		for _, things := range []int{2, 3, 4, 0} {
			var share span
			for seed := range seeds(p) {
				t, err := trained(p, name == "attention", uint64(seed+1))
				if err != nil {
					return err
				}
				share.add(t.exact(tested(p), things))
			}
			row = append(row, share.String())
			exact[fmt.Sprint(name[:3], things)] = share
		}
		rows = append(rows, row)
	}
	p.Table("Captions without a mistake", []string{"sees", "two things", "three", "four", "all"},
		rows...)
	return places(p, exact)
}
