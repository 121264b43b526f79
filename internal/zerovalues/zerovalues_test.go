// Package zerovalues_test calls every exported function of every public package, and every method
// of the zero value of every exported type, with nil, zero, negative and huge arguments. None may
// panic, hang or ask for much memory; building code may panic with a *nodes.BuildError, which is
// how it reports mistakes.
//
// A method of a nil pointer is not called: as everywhere in Go, that is a mistake of the caller
// which a panic shows at once.
//
// What is called is found by parsing the packages, so that nothing exported is ever left out: a
// program is generated that names it all, and compiled as if it stood in the module.
package zerovalues_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/seqzoo/seqzoo"

// likeSlices are the types whose methods panic out of their range, as slices do, which is how they
// are documented: Floats is read number by number in loops, where an error for each would be slow,
// and 0 for a number that is not there would be wrong. No type should be added.
var likeSlices = map[string]bool{"run.Floats": true}

// panics are the functions that are documented to panic: they are for the start of a program, with
// arguments in its source.
var panics = map[string]bool{
	"cells.Register": true, "zoo.Register": true, "zoo/text.Register": true,
	"zoo/reduce.RegisterDecoder": true,
}

// allowed reports whether a line of the program is of what is known to panic.
func allowed(line string) bool {
	name, _, _ := strings.Cut(line, ",")
	return strings.Contains(line, ": panic: ") && (panics[name] ||
		likeSlices[name[:max(0, strings.LastIndexByte(name, '.'))]])
}

// instances are the types that stand for type parameters, by their constraint.
var instances = map[string]string{
	"any": "int", "comparable": "string", "Model": "p_zoo.Model", "Graph": "p_run.Graph",
	"Shape[K]": "p_run.Of[string]",
}

// publicPackages are the folders of the packages that other modules can import, from the root.
func publicPackages(t *testing.T, root string) (dirs []string) {
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		name := d.Name()
		if path != root && (name == "internal" || name == "testdata" || name == "examples" ||
			name == "benchmarks" || name == "tools" ||
			name[0] == '.' || name[0] == '_') {
			return filepath.SkipDir
		}
		dir, err := filepath.Rel(root, path)
		dirs = append(dirs, dir)
		return err
	})
	require.NoError(t, err)
	return dirs
}

// exported appends to the tables of a generated program what a package exports.
func exported(t *testing.T, root, dir string, functions, types *strings.Builder) bool {
	fset, found := token.NewFileSet(), false
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	require.NoError(t, err)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		if f.Name.Name == "main" {
			return false
		}
		alias := "p_" + strings.ReplaceAll(dir, "/", "_")
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.IsExported() {
					found = true
					fmt.Fprintf(functions, "\t{%q, %s.%s%s},\n", dir+"."+d.Name.Name, alias,
						d.Name.Name, arguments(d.Type.TypeParams))
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if s, ok := s.(*ast.TypeSpec); ok && s.Name.IsExported() && !isConstraint(s) {
						found = true
						fmt.Fprintf(types, "\t{%q, (*%s.%s%s)(nil)},\n", dir+"."+s.Name.Name, alias,
							s.Name.Name, arguments(s.TypeParams))
					}
				}
			}
		}
	}
	return found
}

// isConstraint reports whether a type can only constrain others: an interface of a union, or of
// what is comparable.
func isConstraint(s *ast.TypeSpec) bool {
	i, ok := s.Type.(*ast.InterfaceType)
	return ok && slices.ContainsFunc(i.Methods.List, func(f *ast.Field) bool {
		_, union := f.Type.(*ast.BinaryExpr)
		return union || types.ExprString(f.Type) == "comparable"
	})
}

// arguments instantiates type parameters: with float64, unless instances knows better.
func arguments(params *ast.FieldList) string {
	if params == nil {
		return ""
	}
	var args []string
	for _, f := range params.List {
		of := "float64"
		if known := instances[types.ExprString(f.Type)]; known != "" {
			of = known
		}
		for range f.Names {
			args = append(args, of)
		}
	}
	return "[" + strings.Join(args, ", ") + "]"
}

func TestZeroValues(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	var imports, functions, types strings.Builder
	for _, dir := range publicPackages(t, root) {
		if exported(t, root, dir, &functions, &types) {
			fmt.Fprintf(&imports, "\tp_%s %q\n", strings.ReplaceAll(dir, "/", "_"), module+"/"+dir)
		}
	}
	require.Contains(t, functions.String(), `"train.Fit"`)
	require.Contains(t, types.String(), `"nodes.Graph"`)

	dir := t.TempDir()
	caller, err := os.ReadFile("testdata/caller.go.txt")
	require.NoError(t, err)
	table := fmt.Sprintf("package main\n\nimport (\n%s)\n\nvar functions = []entry{\n%s}\n\nvar "+
		"types = []entry{\n%s}\n", &imports, &functions, &types)
	program := filepath.Join(root, "internal", "zerovalues", "caller") // which is on no disk
	overlay := map[string]map[string]string{"Replace": {}}
	for name, content := range map[string]string{"caller.go": string(caller), "table.go": table} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		overlay["Replace"][filepath.Join(program, name)] = path
	}
	b, err := json.Marshal(overlay)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), b, 0o600))
	exe := filepath.Join(dir, "caller.exe")
	build := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", exe,
		"./internal/zerovalues/caller")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	// A call that kills or blocks the process is noted, and left out of the next run.
	var bad []string
	// those that are meant to end the process, or the test that they are given
	without := []string{"course.Main", "course.Show", "course/coursetest.Check"}
	for range 40 {
		var said, messages bytes.Buffer
		run := exec.Command(exe, without...)
		run.Dir, run.Stdout, run.Stderr = t.TempDir(), &said, &messages
		err := run.Run()
		at := ""
		bad = nil
		for line := range strings.Lines(said.String()) {
			if name, ok := strings.CutPrefix(line, "call "); ok {
				at = strings.TrimSpace(name)
			} else {
				bad = append(bad, strings.TrimSpace(line))
			}
		}
		if err == nil {
			break
		}
		without = append(without, at)
		t.Errorf("%s ends the process: %.600s", at, messages.String())
	}
	for _, line := range bad {
		if !allowed(line) {
			t.Error(line)
		}
	}
}
