package cli

import (
	"flag"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/zoo"
)

// CellFlag declares -cell, the spec of recurrent layers as zoo.Recurrent reads it.
func CellFlag(f *flag.FlagSet, spec *string, value, more string) {
	f.StringVar(spec, "cell", value,
		"`spec` of the recurrent layers: a cell, its options behind commas, layers parted by /,\n"+
			"such as gru,reset_before or gru/lstm,peephole=diagonal"+more+".\n"+CellsHelp())
}

// PointerFlag registers -pointer, a pointer-generator such as that of seq2seq.Config.Copy. More is
// said of it behind.
func PointerFlag(f *flag.FlagSet, on *bool, more string) {
	f.BoolVar(on, "pointer", false, "copy words that are attended to, also such as no vocabulary "+
		"has (pointer-generator);\n"+more)
}

// CellsHelp names all cells that are registered, in lines for a help.
func CellsHelp() string {
	help, line := "", "Cells:"
	for i, name := range cells.Registered() {
		if i > 0 {
			line += ","
		}
		if len(line)+len(name) > 80 {
			help, line = help+line+"\n", ""
		}
		line = strings.TrimPrefix(line+" "+name, " ")
	}
	return help + line
}

// WithOption is a spec whose layers all have one option more, if they are to have it.
func WithOption(spec, option string, have bool) string {
	if !have {
		return spec
	}
	layers := strings.Split(spec, "/")
	for i := range layers {
		layers[i] += "," + option
	}
	return strings.Join(layers, "/")
}

// WithDefault is a spec whose layers have one option more: those of a cell that has it, and that
// name neither it nor another one that would contradict it.
func WithDefault(spec, option string, contrary ...string) string {
	layers := strings.Split(spec, "/")
	for i, layer := range layers {
		fields := strings.Split(layer, ",")
		has := slices.Contains(cells.Options(strings.TrimSpace(fields[0])), option)
		for _, field := range fields[1:] {
			name, _, _ := strings.Cut(strings.TrimSpace(field), "=")
			has = has && name != option && !slices.Contains(contrary, name)
		}
		if has {
			layers[i] += "," + option
		}
	}
	return strings.Join(layers, "/")
}

// Recurrent is what -cell, -hidden, -layers and -dropout say. Layers is left to the spec where that
// names several and layers is 1; where there is one layer nothing is between layers to be dropped.
func Recurrent(spec string, hidden, layers int, dropout float64) zoo.Recurrent {
	if layers == 1 && strings.Contains(spec, "/") {
		layers = 0
	}
	r := zoo.Recurrent{Cell: spec, Hidden: hidden, Layers: layers, Dropout: dropout}
	if r.WithDefaults().Layers == 1 {
		r.Dropout = 0
	}
	return r
}
