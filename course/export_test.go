package course

import "testing"

// MathML is mathML for tests.
var MathML = mathML

// Encode is Record.encode for tests.
func Encode(t *testing.T, r *Record) []byte {
	t.Helper()
	b, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
