package main

import (
	"errors"
	"fmt"
	"math"
	"syscall/js"
	"time"

	"github.com/seqzoo/seqzoo/examples/binaryaddition/adder"
)

// main hands the page its functions, and waits for their calls as long as the page is open.
func main() {
	var now *session
	js.Global().Call("seqzooLiving", map[string]any{
		// begin(cell, first weights, seed)
		"begin": answer(func(args []js.Value) (map[string]any, error) {
			if len(args) != 3 || args[0].Type() != js.TypeString ||
				args[1].Type() != js.TypeString {
				return nil, errors.New("want a cell, first weights and a seed")
			}
			seed, err := whole(args[2], 1<<53-1)
			if err != nil {
				return nil, err
			}
			next, err := begin(args[0].String(), args[1].String(), uint64(seed))
			if err != nil {
				return nil, err
			}
			if now != nil {
				err = now.close()
			}
			now = next
			return map[string]any{}, err
		}),
		// learn(milliseconds, additions): for about so long, and at most so many, since the clock
		// of some browsers stands still while a script runs
		"learn": answer(func(args []js.Value) (map[string]any, error) {
			if now == nil || len(args) != 2 {
				return nil, errors.New("want milliseconds and additions, after begin")
			}
			milliseconds, err := whole(args[0], 1000)
			if err != nil {
				return nil, err
			}
			left, err := whole(args[1], 1000)
			if err != nil {
				return nil, err
			}
			until := time.Now().Add(time.Duration(milliseconds) * time.Millisecond)
			points, err := now.learn(func() bool {
				left--
				return left < 0 || time.Now().After(until)
			})
			var at, loss []any
			for _, p := range points {
				at, loss = append(at, p.at), append(loss, p.loss)
			}
			right, of := now.lately()
			out := map[string]any{"done": now.done, "at": at, "loss": loss,
				"right": right, "of": of}
			var broken adder.NotFinite
			if errors.As(err, &broken) {
				out["broken"], err = true, nil
			}
			return out, err
		}),
		// add(a, b): the probabilities of the digits of the sum
		"add": answer(func(args []js.Value) (map[string]any, error) {
			if now == nil || len(args) != 2 {
				return nil, errors.New("want two numbers, after begin")
			}
			a, err := whole(args[0], adder.Below-1)
			if err != nil {
				return nil, err
			}
			b, err := whole(args[1], adder.Below-1)
			if err != nil {
				return nil, err
			}
			digits, err := now.network.Add(a, b)
			if err != nil {
				return nil, err
			}
			var ones []any
			for _, p := range digits {
				ones = append(ones, p)
			}
			return map[string]any{"sum": adder.Sum(digits), "ones": ones}, nil
		}),
	})
	select {}
}

// answer makes a function of the page. What it returns is an object; an error is its error.
func answer(f func(args []js.Value) (map[string]any, error)) js.Func {
	return js.FuncOf(func(_ js.Value, args []js.Value) any {
		out, err := f(args)
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		return out
	})
}

func whole(v js.Value, most float64) (int, error) {
	if v.Type() != js.TypeNumber || v.Float() != math.Trunc(v.Float()) || v.Float() < 0 ||
		v.Float() > most {
		return 0, fmt.Errorf("want a whole number from 0 to %.0f, not %s", most, v.String())
	}
	return int(v.Float()), nil
}
