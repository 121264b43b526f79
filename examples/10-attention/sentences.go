package main

import (
	"math/rand/v2"
	"strings"
)

// word is a word of a sentence. Words of the two languages that mean the same thing have the same
// number; 0 is for those with nothing of their own on the other side, such as the and は.
type word struct {
	text  string
	means int
}

// pair is a sentence in English and in Japanese.
type pair struct{ en, ja []word }

// lexicon has the words that a place of a sentence may take: English, Japanese.
var lexicon = map[string][][2]string{
	"person": {{"teacher", "先生"}, {"doctor", "医者"}, {"child", "子ども"}, {"student", "学生"}, {"girl",
		"少女"},
		{"cook", "料理人"}, {"friend", "友人"}, {"farmer", "農夫"}, {"singer", "歌手"}, {"neighbour", "隣人"}},
	"character": {{"young", "若い"}, {"tall", "背の高い"}, {"kind", "優しい"}, {"quiet", "静かな"}, {"famous",
		"有名な"}},
	"thing": {{"book", "本"}, {"apple", "りんご"}, {"letter", "手紙"}, {"bread", "パン"}, {"flower", "花"},
		{"picture", "絵"}, {"clock", "時計"}, {"key", "鍵"}, {"hat", "帽子"}, {"chair", "椅子"}},
	"look": {{"red", "赤い"}, {"blue", "青い"}, {"small", "小さな"}, {"large", "大きな"}, {"new", "新しい"}},
	"verb": {{"bought", "買った"}, {"saw", "見た"}, {"found", "見つけた"}, {"lost", "なくした"}, {"sold", "売った"},
		{"carried", "運んだ"}, {"hid", "隠した"}, {"broke", "壊した"}},
	"place": {{"station", "駅"}, {"school", "学校"}, {"market", "市場"}, {"park", "公園"}, {"hospital",
		"病院"},
		{"library", "図書館"}, {"port", "港"}, {"temple", "寺"}},
	"time":  {{"yesterday", "昨日"}, {"today", "今日"}, {"this morning", "今朝"}, {"last week", "先週"}},
	"says":  {{"said", "言った"}, {"thought", "思った"}, {"heard", "聞いた"}},
	"joins": {{"and", "そして"}, {"but", "しかし"}},
}

// maker makes sentences up.
type maker struct {
	*rand.Rand
	meanings int
}

// pick is a word for a place of a sentence, as it stands in both languages.
func (m *maker) pick(place string) (en, ja []word) {
	w := lexicon[place][m.IntN(len(lexicon[place]))]
	m.meanings++
	for _, part := range strings.Fields(w[0]) {
		en = append(en, word{part, m.meanings})
	}
	return en, []word{{w[1], m.meanings}}
}

// with is a noun, half of the time with an adjective.
func (m *maker) with(adjective, noun string) (en, ja []word) {
	en = grammar("the")
	if m.IntN(2) == 0 {
		e, j := m.pick(adjective)
		en, ja = append(en, e...), j
	}
	e, j := m.pick(noun)
	return append(en, e...), append(ja, j...)
}

func grammar(texts ...string) (out []word) {
	for _, t := range texts {
		out = append(out, word{t, 0})
	}
	return out
}

func join(parts ...[]word) (out []word) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// clause says who did what, and perhaps where and when. The verb comes second in English and last
// in Japanese; mark is は, or が for a clause within another.
func (m *maker) clause(mark string) (en, ja []word) {
	who, だれ := m.with("character", "person")
	what, 何 := m.with("look", "thing")
	did, した := m.pick("verb")
	en, ja = join(who, did, what), join(だれ, grammar(mark))
	where, どこ := []word(nil), []word(nil)
	if m.IntN(2) == 0 {
		place, 場所 := m.pick("place")
		where, どこ = join(grammar("at", "the"), place), join(場所, grammar("で"))
	}
	if m.IntN(2) == 0 {
		when, いつ := m.pick("time")
		where, ja = join(where, when), join(ja, いつ)
	}
	return join(en, where), join(ja, どこ, 何, grammar("を"), した)
}

// unit is a clause, or one that somebody spoke of: X said that … is X は … と 言った.
func (m *maker) unit(mark string, clauses int) (en, ja []word) {
	if clauses == 1 {
		return m.clause(mark)
	}
	who, だれ := m.with("character", "person")
	said, 言った := m.pick("says")
	en, ja = m.unit("が", clauses-1)
	return join(who, said, grammar("that"), en), join(だれ, grammar(mark), ja, grammar("と"), 言った)
}

// sentence has 1 to 4 clauses, one within another or one after another; A because B is B ので A.
func (m *maker) sentence() (p pair) {
	m.meanings = 0
	for left := 1 + m.IntN(4); left > 0; {
		if len(p.en) > 0 {
			and, そして := m.pick("joins")
			p.en, p.ja = join(p.en, and), join(p.ja, そして)
		}
		n := 1 + m.IntN(min(left, 2))
		left -= n
		if n == 2 && m.IntN(2) == 0 {
			en, ja := m.unit("は", 1)
			why, なぜ := m.unit("が", 1)
			m.meanings++
			p.en = join(p.en, en, []word{{"because", m.meanings}}, why)
			p.ja = join(p.ja, なぜ, []word{{"ので", m.meanings}}, ja)
			continue
		}
		en, ja := m.unit("は", n)
		p.en, p.ja = join(p.en, en), join(p.ja, ja)
	}
	return p
}

// corpus is n sentences, no two of which are the same.
func corpus(seed uint64, n int) (out []pair) {
	m := &maker{Rand: rand.New(rand.NewPCG(seed, 10))}
	met := map[string]bool{}
	for len(out) < n {
		p := m.sentence()
		if key := strings.Join(texts(p.en), " "); !met[key] {
			met[key], out = true, append(out, p)
		}
	}
	return out
}

func texts(words []word) (out []string) {
	for _, w := range words {
		out = append(out, w.text)
	}
	return out
}

// shown is the sentence whose alignment is drawn.
func shown() (p pair) {
	for i, w := range strings.Fields("the young teacher said that the child found the red key at the station yesterday") {
		p.en = append(p.en, word{w, i + 1})
	}
	for i, w := range strings.Fields("若い 先生 は 子ども が 昨日 駅 で 赤い 鍵 を 見つけた と 言った") {
		p.ja = append(p.ja, word{w, []int{2, 3, 0, 7, 0, 14, 13, 0, 10, 11, 0, 8, 5, 4}[i]})
	}
	return p
}
