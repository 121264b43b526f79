// Package rng is a counter-based generator of seeded random numbers: number i of a stream is a pure
// function of (key, i). Everything random in this module is drawn by it.
//
// Nothing is consumed, so there is no hidden state to save: a training run that stores its seed and
// its step number resumes to the bit, and any worker can draw any part of a noise tensor. A [Key]
// gives any number of a stream; a [Stream] draws its numbers one after another. Streams with
// different names or numbers under one key are independent of each other.
//
// The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw, 2011). It is not for secrets.
package rng
