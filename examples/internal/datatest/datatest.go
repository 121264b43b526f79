// Package datatest lets the tests of the programs find the data sets.
package datatest

import (
	"os"
	"path/filepath"
	"testing"
)

// Need has SEQZOO_DATA name the folder of the data sets for the time of a test, by default
// ../shared/data beside the repository, as seen from a program's own folder. It skips the test if
// the file or folder called name is not in it.
func Need(t *testing.T, name string) {
	t.Helper()
	folder := os.Getenv("SEQZOO_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
		t.Skipf("the data set is absent: %v", err)
	}
	t.Setenv("SEQZOO_DATA", folder)
}
