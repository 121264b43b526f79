// Package course makes a chapter out of a program: prose in several languages, the program's own
// code, and what it printed and drew when it ran. One run gives the story on a terminal, a Jupyter
// notebook and a page of HTML that needs no network.
//
// A chapter is a main package. Its functions of type [Cell], in the order in which main names them,
// are the cells of the story; what stands between two of them in main.go, such as a type that the
// second uses, is shown with the second:
//
//	//go:embed *.go *.md
//	var files embed.FS
//
//	func main() { course.Main(files, byHand, byAutodiff) }
//
//	// byHand compares two gradients.
//	func byHand(p *course.Page) error {
//		p.Printf("The gradients differ by %.1g.\n", difference)
//		p.Plot(&figure)
//		p.Value("difference", "%.1g", difference)
//		p.Claim("the gradients agree", difference < 1e-6)
//		return nil
//	}
//
// Beside main.go stand en.md and ja.md, which have the prose: a title, then a section for each of
// question, the cells by the names of their functions, answer and exercise. Prose has no figures of
// its own: {{difference}} is replaced by what the run gave for it. What a program prints and draws
// is in English; the section words of ja.md says it in Japanese. A section, a word or a value that
// is missing or that nothing uses is an error, which package coursetest reports in a test. A link
// to another page of the course, such as ../../docs/course/living.en.md, becomes one to what stands
// beside the page.
//
// A run with -record is kept as record.json beside the program. Pages and notebooks are written
// from it, in any language, without running the program again.
package course
