package all_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
)

// odd are arguments that nobody should give: of each type one, from the numbers and texts here.
type odd struct {
	name    string
	number  int64
	float   float64
	text    string
	pointed bool // pointers, slices, contexts and functions are there; else they are nil
}

var odds = []odd{
	{name: "zeros"},
	{name: "negative", number: -1, float: math.Inf(-1), text: "\xff", pointed: true},
	{name: "huge", number: 1 << 40, float: math.NaN(), text: strings.Repeat("猫 ", 100), pointed: true},
	{name: "ones", number: 1, float: 1, text: "a", pointed: true},
}

func (o odd) argument(t reflect.Type, depth int) reflect.Value {
	x := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if !x.OverflowInt(o.number) {
			x.SetInt(o.number)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if o.number > 0 && !x.OverflowUint(uint64(o.number)) {
			x.SetUint(uint64(o.number))
		}
	case reflect.Float32, reflect.Float64:
		x.SetFloat(o.float)
	case reflect.Bool:
		x.SetBool(o.number == 1)
	case reflect.String:
		x.SetString(o.text)
	case reflect.Slice:
		if o.pointed && depth < 3 {
			x.Set(reflect.MakeSlice(t, 2, 2))
			x.Index(0).Set(o.argument(t.Elem(), depth+1))
		}
	case reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).IsExported() && depth < 3 {
				x.Field(i).Set(o.argument(t.Field(i).Type, depth+1))
			}
		}
	case reflect.Pointer:
		if o.pointed && t.Elem().Kind() == reflect.Struct {
			x.Set(reflect.New(t.Elem()))
		}
	case reflect.Interface:
		if o.pointed && t == reflect.TypeFor[context.Context]() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			context.AfterFunc(ctx, cancel)
			x.Set(reflect.ValueOf(ctx))
		}
	case reflect.Func:
		if o.pointed {
			x.Set(reflect.MakeFunc(t, func([]reflect.Value) []reflect.Value {
				out := make([]reflect.Value, t.NumOut())
				for i := range out {
					out[i] = reflect.Zero(t.Out(i))
				}
				return out
			}))
		}
	}
	return x
}

// call calls a method, which must not panic but with a *nodes.BuildError, block, or take much
// memory, and returns what it returned.
func (o odd) call(t *testing.T, name string, f reflect.Value) (results []reflect.Value) {
	args := make([]reflect.Value, f.Type().NumIn())
	for i := range args {
		args[i] = o.argument(f.Type().In(i), 0)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	done := make(chan string, 1)
	go func() {
		defer func() {
			r := recover()
			var mistake *nodes.BuildError
			if err, ok := r.(error); r == nil || ok && errors.As(err, &mistake) {
				done <- ""
				return
			}
			done <- fmt.Sprintf("panic: %v\n%s", r, debug.Stack())
		}()
		if f.Type().IsVariadic() {
			results = f.CallSlice(args)
		} else {
			results = f.Call(args)
		}
	}()
	select {
	case said := <-done:
		if said != "" {
			t.Errorf("%s, %s: %s", name, o.name, said)
		}
	case <-time.After(2 * time.Minute): // on a machine that does much else besides
		t.Fatalf("%s, %s: it does not end", name, o.name)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<29 {
		t.Errorf("%s, %s: %d bytes of memory", name, o.name, n)
	}
	return results
}

// methods calls every method of x with every odd arguments, and those of what they return.
func methods(t *testing.T, name string, x reflect.Value, depth int, seen map[reflect.Type]bool) {
	for i := range x.NumMethod() {
		for _, o := range odds {
			method := name + "." + x.Type().Method(i).Name
			for _, r := range o.call(t, method, x.Method(i)) {
				if r.Kind() == reflect.Interface {
					r = r.Elem()
				}
				if depth == 0 || !r.IsValid() || r.Type() == reflect.TypeFor[*run.Step]() || // indexed
					r.Kind() != reflect.Pointer || r.IsNil() || seen[r.Type()] ||
					!strings.Contains(r.Type().Elem().PkgPath(), "/seqzoo/") {
					continue
				}
				seen[r.Type()] = true
				methods(t, method, r, depth-1, seen)
			}
		}
	}
}

// Every method of a model, and of what models give, takes nil, zero, negative and huge arguments.
func TestOddArguments(t *testing.T) {
	t.Chdir(t.TempDir()) // some write files
	for name, m := range every() {
		t.Run(name, func(t *testing.T) {
			methods(t, name, reflect.ValueOf(m), 1, map[reflect.Type]bool{})
		})
	}
}
