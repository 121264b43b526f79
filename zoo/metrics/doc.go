// Package metrics measures how good a model is. Each metric gathers what it needs, example by example, and gives its
// value in the end.
package metrics
