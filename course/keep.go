package course

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// keeper holds what cells compute for the cells after them.
type keeper struct {
	values map[string]any
	folder string // of files that hold them between processes; "" keeps them in memory alone
}

// Once returns what compute returns and computes it only once, whichever cells ask for it. In a
// notebook, where every cell is a process of its own, it is kept in a file by [encoding/gob], so T
// needs exported fields.
func Once[T any](p *Page, name string, compute func() (T, error)) (T, error) {
	if p == nil || compute == nil {
		var none T
		return none, fmt.Errorf("course.Once: %q: the page or the function is nil", name)
	}
	if p.kept.values == nil {
		p.kept.values = map[string]any{}
	}
	if v, ok := p.kept.values[name]; ok {
		t, ok := v.(T)
		if !ok {
			return t, fmt.Errorf("course.Once: %q was kept as %T, and is asked for as %T", name, v,
				t)
		}
		return t, nil
	}
	var kept T
	path := filepath.Join(p.kept.folder, fmt.Sprintf("%s.%s.gob", name, p.Size))
	if p.kept.folder != "" {
		b, err := os.ReadFile(path)
		if err == nil {
			err = gob.NewDecoder(bytes.NewReader(b)).Decode(&kept)
		}
		if err == nil {
			p.kept.values[name] = kept
			return kept, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return kept, fmt.Errorf("course.Once: %s: %w; remove it to compute it again", path, err)
		}
	}
	computed, err := compute()
	if err != nil {
		return computed, err
	}
	p.kept.values[name] = computed
	if p.kept.folder != "" {
		var b bytes.Buffer
		if err := gob.NewEncoder(&b).Encode(computed); err != nil {
			return computed, fmt.Errorf("course.Once: %q: %w", name, err)
		}
		if err := os.MkdirAll(p.kept.folder, 0o755); err != nil {
			return computed, err
		}
		return computed, os.WriteFile(path, b.Bytes(), 0o644)
	}
	return computed, nil
}
