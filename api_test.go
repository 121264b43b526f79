package seqzoo_test

import (
	"bytes"
	"cmp"
	"flag"
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false,
	"write the lists of exported names in api anew instead of comparing with them")

// Every package that others can import has its exported names listed in api, in a file of the
// package's path, so that a change of what seqzoo offers is seen where changes are read.
func TestExportedNames(t *testing.T) {
	lists := exportedNames(t)
	require.Greater(t, len(lists), 20)
	if *update {
		require.NoError(t, os.RemoveAll("api"))
	}
	for path, list := range lists {
		if *update {
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, []byte(list), 0o644))
			continue
		}
		listed, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			require.NoError(t, err)
		}
		if string(listed) != list {
			gone, came := changed(string(listed), list)
			t.Errorf("%s differs from the code, which has no longer\n%sand has in addition\n%s"+
				"If that is meant: go test . -run TestExportedNames -update", path, gone, came)
		}
	}
	for _, path := range filesUnder(t, "api", ".txt") {
		require.Contains(t, lists, path,
			"lists a package that is not there: go test . -run TestExportedNames -update")
	}
}

// exportedNames returns the list of each package that others can import and that exports something,
// by the file it stands in.
func exportedNames(t *testing.T) map[string]string {
	t.Helper()
	lists := map[string]string{}
	for _, dir := range foldersOfGo(t) {
		if strings.Contains("/"+dir+"/", "/internal/") {
			continue
		}
		if list := exportedNamesOf(t, dir); list != "" {
			lists[filepath.Join("api", cmp.Or(strings.TrimPrefix(dir, "."),
				"seqzoo")+".txt")] = list
		}
	}
	return lists
}

// exportedNamesOf returns one line for every exported constant, variable, function, type, field and
// method of a folder's package, and nothing for a program. The lines of a type are indented below
// it.
func exportedNamesOf(t *testing.T, dir string) string {
	t.Helper()
	system := build.Default // the same list on every system
	system.GOOS, system.GOARCH, system.CgoEnabled = "linux", "amd64", false
	found, err := system.ImportDir(dir, 0)
	if _, none := err.(*build.NoGoError); none || found.Name == "main" {
		return ""
	}
	require.NoError(t, err)
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range found.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(fset, files, found.ImportPath)
	require.NoError(t, err)
	l := lister{fset: fset}
	l.values("", pkg.Consts)
	l.values("", pkg.Vars)
	l.funcs("", pkg.Funcs)
	for _, typ := range pkg.Types {
		l.typ(typ)
	}
	return l.out.String()
}

type lister struct {
	fset *token.FileSet
	out  strings.Builder
}

var blanks = regexp.MustCompile(`\s+`)

// source returns a piece of code on one line.
func (l *lister) source(node any) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, l.fset, node); err != nil {
		return err.Error()
	}
	return blanks.ReplaceAllString(b.String(), " ")
}

func (l *lister) line(indent string, words ...string) {
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
	l.out.WriteString(indent + strings.Join(words, " ") + "\n")
}

func (l *lister) values(indent string, values []*doc.Value) {
	for _, v := range values {
		for _, s := range v.Decl.Specs {
			spec := s.(*ast.ValueSpec)
			for i, name := range spec.Names {
				if !name.IsExported() {
					continue
				}
				var typ, value string
				if spec.Type != nil {
					typ = l.source(spec.Type)
				}
				if i < len(spec.Values) && v.Decl.Tok == token.CONST {
					value = "= " + l.source(spec.Values[i])
				}
				l.line(indent, v.Decl.Tok.String(), name.Name, typ, value)
			}
		}
	}
}

func (l *lister) funcs(indent string, funcs []*doc.Func) {
	for _, f := range funcs {
		receiver := ""
		if f.Recv != "" {
			receiver = "(" + f.Recv + ") "
		}
		signature := strings.TrimPrefix(l.source(&ast.FuncDecl{Name: f.Decl.Name,
			Type: f.Decl.Type}), "func ")
		l.line(indent, "func", receiver+signature)
	}
}

func (l *lister) typ(t *doc.Type) {
	spec := t.Decl.Specs[0].(*ast.TypeSpec)
	head := *spec
	head.Doc, head.Comment = nil, nil
	var parts *ast.FieldList
	switch typ := spec.Type.(type) {
	case *ast.StructType:
		head.Type, parts = ast.NewIdent("struct"), typ.Fields
	case *ast.InterfaceType:
		head.Type, parts = ast.NewIdent("interface"), typ.Methods
	}
	l.line("", "type", l.source(&head))
	if parts != nil {
		for _, part := range parts.List {
			typ := l.source(part.Type)
			if len(part.Names) == 0 {
				l.line("\t", typ)
			}
			for _, name := range part.Names {
				if method, ok := part.Type.(*ast.FuncType); ok &&
					head.Type.(*ast.Ident).Name == "interface" {
					l.line("\t", strings.TrimPrefix(l.source(&ast.FuncDecl{Name: name,
						Type: method}), "func "))
				} else if name.IsExported() {
					l.line("\t", name.Name, typ)
				}
			}
		}
	}
	l.values("\t", t.Consts)
	l.values("\t", t.Vars)
	l.funcs("\t", t.Funcs)
	l.funcs("\t", t.Methods)
}

// changed returns the lines that only one of two lists has.
func changed(before, after string) (gone, came string) {
	only := func(a, b string) string {
		var out strings.Builder
		there := map[string]bool{}
		for line := range strings.Lines(b) {
			there[line] = true
		}
		for line := range strings.Lines(a) {
			if !there[line] {
				out.WriteString("  " + line)
			}
		}
		return cmp.Or(out.String(), "  nothing\n")
	}
	return only(before, after), only(after, before)
}

// filesUnder returns the files of one extension under a folder of the repository, without those of
// hidden folders and of testdata.
func filesUnder(t *testing.T, root, extension string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") ||
			d.Name() == "testdata"):
			return filepath.SkipDir
		case filepath.Ext(path) == extension:
			files = append(files, filepath.ToSlash(path))
		}
		return nil
	})
	require.NoError(t, err)
	return files
}

// foldersOfGo returns the folders of this module that hold Go files.
func foldersOfGo(t *testing.T) []string {
	t.Helper()
	var dirs []string
	for _, file := range filesUnder(t, ".", ".go") {
		if dir := filepath.ToSlash(filepath.Dir(file)); !strings.Contains("/"+dir, "/_") {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}
