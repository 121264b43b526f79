package names_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/names"
)

func TestNearest(t *testing.T) {
	have := []string{"date", "load", "target", "HUFL", "日付"}
	for want, nearest := range map[string]string{
		"Date": "date", " target": "target", "taget": "target", "hufl": "HUFL", "laod": "load",
		"日付け":  "日付",
		"wind": "", "": "", strings.Repeat("date", 100): "",
	} {
		require.Equal(t, nearest, names.Nearest(want, have), want)
	}
	require.Empty(t, names.Nearest("x", nil))
	require.Equal(t, "a", names.Nearest("A", []string{"b", "a"}), "case is no edit")
}
