package course

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode"
)

// Prose has mathematics between dollars, in the part of TeX's language that chapters use: pages
// show it as MathML, notebooks as it stands, a terminal as text.

// term is a part of a formula.
type term struct {
	kind  termKind
	text  string // of a letter, a number, a sign
	parts []term
}

type termKind int

const (
	letter   termKind = iota // in italics
	upright                  // a name such as tanh
	digits                   // a number
	sign                     // an operator or a bracket
	words                    // \text{…}
	space                    // of the width in text
	row                      // parts
	scripts                  // base, sub, sup; an empty row where there is none
	fraction                 // over, under
	root                     // of a part
	accent                   // text over a part
	table                    // rows of rows
)

// signs are the commands that are one sign.
var signs = map[string]string{
	`\cdot`: "·", `\times`: "×", `\odot`: "⊙", `\circ`: "∘", `\pm`: "±", `\to`: "→",
	`\le`: "≤", `\leq`: "≤", `\ge`: "≥", `\geq`: "≥", `\ne`: "≠", `\approx`: "≈", `\sim`: "∼",
	`\in`: "∈", `\sum`: "∑", `\prod`: "∏", `\ldots`: "…", `\cdots`: "⋯", `\mid`: "|",
	`\|`: "‖", `\{`: "{", `\}`: "}", `\propto`: "∝", `\subset`: "⊂", `\langle`: "⟨",
	`\rangle`: "⟩", `\Rightarrow`: "⇒", `\ll`: "≪", `\gg`: "≫", `\leftarrow`: "←", `\int`: "∫",
	`\oplus`: "⊕", `\equiv`: "≡",
}

// letters are the commands that are one letter.
var letters = map[string]string{
	`\alpha`: "α", `\beta`: "β", `\gamma`: "γ", `\delta`: "δ", `\epsilon`: "ε",
	`\varepsilon`: "ε", `\eta`: "η", `\theta`: "θ", `\lambda`: "λ", `\mu`: "μ", `\nu`: "ν",
	`\xi`: "ξ", `\pi`: "π", `\rho`: "ρ", `\sigma`: "σ", `\tau`: "τ", `\phi`: "φ",
	`\varphi`: "φ", `\psi`: "ψ", `\omega`: "ω", `\Delta`: "Δ", `\Sigma`: "Σ", `\Phi`: "Φ",
	`\Omega`: "Ω", `\partial`: "∂", `\nabla`: "∇", `\infty`: "∞", `\ell`: "ℓ", `\top`: "⊤",
	`\chi`: "χ", `\kappa`: "κ", `\zeta`: "ζ", `\Pi`: "Π",
}

// named are the commands that are names of functions.
var named = map[string]bool{`\tanh`: true, `\exp`: true, `\log`: true, `\max`: true,
	`\min`: true, `\cos`: true, `\sin`: true, `\ln`: true, `\det`: true}

// accents are the commands that set a sign over a term; combining has these signs for text.
var (
	accents = map[string]string{`\hat`: "^", `\bar`: "¯", `\tilde`: "~", `\vec`: "→",
		`\dot`: "˙"}
	combining = map[string]string{"^": "\u0302", "¯": "\u0304", "~": "\u0303", "→": "\u20d7",
		"˙": "\u0307"}
)

var texToken = regexp.MustCompile(`\\[A-Za-z]+|\\.|[0-9]+(?:\.[0-9]+)?|\s+|.`)

// texParser reads a formula.
type texParser struct {
	tokens []string
	at     int
	err    error
}

func parseMath(tex string) (term, error) {
	p := texParser{tokens: texToken.FindAllString(tex, -1)}
	t := p.row("")
	return t, p.err
}

func (p *texParser) fail(format string, args ...any) term {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
	p.at = len(p.tokens)
	return term{kind: row}
}

func (p *texParser) peek() string {
	for p.at < len(p.tokens) && strings.TrimSpace(p.tokens[p.at]) == "" {
		p.at++
	}
	if p.at == len(p.tokens) {
		return ""
	}
	return p.tokens[p.at]
}

// row reads until end, or to the end of the formula if end is "".
func (p *texParser) row(end string) term {
	out := term{kind: row}
	for {
		switch token := p.peek(); token {
		case end:
			p.at++
			return out
		case "":
			return p.fail("a formula ends without %q", end)
		case "_", "^":
			return p.fail("%q follows nothing", token)
		default:
			out.parts = append(out.parts, p.scripted())
		}
		if p.err != nil {
			return out
		}
	}
}

// scripted reads a term with what stands below and above it.
func (p *texParser) scripted() term {
	base := p.single()
	parts := []term{base, {kind: row}, {kind: row}}
	found := false
	for token := p.peek(); token == "_" || token == "^"; token = p.peek() {
		p.at++
		at := 1
		if token == "^" {
			at = 2
		}
		if len(parts[at].parts) > 0 {
			return p.fail("a second %q", token)
		}
		parts[at] = term{kind: row, parts: []term{p.single()}}
		found = true
	}
	if found {
		return term{kind: scripts, parts: parts}
	}
	return base
}

// raw reads a group as it stands.
func (p *texParser) raw() string {
	if p.peek() != "{" {
		p.fail("a group in braces is missing")
		return ""
	}
	p.at++
	text := ""
	for ; p.at < len(p.tokens); p.at++ {
		if p.tokens[p.at] == "}" {
			p.at++
			return text
		}
		text += p.tokens[p.at]
	}
	p.fail("a group without end")
	return ""
}

func (p *texParser) single() term {
	token := p.peek()
	p.at++
	if s, ok := signs[token]; ok {
		return term{kind: sign, text: s}
	}
	if s, ok := letters[token]; ok {
		return term{kind: letter, text: s}
	}
	if named[token] {
		return term{kind: upright, text: token[1:]}
	}
	if over, ok := accents[token]; ok {
		return term{kind: accent, text: over, parts: []term{p.single()}}
	}
	switch token {
	case "":
		return p.fail("a formula ends where a term is missing")
	case "{":
		return p.row("}")
	case "}":
		return p.fail("a brace is closed that was not opened")
	case `\left`, `\right`:
		return p.single()
	case `\frac`:
		return term{kind: fraction, parts: []term{p.single(), p.single()}}
	case `\sqrt`:
		return term{kind: root, parts: []term{p.single()}}
	case `\mathrm`, `\mathbf`, `\operatorname`:
		return term{kind: upright, text: strings.TrimSpace(p.raw())}
	case `\text`:
		return term{kind: words, text: p.raw()}
	case `\,`, `\;`, `\ `:
		return term{kind: space, text: " "}
	case `\quad`:
		return term{kind: space, text: "  "}
	case `\begin`:
		return p.table()
	}
	if strings.HasPrefix(token, `\`) {
		return p.fail("%s is not among the commands that chapters know", token)
	}
	switch r := []rune(token)[0]; {
	case unicode.IsDigit(r):
		return term{kind: digits, text: token}
	case unicode.IsLetter(r):
		return term{kind: letter, text: token}
	case r == '-':
		return term{kind: sign, text: "−"}
	}
	return term{kind: sign, text: token}
}

// table reads \begin{aligned} … \end{aligned}: rows between \\, cells between &.
func (p *texParser) table() term {
	if name := p.raw(); name != "aligned" {
		return p.fail(`\begin{%s} is not among the commands that chapters know`, name)
	}
	out := term{kind: table, parts: []term{{kind: row, parts: []term{{kind: row}}}}}
	for p.err == nil {
		line := &out.parts[len(out.parts)-1]
		switch token := p.peek(); token {
		case "":
			return p.fail(`\end{aligned} is missing`)
		case `\end`:
			p.at++
			p.raw()
			return out
		case `\\`:
			p.at++
			out.parts = append(out.parts, term{kind: row, parts: []term{{kind: row}}})
		case "&":
			p.at++
			line.parts = append(line.parts, term{kind: row})
		default:
			cell := &line.parts[len(line.parts)-1]
			cell.parts = append(cell.parts, p.scripted())
		}
	}
	return out
}

// mathML writes a formula for a page.
func mathML(tex string, display bool) (string, error) {
	t, err := parseMath(tex)
	if err != nil {
		return "", fmt.Errorf("$%s$: %w", tex, err)
	}
	attribute := ""
	if display {
		attribute = ` display="block"`
	}
	return fmt.Sprintf(`<math%s><semantics>%s<annotation encoding="application/x-tex">%s`+
		`</annotation></semantics></math>`, attribute, t.markup(), html.EscapeString(tex)), nil
}

func (t term) markup() string {
	var inner strings.Builder
	for _, p := range t.parts {
		inner.WriteString(p.markup())
	}
	text := html.EscapeString(t.text)
	switch t.kind {
	case letter:
		return "<mi>" + text + "</mi>"
	case upright:
		return `<mi mathvariant="normal">` + text + "</mi>"
	case digits:
		return "<mn>" + text + "</mn>"
	case sign:
		return "<mo>" + text + "</mo>"
	case words:
		return "<mtext>" + text + "</mtext>"
	case space:
		return fmt.Sprintf(`<mspace width="%.2gem"/>`, 0.25*float64(len(t.text)*len(t.text)))
	case fraction:
		return "<mfrac>" + inner.String() + "</mfrac>"
	case root:
		return "<msqrt>" + inner.String() + "</msqrt>"
	case accent:
		return `<mover accent="true">` + inner.String() + "<mo>" + text + "</mo></mover>"
	case scripts:
		return t.scripted()
	case table:
		inner.Reset()
		for _, line := range t.parts {
			inner.WriteString("<mtr>")
			for i, cell := range line.parts {
				align := "left"
				if i%2 == 0 {
					align = "right"
				}
				fmt.Fprintf(&inner, `<mtd style="text-align:%s">%s</mtd>`, align, cell.markup())
			}
			inner.WriteString("</mtr>")
		}
		return "<mtable>" + inner.String() + "</mtable>"
	}
	return "<mrow>" + inner.String() + "</mrow>"
}

func (t term) scripted() string {
	base, below, above := t.parts[0].markup(), t.parts[1], t.parts[2]
	under, over, both := "msub", "msup", "msubsup"
	if t.parts[0].text == "∑" || t.parts[0].text == "∏" {
		under, over, both = "munder", "mover", "munderover"
	}
	switch {
	case len(above.parts) == 0:
		return fmt.Sprintf("<%s>%s%s</%[1]s>", under, base, below.markup())
	case len(below.parts) == 0:
		return fmt.Sprintf("<%s>%s%s</%[1]s>", over, base, above.markup())
	}
	return fmt.Sprintf("<%s>%s%s%s</%[1]s>", both, base, below.markup(), above.markup())
}

// plain writes a formula as text.
func (t term) plain() string {
	inner := make([]string, len(t.parts))
	for i, p := range t.parts {
		inner[i] = p.plain()
	}
	group := func(s string) string {
		if len([]rune(s)) > 1 {
			return "(" + s + ")"
		}
		return s
	}
	switch t.kind {
	case sign:
		if strings.ContainsAny(t.text, "=+−≈≤≥→←∼≠∈") {
			return " " + t.text + " "
		}
	case row:
		return strings.Join(inner, "")
	case fraction:
		return group(inner[0]) + "/" + group(inner[1])
	case root:
		return "√" + group(inner[0])
	case accent:
		return inner[0] + combining[t.text]
	case scripts:
		out := inner[0]
		if inner[1] != "" {
			out += "_" + group(strings.ReplaceAll(inner[1], " ", ""))
		}
		if inner[2] != "" {
			out += "^" + group(strings.ReplaceAll(inner[2], " ", ""))
		}
		return out
	case table:
		return "\n    " + strings.Join(inner, "\n    ") + "\n"
	}
	return t.text
}

// formula finds mathematics in Markdown, and code, in which dollars are dollars.
var formula = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`|\\$\\$.+?\\$\\$|\\$[^$\n]+\\$")

// replaceMath replaces each formula of a text.
func replaceMath(text string, with func(tex string, display bool) string) string {
	return formula.ReplaceAllStringFunc(text, func(s string) string {
		switch {
		case strings.HasPrefix(s, "$$"):
			return with(strings.TrimSpace(s[2:len(s)-2]), true)
		case strings.HasPrefix(s, "$"):
			return with(s[1:len(s)-1], false)
		}
		return s
	})
}

// plainMath replaces mathematics by text.
func plainMath(text string) string {
	return replaceMath(text, func(tex string, display bool) string {
		t, err := parseMath(tex)
		if err != nil {
			return tex
		}
		s := strings.Join(strings.Fields(t.plain()), " ")
		if t.kind == row && len(t.parts) == 1 && t.parts[0].kind == table {
			s = t.plain()
		} else if display {
			s = "    " + s
		}
		return s
	})
}

// Plain returns Markdown of a chapter as a terminal shows it: with mathematics as text.
func Plain(markdown string) string { return plainMath(markdown) }
