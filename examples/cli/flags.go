package cli

import (
	"flag"
	"io"
	"strconv"
	"strings"
)

// The flags that several programs have are declared here, so that a word means the same in each of
// them and is explained in the same words.

// DataFlag declares -data, the file that a command reads.
func DataFlag(f *flag.FlagSet, to *string, what string) {
	f.StringVar(to, "data", "", "`file` "+what)
}

// ValidFlag declares -valid, the file of the data to validate on.
func ValidFlag(f *flag.FlagSet, to *string, what string) {
	f.StringVar(to, "valid", "", "`file` "+what)
}

// ModelFlag declares -model, the directory of a model that was saved; or says what else it may be.
func ModelFlag(f *flag.FlagSet, to *string, or string) {
	f.StringVar(to, "model", "", "`directory` of the model"+or)
}

// DrawFlag declares -draw, where pictures are drawn: a file, or a folder for several.
func DrawFlag(f *flag.FlagSet, to *string, value, what string) {
	f.StringVar(to, "draw", value, "draw "+what)
}

// SaveFlag declares -save, the directory in which a training leaves what it learned.
func SaveFlag(f *flag.FlagSet, to *string, value string) {
	f.StringVar(to, "save", value,
		"`directory` for the model and its checkpoints; the same command goes on from there")
	f.BoolFunc("resume", oldFlag+"the same command goes on without it",
		func(string) error { return nil })
}

// SeedFlag declares -seed and says what it is the seed of.
func SeedFlag(f *flag.FlagSet, to *uint64, value uint64, of string) {
	f.Uint64Var(to, "seed", value, "seed of "+of)
}

// EpochsFlag declares -epochs; more is added to what it says.
func EpochsFlag(f *flag.FlagSet, to *int, value int, more string) {
	f.IntVar(to, "epochs", value, "passes over the data"+more)
}

// BatchFlag declares -batch; more is added to what it says.
func BatchFlag(f *flag.FlagSet, to *int, value int, more string) {
	f.IntVar(to, "batch", value, "examples side by side"+more)
}

// StepsFlag declares -steps.
func StepsFlag(f *flag.FlagSet, to *int, value int) {
	f.IntVar(to, "steps", value, "stop after so many steps; 0 for no limit")
}

// ClipFlag declares -clip.
func ClipFlag(f *flag.FlagSet, to *float64, value float64) {
	f.Float64Var(to, "clip", value, "limit of the gradient's norm; 0 for none")
}

// RateFlag declares -lr; course says how the rate changes.
func RateFlag(f *flag.FlagSet, to *float64, value float64, course string) {
	f.Float64Var(to, "lr", value, "highest learning `rate`; it falls "+course)
}

// SaveEveryFlag declares -save-every.
func SaveEveryFlag(f *flag.FlagSet, to *int, value int) {
	f.IntVar(to, "save-every", value, "steps between checkpoints")
}

// WorkersFlag declares -workers.
func WorkersFlag(f *flag.FlagSet, to *int) {
	f.IntVar(to, "workers", 0, "cores to use; 0 for all")
}

// QuickFlag declares -quick.
func QuickFlag(f *flag.FlagSet, to *bool) {
	f.BoolVar(to, "quick", false, "a tiny run of a few seconds, to see that everything works")
}

// BeamFlag declares -beam.
func BeamFlag(f *flag.FlagSet, to *int, value int) {
	f.IntVar(to, "beam", value,
		"width of the beam search; 1 takes the likeliest word each time")
}

// MinCountFlag declares -min-count.
func MinCountFlag(f *flag.FlagSet, to *int, value int) {
	f.IntVar(to, "min-count", value, "words seen less often become <unk>")
}

// KeepCaseFlag declares -keep-case.
func KeepCaseFlag(f *flag.FlagSet, to *bool, more string) {
	f.BoolVar(to, "keep-case", false, "keep capital letters"+more)
}

// oldFlag begins the explanation of a flag that works as ever and is left out of the help.
const oldFlag = "old flag: "

// OldNames declares names that a flag had before, given as old name and name in turn. They set the
// same variable and do not show in the help.
func OldNames(f *flag.FlagSet, oldAndName ...string) {
	for i := 0; i+1 < len(oldAndName); i += 2 {
		f.Var(f.Lookup(oldAndName[i+1]).Value, oldAndName[i], oldFlag+"-"+oldAndName[i+1])
	}
}

// OldSwitch declares a switch that a command had before, which sets the flag of the name to a
// value.
func OldSwitch(f *flag.FlagSet, old, name, value string) {
	f.BoolFunc(old, oldFlag+"-"+name, func(given string) error {
		if on, err := strconv.ParseBool(given); err != nil || !on {
			return err
		}
		return f.Set(name, value)
	})
}

// Given returns the names of the flags that were given, old names as what they are now.
func Given(f *flag.FlagSet) map[string]bool {
	given := map[string]bool{}
	f.Visit(func(g *flag.Flag) {
		name, _ := strings.CutPrefix(g.Usage, oldFlag+"-")
		if name == g.Usage {
			name = g.Name
		}
		given[name] = true
	})
	return given
}

// printFlags writes the flags with what they say, without the old ones.
func printFlags(f *flag.FlagSet, w io.Writer) {
	shown := flag.NewFlagSet("", flag.ContinueOnError)
	shown.SetOutput(w)
	f.VisitAll(func(g *flag.Flag) {
		if strings.HasPrefix(g.Usage, oldFlag) {
			return
		}
		shown.Var(g.Value, g.Name, g.Usage)
		shown.Lookup(g.Name).DefValue = g.DefValue
	})
	shown.PrintDefaults()
}
