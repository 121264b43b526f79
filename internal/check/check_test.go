package check_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/check"
)

// Problems are reported in the order in which they were found, each in the words of its kind.
func TestProblems(t *testing.T) {
	var p check.Problems
	p.Int("a", 0, 0, 1)
	p.Optional("b", 0, 1, 2, "or 0")
	p.Rate("c", 0)
	p.Number("d", 1, 0, 1)
	check.OneOf(&p, "e", "x", "x", "y")
	p.That(true, "never")
	p.Add(nil, nil)
	p.In("part", nil)
	require.True(t, p.None())
	require.NoError(t, p.Err())

	p.Int("hidden", 0, 1, 9)
	p.Int("layers", 0, 1, math.MaxInt)
	p.Optional("embed", -1, 1, 9, "or 0 for the hidden width")
	p.Rate("dropout", math.NaN())
	p.Rate("zoneout", 1)
	p.Number("std", math.NaN(), 0, 100)
	p.Number("std", -1, 0, 100)
	p.Above("lr", 0, 10)
	p.Above("lr", math.NaN(), 10)
	p.NotNegative("alpha", math.Inf(1))
	check.OneOf(&p, "kind", "x", "a", "b", "c")
	check.OneOf(&p, "one", "x", "a")
	p.That(false, "%d things", 2)
	p.Add(nil, io.EOF)
	p.In("encoder", fmt.Errorf("hidden is %d", 0))
	require.EqualError(t, p.Err(), `hidden is 0, want 1 … 9
layers is 0, want at least 1
embed is -1, want 1 … 9, or 0 for the hidden width
dropout is NaN, want [0, 1)
zoneout is 1, want [0, 1)
std is NaN, want 0 … 100
std is -1, want 0 … 100
lr is 0, want more than 0 and at most 10
lr is NaN, want more than 0 and at most 10
alpha is +Inf, want a number of 0 or more
kind is "x", want a, b or c
one is "x", want a
2 things
EOF
encoder: hidden is 0`)
	require.ErrorIs(t, p.Err(), io.EOF)
	var bad *check.Error
	require.ErrorAs(t, fmt.Errorf("model: %w", p.Err()), &bad)
	require.Len(t, bad.Problems, 15)
	require.False(t, errors.As(io.EOF, &bad))
}

// A prefix stands before the problems that are found here, and not before those of a part.
func TestPrefix(t *testing.T) {
	p := check.Problems{Prefix: "LSTM: "}
	p.Int("Hidden", 0, 1, 2)
	p.Add(io.EOF)
	require.EqualError(t, p.Err(), "LSTM: Hidden is 0, want 1 … 2\nEOF")
}

// A prefix of a package stands before its errors and lets what they wrap be found.
func TestPrefixOfErrors(t *testing.T) {
	const prefix = check.Prefix("zoo: captioner: ")
	require.EqualError(t, prefix.Errorf("picture %d is empty", 3),
		"zoo: captioner: picture 3 is empty")
	require.NoError(t, prefix.Wrap(nil))
	require.EqualError(t, prefix.Wrap(io.EOF), "zoo: captioner: EOF")
	require.ErrorIs(t, prefix.Wrap(io.EOF), io.EOF)
}

// A text that quotes a file without end keeps its ends, and what it wraps.
func TestShort(t *testing.T) {
	require.NoError(t, check.Short(nil))
	plain := fmt.Errorf("file: %w", check.ErrMisfit)
	require.Equal(t, plain, check.Short(plain))
	long := check.Short(fmt.Errorf("file: %s: %w", strings.Repeat("語", 100_000), check.ErrMisfit))
	require.ErrorIs(t, long, check.ErrMisfit)
	require.Less(t, len(long.Error()), 2100)
	require.True(t, utf8.ValidString(long.Error()))
	require.True(t, strings.HasPrefix(long.Error(), "file: 語"), long)
	require.True(t, strings.HasSuffix(long.Error(), "語: "+check.ErrMisfit.Error()), long)
}
