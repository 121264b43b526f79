// Package decode turns the logits of a model into tokens: greedily, by sampling, and by beam
// search.
//
// A [Sampler] picks one token. [Generate] and [Beam] run a model, as a [Stepper], a token at a time
// and for many sequences at once; [Recurrent] makes one of the graph of a single step.
package decode
