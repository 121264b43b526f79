// Package seqzoo is a library of recurrent sequence models: a cell is written once, like its
// equations, and the unrolled network, its gradients, its step function for inference and the
// models built from it follow.
//
// Start with package zoo for whole models, with package cells to write a cell, and with package
// unroll to carry one through time. Package nodes is the vocabulary of all three; package graph
// runs what they build, and package train trains it.
package seqzoo
