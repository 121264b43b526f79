// Package rng is a counter-based random generator: number i of a stream is a pure function of (key,
// i).
//
// Nothing is consumed, so there is no hidden state to save: a training run that stores its seed and
// its step number resumes to the bit, and any worker can draw any part of a noise tensor.
//
// The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw, 2011).
package rng
