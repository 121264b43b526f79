// Package data holds the text that nextword trains on unless it is given another: tiny-shakespeare,
// 40,000 lines of Shakespeare's plays as gathered by Andrej Karpathy for char-rnn
// (github.com/karpathy/char-rnn, data/tinyshakespeare/input.txt). The plays, first printed by 1623,
// are in the public domain.
package data
