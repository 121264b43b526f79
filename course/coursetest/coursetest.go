// Package coursetest holds a chapter of a course to what it says: its test is one line,
//
//	func TestChapter(t *testing.T) { coursetest.Check(t, files, byHand, byAutodiff) }
package coursetest

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/seqzoo/seqzoo/course"
)

// Check runs a chapter's cells in size Quick, whose claims must hold, and reports prose, words and
// values that are missing or surplus, pages that cannot be written, a notebook of a megabyte or
// more, and a record that comes from an older program or took longer than three minutes. The
// chapter's folder is the test's.
func Check(t *testing.T, files fs.FS, cells ...course.Cell) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	folder, err := os.Getwd()
	must(err)
	c, err := course.New(filepath.Base(folder), os.DirFS(folder), cells...)
	must(err)
	embedded, err := course.New(c.Name, files, cells...)
	must(err)
	if c.Sources() != embedded.Sources() {
		t.Fatal("the embedded files are not those of the folder: want //go:embed *.go *.md")
	}
	recorded := c.Record
	var story bytes.Buffer
	quick, err := c.Run(t.Context(),
		course.Options{Size: course.Quick, Language: "ja", Story: &story})
	if err != nil {
		t.Fatalf("%s\n%v", story.String(), err)
	}
	records := []*course.Record{quick}
	if recorded != nil {
		records = append(records, recorded)
		fresh(t, c, recorded)
	}
	if err := c.Check(records[1:]...); err != nil {
		t.Error(err)
	}
	for _, r := range records {
		c.Record = r
		for _, l := range course.Languages() {
			var page, notebook bytes.Buffer
			must(c.WriteHTML(&page, l, ""))
			must(c.WriteNotebook(&notebook, l))
			if notebook.Len() >= 1_000_000 {
				t.Errorf("the notebook has %d bytes; hosts show those below 1 MB", notebook.Len())
			}
		}
	}
}

// fresh holds a record to the program that it comes from.
func fresh(t *testing.T, c *course.Chapter, recorded *course.Record) {
	t.Helper()
	if recorded.Sources != c.Sources() {
		t.Errorf("the record is older than the program: go run ./examples -record %s", c.Name)
	}
	if recorded.Size != course.Lesson.String() {
		t.Errorf("the record is of size %s, want %v", recorded.Size, course.Lesson)
	}
	if took := recorded.Took(); took > 180 {
		t.Errorf("a lesson takes at most three minutes, and this one took %g s", took)
	}
}
