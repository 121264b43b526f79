package plot_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	_ "github.com/seqzoo/seqzoo/internal/testkit" // one seed

	"github.com/seqzoo/seqzoo/plot"
)

// figures are one of each kind, with Japanese and signs of mathematics.
func figures() map[string]plot.Figure {
	x := []float64{1, 10, 100, 1000, 10000}
	lines := &plot.Plot{Title: "二進数の足し算", X: "更新の回数", Y: "損失 ‖∂L/∂hₜ‖", LogX: true, LogY: true,
		Levels: []plot.Level{{Name: "チャンス", Y: 0.25}}}
	lines.AddRuns("シグモイド, N(0, 1)", x, [][]float64{{1, .5, .2, .1, 1e-3}, {1, .6, .1, .2, 2e-3}, {1,
		.4, .3, .1, 3e-3}})
	lines.AddRuns("ReLU, He (2/√n)", x, [][]float64{{2, .9, math.NaN(), .4, .3}, {3, 1, .5, .4,
		.2}})
	bars := &plot.Plot{Title: "Time of a step", Y: "ms", Groups: []string{"RNN", "GRU", "LSTM"},
		Bars: []plot.Bars{{Name: "64 units", Values: plot.Values{1, 2.2, 3.1}},
			{Name: "256 units", Values: plot.Values{4, 6, 9}, Low: plot.Values{3, 5, 8},
				High: plot.Values{5, 7, 9.5}}}}
	dots := &plot.Plot{Title: "Words", Curves: []plot.Curve{{Name: "near", Dots: true,
		X: plot.Values{0, 1, -1},
		Y: plot.Values{1, -1, 0}, Texts: []string{"king", "queen", "人"}}}}
	align := &plot.Map{Title: "注意の重み", X: "source", Y: "target", Rows: []string{"I", "am", "a",
		"cat"},
		Cols: []string{"吾輩", "は", "猫", "である"}, Scale: "重み", Low: 0, High: 1, Numbers: true,
		Values: plot.Matrix{{.9, .1, 0, 0}, {0, .2, 0, .8}, {.1, .2, .4, .3}, {0, 0, 1,
			math.NaN()}}}
	gates := &plot.Map{Title: "Gates", Diverging: true, Scale: "value", Cell: 12,
		Values: plot.Matrix{{-1, -.5, 0, .5, 1}, {1, .5, 0, -.5, -1}}}
	return map[string]plot.Figure{"lines": lines, "bars": bars, "dots": dots, "align": align,
		"gates": gates,
		"empty": &plot.Plot{}, "nothing": &plot.Map{}}
}

// Every figure is SVG that parses and a PNG that decodes. With PLOT_OUT they are kept in that
// folder.
func TestFigures(t *testing.T) {
	for name, f := range figures() {
		var svg, picture bytes.Buffer
		require.NoError(t, f.WriteSVG(&svg), name)
		wellFormed(t, svg.String())
		require.NoError(t, f.WritePNG(&picture), name)
		if folder := os.Getenv("PLOT_OUT"); folder != "" {
			require.NoError(t, os.WriteFile(filepath.Join(folder, name+".svg"), svg.Bytes(), 0o666))
			require.NoError(t, os.WriteFile(filepath.Join(folder, name+".png"), picture.Bytes(),
				0o666))
		}
		m, err := png.Decode(&picture)
		require.NoError(t, err, name)
		require.Positive(t, m.Bounds().Dx(), name)
	}
}

func wellFormed(t *testing.T, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := d.Token()
		if err == io.EOF {
			return
		}
		require.NoError(t, err, svg)
	}
}

// What is recorded and read back is drawn alike, and not-a-number survives.
func TestJSON(t *testing.T) {
	for name, f := range figures() {
		b, err := json.Marshal(f)
		require.NoError(t, err, name)
		var g plot.Figure = &plot.Plot{}
		if _, ok := f.(*plot.Map); ok {
			g = &plot.Map{}
		}
		require.NoError(t, json.Unmarshal(b, g), name)
		var want, got bytes.Buffer
		require.NoError(t, f.WriteSVG(&want))
		require.NoError(t, g.WriteSVG(&got))
		require.Equal(t, want.String(), got.String(), name)
	}
	b, err := json.Marshal(plot.Values{1.0 / 3, math.Inf(1), -0.000123456789})
	require.NoError(t, err)
	require.Equal(t, `[0.33333,null,-0.00012346]`, string(b))
}

func TestTranslated(t *testing.T) {
	dictionary := map[string]string{"Time of a step": "1ステップの時間", "256 units": "256 ユニット",
		"RNN": "単純なRNN"}
	translate := func(s string) string {
		if to, ok := dictionary[s]; ok {
			return to
		}
		return s
	}
	f := figures()["bars"]
	var before, after, svg bytes.Buffer
	require.NoError(t, f.WriteSVG(&before))
	require.NoError(t, f.Translated(translate).WriteSVG(&svg))
	for from, to := range dictionary {
		require.Contains(t, svg.String(), to)
		require.NotContains(t, svg.String(), ">"+from+"<")
	}
	require.NoError(t, f.WriteSVG(&after))
	require.Equal(t, before.String(), after.String(), "the figure itself stays as it is")
}

// A letter without a glyph is an error in a PNG, wherever it stands, and shown by the reader's
// fonts in SVG. What cannot be written is an error in both.
func TestMissingGlyphs(t *testing.T) {
	v := plot.Values{1, 2}
	for where, f := range map[string]plot.Figure{
		"title": &plot.Plot{Title: "😭"},
		"x":     &plot.Plot{X: "😭"},
		"y":     &plot.Plot{Y: "😭"},
		"label": &plot.Plot{Curves: []plot.Curve{{Label: "😭", X: v, Y: v}}},
		"second": &plot.Plot{Curves: []plot.Curve{{Name: "a", X: v, Y: v}, {Name: "😭", X: v,
			Y: v}}},
		"texts": &plot.Plot{Curves: []plot.Curve{{X: v, Y: v, Texts: []string{"", "😭"}}}},
		"band":  &plot.Plot{Bands: []plot.Band{{Name: "😭", X: v, Low: v, High: v}}},
		"level": &plot.Plot{Levels: []plot.Level{{Name: "😭", Y: 1}}},
		"group": &plot.Plot{Groups: []string{"😭", "b"}, Bars: []plot.Bars{{Values: v}}},
		"bars":  &plot.Plot{Groups: []string{"a", "b"}, Bars: []plot.Bars{{Name: "😭", Values: v}}},
		"map":   &plot.Map{Title: "😭"},
		"map x": &plot.Map{X: "😭"},
		"map y": &plot.Map{Y: "😭"},
		"row":   &plot.Map{Values: plot.Matrix{v}, Rows: []string{"😭"}},
		"col":   &plot.Map{Values: plot.Matrix{v}, Cols: []string{"a", "😭"}},
		"scale": &plot.Map{Values: plot.Matrix{v}, Scale: "😭"},
	} {
		var b bytes.Buffer
		require.NoError(t, f.WriteSVG(&b), where)
		require.Contains(t, b.String(), "😭", where)
		if where == "label" {
			continue // is shown in SVG alone
		}
		require.ErrorContains(t, f.WritePNG(io.Discard), "no glyph for", where)
	}
	for _, title := range []string{"two\nlines", "a\xff", "\x00", "\ufffe"} {
		for _, f := range []plot.Figure{&plot.Plot{Title: title}, &plot.Map{Cols: []string{title},
			Values: plot.Matrix{{1}}}} {
			require.ErrorContains(t, f.WriteSVG(io.Discard), "cannot be written", title)
			require.ErrorContains(t, f.WritePNG(io.Discard), "cannot be written", title)
		}
	}
}

func TestMistakes(t *testing.T) {
	for want, f := range map[string]plot.Figure{
		`curve "a" has 1 values of X and 2 of Y`: &plot.Plot{Curves: []plot.Curve{{Name: "a",
			X: plot.Values{1}, Y: plot.Values{1, 2}}}},
		`band "b" has 1 values of X`: &plot.Plot{Bands: []plot.Band{{Name: "b",
			X: plot.Values{1}}}},
		`bars "c" have 1 values`: &plot.Plot{Bars: []plot.Bars{{Name: "c",
			Values: plot.Values{1}}}},
		"row 1 has 2 values, those before it 1": &plot.Map{Values: plot.Matrix{{1}, {1, 2}}},
		"a gap narrower than it":                &plot.Map{Gap: 26},
		"leave no room for the axes":            &plot.Plot{Width: 30, Height: 30},
		"-1×0 pixels":                           &plot.Plot{Width: -1},
		"a range from 2 to 1":                   &plot.Plot{XRange: plot.Range{Low: 2, High: 1}},
		"want one kind": &plot.Plot{Groups: []string{"a"},
			Curves: []plot.Curve{{}}},
		"the plot is nil":        (*plot.Plot)(nil),
		"the map is nil":         (*plot.Map)(nil),
		"is wider than the plot": &plot.Plot{Title: strings.Repeat("wide", 50)},
		"pixels high":            &plot.Plot{Width: 120, Title: strings.Repeat("long ", 2000)},
		"are larger than 20000": &plot.Map{Values: plot.Matrix{make(plot.Values,
			1000)}},
	} {
		require.ErrorContains(t, f.WriteSVG(io.Discard), want)
		require.ErrorContains(t, f.WritePNG(io.Discard), want)
	}
}

// Whatever the numbers are, a plot is drawn, and no coordinate is not a number.
func TestAnyNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		any := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 1, -1, math.NaN(),
			math.Inf(1), math.Inf(-1),
			math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64}))
		n := rapid.IntRange(0, 4).Draw(t, "n")
		draw := func(name string) plot.Values { return rapid.SliceOfN(any, n, n).Draw(t, name) }
		p := plot.Plot{LogX: rapid.Bool().Draw(t, "log x"), LogY: rapid.Bool().Draw(t, "log y")}
		x, y := draw("x"), draw("y")
		p.Curves = []plot.Curve{{X: x, Y: y}}
		p.Bands = []plot.Band{{X: x, Low: y, High: draw("high")}}
		p.Levels = []plot.Level{{Y: any.Draw(t, "level")}}
		m := plot.Map{Values: plot.Matrix{x, y}, Scale: "s", Diverging: p.LogX}
		for _, f := range []plot.Figure{&p, &m} {
			var b bytes.Buffer
			if err := f.WriteSVG(&b); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
				t.Fatal(b.String())
			}
		}
	})
}

// Long names of groups stand in lines, none over another, and the picture stays as large.
func TestGroupsInLines(t *testing.T) {
	p := plot.Plot{X: "kind", Bars: []plot.Bars{{Values: plot.Values{1, 2, 3, 4, 5}}},
		Groups: []string{"none", "full, for the output gate alone", "重み行列（出力ゲートだけ）",
			"incomprehensible", ""}}
	var b bytes.Buffer
	require.NoError(t, p.WriteSVG(&b))
	for _, line := range []string{">none<", ">full, for the output<", ">gate alone<",
		">重み行列（出力<", ">ゲートだけ）<", ">incomprehensible<"} {
		require.Contains(t, b.String(), line)
	}
	require.Contains(t, b.String(), `viewBox="0 0 640 404"`)
}

// A name that is wider than its group would lie over the next one, so all stand upright.
func TestGroupsUpright(t *testing.T) {
	p := plot.Plot{Width: 300, Bars: []plot.Bars{{Values: plot.Values{1, 2, 3, 4}}},
		Groups: []string{"none", "incomprehensibilities", "重み行列", "fuse"}}
	var b bytes.Buffer
	require.NoError(t, p.WriteSVG(&b))
	require.Equal(t, 4, strings.Count(b.String(), "rotate(-90)"))
	require.Contains(t, b.String(), ">incomprehensibilities<")
}

// On a narrow screen a figure is laid out anew, and its letters are as large as before.
func TestNarrowed(t *testing.T) {
	p := plot.Plot{Title: "a title that has to stand in two lines on a narrow screen",
		X: "steps that the gradient goes back through time before it is cut off", Y: "loss",
		Curves: []plot.Curve{{X: plot.Values{1, 2}, Y: plot.Values{1, 10}}}}
	m := plot.Map{Title: "alignment", Rows: []string{"a word"},
		Values: plot.Matrix{make(plot.Values, 20)}}
	for _, f := range []plot.Figure{&p, &m} {
		var b bytes.Buffer
		require.NoError(t, f.Narrowed(372).WriteSVG(&b))
		width, err := strconv.ParseFloat(regexp.MustCompile(`width="([0-9.]+)"`).
			FindStringSubmatch(b.String())[1], 64)
		require.NoError(t, err)
		require.LessOrEqual(t, width, 400.0)
		require.NotContains(t, b.String(), `font-size="12`)
		require.Same(t, f, f.Narrowed(1000), "it has room there")
	}
	require.Zero(t, p.Width, "the figure itself stays as it is")
	fine := &plot.Map{Cell: 10, Values: plot.Matrix{make(plot.Values, 100)}}
	require.Same(t, fine, fine.Narrowed(372), "smaller cells could not be told apart")
	var none *plot.Plot
	require.Nil(t, none.Narrowed(100))
	var b bytes.Buffer
	require.NoError(t, p.Narrowed(372).WriteSVG(&b))
	require.NotContains(t, b.String(), ">screen<", "lines are about equally long")
	require.Equal(t, 2, strings.Count(b.String(), `font-size="17"`))
}

func TestAddRuns(t *testing.T) {
	var p plot.Plot
	p.AddRuns("a", []float64{1, 2, 3}, [][]float64{{1, 5}, {3, math.NaN()}, {2, 7}})
	require.Equal(t, plot.Values{2, 6}, p.Curves[0].Y[:2])
	require.True(t, math.IsNaN(p.Curves[0].Y[2]))
	require.Equal(t, plot.Values{1, 5}, p.Bands[0].Low[:2])
	require.Equal(t, plot.Values{3, 7}, p.Bands[0].High[:2])
}

func TestSpark(t *testing.T) {
	require.Equal(t, "▁▂▃▄▅▆▇█", plot.Spark([]float64{0, 1, 2, 3, 4, 5, 6, 7}, 8, false))
	require.Equal(t, "▁█", plot.Spark([]float64{0, 2, 5, 5}, 2, false))
	require.Equal(t, "▁▅█", plot.Spark([]float64{1, 100, 10000}, 9, true))
	require.Equal(t, "▁ █", plot.Spark([]float64{1, math.NaN(), 2}, 9, false))
	require.Equal(t, " ▁▁", plot.Spark([]float64{0, 3, 3}, 9, true))
	require.Equal(t, " ", plot.Spark(nil, 9, false))
}
