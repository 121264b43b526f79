// Package strictjson decodes the JSON of the library's own files, and refuses what encoding/json
// lets pass: a field that comes twice, one that is not written as the Go type has it, letter for
// letter, unknown fields, null, and anything behind the value. Two readers of a file then agree on
// what it says.
package strictjson

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Decode decodes text, which must be one JSON object, into the value that into points to.
func Decode(text []byte, into any) error {
	if !utf8.Valid(text) {
		return errors.New("the JSON is not UTF-8")
	}
	// also if it is nested too deeply
	if err := json.Unmarshal(text, new(json.RawMessage)); err != nil {
		return err
	}
	c := checker{json.NewDecoder(bytes.NewReader(text))}
	token, err := c.d.Token()
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		if token == nil {
			return errNull
		}
		return errors.New("an object expected, such as {…}")
	}
	if err := c.object(reflect.TypeOf(into)); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

var errNull = errors.New("null is no value here")

type checker struct{ d *json.Decoder }

// value checks the next value, which is to be decoded into a t; nil stands for any type.
func (c checker) value(t reflect.Type) error {
	token, err := c.d.Token()
	switch {
	case err != nil:
		return err
	case token == nil:
		return errNull
	case token == json.Delim('{'):
		return c.object(t)
	case token == json.Delim('['):
		var of reflect.Type
		if t = target(t); t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
			of = t.Elem()
		}
		for c.d.More() {
			if err := c.value(of); err != nil {
				return err
			}
		}
		_, err = c.d.Token()
	}
	return err
}

// object checks the fields of an object and its end.
func (c checker) object(t reflect.Type) error {
	t = target(t)
	fields, of := fieldsOf(t), reflect.Type(nil)
	if t != nil && t.Kind() == reflect.Map {
		of = t.Elem()
	}
	seen := map[string]bool{}
	for c.d.More() {
		token, err := c.d.Token()
		if err != nil {
			return err
		}
		name := token.(string) // the decoder has made sure
		if folded := fold(name); seen[folded] {
			return fmt.Errorf("the field %.64q comes twice", name)
		} else {
			seen[folded] = true
		}
		inner := of
		if fields != nil {
			var known bool
			if inner, known = fields[name]; !known {
				return fmt.Errorf("unknown field %.64q", name)
			}
		}
		if err := c.value(inner); err != nil {
			return err
		}
	}
	_, err := c.d.Token()
	return err
}

// fold writes the letters in which encoding/json sees no difference alike: k, K and the sign of
// Kelvin, s, S and ſ.
func fold(name string) string {
	return strings.ToLower(strings.ToUpper(name))
}

var unmarshaler, textUnmarshaler = reflect.TypeFor[json.Unmarshaler](),
	reflect.TypeFor[encoding.TextUnmarshaler]()

// target is the type behind pointers, or nil if values of it decode themselves.
func target(t reflect.Type) reflect.Type {
	for t != nil {
		if p := reflect.PointerTo(t); p.Implements(unmarshaler) || p.Implements(textUnmarshaler) {
			return nil
		}
		if t.Kind() != reflect.Pointer {
			return t
		}
		t = t.Elem()
	}
	return nil
}

// fieldsOf are the fields that encoding/json knows of a struct, those of embedded structs included;
// nil for other types.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	fields := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
		case name != "":
			fields[name] = f.Type
		case !f.Anonymous:
			fields[f.Name] = f.Type
		}
	}
	return fields
}
