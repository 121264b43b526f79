// Package names finds the name that somebody may have meant.
package names

// longest is how many letters of a name are compared: the work grows with the square of it.
const longest = 128

// Nearest is the name in have that takes the fewest edits to become want (a letter more, less or
// another; a change of case is none), the first of several. It is "" if there is none that shares
// at least half of its letters with want.
func Nearest(want string, have []string) string {
	x, found := fold(want), ""
	best := len(x)
	for _, name := range have {
		y := fold(name)
		if max(len(x), len(y))-min(len(x), len(y)) >= best {
			continue // as many edits at least
		}
		if d := distance(x, y); d < best && 2*d <= max(len(x), len(y)) {
			best, found = d, name
		}
	}
	return found
}

// distance is the number of edits between two names (Levenshtein, 1966).
func distance(x, y []rune) int {
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i, r := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j, s := range y {
			cost := 1
			if r == s {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(y)]
}

// fold is the first letters of a name, in lower case.
func fold(s string) []rune {
	var folded []rune
	for _, r := range s {
		if len(folded) == longest {
			break
		}
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		folded = append(folded, r)
	}
	return folded
}
