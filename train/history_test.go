package train

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestHistory(t *testing.T) {
	var h History
	require.NoError(t, h.Add(1, 0, map[string]float64{"loss": 2.5, "lr": 0.1}))
	require.NoError(t, h.Add(2, 0, map[string]float64{"loss": 1.25}))
	require.NoError(t, h.Add(2, 1, map[string]float64{"validation, \"words\"": math.Inf(1),
		"lr": 0.05}))
	require.NoError(t, h.Add(3, 1, nil))

	require.Equal(t, 4, h.Len())
	require.Equal(t, []string{"loss", "lr", "validation, \"words\""}, h.Names())
	steps, values := h.Column("lr")
	require.Equal(t, []int{1, 2}, steps)
	require.Equal(t, []float64{0.1, 0.05}, values)
	steps, values = h.Column("nothing")
	require.Empty(t, steps)
	require.Empty(t, values)

	var out bytes.Buffer
	require.NoError(t, h.WriteCSV(&out))
	require.Equal(t, `step,epoch,loss,lr,"validation, ""words"""
1,0,2.5,0.1,
2,0,1.25,,
2,1,,0.05,+Inf
3,1,,,
`, out.String())

	var read History
	require.NoError(t, read.ReadCSV(&out))
	require.Equal(t, h.Names(), read.Names())
	require.NoError(t, read.Add(4, 1, map[string]float64{"loss": 1}), "it goes on")
	steps, _ = read.Column("loss")
	require.Equal(t, []int{1, 2, 4}, steps)
}

func TestHistoryRoundTrip(t *testing.T) {
	name := rapid.StringOf(rapid.RuneFrom([]rune{'a', ' ', ',', '"', '\'', '語', '#', '\\', '.'}))
	rapid.Check(t, func(t *rapid.T) {
		var h, read History
		for range rapid.IntRange(0, 6).Draw(t, "rows") {
			metrics := rapid.MapOfN(name.Filter(func(s string) bool { return s != "" }),
				rapid.Float64(), 0, 4).Draw(t, "metrics")
			require.NoError(t, h.Add(rapid.Int().Draw(t, "step"), rapid.Int().Draw(t, "epoch"),
				metrics))
		}
		var first, second bytes.Buffer
		require.NoError(t, h.WriteCSV(&first))
		text := first.String()
		require.NoError(t, read.ReadCSV(&first))
		require.Equal(t, h.Len(), read.Len())
		for _, name := range h.Names() {
			wantSteps, want := h.Column(name)
			gotSteps, got := read.Column(name)
			require.Equal(t, wantSteps, gotSteps)
			for i := range want {
				require.Equal(t, math.Float64bits(want[i]), math.Float64bits(got[i]))
			}
		}
		require.NoError(t, read.WriteCSV(&second))
		require.Equal(t, text, second.String())
	})
}

func TestHistoryNaNAndNegativeZero(t *testing.T) {
	var h, read History
	require.NoError(t, h.Add(1, 1, map[string]float64{"nan": math.NaN(),
		"zero": math.Copysign(0, -1), "small": Zero}))
	var out bytes.Buffer
	require.NoError(t, h.WriteCSV(&out))
	require.NoError(t, read.ReadCSV(&out))
	_, nan := read.Column("nan")
	require.True(t, math.IsNaN(nan[0]))
	_, zero := read.Column("zero")
	require.True(t, math.Signbit(zero[0]))
	_, small := read.Column("small")
	require.Equal(t, Zero, small[0])
}

func TestHistoryAddErrors(t *testing.T) {
	var h History
	for _, name := range []string{"", "step", "epoch", "a\nb", "a\r", "\x00", "\xff"} {
		require.ErrorContains(t, h.Add(1, 1, map[string]float64{"loss": 1, name: 1}),
			"a metric is named")
	}
	require.Zero(t, h.Len())
	require.Empty(t, h.Names())
}

func TestReadCSV(t *testing.T) {
	for name, text := range map[string]string{
		"plain":          "step,epoch,loss\n1,2,3\n",
		"no last break":  "step,epoch,loss\n1,2,3",
		"CRLF":           "step,epoch,loss\r\n1,2,3\r\n",
		"byte order":     "\ufeffstep,epoch,loss\n1,2,3\n",
		"quoted":         "\"step\",\"epoch\",\"loss\"\n\"1\",2,\"3\"\n",
		"empty lines":    "step,epoch,loss\n\n1,2,3\n\n",
		"another format": "step,epoch,loss\n+1,2,0x1.8p1\n",
	} {
		var h History
		require.NoError(t, h.ReadCSV(strings.NewReader(text)), name)
		steps, loss := h.Column("loss")
		require.Equal(t, []int{1}, steps, name)
		require.Equal(t, []float64{3}, loss, name)
	}
	require.Less(t, len(new(History).ReadCSV(strings.NewReader(
		strings.Repeat("\x00", 100_000))).Error()), 3000)
	for text, want := range map[string]string{
		"":                                "line 1: the file is empty",
		"\ufeff":                          "line 1: the file is empty",
		"\n\n":                            "line 1: the file is empty",
		"loss\n":                          "line 1: the header is [\"loss\"]",
		"epoch,step\n":                    "line 1: the header is",
		"step,epoch,\n":                   "line 1: a metric is named \"\"",
		"step,epoch,a,a\n":                "line 1: column \"a\" comes twice",
		"step,epoch,step\n":               "line 1: a metric is named \"step\"",
		"step,epoch,\xff\n":               "line 1: a metric is named",
		"step,epoch,a\n1,1,1\n1,1\n":      "line 3: wrong number of fields",
		"step,epoch,a\n1,1,1,1\n":         "line 2: wrong number of fields",
		"step,epoch,a\n1,1,x\n":           "line 2: a is \"x\"; it must be a number",
		"step,epoch,a\n1,1,1e999\n":       "line 2: a is \"1e999\"",
		"step,epoch,a\n1,1,1\n\n,1,1\n":   "line 4: step is \"\"",
		"step,epoch,a\n1.5,1,1\n":         "line 2: step is \"1.5\"",
		"step,epoch,a\n1,one,1\n":         "line 2: epoch is \"one\"",
		"step,epoch,a\n1,1,\"2\n":         "line 2", // a quote that is not closed
		"step,epoch,a\n1,1,1\n1,1,2\"3\n": "line 3",
	} {
		var h History
		require.NoError(t, h.Add(7, 7, map[string]float64{"kept": 7}))
		require.ErrorContains(t, h.ReadCSV(strings.NewReader(text)), want, "%q", text)
		require.Equal(t, []string{"kept"}, h.Names())
	}
	full := errors.New("disk full")
	var h History
	require.ErrorIs(t, h.ReadCSV(io.MultiReader(strings.NewReader("step,epoch\n1,"),
		iotest.ErrReader(full))), full)
	require.ErrorIs(t, h.WriteCSV(failing{full}), full)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func FuzzReadCSV(f *testing.F) {
	f.Add("step,epoch,loss\n1,2,3\n")
	f.Add("\ufeffstep,epoch,\"a\"\"b\"\r\n1,2,\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		var h, again History
		if h.ReadCSV(strings.NewReader(text)) != nil {
			return
		}
		var out bytes.Buffer
		require.NoError(t, h.WriteCSV(&out))
		require.NoError(t, again.ReadCSV(&out))
		require.Equal(t, h.Names(), again.Names())
		require.Equal(t, h.Len(), again.Len())
	})
}
