package text

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// numberedLine is a line with its number.
type numberedLine struct {
	n    int
	text string
}

// sample is the first rows of a file, and the names of its columns if it is CoNLL-U Plus. Lines
// that begin with # are left out as they may be comments, unless there is nothing else.
func (c Columns) sample(s string) (rows []numberedLine, names []string, err error) {
	var doubtful []numberedLine
	for n, line := range lines(s) {
		switch global, ok := strings.CutPrefix(line, globalColumns); {
		case ok && names == nil && rows == nil:
			names = strings.Fields(global)
		case strings.HasPrefix(line, "#begin document (") && c.Token == "":
			return nil, nil, fmt.Errorf("line %d: this is CoNLL-2012 or OntoNotes, whose tokens "+
				"are in column 4; say which columns "+
				"hold token and tag", n)
		case endsSentence(line):
		case !strings.HasPrefix(line, "#"):
			rows = append(rows, numberedLine{n, line})
		case len(doubtful) < sampleRows && strings.Contains(line, "\t"):
			doubtful = append(doubtful, numberedLine{n, line})
		}
		if len(rows) == sampleRows {
			break
		}
	}
	if rows == nil {
		rows = doubtful
	}
	if rows == nil {
		return nil, nil, errors.New("there is no line of token TAB tag")
	}
	return rows, names, nil
}

// find looks at the first rows of a file, and decides where everything is.
func (c Columns) find(s string) (*layout, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	rows, names, err := c.sample(s)
	if err != nil {
		return nil, err
	}
	l := &layout{spaces: !strings.Contains(rows[0].text, "\t"), first: rows[0].n}
	first := l.row(nil, rows[0].text)
	if l.columns = len(first); l.columns < 2 {
		return nil, fmt.Errorf("line %d: there is no tab; want token TAB tag, not %.40q", l.first,
			rows[0].text)
	}
	var sampled [][]string
	for _, r := range rows {
		sampled = append(sampled, l.row(nil, r.text))
	}
	// the first row, which may have the names of the columns
	behind, counts := countsRows(sampled[1:])
	_, all := countsRows(sampled)
	named := c.namesIn(first) || knownNames(first) || counts && !all && !isNumber(first[0])
	if names == nil && named {
		l.header, names, sampled = l.first, first, sampled[1:]
	}
	if l.base, counts = countsRows(sampled); l.header > 0 {
		l.base = behind
	}
	l.numbered = c.Format != plain && counts
	if err := c.choose(l, names, sampled); err != nil {
		return nil, fmt.Errorf("line %d: %w", l.first, err)
	}
	return l, errors.Join(c.column(l, first, "token", c.Token, &l.token),
		c.column(l, first, "tag", c.Tag, &l.tag))
}

// namesIn reports whether a row has the names of columns that are asked for, at least one.
func (c Columns) namesIn(row []string) (found bool) {
	for _, name := range []string{c.Token, c.Tag} {
		if _, err := strconv.Atoi(name); name == "" || err == nil {
			continue
		}
		if indexFold(row, name) < 0 {
			return false
		}
		found = true
	}
	return found
}

// indexFold is where a name stands, whatever its case, or -1.
func indexFold(names []string, name string) int {
	return slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// countsRows reports whether the first column of three or more counts the rows of each sentence:
// the first two are 1 and 2, or 0 and 1, or are both the first of a sentence; base is that number.
// What does not count further is an error, and no token.
func countsRows(rows [][]string) (base int, ok bool) {
	var ids []string
	for _, row := range rows {
		if len(row) >= 3 && !isRange(row[0]) {
			ids = append(ids, row[0])
		}
	}
	switch {
	case len(ids) == 0 || ids[0] != "0" && ids[0] != "1":
		return 0, false
	case len(ids) == 1:
		return 1, ids[0] == "1"
	}
	base, _ = strconv.Atoi(ids[0])
	return base, ids[1] == ids[0] || ids[1] == strconv.Itoa(base+1)
}

// isNumber reports whether a column holds digits alone.
func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// columnNames are the names of columns as files give them in their first line.
var columnNames = strings.Fields("id index token tokens word words form text lemma pos upos xpos " +
	"chunk tag tags label labels ner nested")

// tokenNames are names of columns that hold tokens.
var tokenNames = strings.Fields("form token tokens word words text")

// knownNames reports whether all of a row are names of columns.
func knownNames(row []string) bool {
	return !slices.ContainsFunc(row,
		func(name string) bool { return indexFold(columnNames, name) < 0 })
}

// isRange reports whether the number of a row is a range of rows, 4-5, or an empty node, 8.1, of
// CoNLL-U.
func isRange(id string) bool {
	i := strings.IndexAny(id, "-.")
	return i > 0 && i < len(id)-1 && strings.Trim(id[:i]+id[i+1:], "0123456789") == ""
}

// isIOB reports whether a tag is O, or has a prefix of the schemes IOB, BIOES and BILOU.
func isIOB(tag string) bool {
	return tag == "O" || len(tag) > 2 && tag[1] == '-' && strings.IndexByte("BIESLU", tag[0]) >= 0
}

// notIOB reports whether the last column of a row is no tag of an entity.
func notIOB(row []string) bool { return !isIOB(row[len(row)-1]) }

// choose decides which format the rows of a file have, and by it which columns hold token and tag.
func (c Columns) choose(l *layout, names []string, rows [][]string) error {
	nested := func(row []string) bool { return len(row) == 4 && isIOB(row[2]) && isIOB(row[3]) }
	form := c.format()
	switch {
	case form != nil && (l.columns != len(form.names) || l.numbered != form.numbered):
		return fmt.Errorf("it has %d columns%s; %s has %d: %s", l.columns,
			map[bool]string{true: ", of which the first numbers the rows"}[l.numbered],
			form.name, len(form.names), strings.Join(form.names, " "))
	case form != nil:
	case l.numbered && l.columns == 10:
		form = &columnFormats[0]
	case l.numbered && !slices.ContainsFunc(rows, func(row []string) bool { return !nested(row) }):
		form = &columnFormats[1]
	case !l.numbered && l.columns == 4 && l.spaces:
		form = &columnFormats[2]
	case !l.numbered && l.columns == 3 && l.spaces:
		form = &columnFormats[3]
	case l.numbered:
		form = &columnFormat{token: 1, tag: -1, numbered: true}
		known := l.columns == 3 || names != nil && l.header == 0
		if !known && (c.Token == "" || c.Tag == "") {
			return fmt.Errorf("it has %d columns, of which the first numbers the rows, and is of "+
				"no known format; "+
				"say which columns hold token and tag", l.columns)
		}
	case l.spaces && l.columns > 4 && c.Token == "" && c.Tag == "" &&
		slices.ContainsFunc(rows, notIOB):
		return fmt.Errorf("it has %d columns parted by spaces, as no format has that is known, "+
			"unless it is a sentence; "+
			"say which columns hold token and tag", l.columns)
	default:
		form = &columnFormat{token: 0, tag: -1}
	}
	l.columnFormat = *form
	if names == nil {
		return nil
	}
	l.name, l.names = "", names
	if l.header == 0 { // CoNLL-U Plus
		l.name, l.token, l.tag = "conllu plus", indexFold(names, "FORM"), indexFold(names, "UPOS")
	} else if i := slices.IndexFunc(names,
		func(n string) bool { return indexFold(tokenNames, n) >= 0 }); i >= 0 {
		l.token = i
	}
	if l.token < 0 && c.Token == "" || l.tag < -1 && c.Tag == "" {
		return fmt.Errorf("its columns are %s: say which hold token and tag",
			strings.Join(names, " "))
	}
	return nil
}

// column finds a column that is asked for by its number or its name.
func (c Columns) column(l *layout, first []string, what, column string, at *int) error {
	if column == "" {
		return nil
	}
	if n, err := strconv.Atoi(column); err == nil {
		if *at = n; n > 0 {
			*at = n - 1
		}
		if n > l.columns || n < -l.columns {
			return fmt.Errorf("line %d: it has %d columns; the %s is said to be in column %d",
				l.first, l.columns, what, n)
		}
		return nil
	}
	if *at = indexFold(l.names, column); *at >= 0 {
		return nil
	}
	if l.names != nil {
		return fmt.Errorf("there is no column %q for the %s; there are %.200q", column, what,
			l.names)
	}
	return fmt.Errorf("line %d: there is no column %q for the %s: the columns have no names, "+
		"unless the first line has them, which is %.200q", l.first, column, what, first)
}
