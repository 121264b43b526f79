package seqzoo_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	quoted = regexp.MustCompile("`[^`\n]+`")
	// a package and a name of it, and perhaps a field or a method, such as train.Config.Seed
	dotted = regexp.MustCompile(`(^|[^\w./"-])([a-z]\w*)\.([A-Z]\w*)(?:\.([A-Z]\w*))?`)
)

// Names of this module that pages and comments speak of are there: what a renaming has left behind
// misleads whoever reads it. The changelog and the design records tell how it was.
func TestNamesInTexts(t *testing.T) {
	names, members := namesOfPackages(t)
	var stale []string
	look := func(file, text string) {
		for _, m := range dotted.FindAllStringSubmatch(text, -1) {
			known, ours := names[m[2]]
			if ours && (!known[m[3]] || m[4] != "" && !members[m[4]]) {
				stale = append(stale, file+": "+strings.TrimLeft(m[0], "([*&`' "))
			}
		}
	}
	for _, page := range filesUnder(t, ".", ".md") {
		if page == "CHANGELOG.md" || strings.HasPrefix(page, "docs/design/") {
			continue
		}
		content, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, code := range quoted.FindAllString(string(content), -1) {
			look(page, code)
		}
	}
	for _, file := range filesUnder(t, ".", ".go") {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for i, line := range strings.Split(string(content), "\n") {
			if _, comment, ok := strings.Cut(line, "// "); ok && !strings.Contains(line, `"`) {
				look(fmt.Sprintf("%s:%d", file, i+1), comment)
			}
		}
	}
	require.Empty(t, stale, "these names are not, or no longer, in the packages")
}

// namesOfPackages returns the exported names of each package of the module, by the package's name,
// and the fields and methods of all types. Packages of one name count as one.
func namesOfPackages(t *testing.T) (names map[string]map[string]bool, members map[string]bool) {
	t.Helper()
	names, members = map[string]map[string]bool{}, map[string]bool{}
	for _, dir := range foldersOfGo(t) {
		if strings.HasPrefix(dir, "examples") || strings.Contains(dir, "testdata") {
			continue
		}
		pkg, _ := packageDoc(t, dir)
		if pkg == nil {
			continue
		}
		if names[pkg.Name] == nil {
			names[pkg.Name] = map[string]bool{}
		}
		paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		for _, path := range paths {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			require.NoError(t, err)
			collect(file, names[pkg.Name], members)
		}
	}
	return names, members
}

// collect adds what a file declares, exported or not, to the names of its package, and the fields
// and methods of its types to members.
func collect(file *ast.File, names, members map[string]bool) {
	fields := func(list *ast.FieldList) {
		for _, f := range list.List {
			for _, name := range f.Names {
				members[name.Name] = true
			}
			if name := embedded(f.Type); len(f.Names) == 0 && name != nil {
				members[name.Name] = true
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv != nil {
				members[n.Name.Name] = true
			}
			names[n.Name.Name] = true
		case *ast.TypeSpec:
			names[n.Name.Name] = true
		case *ast.ValueSpec:
			for _, name := range n.Names {
				names[name.Name] = true
			}
		case *ast.StructType:
			fields(n.Fields)
		case *ast.InterfaceType:
			fields(n.Methods)
		}
		return true
	})
}

// embedded returns the name of the field that embeds a type.
func embedded(typ ast.Expr) *ast.Ident {
	switch typ := typ.(type) {
	case *ast.StarExpr:
		return embedded(typ.X)
	case *ast.SelectorExpr:
		return typ.Sel
	case *ast.Ident:
		return typ
	}
	return nil
}

// A name that is not there is found.
func TestNamesInTextsFindsMistakes(t *testing.T) {
	names, members := namesOfPackages(t)
	require.True(t, names["train"]["Fit"] && names["nodes"]["MatMul"] && names["graph"]["Compile"])
	require.False(t, names["train"]["Fitted"] || names["cells"]["NewSRU"])
	require.True(t, members["Seed"] && members["Explain"])
	for text, want := range map[string][]string{
		"`train.Config.Seed`, see (cells.Config)": {"train.Config.Seed", "cells.Config"},
		"*graph.Machine and https://go.dev.Name":  {"graph.Machine"},
	} {
		var found []string
		for _, m := range dotted.FindAllStringSubmatch(text, -1) {
			found = append(found, strings.Trim(m[0], " (`*"))
		}
		require.Equal(t, want, found)
	}
}
