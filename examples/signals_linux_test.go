package main_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/rng"
)

// large makes files on which a stage of a program takes from seconds to hours.
type large struct {
	dir    string
	random rng.Stream
}

func (l *large) path(name string) string { return filepath.Join(l.dir, name) }

func (l *large) write(t *testing.T, name string, content []byte) {
	require.NoError(t, os.WriteFile(l.path(name), content, 0o666))
}

// word is one of n words, the frequent ones first.
func (l *large) word(n int) string {
	return fmt.Sprintf("w%d", int(math.Pow(float64(n), l.random.Float64())))
}

// words writes lines of a hundred bytes or so, each after what start begins it with.
func (l *large) words(t *testing.T, name string, size int, start func() string) {
	var b bytes.Buffer
	for b.Len() < size {
		b.WriteString(start())
		for range 16 {
			b.WriteString(l.word(1 << 20))
			b.WriteByte(' ')
		}
		b.WriteByte('\n')
	}
	l.write(t, name, b.Bytes())
}

// line writes one line of runes without a space.
func (l *large) line(t *testing.T, name, runes string, size int) {
	from := []rune(runes)
	var b bytes.Buffer
	for b.Len() < size {
		b.WriteRune(from[l.random.Intn(len(from))])
	}
	l.write(t, name, b.Bytes())
}

// idx writes n images of side·side bytes.
func (l *large) idx(t *testing.T, name string, n, side int) {
	var b bytes.Buffer
	binary.Write(&b, binary.BigEndian, []uint32{0x803, uint32(n), uint32(side), uint32(side)})
	for range n * side * side {
		b.WriteByte(byte(l.random.Intn(256)))
	}
	l.write(t, name, b.Bytes())
}

// vectors writes n vectors in word2vec's binary form, and questions about them.
func (l *large) vectors(t *testing.T, n, dim, questions int) {
	var b, q bytes.Buffer
	fmt.Fprintf(&b, "%d %d\n", n, dim)
	row := make([]float32, dim)
	for i := range n {
		for k := range row {
			row[k] = float32(l.random.Float64() - 0.5)
		}
		fmt.Fprintf(&b, "w%d ", i)
		binary.Write(&b, binary.LittleEndian, row)
	}
	fmt.Fprintln(&q, ": all")
	for range questions {
		fmt.Fprintf(&q, "w%d w%d w%d w%d\n", l.random.Intn(n), l.random.Intn(n), l.random.Intn(n),
			l.random.Intn(n))
	}
	l.write(t, "vectors.bin", b.Bytes())
	l.write(t, "questions.txt", q.Bytes())
}

// all writes the files that the programs of TestFirstSignalEndsEveryStage read.
func (l *large) all(t *testing.T) {
	nothing := func() string { return "" }
	l.words(t, "words.txt", 8<<20, nothing)
	l.words(t, "labelled.txt", 8<<20, func() string {
		return string('a'+rune(l.random.Intn(3))) + "\t"
	})
	l.line(t, "japanese.txt", "吾輩は猫である名前はまだ無いどこで生れたかとんと見当がつかぬ", 20<<20)
	l.line(t, "chunk.txt", "abcdefghij", 4<<20)
	l.idx(t, "rows.idx", 4200, 64)
	l.vectors(t, 50_000, 50, 500_000)
}

// The first signal ends a program soon, at whatever stage it comes. How long each took is logged.
func TestFirstSignalEndsEveryStage(t *testing.T) {
	if testing.Short() {
		t.Skip("makes large files")
	}
	l := &large{t.TempDir(),
		rng.Stream{Key: rng.New(uint64(time.Now().UnixNano())).Named("signals")}}
	l.all(t)
	const patience = 2 * time.Minute
	signals := []struct {
		syscall.Signal
		code int
	}{{syscall.SIGINT, 130}, {syscall.SIGTERM, 143}, {syscall.SIGHUP, 129}}
	if signal.Ignored(syscall.SIGHUP) { // as under nohup
		signals = signals[:2]
	}
	rows := []string{
		"word2vec train -data words.txt -phrases 1000 -min-count 1 -epochs 1000",
		"word2vec train -data words.txt -epochs 1000 -save {}",
		"languagemodel train -level ja -data japanese.txt -epochs 1000",
		"languagemodel train -level bpe -bpe-size 60000 -data chunk.txt -epochs 1000",
		"languagemodel train -level char -data words.txt -epochs 1000 -save {}",
		"autoencoder train -kind vae -data rows.idx -code 9 -raw -epochs 1000 -save {}",
		"classify train -data labelled.txt -valid labelled.txt -epochs 1000 -save {}",
		"translate train -source words.txt -target words.txt -valid-source words.txt " +
			"-valid-target words.txt -epochs 1000",
		"toyseq2seq train -task reversal -epochs 1000",
		"longmemory adding -length 65536 -epochs 1000",
		"nextword -data words.txt -prompt w1 -epochs 1000 -save {}",
		"gradientflow -steps 1000000", "binaryaddition -examples 100000000",
	}
	endless := len(rows)
	rows = append(rows, // fast machines may be done with these
		"word2vec evaluate -model vectors.bin -analogies questions.txt",
		"autoencoder train -kind pca -data rows.idx -code 9 -raw",
		"toyseq2seq generate -n 10000000 -source {} -target {}.target",
		"onehot -vocab 50000 -embed 500 -batch 2000")
	programs := map[string]bool{}
	for _, row := range rows {
		programs[strings.Fields(row)[0]] = true
	}
	var slowest sync.Map
	for p := range programs {
		build(t, p)
	}
	t.Run("rows", func(t *testing.T) {
		for i, row := range rows {
			sent := signals[l.random.Intn(len(signals))]
			wait := time.Duration(200+l.random.Intn(3000)) * time.Millisecond
			t.Run(strings.Join(strings.Fields(row)[:min(2, len(strings.Fields(row)))], " "),
				func(t *testing.T) {
					t.Parallel()
					args := strings.Fields(strings.ReplaceAll(row, "{}", fmt.Sprint("out", i)))
					ctx, cancel := context.WithTimeout(context.Background(), wait+patience)
					defer cancel()
					c := exec.CommandContext(ctx, build(t, args[0]), args[1:]...)
					var messages bytes.Buffer
					c.Dir, c.Stderr = l.dir, &messages
					require.NoError(t, c.Start())
					time.Sleep(wait)
					began := time.Now()
					require.NoError(t, c.Process.Signal(sent.Signal))
					c.Wait()
					require.NoError(t, ctx.Err(), "%v after %v is not obeyed: %s", sent, wait,
						messages.String())
					status := c.ProcessState.Sys().(syscall.WaitStatus)
					if i >= endless && status.Exited() && status.ExitStatus() == 0 {
						t.Skip("it was done before the signal came")
					}
					// what has nothing to save is ended by the signal itself
					if !status.Signaled() || status.Signal() != sent.Signal {
						require.Equal(t, sent.code, status.ExitStatus(), messages.String())
					}
					t.Logf("%v after %v: ended %v later", sent.Signal, wait,
						time.Since(began).Round(time.Millisecond))
					slowest.Store(row, time.Since(began))
				})
		}
	})
	t.Logf("the slowest of %d ended %v after the signal", len(rows),
		longest(&slowest).Round(time.Millisecond))
}

// longest is the largest of the durations that a map holds.
func longest(of *sync.Map) (most time.Duration) {
	of.Range(func(_, took any) bool {
		most = max(most, took.(time.Duration))
		return true
	})
	return most
}
