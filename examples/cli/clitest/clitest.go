// Package clitest helps to test the programs: it finds their data sets and makes memory short.
package clitest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seqzoo/seqzoo/internal/sysmem"
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

// LimitMemory makes the library believe that the machine has so many bytes of memory left, for the
// time of a test. Tests that run in parallel must not use it.
func LimitMemory(t *testing.T, bytes int) {
	t.Helper()
	before := sysmem.Available
	sysmem.Available = func() int { return bytes }
	t.Cleanup(func() { sysmem.Available = before })
}
