package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo/images"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// do runs a command line.
func do(in string, args ...string) (out, messages string, err error) {
	var o, m bytes.Buffer
	err = program().Run(context.Background(), args,
		cli.Std{In: strings.NewReader(in), Out: &o, Messages: &m})
	return o.String(), m.String(), err
}

// blots are labelled images like MNIST's: digit d is a block of brightness 10·d + 1 in the middle.
func blots(n int) *images.Set {
	s := &images.Set{Rows: digitSide, Cols: digitSide, Pixels: make([]uint8, n*digitSide*digitSide)}
	for i := range n {
		s.Labels = append(s.Labels, uint8(i%10))
		for y := 4; y < 24; y++ {
			for x := 4; x < 24; x++ {
				s.At(i)[y*digitSide+x] = uint8(10*(i%10) + 1)
			}
		}
	}
	return s
}

// A sentence is read back from its picture by somebody who knows the grammar alone, and boxes keep
// apart.
func TestScenesSayWhatTheyShow(t *testing.T) {
	scenes, err := makeScenes(blots(100), rng.New(3), 2000)
	require.NoError(t, err)
	again, err := makeScenes(blots(100), rng.New(3), 1500)
	require.NoError(t, err)
	require.Equal(t, scenes[:1500], again)
	kinds := map[string]int{}
	for _, s := range scenes {
		require.Equal(t, len(s.named) == 3, len(s.words) > 6)
		var digits []string
		for i, n := range s.named {
			require.True(t, n.box.In(s.picture.Rect))
			for y := n.box.Min.Y; y < n.box.Max.Y; y++ {
				for x := n.box.Min.X; x < n.box.Max.X; x++ {
					require.Equal(t, s.picture.GrayAt(n.box.Min.X, n.box.Min.Y),
						s.picture.GrayAt(x, y))
				}
			}
			for _, m := range s.named[:i] {
				require.True(t, n.box.Intersect(m.box).Empty())
			}
			digits = append(digits, digitWords[s.picture.GrayAt(n.box.Min.X, n.box.Min.Y).Y/10])
		}
		min := func(i int) image.Point { return s.named[i].box.Min }
		between := func(x, low, high int) bool { return x >= low && x <= high }
		var want string
		switch d := min(1).Sub(min(0)); {
		case between(d.X, inkSide, room) && between(d.Y, -slack, slack):
			want = digits[0] + " left of " + digits[1]
			kinds["row"]++
		case between(d.Y, inkSide, room) && between(d.X, -slack, slack):
			want = digits[0] + " above " + digits[1]
			kinds["column"]++
		}
		if len(digits) == 3 {
			side, where := "left", "below"
			if min(2).X > (min(0).X+min(1).X)/2 {
				side = "right"
			}
			if min(2).Y < min(0).Y {
				where = "above"
			}
			kinds[where+side]++
			want += fmt.Sprintf(" and %s %s the %s digit", digits[2], where, side)
		}
		require.Equal(t, want, strings.Join(s.words, " "))
	}
	require.Len(t, kinds, 6)
	_, err = makeScenes(&images.Set{Rows: 2, Cols: 2, Pixels: make([]uint8, 4)}, 1, 1)
	require.ErrorContains(t, err, "labelled images of 28 × 28 pixels, these are 2 × 2")
}

func TestFromScenesToCaptions(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	t.Setenv("SEQZOO_DATA", data)
	require.NoError(t, os.Mkdir(filepath.Join(data, "mnist"), 0o777))
	for name, n := range map[string]int{"train": 5300, "t10k": 300} {
		set := blots(n)
		var b, l bytes.Buffer
		require.NoError(t, set.Write(&b))
		require.NoError(t, images.WriteLabels(&l, set.Labels))
		require.NoError(t, os.WriteFile(filepath.Join(data, "mnist", name+"-images-idx3-ubyte.gz"),
			b.Bytes(), 0o666))
		require.NoError(t, os.WriteFile(filepath.Join(data, "mnist", name+"-labels-idx1-ubyte.gz"),
			l.Bytes(), 0o666))
	}
	model, maps := filepath.Join(dir, "a model"), filepath.Join(dir, "maps")
	_, messages, err := do("", "train", "-quick", "-save", model)
	require.NoError(t, err)
	require.Contains(t, messages, "256 scenes of 56 × 56 pixels, 21 words, 9 patches")
	require.Contains(t, messages, "saved in "+model)
	out, _, err := do("", "evaluate", "-model", model, "-n", "20")
	require.NoError(t, err)
	require.Contains(t, out, "of 20\n")

	pictures, sentences := filepath.Join(dir, "some.idx"), filepath.Join(dir, "some.txt")
	out, _, err = do("", "scenes", "-part", "test", "-n", "12", "-data", pictures, "-sentences",
		sentences)
	require.NoError(t, err)
	require.Contains(t, out, "12 scenes")
	scenes, err := readScenes(files{pictures, sentences}, text.AsIs)
	require.NoError(t, err)
	test, err := testScenes(files{}, 12, text.AsIs)
	require.NoError(t, err)
	for i := range test {
		test[i].line = i + 1
	}
	require.Equal(t, test, scenes)
	fromFile, _, err := do("", "evaluate", "-model", model, "-data", pictures, "-sentences",
		sentences)
	require.NoError(t, err)
	made, _, err := do("", "evaluate", "-model", model, "-n", "12")
	require.NoError(t, err)
	require.Equal(t, made, fromFile)
	_, messages, err = do("", "train", "-quick", "-data", pictures, "-sentences", sentences)
	require.NoError(t, err)
	require.Contains(t, messages, "12 scenes of 56 × 56")

	photo, small := filepath.Join(dir, "a photo.png"), filepath.Join(dir, "small.png")
	for path, p := range map[string]image.Image{photo: scenes[0].picture,
		small: image.NewGray(image.Rect(0, 0, 3, 4))} {
		var b bytes.Buffer
		require.NoError(t, png.Encode(&b, p))
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o666))
	}
	lines := []string{photo, pictures + " 0", "", small, "nothing.png", sentences, pictures + " 12",
		pictures}
	out, messages, err = do(strings.Join(lines, "\n"), "caption", "-model", model, "-draw", maps)
	require.NoError(t, err)
	said := strings.Split(out, "\n")
	require.Len(t, said, 3)
	require.Equal(t, said[0], said[1])
	for _, want := range []string{
		"line 4: zoo: captioner: picture 0: the picture is 3 × 4 pixels, the model was " +
			"made for 56 × 56", "line 5: open nothing.png",
		"line 6: " + sentences + ": image: unknown format; PNG, JPEG and GIF are read", "line 7: " +
			pictures + " has pictures 0 … 11, not 12", "line 8: ",
	} {
		require.Contains(t, messages, want)
	}
	drawn, err := os.ReadFile(filepath.Join(maps, "1.svg"))
	require.NoError(t, err)
	require.Equal(t, len(strings.Fields(said[0])), strings.Count(string(drawn), "<text"))
	require.NoFileExists(t, filepath.Join(maps, "4.svg"))
}

// Sentences are brought to one Unicode form, and what is wrong with one names its line.
func TestSentencesOfFiles(t *testing.T) {
	dir := t.TempDir()
	f := files{filepath.Join(dir, "some.idx"), filepath.Join(dir, "some.txt")}
	set := &images.Set{Rows: 28, Cols: 28, Pixels: make([]uint8, 4*28*28)}
	var b bytes.Buffer
	require.NoError(t, set.Write(&b))
	require.NoError(t, os.WriteFile(f.pictures, b.Bytes(), 0o666))
	write := func(lines ...string) {
		require.NoError(t, os.WriteFile(f.sentences, []byte(strings.Join(lines, "\n")), 0o666))
	}
	write("caf\u00e9", "cafe\u0301", "\uff76\uff8c\uff6a", "\u30ab\u30d5\u30a7")
	for form, words := range map[string]int{"nfc": 3, "nfkc": 2} {
		model := filepath.Join(dir, form)
		args := []string{"train", "-data", f.pictures, "-sentences", f.sentences}
		_, messages, err := do("", append(args, "-quick", "-unicode", form, "-save", model)...)
		require.NoError(t, err)
		require.Contains(t, messages, fmt.Sprintf(" %d words, ", words+3))
		args[0] = "evaluate"
		_, _, err = do("", append(args, "-model", model)...)
		require.NoError(t, err)
	}
	write("a", "b", strings.Repeat("c ", 1<<17), "d")
	_, _, err := do("", "train", "-quick", "-data", f.pictures, "-sentences", f.sentences)
	require.ErrorContains(t, err, f.sentences+": line 3: ")
}

func TestMistakes(t *testing.T) {
	t.Setenv("SEQZOO_DATA", t.TempDir())
	for args, want := range map[string]string{
		"train":                             "give scenes by -data",
		"train -data x":                     "go together",
		"train -n 0":                        "-n is 0",
		"train -stride 5":                   "do not cover",
		"train -data none -sentences none":  "no such file",
		"evaluate":                          "-model is missing",
		"evaluate -model none":              "no such file",
		"caption":                           "-model is missing",
		"scenes -data a":                    "-sentences is missing",
		"scenes -part dev":                  `-part is "dev"`,
		"scenes -data a -sentences b -n -1": "-n is -1",
	} {
		_, _, err := do("", strings.Fields(args)...)
		require.ErrorContains(t, err, want, args)
	}
	for lines, want := range map[string]string{
		"":                      "no sentences",
		"a b\n\nc":              "line 2: the sentence is empty",
		"a b\t1 2 3":            "line 1: a box is \"1 2 3\"",
		"a b\t2 0 0 1 1":        "one of 2 words",
		"a b\t0 0 0 0 1":        "want the number of one of 2 words and the corners",
		"a b\t0 0 0 1 1 1":      "a box is",
		"a b\t0 0 0 1 99999999": "a box is",
		"a b\tx 0 0 1 1":        "a box is",
	} {
		_, err := parseSentences(lines)
		require.ErrorContains(t, err, want)
	}
}

func FuzzSentences(f *testing.F) {
	f.Add("three above seven\t0 4 4 24 24\t2 3 30 23 50\nx\n")
	f.Add("\t\n")
	f.Fuzz(func(t *testing.T, lines string) {
		scenes, err := parseSentences(lines)
		for _, s := range scenes {
			if err == nil && len(s.words) == 0 {
				t.Fatal("a sentence without words")
			}
			for _, n := range s.named {
				if n.word < 0 || n.word >= len(s.words) || n.box.Empty() {
					t.Fatalf("%+v of %d words", n, len(s.words))
				}
			}
		}
	})
}
