// Package ngram has the count-based language models that a recurrent one must beat.
//
// Ids are those of a vocabulary of V tokens, 0 to V−1. Both models give every token a probability
// above 0 after every context, and the probabilities after a context sum to 1.
package ngram
