package text

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/internal/check"
)

// Columns says in which columns of a file the tokens and their tags stand. The zero value finds
// out, and refuses a file of which it does not know. The forms that it knows are
//
//   - a token and its tag, and any columns between them, with a tab between two columns, or one or
//     more spaces, as in the shared tasks CoNLL-2000, 2002 and 2003: the first column is the token
//     and the last the tag;
//   - CoNLL-U and CoNLL-X, ten columns of which the first is the number of the row: tokens are FORM
//     and tags UPOS. The lines of ranges (4-5) and of empty nodes (8.1) are left out;
//   - CoNLL-U Plus, which names its columns by a first line "# global.columns = ID FORM UPOS …";
//   - GermEval 2014, the number of the row, the token, and two columns of tags, of which the first
//     is taken;
//   - the number of the row, from 0 or 1, the token, and a tag.
//
// A blank line, or one of -DOCSTART-, ends a sentence. A line that begins with # is a comment if
// the rows are numbered; if they are not, it is one if it has no tab ("# text") in a file with
// tabs, and in a file with spaces if it is of the form "# name = …" or has another number of
// columns.
type Columns struct {
	// Format, if not empty, is what the file must be: "conllu", "germeval", "conll2003",
	// "conll2000", or "plain" for rows that are not numbered, whatever they look like.
	Format string

	// Token and Tag choose a column: by its number, 1 being the first and -1 the last, or by its
	// name. Columns have names in CoNLL-U Plus, in the formats above (FORM, UPOS and so on; TOKEN,
	// POS, CHUNK, NER; ID, TOKEN, NER, NESTED), and in any other file if its first line has the
	// names that are asked for, or none but usual ones such as Token and Tag. Empty: as the form of
	// the file has it.
	Token, Tag string
}

// columnFormat is a form that files of columns have.
type columnFormat struct {
	name       string
	names      []string // of the columns
	token, tag int      // from 0, the default
	numbered   bool     // the first column counts the rows of a sentence
}

var columnFormats = []columnFormat{
	{"conllu", []string{"ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS",
		"MISC"}, 1, 3, true},
	{"germeval", []string{"ID", "TOKEN", "NER", "NESTED"}, 1, 2, true},
	{"conll2003", []string{"TOKEN", "POS", "CHUNK", "NER"}, 0, 3, false},
	{"conll2000", []string{"TOKEN", "POS", "CHUNK"}, 0, 2, false},
}

// plain is the format of rows that are not numbered.
const plain = "plain"

// Validate reports a format or a number of a column that is none.
func (c Columns) Validate() error {
	bad := check.Problems{Prefix: "columns: "}
	bad.That(c.Format == "" || c.Format == plain || c.format() != nil,
		"the format is %q; want conllu, germeval, conll2003, conll2000 or plain", c.Format)
	bad.That(c.Token != "0", "the token is in column 0; the first is 1, the last -1")
	bad.That(c.Tag != "0", "the tag is in column 0; the first is 1, the last -1")
	return bad.Err()
}

// format is the one that is asked for, or nil.
func (c Columns) format() *columnFormat {
	for i := range columnFormats {
		if columnFormats[i].name == c.Format {
			return &columnFormats[i]
		}
	}
	return nil
}

// layout is where the columns of one file are.
type layout struct {
	columnFormat
	spaces  bool // between columns, not tabs
	columns int  // of the first row
	first   int  // its line
	header  int  // the line of the names of the columns; 0: there is none
	base    int  // the number of the first row of a sentence, 0 or 1, if the rows are numbered
}

// row appends the columns of a line to room, without white space around each.
func (l *layout) row(room []string, line string) []string {
	if l.spaces {
		for field := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ' ' }) {
			room = append(room, field)
		}
		return room
	}
	for field := range strings.SplitSeq(line, "\t") {
		room = append(room, strings.TrimSpace(field))
	}
	return room
}

const (
	docStart      = "-DOCSTART-" // begins the line before each document of CoNLL-2003
	globalColumns = "# global.columns ="
	sampleRows    = 50 // that say what a file is
)

// endsSentence reports whether a line stands between sentences.
func endsSentence(line string) bool {
	return blank(line) || line == docStart || strings.HasPrefix(line, docStart+" ") ||
		strings.HasPrefix(line, docStart+"\t")
}

// comment reports whether a line is neither a row nor the end of a sentence.
func (l *layout) comment(n int, line string) bool {
	switch {
	case n == l.header:
		return true
	case !strings.HasPrefix(line, "#"):
		return false
	case l.numbered:
		return true
	case l.spaces:
		return isSetting(line) || len(l.row(nil, line)) != l.columns
	}
	return strings.HasPrefix(line, "# ") && !strings.Contains(line, "\t")
}

// isSetting reports whether a comment is of the form "# name = value".
func isSetting(line string) bool {
	name, _, ok := strings.Cut(strings.TrimLeft(line[1:], " "), "=")
	return ok && name != "" && !strings.Contains(strings.TrimSpace(name), " ")
}

// TaggedFile is the content of a file of columns.
type TaggedFile struct {
	Sentences []Tagged
	Ranges    int    // lines of ranges and empty nodes, which were left out
	About     string // the format, and the columns that were read
}

// Read reads a file, as ReadFile does. Errors name file and line.
func (c Columns) Read(path string) (*TaggedFile, error) {
	s, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := c.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Parse is Read for the content of a file. What it returns shares memory with s.
func (c Columns) Parse(s string) (*TaggedFile, error) {
	s, err := content(s)
	if err != nil {
		return nil, err
	}
	l, err := c.find(s)
	if err != nil {
		return nil, err
	}
	f := &TaggedFile{About: l.String()}
	var at Tagged
	end := func() {
		if len(at.Tokens) > 0 {
			f.Sentences = append(f.Sentences, at)
			at = Tagged{}
		}
	}
	var room []string
	for n, line := range lines(s) {
		if endsSentence(line) {
			end()
			continue
		}
		if l.comment(n, line) {
			continue
		}
		room = l.row(room[:0], line)
		if l.numbered && isRange(room[0]) {
			f.Ranges++
			continue
		}
		token, tag, err := l.cut(room, len(at.Tokens)+1)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if len(at.Tokens) == 0 {
			at.Line = n
		}
		at.Tokens, at.Tags = append(at.Tokens, token), append(at.Tags, tag)
	}
	end()
	if len(f.Sentences) == 0 {
		return nil, errors.New("there is no line of token TAB tag")
	}
	return f, l.checkTags(f.Sentences)
}

// cut is the token and the tag of a row, which must be the one of that number of its sentence.
func (l *layout) cut(row []string, number int) (token, tag string, err error) {
	switch {
	case len(row) == 1 && !l.spaces:
		return "", "", fmt.Errorf("there is no tab; want token TAB tag, not %.40q", row[0])
	case (l.spaces || l.numbered) && len(row) != l.columns:
		return "", "", fmt.Errorf("it has %d columns, and line %d has %d", len(row), l.first,
			l.columns)
	case l.numbered && row[0] != strconv.Itoa(number-1+l.base):
		return "", "", fmt.Errorf("the first column numbers the rows, and has %.40q where %d "+
			"comes next; a sentence begins "+
			"with %d behind an empty line (if it is no number of a row, the format is plain)",
			row[0], number-1+l.base, l.base)
	}
	at := func(column int) string {
		if column < 0 {
			column += len(row)
		}
		if column < 0 || column >= len(row) {
			return ""
		}
		return row[column]
	}
	token, tag = at(l.token), at(l.tag)
	switch {
	case token == "":
		return "", "", errors.New("the token is empty")
	case tag == "":
		return "", "", fmt.Errorf("the tag of %.40q is empty", token)
	}
	return token, tag, nil
}

// checkTags refuses a column that is empty in every line.
func (l *layout) checkTags(sentences []Tagged) error {
	if l.name != "conllu" && l.name != "conllu plus" {
		return nil
	}
	for _, s := range sentences {
		if slices.ContainsFunc(s.Tags, func(tag string) bool { return tag != "_" }) {
			return nil
		}
	}
	return fmt.Errorf("the column of the tags, %s, has nothing but _; say another one",
		l.columnName(l.tag))
}

// columnName is a column as people know it.
func (l *layout) columnName(column int) string {
	switch {
	case column == -1:
		return "the last"
	case column < 0:
		return strconv.Itoa(column)
	case column < len(l.names):
		return fmt.Sprintf("%d (%s)", column+1, l.names[column])
	}
	return strconv.Itoa(column + 1)
}

// String is the format and the columns.
func (l *layout) String() string {
	parted := "tabs"
	if l.spaces {
		parted = "spaces"
	}
	name := l.name
	if name == "" {
		name = plain
	}
	if l.numbered && l.name == "" {
		name = "numbered rows"
	}
	return fmt.Sprintf("%s, %d columns parted by %s; tokens are column %s, tags column %s",
		name, l.columns, parted, l.columnName(l.token), l.columnName(l.tag))
}
