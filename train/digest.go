package train

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"unsafe"

	"github.com/seqzoo/seqzoo/internal/interrupt"
)

// DigestOf returns a digest of values: text that is the same for equal values, and differs, but for
// a chance of 2⁻¹²⁸, if anything in them does: a number, its type, an order, a length. A [Task]
// gives the digests of its data to [Checkpoint.SetDigest], so that [Fit] never goes on with other
// data.
//
// Values are numbers, booleans, text, and slices, arrays, maps, structs (with the fields that are
// not exported) and pointers of such. One that is an io.WriterTo counts as what it writes, which is
// how a vocabulary comes in. A gigabyte takes about a second. It is an error if a value holds a
// function, a channel, or itself, and if a field that is not exported is an io.WriterTo.
func DigestOf(values ...any) (string, error) {
	return DigestOfContext(context.Background(), values...)
}

// DigestOfContext is DigestOf for many gigabytes. A cancelled context ends it soon with its error.
func DigestOfContext(ctx context.Context, values ...any) (string, error) {
	if err := interrupt.Err(ctx); err != nil {
		return "", fmt.Errorf("train: digest: %w", err)
	}
	d := digester{h: sha256.New(), buf: make([]byte, 0, digestChunk), ctx: ctx}
	for _, v := range values {
		d.value(reflect.ValueOf(v), 0)
	}
	d.flush()
	if d.err != nil {
		return "", fmt.Errorf("train: digest: %w", d.err)
	}
	return hex.EncodeToString(d.h.Sum(nil)[:16]), nil
}

const (
	digestChunk = 1 << 14 // bytes that are hashed at a time
	digestDepth = 1000    // of values in values
)

// digester hashes values. The first error stays.
type digester struct {
	h    hash.Hash
	buf  []byte
	open map[opened]bool // what the value at hand is in
	err  error
	ctx  context.Context // ends it
}

// opened is a pointer, map or slice whose elements are being added.
type opened struct {
	reflect.Type
	at  unsafe.Pointer
	len int
}

// inside calls add, unless v holds itself.
func (d *digester) inside(v reflect.Value, length int, add func()) {
	o := opened{v.Type(), v.UnsafePointer(), length}
	if d.open[o] {
		d.err = fmt.Errorf("a %v holds itself", v.Type())
		return
	}
	if d.open == nil {
		d.open = map[opened]bool{}
	}
	d.open[o] = true
	add()
	delete(d.open, o)
}

// flush hashes what is in buf, unless the context has ended.
func (d *digester) flush() {
	if d.err == nil {
		d.err = d.ctx.Err()
	}
	if d.err == nil {
		d.h.Write(d.buf) // a hash does not fail
	}
	d.buf = d.buf[:0]
}

// room makes room for n bytes, at most digestChunk, in buf.
func (d *digester) room(n int) {
	if len(d.buf)+n > cap(d.buf) {
		d.flush()
	}
}

func (d *digester) uint64(x uint64) {
	d.room(8)
	d.buf = binary.LittleEndian.AppendUint64(d.buf, x)
}

func (d *digester) uint32(x uint32) {
	d.room(4)
	d.buf = binary.LittleEndian.AppendUint32(d.buf, x)
}

func (d *digester) text(s string) {
	d.uint64(uint64(len(s)))
	for len(s) > 0 && d.err == nil {
		d.room(1)
		n := min(len(s), cap(d.buf)-len(d.buf))
		d.buf = append(d.buf, s[:n]...)
		s = s[n:]
	}
}

var writerTo = reflect.TypeFor[io.WriterTo]()

// value adds v. What kind it is comes first, so that no two values of different structure give the
// same bytes.
func (d *digester) value(v reflect.Value, depth int) {
	switch {
	case d.err != nil:
		return
	case !v.IsValid(): // nil
		d.uint32(0)
		return
	case depth > digestDepth:
		d.err = fmt.Errorf("a %v is in %d values that are in each other", v.Type(), digestDepth)
		return
	case v.Type().Implements(writerTo) && v.Kind() != reflect.Interface:
		d.written(v)
		return
	}
	d.uint32(uint32(v.Kind()))
	switch v.Kind() {
	case reflect.Bool:
		d.uint32(uint32(map[bool]int{true: 1}[v.Bool()]))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		d.uint64(uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Uintptr:
		d.uint64(v.Uint())
	case reflect.Float32, reflect.Float64:
		d.uint64(math.Float64bits(v.Float()))
	case reflect.Complex64, reflect.Complex128:
		d.uint64(math.Float64bits(real(v.Complex())))
		d.uint64(math.Float64bits(imag(v.Complex())))
	case reflect.String:
		d.text(v.String())
	case reflect.Slice, reflect.Array:
		d.list(v, depth)
	case reflect.Map:
		d.inside(v, v.Len(), func() { d.entries(v, depth) })
	case reflect.Struct:
		for i := range v.NumField() {
			d.value(v.Field(i), depth+1)
		}
	case reflect.Interface:
		d.value(v.Elem(), depth+1)
	case reflect.Pointer:
		d.inside(v, 1, func() { d.value(v.Elem(), depth+1) })
	default:
		d.err = fmt.Errorf("a %v has no digest", v.Type())
	}
}

// list adds the elements of a slice or an array; those of the types that data are made of without
// reflection.
func (d *digester) list(v reflect.Value, depth int) {
	n := v.Len()
	d.uint64(uint64(n))
	if v.Kind() == reflect.Slice && n > 0 {
		kind := v.Type().Elem().Kind()
		d.uint32(uint32(kind))
		switch p := v.UnsafePointer(); kind {
		case reflect.Int:
			for _, x := range unsafe.Slice((*int)(p), n) {
				if d.err != nil {
					return
				}
				d.room(binary.MaxVarintLen64)
				// few bytes, since ids of tokens are small
				d.buf = binary.AppendVarint(d.buf, int64(x))
			}
			return
		case reflect.Int32: // as each would be by itself, which checkpoints have digests of
			for _, x := range unsafe.Slice((*int32)(p), n) {
				if d.err != nil {
					return
				}
				d.uint32(uint32(kind))
				d.uint64(uint64(int64(x)))
			}
			return
		case reflect.Float32:
			for _, x := range unsafe.Slice((*float32)(p), n) {
				if d.err != nil {
					return
				}
				d.uint32(math.Float32bits(x))
			}
			return
		case reflect.Float64:
			for _, x := range unsafe.Slice((*float64)(p), n) {
				if d.err != nil {
					return
				}
				d.uint64(math.Float64bits(x))
			}
			return
		case reflect.Uint8:
			d.text(unsafe.String((*byte)(p), n))
			return
		case reflect.String:
			for _, x := range unsafe.Slice((*string)(p), n) {
				if d.err != nil {
					return
				}
				d.text(x)
			}
			return
		}
	}
	add := func() {
		for i := 0; i < n && d.err == nil; i++ {
			d.value(v.Index(i), depth+1)
		}
	}
	if v.Kind() == reflect.Slice {
		d.inside(v, n, add)
	} else {
		add()
	}
}

// entries adds a map, whose order does not count.
func (d *digester) entries(v reflect.Value, depth int) {
	var sums []string
	for it := v.MapRange(); it.Next() && d.err == nil; {
		one := digester{h: sha256.New(), buf: make([]byte, 0, digestChunk), open: d.open, ctx: d.ctx}
		one.value(it.Key(), depth+1)
		one.value(it.Value(), depth+1)
		one.flush()
		d.err = errors.Join(d.err, one.err)
		sums = append(sums, string(one.h.Sum(nil)))
	}
	slices.Sort(sums)
	d.uint64(uint64(len(sums)))
	d.text(strings.Join(sums, ""))
}

// written adds what an io.WriterTo writes.
func (d *digester) written(v reflect.Value) {
	if !v.CanInterface() {
		d.err = fmt.Errorf("a %v is in a field that is not exported; give it by itself", v.Type())
		return
	}
	d.uint32(math.MaxUint32)
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return
	}
	one := sha256.New()
	if _, err := v.Interface().(io.WriterTo).WriteTo(one); err != nil {
		d.err = err
		return
	}
	d.text(string(one.Sum(nil)))
}

// digestPrefix begins the names of digests among a checkpoint's texts.
const digestPrefix = "digest/"

// SetDigest notes the digest of a part of the data that the rest of a training depends on, such as
// "training data", "vocabulary" or "order of the batches". A Task calls it in Save, with what
// DigestOf returned for the part when the task was made; Fit then refuses to go on from a
// checkpoint in which the part has another digest, and names the part.
func (c *Checkpoint) SetDigest(part, digest string) {
	if c == nil {
		return
	}
	if c.Text == nil {
		c.Text = map[string]string{}
	}
	c.Text[digestPrefix+part] = digest
}

// digests are what SetDigest noted, by part.
func (c *Checkpoint) digests() map[string]string {
	m := map[string]string{}
	for name, digest := range c.Text {
		if part, ok := strings.CutPrefix(name, digestPrefix); ok {
			m[part] = digest
		}
	}
	return m
}
