package train_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
)

// records reads a file of records, and holds their lengths and checksums to what the format says.
func records(t *testing.T, path string) (out [][]byte) {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	sum := func(b []byte) uint32 { // after TensorBoard's reader, record by record
		c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
		return ((c >> 15) | (c << 17)) + 0xa282ead8
	}
	for len(data) > 0 {
		require.Greater(t, len(data), 16)
		n := binary.LittleEndian.Uint64(data)
		require.Equal(t, sum(data[:8]), binary.LittleEndian.Uint32(data[8:]))
		require.LessOrEqual(t, n, uint64(len(data)-16))
		out = append(out, data[12:12+n])
		require.Equal(t, sum(data[12:12+n]), binary.LittleEndian.Uint32(data[12+n:]))
		data = data[16+n:]
	}
	return out
}

// decoded is a record as protoc shows it, without the time.
func decoded(t *testing.T, record []byte) string {
	t.Helper()
	protoc, err := exec.LookPath("protoc")
	if err != nil {
		t.Skip("protoc is not installed, so that no one else reads the events")
	}
	c := exec.Command(protoc, "--decode=Event", "--proto_path=testdata", "event.proto")
	c.Stdin = bytes.NewReader(record)
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, `^wall_time: [12][0-9.]+(e\+09)?\n`, string(out))
	_, rest, _ := strings.Cut(string(out), "\n")
	return regexp.MustCompile(`\s+`).ReplaceAllString(rest, " ")
}

func eventFiles(t *testing.T, dir string) []string {
	files, err := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
	require.NoError(t, err)
	return files
}

func TestEvents(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "a")
	e, err := train.OpenEvents(dir)
	require.NoError(t, err)
	r, err := train.Fit(context.Background(), newBowl(4), train.Config{Optimizer: adam(0.1), Epochs: 2,
		RecordEvery: 3, OnRow: []func(train.Row) error{e.Row}})
	require.NoError(t, err)
	require.NoError(t, e.Row(train.Row{Step: math.MaxInt, Metrics: map[string]float64{
		"größe": math.Inf(1), strings.Repeat("x", 300): -1e300}}))
	require.NoError(t, e.Row(train.Row{Step: 9}), "a row without metrics")
	require.NoError(t, e.Close())
	require.NoError(t, e.Close())
	require.ErrorContains(t, e.Row(train.Row{}), "closed")
	require.Len(t, eventFiles(t, dir), 1)
	got := records(t, eventFiles(t, dir)[0])
	require.Len(t, got, 2+r.History.Len()+2)

	require.Equal(t, `file_version: "brain.Event:2" `, decoded(t, got[0]))
	require.Equal(t, "step: 3 session_log { status: START } ", decoded(t, got[1]))
	_, losses := r.History.Column("loss")
	first := decoded(t, got[2])
	require.Contains(t, first, `step: 3 summary { value { tag: "grad_norm" simple_value: `)
	require.Contains(t, first, `value { tag: "lr" simple_value: 0.1 }`)
	require.Regexp(t, `tag: "loss" simple_value: `+regexp.QuoteMeta(
		regexp.MustCompile(`^\d+\.\d{3}`).FindString(strconv.FormatFloat(losses[0], 'f', 6, 64))), first)
	require.Contains(t, decoded(t, got[3]), `step: 4 summary {`)
	require.Contains(t, decoded(t, got[3]), `tag: "valid_loss"`)
	last := decoded(t, got[len(got)-2])
	require.Contains(t, last, "step: 9223372036854775807")
	require.Contains(t, last, "simple_value: inf")
	require.Contains(t, last, "simple_value: -inf", "beyond float32")
}

// A run that goes on writes one more file, which begins where TensorBoard is to cut the earlier
// ones.
func TestEventsOfResumedRun(t *testing.T) {
	dir, runs := tempDir(t), t.TempDir()
	for _, steps := range []int{4, 0} {
		e, err := train.OpenEvents(runs)
		require.NoError(t, err)
		_, _, err = fit(t, context.Background(), dir, newBowl(4), train.Config{Optimizer: adam(0.1),
			Epochs: 2, RecordEvery: 4, MaxSteps: steps, OnRow: []func(train.Row) error{e.Row}})
		require.NoError(t, err)
		require.NoError(t, e.Close())
	}
	var starts []string
	for _, f := range eventFiles(t, runs) {
		starts = append(starts, decoded(t, records(t, f)[1]))
	}
	require.Equal(t, []string{"step: 4 session_log { status: START } ",
		"step: 5 session_log { status: START } "}, starts, "the loss of step 4 stays")
}

func TestOpenEventsErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	_, err := train.OpenEvents(file)
	require.ErrorContains(t, err, "train: events: ")
	require.Error(t, new(train.Events).Row(train.Row{}))
	require.NoError(t, new(train.Events).Close())
}
