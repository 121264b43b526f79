package plot

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

//go:embed fonts/DejaVuSans-signs.ttf
var signsFont []byte

//go:embed fonts/NotoSansJP-subset.otf
var lettersFont []byte

// fonts are tried in turn for each letter: the signs first, so that superscripts are alike.
var fonts = sync.OnceValues(func() ([]*opentype.Font, error) {
	var out []*opentype.Font
	for _, data := range [][]byte{signsFont, lettersFont} {
		f, err := opentype.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("plot: an embedded font: %w", err)
		}
		out = append(out, f)
	}
	return out, nil
})

// run is a part of a text in one font.
type run struct {
	font  *opentype.Font // nil: neither font has these letters
	text  string
	width float64 // in pixels
}

// shape divides a text of a size in pixels into runs.
func shape(text string, size float64) ([]run, error) {
	faces, err := fonts()
	if err != nil {
		return nil, err
	}
	var runs []run
	for i, r := range text {
		if r == utf8.RuneError || unicode.IsControl(r) || r >= 0xfffe && r <= 0xffff {
			return nil,
				fmt.Errorf("plot: %q cannot be written: it is not UTF-8, or has the sign %U, "+
					"at byte %d", text, r, i)
		}
		f, width, err := glyph(faces, r)
		if err != nil {
			return nil, err
		}
		if len(runs) == 0 || runs[len(runs)-1].font != f {
			runs = append(runs, run{font: f})
		}
		last := &runs[len(runs)-1]
		last.text += string(r)
		last.width += width * size
	}
	return runs, nil
}

// glyph finds the first font that has a letter, and the letter's width in ems. Without a font the
// width is a guess: letters of alphabets are narrow, others square.
func glyph(faces []*opentype.Font, r rune) (*opentype.Font, float64, error) {
	var buf sfnt.Buffer
	for _, f := range faces {
		index, err := f.GlyphIndex(&buf, r)
		if err != nil || index == 0 {
			continue
		}
		advance, err := f.GlyphAdvance(&buf, index, fixed.I(1000), font.HintingNone)
		if err != nil {
			return nil, 0, fmt.Errorf("plot: the width of %q: %w", r, err)
		}
		return f, float64(advance) / 64 / 1000, nil
	}
	if r >= 0x1100 {
		return nil, 1, nil
	}
	return nil, 0.6, nil
}

// textWidth is the width of a text in pixels.
func textWidth(text string, size float64) (float64, error) {
	runs, err := shape(text, size)
	width := 0.0
	for _, r := range runs {
		width += r.width
	}
	return width, err
}

// widest is the width of the widest of the texts.
func widest(texts []string, size float64) (float64, error) {
	most := 0.0
	for _, t := range texts {
		w, err := textWidth(t, size)
		if err != nil {
			return 0, err
		}
		most = max(most, w)
	}
	return most, nil
}

// wrap breaks a text into lines of at most a width, between words and between letters of Chinese
// and Japanese. A word that is wider has a line of its own.
func wrap(text string, size, width float64) (lines []string, err error) {
	line := ""
	for _, piece := range pieces.FindAllString(text, -1) {
		wide, err := textWidth(strings.TrimRight(line+piece, " "), size)
		if err != nil {
			return nil, err
		}
		if line != "" && wide > width {
			lines, line = append(lines, strings.TrimRight(line, " ")), ""
		}
		line += piece
	}
	return append(lines, strings.TrimRight(line, " ")), nil
}

// balanced breaks a text into as few lines as wrap does, and makes them about equally long.
func balanced(text string, size, width float64) (lines []string, err error) {
	if lines, err = wrap(text, size, width); err != nil || len(lines) < 2 {
		return lines, err
	}
	for narrower := width * 0.95; narrower > width/2; narrower *= 0.95 {
		tried, err := wrap(text, size, narrower)
		if err != nil || len(tried) > len(lines) {
			return lines, err
		}
		lines = tried
	}
	return lines, nil
}

// pieces are what is not broken: a word with the spaces behind it, or a letter of Chinese or
// Japanese with the signs around it that end, or begin, no line.
var pieces = regexp.MustCompile(`[（「]*[\p{Han}\p{Hiragana}\p{Katakana}][ー、。）」ッャュョっゃゅょ ]*|` +
	`[^\s\p{Han}\p{Hiragana}\p{Katakana}]+ *|\s+`)
