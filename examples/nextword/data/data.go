package data

import (
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"strings"
)

//go:embed tiny-shakespeare.txt.gz
var compressed string

// Text returns tiny-shakespeare: 1,115,394 characters of ASCII.
func Text() (string, error) {
	z, err := gzip.NewReader(strings.NewReader(compressed))
	if err != nil {
		return "", fmt.Errorf("tiny-shakespeare: %w", err)
	}
	var b strings.Builder
	if _, err := io.Copy(&b, z); err != nil {
		return "", fmt.Errorf("tiny-shakespeare: %w", err)
	}
	return b.String(), nil
}
