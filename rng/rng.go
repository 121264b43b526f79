package rng

import (
	"hash/fnv"
	"math"
	"math/bits"
)

// Key names a stream of random numbers.
type Key uint64

// New is the stream of a user's seed.
func New(seed uint64) Key { return Key(mix(seed ^ 0x5eed5eed5eed5eed)) }

// Named is the stream of name under k: a stream of its own for every name, in whatever order they
// are asked for.
func (k Key) Named(name string) Key {
	h := fnv.New64a()
	h.Write([]byte(name))
	return Key(mix(uint64(k) ^ mix(h.Sum64())))
}

// Numbered is the stream of number n under k, such as that of a training step.
func (k Key) Numbered(n uint64) Key { return Key(mix(uint64(k) + mix(n+0x9e3779b97f4a7c15))) }

// mix is the finaliser of splitmix64 (Steele, Lea, Flood, 2014): a bijection that spreads every
// bit.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Block returns the four 32-bit words of counter i.
func (k Key) Block(i uint64) [4]uint32 {
	c := [4]uint32{uint32(i), uint32(i >> 32), 0, 0}
	k0, k1 := uint32(k), uint32(k>>32)
	for range 10 {
		h0, l0 := bits.Mul32(0xD2511F53, c[0])
		h1, l1 := bits.Mul32(0xCD9E8D57, c[2])
		c = [4]uint32{h1 ^ c[1] ^ k0, l1, h0 ^ c[3] ^ k1, l0}
		k0 += 0x9E3779B9
		k1 += 0xBB67AE85
	}
	return c
}

// Uint64 is number i of the stream.
func (k Key) Uint64(i uint64) uint64 {
	b := k.Block(i)
	return uint64(b[0]) | uint64(b[1])<<32
}

// Float64 is number i of the stream, uniform in [0, 1).
func (k Key) Float64(i uint64) float64 { return float64(k.Uint64(i)>>11) * 0x1p-53 }

// Normal is number i of the stream with mean 0 and variance 1 (Box and Muller, 1958).
func (k Key) Normal(i uint64) float64 {
	b := k.Block(i)
	u := (float64(uint64(b[0])|uint64(b[1]&0x1fffff)<<32) + 0.5) * 0x1p-53 // in (0, 1)
	v := float64(uint64(b[2])|uint64(b[3]&0x1fffff)<<32) * 0x1p-53
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*v)
}

// Stream draws one number after another; At is its whole state.
type Stream struct {
	Key Key
	At  uint64 // numbers drawn so far
}

// Float64 draws the next number, uniform in [0, 1).
func (s *Stream) Float64() float64 { s.At++; return s.Key.Float64(s.At - 1) }

// Normal draws the next number with mean 0 and variance 1.
func (s *Stream) Normal() float64 { s.At++; return s.Key.Normal(s.At - 1) }

// Intn draws the next number in [0, n). It is biased by less than n/2⁶⁴. If n is less than 1 it
// returns 0.
func (s *Stream) Intn(n int) int {
	s.At++
	if n < 1 {
		return 0
	}
	hi, _ := bits.Mul64(s.Key.Uint64(s.At-1), uint64(n))
	return int(hi)
}

// Perm fills p with 0 … len(p)−1 in a random order (Fisher and Yates), and returns it.
func (s *Stream) Perm(p []int) []int {
	for i := range p {
		j := s.Intn(i + 1)
		p[i], p[j] = p[j], i
	}
	return p
}
