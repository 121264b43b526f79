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
	"maps"
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
	lists, interfaces := map[string]string{}, exportedInterfaces(t)
	for _, dir := range foldersOfGo(t) {
		if strings.Contains("/"+dir+"/", "/internal/") {
			continue
		}
		if list := exportedNamesOf(t, dir, interfaces); list != "" {
			lists[filepath.Join("api", cmp.Or(strings.TrimPrefix(dir, "."),
				"seqzoo")+".txt")] = list
		}
	}
	return lists
}

// packageDoc returns the documentation of a folder's package, and nil for a program or no package.
func packageDoc(t *testing.T, dir string) (*doc.Package, *token.FileSet) {
	t.Helper()
	system := build.Default // the same list on every system
	system.GOOS, system.GOARCH, system.CgoEnabled = "linux", "amd64", false
	found, err := system.ImportDir(dir, 0)
	if _, none := err.(*build.NoGoError); none || found.Name == "main" {
		return nil, nil
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
	return pkg, fset
}

// exportedNamesOf lists the exported constants, variables, functions, types, fields and methods of
// a folder's package, and nothing for a program. What belongs to a type is indented below it.
func exportedNamesOf(t *testing.T, dir string, interfaces []contract) string {
	t.Helper()
	pkg, fset := packageDoc(t, dir)
	if pkg == nil {
		return ""
	}
	l := lister{fset: fset, pkg: pkg.Name, interfaces: interfaces}
	l.values("", pkg.Consts)
	l.values("", pkg.Vars)
	l.funcs("", pkg.Funcs, nil)
	for _, typ := range pkg.Types {
		l.typ(typ)
	}
	return l.out.String()
}

// lister writes the list of a package. Names that say the same share a line: fields of one type
// that follow each other, functions and methods of one signature, the constants of one type. The
// methods of an interface that the module exports are told by its name behind the type, "is
// Config".
type lister struct {
	fset       *token.FileSet
	pkg        string
	interfaces []contract
	out        strings.Builder
}

// contract is an exported interface: its name behind its package's, and its methods with their
// signatures, whose types are qualified likewise.
type contract struct {
	name    string
	methods map[string]string
}

var blanks = regexp.MustCompile(`\s+`)

// source returns a piece of code on one line.
func source(fset *token.FileSet, node any) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, fset, node); err != nil {
		return err.Error()
	}
	return blanks.ReplaceAllString(b.String(), " ")
}

func (l *lister) line(indent string, words ...string) {
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
	l.out.WriteString(indent + strings.Join(words, " ") + "\n")
}

// values lists constants, all of one type on a line, and variables likewise.
func (l *lister) values(indent string, values []*doc.Value) {
	var heads [][2]string // const or var, and the type
	names := map[[2]string][]string{}
	for _, v := range values {
		for _, s := range v.Decl.Specs {
			spec := s.(*ast.ValueSpec)
			for i, name := range spec.Names {
				if !name.IsExported() {
					continue
				}
				head, text := [2]string{v.Decl.Tok.String()}, name.Name
				if spec.Type != nil && indent == "" {
					head[1] = source(l.fset, spec.Type)
				}
				if i < len(spec.Values) && v.Decl.Tok == token.CONST {
					text += " = " + source(l.fset, spec.Values[i])
				}
				if names[head] == nil {
					heads = append(heads, head)
				}
				names[head] = append(names[head], text)
			}
		}
	}
	for _, head := range heads {
		l.line(indent, head[0], strings.Join(names[head], ", "), head[1])
	}
}

// funcs lists functions, or the methods of a type but those that are listed already.
func (l *lister) funcs(indent string, funcs []*doc.Func, listed map[string]bool) {
	var groups [][2]string // receiver and signature
	names := map[[2]string][]string{}
	for _, f := range funcs {
		if listed[f.Name] {
			continue
		}
		kind := strings.TrimPrefix(source(l.fset, &ast.FuncDecl{Name: ast.NewIdent("_"),
			Type: f.Decl.Type}), "func _")
		receiver := ""
		if f.Recv != "" {
			receiver = "(" + f.Recv + ")"
		}
		group := [2]string{receiver, kind}
		if names[group] == nil {
			groups = append(groups, group)
		}
		names[group] = append(names[group], f.Name)
	}
	for _, g := range groups {
		l.line(indent, "func", g[0], strings.Join(names[g], ", ")+g[1])
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
	is, listed := l.kept(t)
	l.line("", "type", source(l.fset, &head), is)
	if parts != nil {
		l.parts(parts.List, head.Type.(*ast.Ident).Name == "interface")
	}
	l.values("\t", t.Consts)
	l.values("\t", t.Vars)
	l.funcs("\t", t.Funcs, nil)
	l.funcs("\t", t.Methods, listed)
}

// parts lists the fields of a struct or the methods of an interface.
func (l *lister) parts(list []*ast.Field, methods bool) {
	var names []string
	last := ""
	flush := func() {
		if len(names) > 0 {
			l.line("\t", strings.Join(names, ", "), last)
		}
		names = nil
	}
	for _, part := range list {
		typ := source(l.fset, part.Type)
		if _, method := part.Type.(*ast.FuncType); method && methods {
			flush()
			l.line("\t", part.Names[0].Name+strings.TrimPrefix(typ, "func"))
			continue
		}
		if typ != last || len(part.Names) == 0 {
			flush()
		}
		if last = typ; len(part.Names) == 0 {
			l.line("\t", typ)
		}
		for _, name := range part.Names {
			if name.IsExported() {
				names = append(names, name.Name)
			}
		}
	}
	flush()
}

// kept names the interfaces that a type's own methods fulfil, and those methods. An interface that
// another one of them has in it is not named.
func (l *lister) kept(t *doc.Type) (is string, listed map[string]bool) {
	own := map[string]string{}
	for _, m := range t.Methods {
		own[m.Name] = signature(l.fset, l.pkg, m.Decl.Type)
	}
	var found []contract
	for _, c := range l.interfaces {
		if l.pkg+"."+t.Name != c.name && within(c.methods, own) {
			found = append(found, c)
		}
	}
	var names []string
	listed = map[string]bool{}
	for i, c := range found {
		inOther := slices.IndexFunc(found, func(o contract) bool {
			return within(c.methods, o.methods) && len(o.methods) > len(c.methods)
		}) >= 0
		same := slices.IndexFunc(found[:i], func(o contract) bool {
			return within(c.methods, o.methods) && len(o.methods) == len(c.methods)
		}) >= 0
		if !inOther && !same {
			names = append(names, strings.TrimPrefix(c.name, l.pkg+"."))
		}
		for name := range c.methods {
			listed[name] = true
		}
	}
	if len(names) == 0 {
		return "", nil
	}
	return "is " + strings.Join(names, ", "), listed
}

// within tells whether all of some methods are among others.
func within(some, all map[string]string) bool {
	for name, kind := range some {
		if all[name] != kind {
			return false
		}
	}
	return true
}

// signature is the type of a function without the names of its parameters, every exported type
// behind the name of its package.
func signature(fset *token.FileSet, pkg string, f *ast.FuncType) string {
	list := func(fields *ast.FieldList) string {
		var types []string
		if fields != nil {
			for _, field := range fields.List {
				typ := typeName.ReplaceAllStringFunc(source(fset, field.Type),
					func(s string) string {
						if name := strings.TrimLeft(s, "*[]( "); ast.IsExported(name) {
							return strings.TrimSuffix(s, name) + pkg + "." + name
						}
						return s
					})
				types = append(types, slices.Repeat([]string{typ}, max(1, len(field.Names)))...)
			}
		}
		return "(" + strings.Join(types, ", ") + ")"
	}
	return list(f.Params) + list(f.Results)
}

// typeName matches a name with what stands before it, its package if it has one.
var typeName = regexp.MustCompile(`[*\[\]( ]*[\w.]+`)

// exportedInterfaces returns those of all packages, and of the standard library error and
// fmt.Stringer.
func exportedInterfaces(t *testing.T) []contract {
	t.Helper()
	found := []contract{{"error", map[string]string{"Error": "()(string)"}},
		{"fmt.Stringer", map[string]string{"String": "()(string)"}}}
	embeds := map[string][]string{} // of found interfaces, which those are that they embed
	for _, dir := range foldersOfGo(t) {
		if strings.Contains("/"+dir+"/", "/internal/") {
			continue
		}
		pkg, fset := packageDoc(t, dir)
		if pkg == nil {
			continue
		}
		for _, typ := range pkg.Types {
			spec := typ.Decl.Specs[0].(*ast.TypeSpec)
			in, ok := spec.Type.(*ast.InterfaceType)
			if !ok || spec.TypeParams != nil {
				continue
			}
			c := contract{pkg.Name + "." + typ.Name, map[string]string{}}
			for _, m := range in.Methods.List {
				if f, ok := m.Type.(*ast.FuncType); ok {
					c.methods[m.Names[0].Name] = signature(fset, pkg.Name, f)
					continue
				}
				name := source(fset, m.Type)
				if !strings.Contains(name, ".") {
					name = pkg.Name + "." + name
				}
				embeds[c.name] = append(embeds[c.name], name)
			}
			found = append(found, c)
		}
	}
	return closed(found, embeds)
}

// closed gives interfaces the methods of those that they embed, and leaves out those that embed
// what is not among them, or have no exported method.
func closed(found []contract, embeds map[string][]string) []contract {
	var methods func(name string) (map[string]string, bool)
	methods = func(name string) (map[string]string, bool) {
		at := slices.IndexFunc(found, func(c contract) bool { return c.name == name })
		if at < 0 {
			return nil, false
		}
		all := maps.Clone(found[at].methods)
		for _, e := range embeds[name] {
			more, ok := methods(e)
			if !ok {
				return nil, false
			}
			maps.Copy(all, more)
		}
		return all, true
	}
	var out []contract
	for _, c := range found {
		all, ok := methods(c.name)
		for name := range all {
			ok = ok && ast.IsExported(name)
		}
		if ok && len(all) > 0 {
			out = append(out, contract{c.name, all})
		}
	}
	return out
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
