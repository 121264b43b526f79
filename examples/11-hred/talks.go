package main

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// talk is a dialogue of four turns: somebody says which animal they have, and asks about it two
// turns later, either what can only be known from the first turn, or what has many answers.
type talk struct {
	Turns  [][]string // the last is the reply
	Animal string
	Open   bool // the question has many answers
}

// likes has what each animal likes to eat and where it likes to be.
var likes = map[string][2][]string{
	"cat":    {{"fish", "milk", "chicken"}, {"sofa", "roof", "garden"}},
	"dog":    {{"bones", "meat", "sausages"}, {"park", "beach", "forest"}},
	"horse":  {{"hay", "apples", "carrots"}, {"meadow", "hills", "stable"}},
	"bird":   {{"seeds", "berries", "worms"}, {"window", "trees", "balcony"}},
	"rabbit": {{"lettuce", "clover", "radishes"}, {"lawn", "hutch", "field"}},
	"turtle": {{"shrimps", "cucumber", "algae"}, {"pond", "terrace", "sand"}},
}

var (
	animals    = []string{"cat", "dog", "horse", "bird", "rabbit", "turtle"}
	begins     = []string{"i have a", "there is now a", "my sister gave me a", "at home we have a"}
	nods       = []string{"how nice !", "tell me more .", "i see .", "really ?"}
	asks       = []string{"which animal do i have ?", "do you remember what animal it is ?"}
	opens      = []string{"what shall i do with it today ?", "any idea what it would like ?"}
	blandReply = "i do not know ."
)

// answers are the replies to an open question that fit an animal: the bland one, and eighteen that
// say something.
func answers(animal string) (all []string) {
	all = []string{blandReply}
	for _, food := range likes[animal][0] {
		all = append(all, "give it some "+food+" .", "it surely likes "+food+" .",
			"buy it fresh "+food+" .")
	}
	for _, place := range likes[animal][1] {
		all = append(all, "take it to the "+place+" .", "play with it at the "+place+" .",
			"let it sleep near the "+place+" .")
	}
	return all
}

func one[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// newTalk makes one up. An open question is answered by the bland reply three times in ten.
func newTalk(r *rand.Rand) talk {
	t := talk{Animal: one(r, animals), Open: r.IntN(3) > 0}
	question, reply := one(r, asks), "you have a "+t.Animal+" ."
	if t.Open {
		question, reply = one(r, opens), blandReply
		if r.IntN(10) >= 3 {
			reply = one(r, answers(t.Animal)[1:])
		}
	}
	for _, turn := range []string{one(r, begins) + " " + t.Animal + " .", one(r, nods), question,
		reply} {
		t.Turns = append(t.Turns, strings.Fields(turn))
	}
	return t
}

func newTalks(seed uint64, n int) []talk {
	r := rand.New(rand.NewPCG(seed, 11))
	out := make([]talk, n)
	for i := range out {
		out[i] = newTalk(r)
	}
	return out
}

// fits tells whether a reply is one that suits the animal.
func (t talk) fits(reply []string) bool {
	if !t.Open {
		return slices.Equal(reply, t.Turns[3])
	}
	return slices.Contains(answers(t.Animal), strings.Join(reply, " "))
}

// String is the turns, line by line.
func (t talk) String() string {
	text := ""
	for i, turn := range t.Turns {
		text += "<>"[i%2:i%2+1] + " " + strings.Join(turn, " ") + "\n"
	}
	return text
}
