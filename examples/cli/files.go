package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/internal/strictjson"
)

// Lock is the sole right to write into a directory, until Close or the end of the process. Check
// reports whether it still holds, which a save asks first.
type Lock = safefile.Lock

// LockDir makes dir, if it is not there, and locks it. If another process has the lock, the error
// names that process.
func LockDir(dir string) (*Lock, error) {
	if err := safefile.MkdirAll(safefile.OS, dir); err != nil {
		return nil, err
	}
	return safefile.LockDir(dir)
}

// WriteFile writes what content writes to the file at path, whole: killed at any moment, the file
// is what it was before or the new one, and what was written survives a loss of power.
func WriteFile(path string, content func(w io.Writer) error) error {
	return safefile.Write(safefile.OS, path, content)
}

// OpenFile opens the regular file at path for reading. A pipe, a device or a directory is an error
// at once; reading one might never end.
func OpenFile(path string) (*os.File, error) {
	f, _, err := safefile.Open(path)
	return f, err
}

// ReadFile returns the content of the regular file at path. More than limit bytes are an error.
func ReadFile(path string, limit int64) ([]byte, error) { return safefile.ReadFile(path, limit) }

// ReadJSON decodes a file of one JSON object into the value that into points to. It refuses what
// encoding/json lets pass: fields that are unknown, come twice or are null.
func ReadJSON(path string, into any) error {
	data, err := safefile.ReadFile(path, 1<<16)
	if err != nil {
		return err
	}
	if err := strictjson.Decode(data, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
