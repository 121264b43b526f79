package main_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
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

var long = flag.Bool("long", false, "send signals early, later and late, to chapters too; minutes")

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

// stages are command lines, of which the first so many do not end by themselves; a {} is another
// file each time.
func stages(t *testing.T) (rows []string, endless int) {
	rows = []string{
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
	endless = len(rows)
	rows = append(rows, // fast machines may be done with these
		"word2vec evaluate -model vectors.bin -analogies questions.txt",
		"autoencoder train -kind pca -data rows.idx -code 9 -raw",
		"toyseq2seq generate -n 10000000 -source {} -target {}.target",
		"onehot -vocab 50000 -embed 500 -batch 2000")
	if *long {
		chapters, err := filepath.Glob("[0-9][0-9]-*")
		require.NoError(t, err)
		rows = append(rows, chapters...)
	}
	return rows, endless
}

// sent is a signal, and the exit of a program that obeys it.
type sent struct {
	syscall.Signal
	code int
}

// The first signal ends a program soon, at whatever stage it comes. How long each took is logged.
func TestFirstSignalEndsEveryStage(t *testing.T) {
	if testing.Short() {
		t.Skip("makes large files")
	}
	l := &large{t.TempDir(),
		rng.Stream{Key: rng.New(uint64(time.Now().UnixNano())).Named("signals")}}
	l.all(t)
	signals := []sent{{syscall.SIGINT, 130}, {syscall.SIGTERM, 143}, {syscall.SIGHUP, 129}}
	if signal.Ignored(syscall.SIGHUP) { // as under nohup
		signals = signals[:2]
	}
	rows, endless := stages(t)
	for _, row := range rows {
		build(t, strings.Fields(row)[0])
	}
	waits := []time.Duration{300 * time.Millisecond, 2500 * time.Millisecond, 8 * time.Second}
	if !*long {
		waits = waits[:1]
	}
	var took sync.Map
	t.Run("rows", func(t *testing.T) {
		for n := range len(rows) * len(waits) {
			i, s, wait := n/len(waits), signals[l.random.Intn(len(signals))], waits[n%len(waits)]
			if !*long {
				wait = time.Duration(200+l.random.Intn(3000)) * time.Millisecond
			}
			words := strings.Fields(strings.ReplaceAll(rows[i], "{}", fmt.Sprint("out", n)))
			t.Run(strings.Join(words[:min(2, len(words))], " "), func(t *testing.T) {
				t.Parallel()
				d := l.end(t, words, s, wait, i >= endless)
				t.Logf("%v after %v: ended %v later", s.Signal, wait, d.Round(time.Millisecond))
				took.Store(n, d)
			})
		}
	})
	t.Logf("the slowest of %d ended %v after the signal", len(rows)*len(waits),
		longest(&took).Round(time.Millisecond))
}

// end starts a program, sends it a signal after a while, and returns how long it then takes to end.
func (l *large) end(t *testing.T, args []string, s sent, wait time.Duration,
	mayBeDone bool) time.Duration {
	const patience = 2 * time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), wait+patience)
	defer cancel()
	c := exec.CommandContext(ctx, build(t, args[0]), args[1:]...)
	var messages bytes.Buffer
	c.Dir, c.Stderr = l.dir, &messages
	require.NoError(t, c.Start())
	time.Sleep(wait)
	began := time.Now()
	require.NoError(t, c.Process.Signal(s.Signal))
	c.Wait()
	took := time.Since(began)
	require.NoError(t, ctx.Err(), "%v after %v is not obeyed: %s", s, wait, messages.String())
	status := c.ProcessState.Sys().(syscall.WaitStatus)
	if mayBeDone && status.Exited() && status.ExitStatus() == 0 {
		t.Skip("it was done before the signal came")
	}
	// what has nothing to save is ended by the signal itself
	if !status.Signaled() || status.Signal() != s.Signal {
		require.Equal(t, s.code, status.ExitStatus(), messages.String())
	}
	return took
}

// longest is the largest of the durations that a map holds.
func longest(of *sync.Map) (most time.Duration) {
	of.Range(func(_, took any) bool {
		most = max(most, took.(time.Duration))
		return true
	})
	return most
}
