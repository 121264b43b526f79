package shared

// Rounding says how lengths of sequences are rounded up to the lengths that graphs are compiled
// for. A finer rounding computes fewer steps behind the ends of sequences, and a coarser one
// compiles fewer graphs; which costs more depends on how much lengths vary, so what is run has its
// own.
type Rounding struct {
	Step   int // lengths are multiples of it,
	Double int // of twice that beyond so many, of four times beyond so many of those, …; 0: never
	Most   int // but of no more than this; 0: no bound
}

// The roundings, each for the lengths that it was measured with.
var (
	// Lengths serves models that read batches of like length, and single sequences.
	Lengths = Rounding{Step: 4}
	// Sources and Targets serve pairs, whose two lengths vary by themselves: texts with a few long
	// sentences would need many shapes. A step of a target costs a softmax over the vocabulary.
	Sources = Rounding{Step: 4, Double: 6}
	Targets = Rounding{Step: 2, Double: 6}
	// Turns serves the number of turns of dialogues, and Outliers a length in them that is far from
	// the others: the nearer is not worth a graph.
	Turns    = Rounding{Step: 4, Double: 2, Most: 8}
	Outliers = Rounding{Step: 4, Double: 4}
)

// Up is n rounded up; of less than 1, as 1.
func (r Rounding) Up(n int) int {
	n = max(n, 1)
	step := r.Step
	for r.Double > 0 && n > r.Double*step && (r.Most == 0 || step < r.Most) {
		step *= 2
	}
	return (n + step - 1) / step * step
}
