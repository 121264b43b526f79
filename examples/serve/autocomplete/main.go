// Autocomplete completes what its users type, each from where he stopped: the state of a user is a
// value in a database (bbolt), so that it survives a restart, and thousands of users take no
// memory. It is a module of its own, since the library needs no database.
//
//	cd examples/serve/autocomplete
//	go run . -model ../../../model -state users.db
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
)

func main() {
	model := flag.String("model", "", "directory of the model, or the model as one .zip "+
		"file; required")
	state := flag.String("state", "users.db", "file of the database")
	flag.Parse()
	if err := run(*model, *state, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "autocomplete:", err)
		os.Exit(1)
	}
}

// run answers lines such as "ann: it was a" by the words that ann may want to go on with.
func run(model, state string, in io.Reader, out io.Writer) error {
	m, err := lm.Load(model)
	if err != nil {
		return err
	}
	db, err := bolt.Open(state, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		return err
	}
	defer db.Close()
	u := &users{m, db}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		user, typed, ok := strings.Cut(lines.Text(), ":")
		if !ok || user == "" {
			fmt.Fprintln(out, `say who types, as in "ann: it was a"`)
			continue
		}
		next, err := u.typed(user, strings.TrimSpace(typed))
		if err != nil {
			fmt.Fprintln(out, "error:", err)
			continue
		}
		fmt.Fprintln(out, strings.Join(next, " "))
	}
	return lines.Err()
}

// users are those whose states the database has.
type users struct {
	m  *lm.Model
	db *bolt.DB
}

var bucket = []byte("states")

// typed reads what a user typed after all that he typed before, and gives the likeliest next words.
// Read, computed and written in one transaction, no state is lost when two requests meet. A state
// of another model is forgotten.
func (u *users) typed(user, text string) (next []string, err error) {
	return next, u.db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		if err != nil {
			return err
		}
		s, err := u.m.NewSession()
		if err != nil {
			return err
		}
		var state zoo.State
		if err := state.UnmarshalBinary(b.Get([]byte(user))); err != nil {
			return err
		}
		if err := s.SetState(state); err != nil && !errors.Is(err, zoo.ErrMisfit) {
			return err
		}
		if _, err := s.Read(text); err != nil {
			return err
		}
		found, err := s.Next(3)
		if err != nil {
			return err
		}
		for _, f := range found {
			next = append(next, f.Token)
		}
		kept, err := s.State().MarshalBinary()
		if err != nil {
			return err
		}
		return b.Put([]byte(user), kept)
	})
}
