package cells

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/seqzoo/seqzoo/nodes"
)

// Config is a cell as data: its options, without its widths until Sized sets them. It is a struct;
// its fields with a json tag are the options, which a spec can name (see Parse), also those of a
// struct that is embedded in it, but for the widths that Sized sets. A cell of one's own needs three
// lines to be one:
//
//	func (c MineConfig) Sized(in, hidden int) cells.Config { c.In, c.Hidden = in, hidden; return c }
//	func (c MineConfig) Validate() error                   { return nil }
//	func (c MineConfig) New(s *nodes.Scope) cells.Cell     { return NewMine(s, c) }
//
// and one to be known everywhere by its name:
//
//	func init() { cells.Register("mine", MineConfig{}) }
type Config interface {
	// Sized is the configuration for inputs of width in and outputs of width hidden.
	Sized(in, hidden int) Config
	// Validate reports every field that is out of range, once sized.
	Validate() error
	// New declares the parameters of a cell under s. It panics with a *nodes.BuildError if Validate
	// reports something.
	New(s *nodes.Scope) Cell
}

type cellRegistry struct {
	sync.RWMutex
	configs map[string]Config
	widths  map[reflect.Type]map[string]bool // see widthsOf
}

var registry = cellRegistry{configs: map[string]Config{},
	widths: map[reflect.Type]map[string]bool{}}

// Register makes a cell known by a name, under which models, programs and saved files speak of it.
// The configuration holds the defaults. It panics if the name is taken or has other characters than
// letters, digits, hyphens and underscores, or if the configuration is not a struct whose options
// are booleans, numbers and strings: as of a mistake in the program itself.
func Register(name string, c Config) {
	registry.Lock()
	defer registry.Unlock()
	if err := checkEntry(name, c); err != nil {
		panic(fmt.Sprintf("cells: Register(%q): %v", name, err))
	}
	registry.configs[name] = c
	registry.widths[reflect.TypeOf(c)] = widthsOf(c)
}

func checkEntry(name string, c Config) error {
	other := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' &&
			r != '_'
	}
	if name == "" || strings.ContainsFunc(name, other) {
		return errors.New("want letters, digits, hyphens and underscores")
	}
	if _, taken := registry.configs[name]; taken {
		return errors.New("a cell of this name is registered already")
	}
	if c == nil || reflect.TypeOf(c).Kind() != reflect.Struct {
		return fmt.Errorf("the configuration is a %T, want a struct", c)
	}
	seen := map[string]bool{}
	for _, o := range tagged(reflect.ValueOf(c)) {
		switch o.value.Kind() {
		case reflect.Bool, reflect.Int, reflect.Float64, reflect.String:
		default:
			return fmt.Errorf("the option %s is of %v, want bool, int, float64 or a string; fields "+
				"of a struct that is embedded, without a tag, are options too", o.name,
				o.value.Type())
		}
		switch {
		case !o.value.CanInterface():
			return fmt.Errorf("the option %s is a field that is not exported", o.name)
		case seen[o.name]:
			return fmt.Errorf("two options are called %s", o.name)
		case strings.ContainsAny(o.name, "=/ "):
			return fmt.Errorf("the option %q; want a name without =, / and space", o.name)
		}
		seen[o.name] = true
	}
	return nil
}

// Registered are the names of all cells that are known, sorted.
func Registered() []string {
	registry.RLock()
	defer registry.RUnlock()
	return slices.Sorted(maps.Keys(registry.configs))
}

// Options are the names of the options of a registered cell, sorted; nil if none is of this name.
func Options(name string) (names []string) {
	registry.RLock()
	defer registry.RUnlock()
	c, ok := registry.configs[name]
	if !ok {
		return nil
	}
	for _, o := range registry.optionsOf(reflect.ValueOf(c)) {
		names = append(names, o.name)
	}
	slices.Sort(names)
	return names
}

// option is a field of a configuration that a spec can name.
type option struct {
	name  string
	value reflect.Value
}

// optionsOf are the fields of a configuration that have a json tag, in their order, also those of
// structs that are embedded in it, but its widths.
func (r *cellRegistry) optionsOf(v reflect.Value) (options []option) {
	for _, f := range tagged(v) {
		if !r.widths[v.Type()][f.name] {
			options = append(options, f)
		}
	}
	return options
}

// tagged are the fields that have a json tag, as optionsOf says.
func tagged(v reflect.Value) (fields []option) {
	for _, f := range reflect.VisibleFields(v.Type()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" && !throughPointer(v.Type(), f.Index) {
			fields = append(fields, option{name, v.FieldByIndex(f.Index)})
		}
	}
	return fields
}

// throughPointer reports whether a field is one of a struct that is embedded by a pointer, which
// may be nil.
func throughPointer(t reflect.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		if t = t.Field(i).Type; t.Kind() == reflect.Pointer {
			return true
		}
	}
	return false
}

// widthsOf are the tagged fields that Sized sets, whatever they were: a spec that names one would
// have no effect. What Sized does besides, and whether it does it well, is asked when a cell is
// made.
func widthsOf(c Config) (widths map[string]bool) {
	defer func() { _ = recover() }()
	widths = map[string]bool{}
	v := reflect.New(reflect.TypeOf(c)).Elem()
	v.Set(reflect.ValueOf(c))
	const before, in, hidden = 2, 5, 7
	for _, f := range tagged(v) {
		if f.value.Kind() == reflect.Int {
			f.value.SetInt(before)
		}
	}
	after := reflect.ValueOf(v.Interface().(Config).Sized(in, hidden))
	if !after.IsValid() || after.Type() != v.Type() {
		return widths
	}
	for _, f := range tagged(after) {
		if f.value.Kind() == reflect.Int && (f.value.Int() == in || f.value.Int() == hidden) {
			widths[f.name] = true
		}
	}
	return widths
}

// Parse reads the spec of a cell: its name, and options behind commas.
//
//	gru
//	gru,reset_before
//	lstm,peephole=diagonal,coupled
//	qrnn,width=1
//
// An option without a value is a switch that is turned on. An unknown name or option is an error
// that lists the known ones.
func Parse(spec string) (Config, error) {
	fields := strings.Split(spec, ",")
	name := strings.TrimSpace(fields[0])
	registry.RLock()
	proto, ok := registry.configs[name]
	registry.RUnlock()
	if !ok {
		return nil, fmt.Errorf("the cell %q is not registered; known are %s. One of another "+
			"module needs that module's import",
			name, strings.Join(Registered(), ", "))
	}
	v := reflect.New(reflect.TypeOf(proto)).Elem()
	v.Set(reflect.ValueOf(proto))
	options := map[string]reflect.Value{}
	registry.RLock()
	for _, o := range registry.optionsOf(v) {
		options[o.name] = o.value
	}
	registry.RUnlock()
	seen := map[string]bool{}
	for _, field := range fields[1:] {
		key, value, given := strings.Cut(strings.TrimSpace(field), "=")
		option, ok := options[key]
		switch {
		case !ok && len(options) == 0:
			return nil, fmt.Errorf("the cell %s has no option %q, and no options at all", name, key)
		case !ok:
			return nil, fmt.Errorf("the cell %s has no option %q; it has %s", name, key,
				strings.Join(slices.Sorted(maps.Keys(options)), ", "))
		case seen[key]:
			return nil, fmt.Errorf("the cell %s: the option %s comes twice", name, key)
		}
		seen[key] = true
		if err := setOption(option, value, given); err != nil {
			return nil, fmt.Errorf("the cell %s: the option %s %w", name, key, err)
		}
	}
	return v.Interface().(Config), nil
}

func setOption(option reflect.Value, value string, given bool) error {
	if !given && option.Kind() != reflect.Bool {
		return errors.New("needs a value, such as name=value")
	}
	var err error
	switch option.Kind() {
	case reflect.Bool:
		on := true
		if given {
			on, err = strconv.ParseBool(value)
		}
		option.SetBool(on)
	case reflect.Int:
		var n int
		n, err = strconv.Atoi(value)
		option.SetInt(int64(n))
	case reflect.Float64:
		var x float64
		if x, err = strconv.ParseFloat(value, 64); math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("is %s, want a finite number", value)
		}
		option.SetFloat(x)
	default:
		option.SetString(value)
	}
	if err != nil {
		return fmt.Errorf("is %q, want a value of type %v", value, option.Kind())
	}
	return nil
}

// Spec is the spec from which Parse makes a configuration again: the name under which its type is
// registered, and the options that differ from their defaults, in the order of the fields.
func Spec(c Config) (string, error) {
	registry.RLock()
	defer registry.RUnlock()
	for _, name := range slices.Sorted(maps.Keys(registry.configs)) {
		proto := registry.configs[name]
		if reflect.TypeOf(proto) != reflect.TypeOf(c) {
			continue
		}
		spec, defaults := name, registry.optionsOf(reflect.ValueOf(proto))
		for i, o := range registry.optionsOf(reflect.ValueOf(c)) {
			if o.value.Equal(defaults[i].value) {
				continue
			}
			value := fmt.Sprint(o.value.Interface())
			if !specCanHold(o.value, value) {
				return "", fmt.Errorf("cells: %s: the option %s is %q, which a spec cannot hold",
					name, o.name, value)
			}
			spec += "," + o.name
			if o.value.Kind() != reflect.Bool || !o.value.Bool() {
				spec += "=" + value
			}
		}
		return spec, nil
	}
	return "", fmt.Errorf("cells: %T is not registered: call Register", c)
}

// specCanHold reports whether Parse reads a value as it is written.
func specCanHold(v reflect.Value, written string) bool {
	if v.Kind() == reflect.Float64 {
		return !math.IsNaN(v.Float()) && !math.IsInf(v.Float(), 0)
	}
	trimmed := strings.TrimRightFunc(written, unicode.IsSpace) // as Parse does
	return written == trimmed && !strings.ContainsAny(written, ",/=")
}
