package main

import (
	"fmt"
	"strings"

	"github.com/seqzoo/seqzoo/course"
)

// term is an entry of the glossary.
type term struct {
	ja, en         string
	chapter        string // that shows it, by the two digits of its folder's name; "" for none
	code           string // where the library says it: a folder, a file, or a name with its package
	saysJA, saysEN string // what it means, in one sentence
}

// termGroup is terms of one subject, in the order in which a lecture meets them.
type termGroup struct {
	ja, en string
	terms  []term
}

// glossary is the page that leads from a Japanese term to the English one, to its meaning, to the
// chapter that shows it and to the code.
func glossary(chapters []*course.Chapter) course.Leaf {
	folders := map[string]string{}
	for _, c := range chapters {
		folders[c.Name[:2]] = c.Name
	}
	return course.Leaf{
		Name: "glossary",
		Titles: map[string]string{"en": "Glossary: Japanese, English, code",
			"ja": "用語集：日本語・英語・コード"},
		Text: func(language, extension string) string {
			var b strings.Builder
			for _, g := range termGroups {
				fmt.Fprintf(&b, "### %s\n\n", inLanguage(language, g.ja, g.en))
				for _, t := range g.terms {
					fmt.Fprintf(&b, "- **%s**%s\n", t.ja, t.line(language, extension, folders))
				}
				b.WriteString("\n")
			}
			return b.String()
		},
	}
}

// line is what the glossary says of a term behind its Japanese name. A list, not a table, since
// sentences in narrow columns cannot be read on a phone.
func (t term) line(language, extension string, folders map[string]string) string {
	var seen []string
	if name := folders[t.chapter]; name != "" {
		number := strings.TrimPrefix(t.chapter, "0")
		seen = append(seen, fmt.Sprintf(inLanguage(language, "[第 %s 章](%s)", "[chapter %s](%s)"),
			number, course.PageName(name, language, extension)))
	}
	if t.code != "" {
		seen = append(seen, "`"+t.code+"`")
	}
	line := inLanguage(language, "（"+t.en+"）："+t.saysJA, " "+t.en+": "+t.saysEN)
	if seen != nil {
		line += " " + strings.Join(seen, inLanguage(language, "、", ", "))
	}
	return line
}

func inLanguage(language, ja, en string) string {
	if language == "ja" {
		return ja
	}
	return en
}
