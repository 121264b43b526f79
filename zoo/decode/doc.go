// Package decode turns the logits of a model into tokens.
package decode
