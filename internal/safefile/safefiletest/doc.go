// Package safefiletest has file systems that fail, and a disk that forgets, to test what must
// survive both.
package safefiletest
