package main

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	"io"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo/images"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// A scene is a picture of two or three digits with the sentence that says what they are and how
// they lie:
//
//	sentence = pair | pair "and" third
//	pair     = digit ("left of" | "above") digit
//	third    = digit ("above" | "below") "the" ("left" | "right") "digit"    beside a pair whose digits are left and right
//	digit    = "zero" | … | "nine"
//
// Exactly one sentence of the grammar fits a scene. There are no articles: to choose between "a"
// and "an" the digit must be read a word before its name, and then the name is written without
// looking.
type scene struct {
	picture *image.Gray
	words   []string
	named   []named
	line    int // of the sentence in its file, from 1; 0 of a scene that was made
}

// named is a digit's word in the sentence, by its number from 0, and where the digit is.
type named struct {
	word int
	box  image.Rectangle
}

const (
	sceneSide = 56 // of a scene
	digitSide = 28 // of an image of MNIST
	// of the box in its middle to which MNIST's digits were scaled; these boxes do not overlap in a
	// scene
	inkSide = 20
	slack   = 6 // what lies left and right differs by at most so much in height, and the like
	room    = sceneSide - digitSide
)

var digitWords = []string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight",
	"nine"}

// makeScenes draws n scenes from images of digits. Scene i depends on the images, the key and i
// alone.
func makeScenes(digits *images.Set, key rng.Key, n int) ([]scene, error) {
	if digits.Rows != digitSide || digits.Cols != digitSide || len(digits.Labels) != digits.Len() {
		return nil, fmt.Errorf("scenes need labelled images of %d × %d pixels, these are %d × %d",
			digitSide, digitSide, digits.Cols, digits.Rows)
	}
	scenes := make([]scene, n)
	for i := range scenes {
		var err error
		if scenes[i], err = makeScene(digits, key.Numbered(uint64(i))); err != nil {
			return nil, err
		}
	}
	return scenes, nil
}

func makeScene(digits *images.Set, key rng.Key) (scene, error) {
	random := &rng.Stream{Key: key}
	s := scene{picture: image.NewGray(image.Rect(0, 0, sceneSide, sceneSide))}
	// apart are two places along one axis that leave the boxes apart; near is a place beside
	// another one.
	apart := func() (low, high int) {
		low = random.Intn(room - inkSide + 1)
		return low, low + inkSide + random.Intn(room-inkSide-low+1)
	}
	near := func(x int) int { return min(room, max(0, x+random.Intn(2*slack+1)-slack)) }
	var failed error
	put := func(x, y int) {
		k := random.Intn(digits.Len())
		if digits.Labels[k] > 9 {
			failed = fmt.Errorf("image %d has label %d; scenes are made of the digits 0 … 9", k,
				digits.Labels[k])
			return
		}
		for i, v := range digits.At(k) {
			at := s.picture.PixOffset(x+i%digitSide, y+i/digitSide)
			s.picture.Pix[at] = max(s.picture.Pix[at], v)
		}
		s.words = append(s.words, digitWords[digits.Labels[k]])
		corner := image.Pt(x+(digitSide-inkSide)/2, y+(digitSide-inkSide)/2)
		s.named = append(s.named, named{len(s.words) - 1,
			image.Rectangle{corner, corner.Add(image.Pt(inkSide, inkSide))}})
	}
	say := func(sentence string) { s.words = append(s.words, strings.Fields(sentence)...) }

	switch low, high := apart(); random.Intn(4) {
	case 0:
		y := random.Intn(room + 1)
		put(low, y)
		say("left of")
		put(high, near(y))
	case 1:
		x := random.Intn(room + 1)
		put(x, low)
		say("above")
		put(near(x), high)
	default:
		top, bottom := apart()
		right, below := random.Intn(2) == 1, random.Intn(2) == 1
		pair, third, other := bottom, top, max(near(bottom), top+inkSide)
		if below {
			pair, third, other = top, bottom, min(near(top), bottom-inkSide)
		}
		put(low, pair)
		say("left of")
		put(high, other)
		say("and")
		x, side, where := low, "left", "above"
		if right {
			x, side = high, "right"
		}
		if below {
			where = "below"
		}
		put(near(x), third)
		say(where + " the " + side + " digit")
	}
	return s, failed
}

// writeScenes writes pictures as an IDX file, and to another file a line for each: the sentence,
// and behind tabs, for each digit that it names, the number of its word and the corners of its box:
// "0 4 4 24 24".
func writeScenes(pictures, sentences string, scenes []scene) error {
	set := &images.Set{Rows: sceneSide, Cols: sceneSide}
	for _, s := range scenes {
		set.Pixels = append(set.Pixels, s.picture.Pix...)
	}
	err := cli.WriteFile(pictures, set.Write)
	if err != nil {
		return err
	}
	return cli.WriteFile(sentences, func(w io.Writer) error {
		b := bufio.NewWriter(w)
		for _, s := range scenes {
			b.WriteString(strings.Join(s.words, " "))
			for _, n := range s.named {
				fmt.Fprintf(b, "\t%d %d %d %d %d", n.word, n.box.Min.X, n.box.Min.Y, n.box.Max.X,
					n.box.Max.Y)
			}
			b.WriteByte('\n')
		}
		return b.Flush()
	})
}

// readScenes reads what writeScenes writes; pictures may be of any size, and boxes may be missing.
// Words are brought to the form.
func readScenes(from files, form text.Form) ([]scene, error) {
	set, err := images.Read(from.pictures)
	if err != nil {
		return nil, err
	}
	lines, err := text.ReadFile(from.sentences)
	if err != nil {
		return nil, err
	}
	scenes, err := parseSentences(lines)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from.sentences, err)
	}
	if len(scenes) != set.Len() {
		return nil, fmt.Errorf("%s has %d pictures, %s has %d lines: they do not belong together",
			from.pictures, set.Len(), from.sentences, len(scenes))
	}
	for i := range scenes {
		scenes[i].picture, scenes[i].words = picture(set, i), form.Tokens(scenes[i].words)
	}
	return scenes, nil
}

// picture is image i of a set, whose memory it shares.
func picture(set *images.Set, i int) *image.Gray {
	return &image.Gray{Pix: set.At(i), Stride: set.Cols, Rect: image.Rect(0, 0, set.Cols, set.Rows)}
}

// parseSentences reads lines of a sentence and boxes.
func parseSentences(lines string) ([]scene, error) {
	var scenes []scene
	for line := range strings.Lines(lines) {
		s, err := parseSentence(strings.TrimRight(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", len(scenes)+1, err)
		}
		s.line = len(scenes) + 1
		scenes = append(scenes, s)
	}
	if len(scenes) == 0 {
		return nil, errors.New("there are no sentences in it")
	}
	return scenes, nil
}

func parseSentence(line string) (s scene, err error) {
	sentence, boxes, some := strings.Cut(line, "\t")
	if s.words = strings.Fields(sentence); len(s.words) == 0 {
		return s, errors.New("the sentence is empty")
	}
	for some {
		var box string
		box, boxes, some = strings.Cut(boxes, "\t")
		var n [5]int
		fields := strings.Fields(box)
		for i, f := range fields {
			if i == len(n) {
				break
			}
			if n[i], err = strconv.Atoi(f); err != nil || n[i] < 0 || n[i] > 1<<20 {
				return s, fmt.Errorf("a box is %q, want the number of a word and the corners, "+
					"such as \"0 4 4 24 24\"", box)
			}
		}
		r := image.Rectangle{image.Pt(n[1], n[2]), image.Pt(n[3], n[4])}
		if len(fields) != len(n) || r.Empty() || n[0] >= len(s.words) {
			return s, fmt.Errorf("a box is %q, want the number of one of %d words and the "+
				"corners, such as \"0 4 4 24 24\"", box, len(s.words))
		}
		s.named = append(s.named, named{n[0], r})
	}
	return s, nil
}

// mnist reads the part of MNIST that pictures are made of: "train", "valid" (the last 5,000 images
// of the training set) or "test".
func mnist(part string) (*images.Set, error) {
	name := "train"
	if part == "test" {
		name = "t10k"
	}
	const instead = "give scenes by -data and -sentences"
	pictures, err := cli.DataFile("mnist/"+name+"-images-idx3-ubyte.gz", instead)
	if err != nil {
		return nil, err
	}
	labels, err := cli.DataFile("mnist/"+name+"-labels-idx1-ubyte.gz", instead)
	if err != nil {
		return nil, err
	}
	set, err := images.ReadLabelled(pictures, labels)
	if err != nil || part == "test" {
		return set, err
	}
	cut := max(0, set.Len()-5000)
	if part == "valid" {
		return set.Slice(cut, set.Len()), nil
	}
	return set.Slice(0, cut), nil
}
