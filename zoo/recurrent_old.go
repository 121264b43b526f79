package zoo

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/seqzoo/seqzoo/internal/strictjson"
)

// oldRecurrent are the fields that configurations had before a cell was a spec, and the options
// that took their place.
type oldRecurrent struct {
	Cell        string `json:"cell"`
	Activation  string `json:"activation"`
	ResetBefore bool   `json:"reset_before"`
	Peephole    string `json:"peephole"`
	Coupled     bool   `json:"coupled"`
	LayerNorm   string `json:"layer_norm"`
	Memory      int    `json:"memory"`
	Init        string `json:"init"`
}

// spec is the spec of the same cell.
func (o oldRecurrent) spec() (string, error) {
	spec := cmp.Or(o.Cell, "lstm")
	if o.Init != "" && o.Init != "uniform" {
		return "", fmt.Errorf("init is %q, want uniform, or nothing", o.Init)
	}
	for _, option := range []struct {
		name, value string
	}{{"activation", o.Activation}, {"peephole", o.Peephole}, {"layer_norm", o.LayerNorm}} {
		if strings.ContainsAny(option.value, ",/=") {
			return "", fmt.Errorf("%s is %q, which no cell has", option.name, option.value)
		}
		if option.value != "" {
			spec += "," + option.name + "=" + option.value
		}
	}
	for _, option := range []struct {
		name string
		on   bool
	}{{"reset_before", o.ResetBefore}, {"coupled", o.Coupled}, {"uniform", o.Init != ""}} {
		if option.on {
			spec += "," + option.name
		}
	}
	if o.Memory != 0 {
		spec += fmt.Sprintf(",memory=%d", o.Memory)
	}
	return spec, nil
}

// translated is a configuration with specs in place of the fields that an older version of the
// library wrote beside "cell", in the configuration itself and in those of its parts, such as
// "encoder". One that has none comes back as it is.
func translated(config []byte) ([]byte, error) {
	var top map[string]json.RawMessage
	// it also refuses what comes twice, at every depth
	if err := strictjson.Decode(config, &top); err != nil {
		return nil, err
	}
	changed := false
	for name, raw := range top {
		var part map[string]json.RawMessage
		if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) ||
			json.Unmarshal(raw, &part) != nil {
			continue
		}
		ok, err := translate(raw, part)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if ok {
			changed = true
			if top[name], err = json.Marshal(part); err != nil {
				return nil, err
			}
		}
	}
	ok, err := translate(config, top)
	if err != nil || !ok && !changed {
		return config, err
	}
	return json.Marshal(top)
}

// translate does so for one object, whose text is raw, and reports whether there was anything to
// do.
func translate(raw []byte, fields map[string]json.RawMessage) (bool, error) {
	if _, ok := fields["cell"]; !ok {
		return false, nil
	}
	found := false
	for _, name := range []string{"activation", "reset_before", "peephole", "coupled", "layer_norm",
		"memory", "init"} {
		if _, ok := fields[name]; ok {
			found = true
			delete(fields, name)
		}
	}
	if !found {
		return false, nil
	}
	var old oldRecurrent
	if err := json.Unmarshal(raw, &old); err != nil {
		return false, err
	}
	spec, err := old.spec()
	if err != nil {
		return false, err
	}
	fields["cell"], err = json.Marshal(spec)
	return true, err
}
