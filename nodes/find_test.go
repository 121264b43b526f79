package nodes_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/nodes"
)

func TestFind(t *testing.T) {
	s := nodes.NewStore(nodes.Float32, 1)
	for _, scope := range []string{"encoder", "decoder"} {
		for _, layer := range []string{"l0", "l1"} {
			for _, name := range []string{"W_ih", "W_hh", "b"} {
				s.Root().In("%s", scope).In("%s", layer).Param(name, nodes.Zeros(), 1)
			}
		}
	}
	s.Root().Param("b_out", nodes.Zeros(), 1)
	for _, c := range []struct{ patterns, want []string }{
		{[]string{"encoder/l1"}, []string{"encoder/l1/W_ih", "encoder/l1/W_hh", "encoder/l1/b"}},
		{[]string{"*/l0/b", "b_out"}, []string{"encoder/l0/b", "decoder/l0/b", "b_out"}},
		{[]string{"**/b*"}, []string{"encoder/l0/b", "encoder/l1/b", "decoder/l0/b", "decoder/l1/b",
			"b_out"}},
		{[]string{"*coder/**/W_h?"}, []string{"encoder/l0/W_hh", "encoder/l1/W_hh",
			"decoder/l0/W_hh", "decoder/l1/W_hh"}},
		{[]string{"b_out", "**/b_out", "b*"}, []string{"b_out"}},
		{nil, []string{}},
	} {
		found, err := s.Find(c.patterns...)
		require.NoError(t, err)
		names := []string{}
		for _, p := range found {
			names = append(names, p.Name())
		}
		require.Equal(t, c.want, names, c.patterns)
	}
	all, err := s.Find("**")
	require.NoError(t, err)
	require.Equal(t, s.Params(), all)
	for pattern, want := range map[string]string{
		"encodre": `no parameter matches "encodre"; there are encoder/l0/W_ih, `, "": "malformed",
		"[": "malformed", "encoder/l0/W_ih/x": "no parameter matches", "/encoder": "no parameter",
	} {
		_, err := s.Find("b_out", pattern)
		require.ErrorContains(t, err, want)
	}
	_, err = nodes.NewStore(nodes.Float32, 1).Find("x")
	require.ErrorContains(t, err, "there are none")

	require.False(t, all[0].Frozen())
	all[0].Freeze(true)
	require.True(t, all[0].Frozen())
	all[0].Freeze(false)
	require.False(t, all[0].Frozen())
}
