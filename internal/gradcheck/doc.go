// Package gradcheck holds symbolic gradients against finite differences. It is for tests.
package gradcheck
