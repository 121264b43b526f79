package strictjson_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/strictjson"
)

type Inner struct {
	Hidden int `json:"hidden,omitempty"`
}

type outer struct {
	Inner
	Skip  []Inner          `json:"skip"`
	Map   map[string]Inner `json:"map"`
	Raw   json.RawMessage  `json:"raw"`
	Plain float64
	Not   int `json:"-"`
}

func TestDecode(t *testing.T) {
	var v outer
	require.NoError(t, strictjson.Decode([]byte(` {"hidden": 3, "skip": [{"hidden": 1}, {}], "map": {"Hidden": {"hidden": 2}},
		"raw": {"Hidden": [1, {"x": 2}]}, "Plain": 1.5} `), &v))
	require.Equal(t, outer{Inner{3}, []Inner{{1}, {0}}, map[string]Inner{"Hidden": {2}},
		json.RawMessage(`{"Hidden": [1, {"x": 2}]}`), 1.5, 0}, v)

	for text, want := range map[string]string{
		``:                            "unexpected end of JSON",
		`{`:                           "unexpected end of JSON",
		`{"hidden"`:                   "unexpected end of JSON",
		`{"hidden": 1]`:               "invalid character",
		`null`:                        "null is no value",
		`7`:                           "an object expected",
		`[]`:                          "an object expected",
		`{} {}`:                       "after top-level value",
		`{}x`:                         "after top-level value",
		`{"hidden": null}`:            "null is no value",
		`{"hidden": 1, "hidden": 1}`:  `"hidden" comes twice`,
		`{"hidden": 1, "Hidden": 1}`:  `"Hidden" comes twice`,
		`{"Hidden": 1}`:               `unknown field "Hidden"`,
		`{"ſkip": []}`:                `unknown field "ſkip"`,
		`{"skip": [], "ſkip": []}`:    `"ſkip" comes twice`,
		`{"plain": 1}`:                `unknown field "plain"`,
		`{"Not": 1}`:                  `unknown field "Not"`,
		`{"-": 1}`:                    `unknown field "-"`,
		`{"Inner": {}}`:               `unknown field "Inner"`,
		`{"skip": [{"Hidden": 1}]}`:   `unknown field "Hidden"`,
		`{"map": {"a": {"x": 1}}}`:    `unknown field "x"`,
		`{"map": {"k": {}, "K": {}}}`: `comes twice`,
		`{"raw": {"s": 1, "ſ": 2}}`:   `"ſ" comes twice`,
		`{"raw": {"s": null}}`:        "null is no value",
		`{"hidden": 1e99}`:            "cannot unmarshal",
		"{\"hidden\": \"\xff\"}":      "not UTF-8",
		`{"raw": ` + strings.Repeat("[", 100_000): "exceeded max depth",
	} {
		var v outer
		require.ErrorContains(t, strictjson.Decode([]byte(text), &v), want, "%.100s", text)
	}
}
