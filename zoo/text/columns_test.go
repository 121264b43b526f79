package text_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo/text"
)

const conllu = "# sent_id = 1\n# text = They can't go\n" +
	"1\tThey\tthey\tPRON\tPRP\t_\t3\tnsubj\t_\t_\n" +
	"2-3\tcan't\t_\t_\t_\t_\t_\t_\t_\t_\n" +
	"2\tca\tcan\tAUX\tMD\t_\t4\taux\t_\t_\n" +
	"3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t_\t_\n" +
	"3.1\tever\tever\tADV\tRB\t_\t_\t_\t4:advmod\t_\n" +
	"4\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\tSpaceAfter=No\n\n" +
	"# newpar\n1\t#\t#\tSYM\t#\t_\t0\troot\t_\t_\n2\tone\tone\tNUM\tCD\t_\t1\tnum\t_\t_\n"

const germeval = "#\thttp://example.org/1\t[2020-01-01]\n1\tin\tO\tO\n2\tNeu-Ulm\tB-LOC\tB-LOC\n\n" +
	"#\thttp://example.org/2\t[2020-01-01]\n1\tUlmer\tB-ORG\tB-LOCderiv\n2\tVerein\tI-ORG\tO\n"

// tagged writes sentences in one line: token/tag, and | between sentences.
func tagged(sentences []text.Tagged) string {
	var out []string
	for _, s := range sentences {
		var words []string
		for i, token := range s.Tokens {
			words = append(words, token+"/"+s.Tags[i])
		}
		out = append(out, strings.Join(words, " "))
	}
	return strings.Join(out, " | ")
}

func TestColumns(t *testing.T) {
	const (
		conll2003 = "-DOCSTART- -X- -X- O\n\nRome NNP B-NP B-LOC\n# # I-NP O\n. . O " +
			"O\n\n-DOCSTART- -X- -X- O\n\n# begin\nit PRP B-NP O\n"
		named   = "Word\tPOS\tTag\nRome\tNNP\tB-LOC\n\nis\tVBZ\tO\n"
		plus    = "# global.columns = ID FORM PARSEME:MWE\n1\tto\t*\n2\tgo\t1:VPC\n"
		numbers = "1\tCD\tO\n2\tCD\tO\n\n1\tCD\tB\n"
	)
	for _, c := range []struct {
		name    string
		columns text.Columns
		content string
		want    string
	}{
		{"CoNLL-U", text.Columns{}, conllu, "They/PRON ca/AUX n't/PART go/VERB | #/SYM one/NUM"},
		{"CoNLL-U, by its name", text.Columns{Format: "conllu", Tag: "xpos"}, conllu,
			"They/PRP ca/MD n't/RB go/VB | #/# one/CD"},
		{"CoNLL-U, a column from the right", text.Columns{Token: "3", Tag: "-3"}, conllu,
			"they/nsubj can/aux not/advmod go/root | #/root one/num"},
		{"CoNLL-U Plus", text.Columns{Tag: "PARSEME:MWE"}, plus, "to/* go/1:VPC"},
		{"GermEval", text.Columns{}, germeval, "in/O Neu-Ulm/B-LOC | Ulmer/B-ORG Verein/I-ORG"},
		{"GermEval, nested", text.Columns{Format: "germeval", Tag: "nested"}, germeval,
			"in/O Neu-Ulm/B-LOC | Ulmer/B-LOCderiv Verein/O"},
		{"GermEval, the last", text.Columns{Tag: "-1"}, germeval,
			"in/O Neu-Ulm/B-LOC | Ulmer/B-LOCderiv Verein/O"},
		{"numbered, one tag", text.Columns{}, "# x\n1\tin\tO\n2\tUlm\tLOC\n\n1\ta\tO\n",
			"in/O Ulm/LOC | a/O"},
		{"CoNLL-2003", text.Columns{}, conll2003, "Rome/B-LOC #/O ./O | it/O"},
		{"CoNLL-2003, POS", text.Columns{Tag: "pos"}, conll2003, "Rome/NNP #/# ./. | it/PRP"},
		{"CoNLL-2003, Windows", text.Columns{Format: "conll2003"},
			strings.ReplaceAll(conll2003, "\n", "\r\n"), "Rome/B-LOC #/O ./O | it/O"},
		{"CoNLL-2000", text.Columns{}, "He  PRP  B-NP\nran VBD B-VP\n", "He/B-NP ran/B-VP"},
		{"two columns", text.Columns{}, "He O\n\nRome B-LOC", "He/O | Rome/B-LOC"},
		{"names in the first line", text.Columns{Token: "word", Tag: "pos"}, named,
			"Rome/NNP | is/VBZ"},
		{"numbers that are tokens", text.Columns{Format: "plain"}, numbers, "1/O 2/O | 1/B"},
		{"numbers that count", text.Columns{}, numbers, "CD/O CD/O | CD/B"},
		{"numbers in two columns", text.Columns{}, "1\tCD\n2\tCD\n", "1/CD 2/CD"},
		{"numbers from 0", text.Columns{}, "0\tin\tO\n1\tUlm\tLOC\n\n0\ta\tO\n",
			"in/O Ulm/LOC | a/O"},
		{"names above numbered rows", text.Columns{}, "Nr\tWhat\tKind\n1\tin\tO\n2\tUlm\tLOC\n",
			"in/O Ulm/LOC"},
		{"usual names above rows", text.Columns{}, "POS\tToken\tTag\nA\tin\tO\nB\tUlm\tLOC\n",
			"in/O Ulm/LOC"},
		{"German CoNLL-2003", text.Columns{}, "Ulm Ulm NE I-NC B-LOC\nist sein V I-VC O\n",
			"Ulm/B-LOC ist/O"},
		{"a # of its own", text.Columns{}, "#\tX\n", "#/X"},
		{"white space that ends no line", text.Columns{}, "a\u2028b\tX\nc\rd\tY\n",
			"a\u2028b/X c d/Y"},
	} {
		f, err := c.columns.Parse(c.content)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, tagged(f.Sentences), c.name)
		require.NotEmpty(t, f.About)
	}
	f, err := text.Columns{}.Parse(conllu)
	require.NoError(t, err)
	require.Equal(t, 2, f.Ranges)
	require.Equal(t, "conllu, 10 columns parted by tabs; tokens are column 2 (FORM), tags "+
		"column 4 (UPOS)", f.About)
}

func TestColumnsMistakes(t *testing.T) {
	four := "1\tThe\tDT\tB-NP\n2\tcat\tNN\tI-NP\n"
	for _, c := range []struct {
		columns text.Columns
		content string
		want    string
	}{
		{text.Columns{Format: "conll2004"}, "a\tb\n", `the format is "conll2004"; want conllu`},
		{text.Columns{Token: "0", Tag: "0"}, "a\tb\n", "the tag is in column 0"},
		{text.Columns{Format: "conllu"}, "\na\tb\n",
			"line 2: it has 2 columns; conllu has 10: ID FORM"},
		{text.Columns{Format: "germeval"}, "a\tb\tc\td\n",
			"line 1: it has 4 columns; germeval has 4: ID"},
		{text.Columns{}, four, "line 1: it has 4 columns, of which the first numbers the rows, " +
			"and is of no known format; say which"},
		{text.Columns{Tag: "5"}, "a\tb\n",
			"line 1: it has 2 columns; the tag is said to be in column 5"},
		{text.Columns{Tag: "-3"}, "a\tb\n", "in column -3"},
		{text.Columns{Tag: "ner"}, "a\tb\n",
			`line 1: there is no column "ner" for the tag: the columns have no names, unless the first line has them, which is ["a" "b"]`},
		{text.Columns{Tag: "ner"}, conllu,
			`there is no column "ner" for the tag; there are ["ID" "FORM"`},
		{text.Columns{Tag: "XPOS"}, strings.ReplaceAll(conllu, "3\tn't", "x\tn't"),
			"line 6: the first column numbers the rows, and has \"x\""},
		{text.Columns{}, strings.Replace(conllu, "3\tn't", "5\tn't", 1),
			"line 6: the first column numbers the rows, and has \"5\" where 3 comes next"},
		{text.Columns{}, "1\ta\tb\tc\td\te\tf\tg\th\ti\n2\ta\n",
			"line 2: it has 2 columns, and line 1 has 10"},
		{text.Columns{}, "a b c\nd e f\ng h\n", "line 3: it has 2 columns, and line 1 has 3"},
		{text.Columns{}, "the cat sat on a mat\nthe dog sat on a log\n",
			"line 1: it has 6 columns parted by spaces, as no format has"},
		{text.Columns{}, "Nr\ta\tb\tc\n1\tin\tX\tO\n2\tUlm\tX\tLOC\n",
			"line 1: it has 4 columns, of which the first numbers the rows"},
		{text.Columns{}, "one\n", `line 1: there is no tab; want token TAB tag, not "one"`},
		{text.Columns{}, "#begin document (bc/cctv); part 000\nbc/cctv 0 0 In IN -\n",
			"line 1: this is CoNLL-2012"},
		{text.Columns{}, "1\ta\tb\t_\td\te\tf\tg\th\ti\n",
			"the column of the tags, 4 (UPOS), has nothing but _"},
		{text.Columns{}, "# global.columns = ID WORD\n1\ta\n",
			"its columns are ID WORD: say which"},
		{text.Columns{}, "a\tb\x00\n", "line 1: byte 0x00"},
		{text.Columns{}, "-DOCSTART- -X- O O\n\n", "there is no line of token TAB tag"},
	} {
		_, err := c.columns.Parse(c.content)
		require.ErrorContains(t, err, c.want, "%+v %q", c.columns, c.content)
	}
	_, err := text.Columns{}.Read(t.TempDir() + "/absent")
	require.ErrorContains(t, err, "absent")
}
