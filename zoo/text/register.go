package text

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Tokenisers that packages of their own bring, by name.
var (
	registerMu sync.Mutex
	registered = map[string]func() (Tokeniser, error){}
)

// Register makes a tokeniser known under a name, for models that say in a file by which they cut. A
// package that brings one, such as zoo/text/japanese, does so when it is imported; a name that is
// taken panics, as it is a slip of the program. Make is called when the tokeniser is first needed,
// and may be called again.
func Register(name string, make func() (Tokeniser, error)) {
	registerMu.Lock()
	defer registerMu.Unlock()
	if registered[name] != nil || name == "" || make == nil {
		panic(fmt.Sprintf("text: Register: the tokeniser %q has no name, is nil or is known "+
			"already", name))
	}
	registered[name] = make
}

// Registered returns the tokeniser of a name. The error of one that is unknown lists those that are
// not.
func Registered(name string) (Tokeniser, error) {
	registerMu.Lock()
	make := registered[name]
	known := slices.Sorted(maps.Keys(registered))
	registerMu.Unlock()
	if make == nil {
		return nil, fmt.Errorf("no tokeniser %q: the package that brings it must be imported, as "+
			"github.com/seqzoo/seqzoo/zoo/text/japanese "+
			"brings \"ja\"; imported are [%s]", name, strings.Join(known, ", "))
	}
	return make()
}
