package main

import (
	"testing"

	"github.com/seqzoo/seqzoo/course/coursetest"
)

func TestChapter(t *testing.T) {
	coursetest.Check(t, files, dialogues, memory, beside, bland, collapse)
}
