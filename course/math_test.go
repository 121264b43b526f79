package course_test

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/course"
)

// Formulas become MathML that parses, and text; what is not known is an error.
func TestMath(t *testing.T) {
	for tex, text := range map[string]string{
		`h_t = \tanh(x_t W)`:               "h_t = tanh(x_tW)",
		`\frac{1}{2} \sum_t^T y^2`:         "1/2∑_t^Ty^2",
		`\sqrt{x+1}`:                       "√(x + 1)",
		`\hat y_{t-1}`:                     "y\u0302_(t−1)",
		`\text{a b}\quad \mathrm{diag}(z)`: "a b diag(z)",
		`\|g\| \le 1`:                      "‖g‖ ≤ 1",
		`\vec a \dot b`:                    "a\u20d7b\u0307",
		"":                                 "",
	} {
		markup, err := course.MathML(tex, true)
		require.NoError(t, err, tex)
		d := xml.NewDecoder(strings.NewReader(markup))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else {
				require.NoError(t, err, markup)
			}
		}
		if tex != "" {
			require.Equal(t, text, strings.TrimSpace(course.Plain("$"+tex+"$")))
		}
	}
	markup, err := course.MathML(`\begin{aligned} a &= b \\ c_1 &= d \end{aligned}`, true)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(markup, "<mtr>"))
	require.Equal(t, 4, strings.Count(markup, "<mtd"))
	for tex, want := range map[string]string{
		`\nonsense`: `\nonsense is not among`, `{a`: `ends without "}"`, `a}`: "was not opened",
		`x^`: "ends where a term is missing",
		`_a`: "follows nothing", `a^b^c`: `a second "^"`, `\text a`: "in braces",
		`\text{a`: "without end", `\frac{a}`: "is missing",
		`\begin{matrix}\end{matrix}`: "matrix", `\begin{aligned} a`: `\end{aligned} is missing`,
	} {
		_, err := course.MathML(tex, false)
		require.ErrorContains(t, err, want, tex)
	}
}

func FuzzMath(f *testing.F) {
	f.Add(`\frac{\partial L}{\partial W} = \sum_{t=1}^T h_{t-1}^\top \delta_t`)
	f.Add(`\begin{aligned} a &= b \\ c \end{aligned}`)
	f.Fuzz(func(t *testing.T, tex string) {
		course.MathML(tex, false)
		course.Plain("$" + tex + "$")
	})
}
