package reduce

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/seqzoo/seqzoo/nodes"
)

// Decoder is a decoder of one's own for a VAE. It declares its weights under s, and returns what
// maps codes [B, in], a condition behind each, to [B, out]: logits of features that are Bernoulli,
// means of those that are Gaussian. It may use whatever packages nodes, cells and unroll have.
type Decoder func(s *nodes.Scope, in, out int) func(z *nodes.Node) *nodes.Node

var decoders struct {
	sync.RWMutex
	by map[string]Decoder
}

// RegisterDecoder makes a decoder known by a name, which VAEConfig.Decoder says, so that a model
// is loaded with it by every program that registers it. It panics if the name is empty or taken,
// or the decoder nil; call it in an init.
func RegisterDecoder(name string, d Decoder) {
	decoders.Lock()
	defer decoders.Unlock()
	switch {
	case name == "":
		panic("reduce: RegisterDecoder: the name is empty")
	case d == nil:
		panic(fmt.Sprintf("reduce: RegisterDecoder(%q): the decoder is nil", name))
	case decoders.by[name] != nil:
		panic(fmt.Sprintf("reduce: RegisterDecoder(%q): the name is taken", name))
	}
	if decoders.by == nil {
		decoders.by = map[string]Decoder{}
	}
	decoders.by[name] = d
}

// Decoders are the names that are registered, sorted.
func Decoders() []string {
	decoders.RLock()
	defer decoders.RUnlock()
	return slices.Sorted(maps.Keys(decoders.by))
}

func decoderOf(name string) Decoder {
	decoders.RLock()
	defer decoders.RUnlock()
	return decoders.by[name]
}
