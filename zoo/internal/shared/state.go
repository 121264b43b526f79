package shared

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// State is how far a model has come in what it reads or writes step by step, as a value: it never
// changes, so that to copy it is to fork what was read, and any number of goroutines may use it.
// MarshalBinary gives it as bytes, for a file or a database, and UnmarshalBinary takes them.
//
// It belongs to the model, with its words and weights, that it was taken from: another one refuses
// it, by an error that is zoo.ErrMisfit. The zero value is the state before anything was read.
type State struct {
	kind  string // of the model
	of    string // digest of the model
	notes map[string]string
	parts *run.State
}

// Keys of a state's metadata. Notes have a prefix of their own.
const (
	kindKey    = "seqzoo.state"
	modelKey   = "seqzoo.model"
	notePrefix = "note "
)

// NewState is a state of a model; parts and notes must not change any more.
func NewState(kind string, id *Identity, parts *run.State, notes map[string]string) State {
	return State{kind: kind, of: id.Digest(), notes: notes, parts: parts}
}

// Empty reports whether s is the zero value.
func (s State) Empty() bool { return s.parts == nil }

// Kind is the kind of model that the state belongs to, such as "LanguageModel".
func (s State) Kind() string { return s.kind }

// MarshalBinary implements encoding.BinaryMarshaler: a safetensors file with the parts of the
// state, and a checksum. The zero value is no bytes.
func (s State) MarshalBinary() ([]byte, error) {
	if s.Empty() {
		return nil, nil
	}
	notes := map[string]string{kindKey: s.kind, modelKey: s.of}
	for k, v := range s.notes {
		notes[notePrefix+k] = v
	}
	return s.parts.Encode(notes)
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler. Bytes that were changed or cut off are an
// error, and s stays as it was. Whether the state fits a model is told when it is used.
func (s *State) UnmarshalBinary(data []byte) error {
	if len(data) == 0 {
		*s = State{}
		return nil
	}
	parts, notes, err := run.DecodeState(data)
	if err == nil && notes[kindKey] == "" {
		err = errors.New("it says of no model that it is its own")
	}
	if err != nil {
		return fmt.Errorf("zoo: state: %w", err)
	}
	own := State{kind: notes[kindKey], of: notes[modelKey], parts: parts,
		notes: map[string]string{}}
	for k, v := range notes {
		if note, ok := strings.CutPrefix(k, notePrefix); ok {
			own.notes[note] = v
		}
	}
	*s = own
	return nil
}

// Of gives parts and notes of a state of a model, which must not be changed.
func (s State) Of(kind string, id *Identity) (*run.State, map[string]string, error) {
	switch {
	case s.Empty():
		return nil, nil, errors.New("the state is empty")
	case s.kind != kind:
		return nil, nil, check.Kind(check.ErrMisfit,
			fmt.Errorf("the state is of a %.40s, not of a %s",
				s.kind, kind))
	case s.of != id.Digest():
		return nil, nil, check.Kind(check.ErrMisfit,
			fmt.Errorf("the state is of another %s, or of this "+
				"one with other weights or words: begin anew, and read again what it had read",
				kind))
	}
	return s.parts, maps.Clone(s.notes), nil
}

// Numbers writes integers as a note.
func Numbers(x []int) string {
	var b strings.Builder
	for i, n := range x {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}

// ParseNumbers reads what Numbers wrote, each from 0 to below limit.
func ParseNumbers(note string, limit int) ([]int, error) {
	fields := strings.Fields(note)
	x := make([]int, len(fields))
	for i, f := range fields {
		n, err := strconv.Atoi(f)
		if err != nil || n < 0 || n >= limit {
			return nil, check.Kind(check.ErrMisfit,
				fmt.Errorf("the state says %.20q; want a number from 0 to %d", f, limit-1))
		}
		x[i] = n
	}
	return x, nil
}

// Words writes words as a note: a JSON list, in which a word that is no UTF-8, which JSON cannot
// hold, is a list of its bytes in base64.
func Words(words []string) string {
	list := make([]any, len(words))
	for i, word := range words {
		if list[i] = word; !utf8.ValidString(word) {
			list[i] = [][]byte{[]byte(word)}
		}
	}
	note, _ := json.Marshal(list) // strings and bytes have no errors
	return string(note)
}

// ParseWords reads what Words wrote.
func ParseWords(note string) ([]string, error) {
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(note), &list); err != nil {
		return nil, check.Kind(check.ErrMisfit, fmt.Errorf("the state has no words: %w", err))
	}
	words := make([]string, len(list))
	for i, word := range list {
		var raw [1][]byte
		if json.Unmarshal(word, &words[i]) == nil {
			continue
		}
		if err := json.Unmarshal(word, &raw); err != nil {
			return nil, check.Kind(check.ErrMisfit, fmt.Errorf("the state has no word %d: %w", i,
				err))
		}
		words[i] = string(raw[0])
	}
	return words, nil
}

// Identity tells a model with its weights from all others. The digest is made of all weights the
// first time, and again when some of them have changed.
type Identity struct {
	kind   string
	config any
	store  *nodes.Store
	words  [sha256.Size]byte // of the vocabularies, which do not change

	mu     sync.Mutex
	sample [sha256.Size]byte
	digest string
}

// Is says what model it is that m tells from others. The vocabularies are those by which the model
// reads and writes; a model that has none gives nil in its place, or leaves it out.
func (m *Identity) Is(kind string, config any, store *nodes.Store,
	vocabularies ...*text.Vocabulary) {
	m.kind, m.config, m.store = kind, config, store
	h := sha256.New()
	var b []byte
	for _, v := range vocabularies {
		b = binary.AppendUvarint(b[:0], uint64(v.Len()))
		h.Write(binary.AppendUvarint(b, uint64(len(v.Specials()))))
		for id := range v.Len() {
			token, _ := v.Token(id)
			h.Write(append(binary.AppendUvarint(b[:0], uint64(len(token))), token...))
		}
	}
	h.Sum(m.words[:0])
}

// sampled are how many values of each parameter are looked at to tell whether it has changed. A
// training changes all of most.
const sampled = 32

// Digest returns the digest of the configuration, the vocabularies and all parameters.
func (m *Identity) Digest() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if sample := m.hash(sampled); m.digest == "" || sample != m.sample {
		all := m.hash(0)
		m.sample, m.digest = sample, hex.EncodeToString(all[:16])
	}
	return m.digest
}

// hash returns the hash of at most the given number of values of each parameter; 0: of all.
func (m *Identity) hash(most int) (sum [sha256.Size]byte) {
	h := sha256.New()
	config, err := json.Marshal(m.config)
	if err != nil {
		config = fmt.Appendf(nil, "%+v", m.config) // configurations are plain data
	}
	fmt.Fprintf(h, "%s\n%s\n%x\n", m.kind, config, m.words)
	var b []byte
	for _, p := range m.store.Params() {
		fmt.Fprintf(h, "%s %v\n", p.Name(), p.Shape())
		if most == 0 {
			hashAll(h, p)
			continue
		}
		v := run.ParamFloats(p)
		b = b[:0]
		for k := range min(most, v.Len()) { // from the first to the last
			at := k
			if v.Len() > most {
				at = k * (v.Len() - 1) / (most - 1)
			}
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v.At(at)))
		}
		h.Write(b)
	}
	h.Sum(sum[:0])
	return sum
}

// hashAll adds all values of a parameter.
func hashAll(h hash.Hash, p *nodes.Param) {
	const chunk = 4096
	var b []byte
	switch v := p.Value().Data().(type) {
	case []float32:
		for part := range slices.Chunk(v, chunk) {
			b = b[:0]
			for _, x := range part {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
			}
			h.Write(b)
		}
	case []float64:
		for part := range slices.Chunk(v, chunk) {
			b = b[:0]
			for _, x := range part {
				b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
			}
			h.Write(b)
		}
	}
}
