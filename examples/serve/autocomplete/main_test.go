package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// What users type in turns, in two runs of the program, is completed as if each had typed it at
// once; a new model forgets.
func TestStatesOutliveTheProgram(t *testing.T) {
	dir := t.TempDir()
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk, text.EOS}},
		strings.Fields("it was a dark and stormy night"))
	require.NoError(t, err)
	save := func(seed uint64) *lm.Model {
		m, err := lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 16}, EmbedStd: 2}, v, seed)
		require.NoError(t, err)
		require.NoError(t, m.Save(filepath.Join(dir, "model")))
		return m
	}
	after := func(m *lm.Model, prompt string) string {
		next, _, err := m.Next(prompt, 3)
		require.NoError(t, err)
		return next[0].Token + " " + next[1].Token + " " + next[2].Token + "\n"
	}
	said := func(typed string) string {
		var out bytes.Buffer
		require.NoError(t, run(filepath.Join(dir, "model"), filepath.Join(dir, "users.db"),
			strings.NewReader(typed), &out))
		return out.String()
	}
	m := save(1)
	require.Equal(t, after(m, "it was")+after(m, "dark"), said("ann: it was\nbob: dark\n"))
	require.Equal(t, after(m, "dark and stormy")+after(m, "it was a dark"),
		said("bob: and stormy\nann: a dark\n"))
	m = save(2)
	require.Equal(t, after(m, "night"), said("ann: night\n"))
	require.Contains(t, said("no name\n"), "say who types")
	require.Contains(t, said("ann: zebra\n"), "error:")
	require.Equal(t, after(m, "night it"), said("ann: it\n"), "what failed is not kept")
}
