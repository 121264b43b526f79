// Nextword trains a plain RNN, a GRU and an LSTM on the same text, compares them, and completes a
// phrase with each.
package main
