package safetensors

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// cursor scans the JSON of a header from left to right. It knows only the values that a header may
// hold, so nothing nests deeper than the format. After the first error it stands still and returns
// zero values.
type cursor struct {
	b      []byte // valid UTF-8
	i      int
	budget int // bytes that may yet be allocated
	err    error
}

func (c *cursor) fail(err error) {
	if c.err == nil {
		c.err = fmt.Errorf("byte %d: %w", c.i, err)
	}
}

func (c *cursor) charge(n int) {
	if c.budget -= n; c.budget < 0 {
		c.fail(ErrCrowded)
	}
}

// token is a string as it stands in the header, without its quotes.
type token struct {
	raw     []byte
	escaped bool // there is a backslash in it
}

func (t token) is(s string) bool { return !t.escaped && string(t.raw) == s }

// accept steps over white space and then over ch, if that is next.
func (c *cursor) accept(ch byte) bool {
	for c.err == nil && c.i < len(c.b) {
		switch c.b[c.i] {
		case ' ', '\t', '\n', '\r':
			c.i++
			continue
		case ch:
			c.i++
			return true
		}
		break
	}
	return false
}

func (c *cursor) expect(ch byte) {
	if !c.accept(ch) {
		c.fail(ErrSyntax)
	}
}

// object calls member after each name and colon, to scan the value.
func (c *cursor) object(member func(name token)) {
	if c.expect('{'); c.accept('}') {
		return
	}
	for c.err == nil {
		name := c.text()
		if c.expect(':'); c.err != nil {
			return
		}
		if member(name); c.accept('}') {
			return
		}
		c.expect(',')
	}
}

// tensor scans the value of a tensor's entry.
func (c *cursor) tensor(name token) Tensor {
	var t Tensor
	var dims [maxRank]int
	var offsets [2]int
	var rank, pair int
	var dtype, shape bool
	c.object(func(field token) {
		switch {
		case field.is("dtype") && !dtype:
			dtype = true
			t.DType = dtypeNames[string(c.text().raw)] // a constant: nothing to allocate
		case field.is("shape") && !shape:
			shape = true
			rank = c.numbers(dims[:])
		case field.is("data_offsets") && pair == 0:
			pair = c.numbers(offsets[:])
		default:
			c.fail(ErrSyntax) // unknown, escaped, or there twice
		}
	})
	if !dtype || !shape || pair != 2 {
		c.fail(ErrSyntax)
	}
	if t.DType == "" {
		c.fail(ErrDType)
	}
	c.charge(8*rank + 8)
	if t.Name = c.string(name); c.err != nil {
		return t
	}
	if t.Name == metadataKey { // written with escapes
		c.fail(ErrSyntax)
	}
	t.Shape = append(make([]int, 0, rank), dims[:rank]...)
	size, err := Size(t.DType, t.Shape)
	switch {
	case err != nil:
		c.fail(err)
	case offsets[1] < offsets[0] || offsets[1]-offsets[0] != size:
		c.fail(ErrSize)
	}
	t.begin = offsets[0]
	return t
}

// metadata scans an object of strings; sum is where the digits of the checksum begin, or 0.
func (c *cursor) metadata() (m map[string]string, sum int) {
	m = map[string]string{}
	c.object(func(key token) {
		c.charge(entryBytes)
		k := c.string(key)
		if _, ok := m[k]; ok {
			c.fail(fmt.Errorf("%.64q: %w", k, ErrDuplicate))
		}
		value := c.text()
		if k != checksumKey {
			m[k] = c.string(value)
			return
		}
		sum = c.i - len(`"`) - len(noChecksum)
		if value.escaped || len(value.raw) != len(noChecksum) {
			c.fail(ErrChecksum)
		}
	})
	return m, sum
}

// numbers scans an array of at most len(dst) natural numbers and returns how many there are.
func (c *cursor) numbers(dst []int) (n int) {
	if c.expect('['); c.accept(']') {
		return 0
	}
	for n = 0; c.err == nil && n < len(dst); {
		dst[n] = c.number()
		n++
		if c.accept(']') {
			return n
		}
		c.expect(',')
	}
	c.fail(ErrSyntax)
	return 0
}

func (c *cursor) number() (n int) {
	if c.accept('-') {
		c.fail(ErrNegative)
	}
	start := c.i
	for ; c.err == nil && c.i < len(c.b) && '0' <= c.b[c.i] && c.b[c.i] <= '9'; c.i++ {
		d := int(c.b[c.i] - '0')
		if n > (math.MaxInt-d)/10 {
			c.fail(ErrOverflow)
		}
		n = 10*n + d
	}
	if c.i == start || c.b[start] == '0' && c.i > start+1 {
		c.fail(ErrSyntax)
	}
	return n
}

func (c *cursor) text() (t token) {
	c.expect('"')
	for start := c.i; c.err == nil && c.i < len(c.b) && c.b[c.i] >= ' '; c.i++ {
		switch c.b[c.i] {
		case '"':
			c.i++
			t.raw = c.b[start : c.i-1]
			return t
		case '\\':
			t.escaped = true
			c.i++ // over what is escaped, which may be a quote
		}
	}
	c.fail(ErrSyntax)
	return token{}
}

// string returns what t stands for, in memory of its own: a part of the header would keep the whole
// of it alive.
func (c *cursor) string(t token) string {
	if c.charge(len(t.raw) + 8); c.err != nil {
		return ""
	}
	if !t.escaped {
		return string(t.raw)
	}
	const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	var out strings.Builder
	out.Grow(len(t.raw)) // no escape is shorter than what it stands for
	for s := t.raw; len(s) > 0; {
		if s[0] != '\\' {
			out.WriteByte(s[0])
			s = s[1:]
		} else if i := strings.IndexByte(from, s[1]); i >= 0 {
			out.WriteByte(to[i])
			s = s[2:]
		} else {
			r, n := hex4(s), 6
			if utf16.IsSurrogate(r) {
				r, n = utf16.DecodeRune(r, hex4(s[n:])), 12
			}
			if r < 0 || r == utf8.RuneError {
				c.fail(ErrSyntax)
				return ""
			}
			out.WriteRune(r)
			s = s[n:]
		}
	}
	return out.String()
}

// hex4 returns the number of the escape \u0000 that s begins with, or -1.
func hex4(s []byte) (r rune) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	for _, b := range s[2:6] {
		r <<= 4
		switch {
		case '0' <= b && b <= '9':
			r |= rune(b - '0')
		case 'a' <= b|0x20 && b|0x20 <= 'f':
			r |= rune(b|0x20-'a') + 10
		default:
			return -1
		}
	}
	return r
}
