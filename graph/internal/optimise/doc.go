// Package optimise improves a graph in the engine's form. Each pass does one thing, and can be
// switched off.
package optimise
