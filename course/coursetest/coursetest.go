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

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/course"
)

// Check runs a chapter's cells in size Quick, whose claims must hold, and reports prose, words and
// values that are missing or surplus, pages that cannot be written, and a record that comes from an
// older program. The chapter's folder is the test's.
func Check(t *testing.T, files fs.FS, cells ...course.Cell) {
	t.Helper()
	folder, err := os.Getwd()
	require.NoError(t, err)
	c, err := course.New(filepath.Base(folder), os.DirFS(folder), cells...)
	require.NoError(t, err)
	embedded, err := course.New(c.Name, files, cells...)
	require.NoError(t, err)
	require.Equal(t, c.Sources(), embedded.Sources(), "want //go:embed *.go *.md")
	recorded := c.Record
	var story bytes.Buffer
	quick, err := c.Run(t.Context(), course.Options{Size: course.Quick, Language: "ja", Story: &story})
	require.NoError(t, err, "%s", story.String())
	var more []*course.Record
	if recorded != nil {
		more = append(more, recorded)
		require.Equal(t, c.Sources(), recorded.Sources, "the record of %s is older than its program: go run ./examples -record %[1]s",
			c.Name)
		require.Equal(t, course.Lesson.String(), recorded.Size, "the record of %s", c.Name)
		require.LessOrEqual(t, recorded.Seconds, 180.0, "a lesson takes at most three minutes; %s took", c.Name)
	}
	require.NoError(t, c.Check(more...))
	for _, r := range append(more, quick) {
		c.Record = r
		for _, l := range course.Languages() {
			var page, notebook bytes.Buffer
			require.NoError(t, c.WriteHTML(&page, l, ""))
			require.NoError(t, c.WriteNotebook(&notebook, l))
			require.Less(t, notebook.Len(), 1_000_000, "a notebook is smaller than 1 MB")
		}
	}
}
