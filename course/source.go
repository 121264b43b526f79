package course

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// source is a chapter's program, cut into cells.
type source struct {
	imports string // the import declaration of main.go
	cells   []sourceCell
	rest    []sourceFile // other files, which cells use
	decls   []sourceDecl // of main.go, without its cells
	hash    string
}

// sourceCell is a function and the declarations between it and the function before.
type sourceCell struct {
	name, code string
	uses       map[string]bool // names that the function mentions
}

type sourceFile struct {
	name, code string
	uses       map[string]bool // names that it mentions
}

// sourceDecl is a declaration of main.go: the names that it declares, for a method that of its
// type, and those that it mentions.
type sourceDecl struct {
	names []string
	uses  map[string]bool
	code  string
	cell  int // that it stands with
}

func (s *source) names() []string {
	var names []string
	for _, c := range s.cells {
		names = append(names, c.name)
	}
	return names
}

func readSource(files fs.FS) (*source, error) {
	names, err := fs.Glob(files, "*.go")
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return strings.HasSuffix(n, "_test.go") })
	s := &source{}
	hash := sha256.New()
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(hash, "%s %d\n", name, len(text))
		hash.Write(text)
		if name == "main.go" {
			err = s.cut(text)
		} else {
			err = s.whole(name, text)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(s.cells) == 0 {
		return nil,
			errors.New("main.go has no function of the form func name(p *course.Page) error")
	}
	s.hash = hex.EncodeToString(hash.Sum(nil))[:16]
	return s, nil
}

// cut cuts main.go into cells.
func (s *source) cut(text []byte) error {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "main.go", text, parser.ParseComments)
	if err != nil {
		return err
	}
	at := func(p token.Pos) int { return fset.Position(p).Offset }
	var imports, before []string
	for _, d := range file.Decls {
		from := at(d.Pos())
		if doc := docOf(d); doc != nil {
			from = at(doc.Pos())
		}
		code := string(text[from:at(d.End())])
		switch {
		case isImport(d):
			imports = append(imports, code)
		case isFrame(d):
		case isCell(d):
			name := d.(*ast.FuncDecl).Name.Name
			s.cells = append(s.cells, sourceCell{name, strings.Join(append(before, code), "\n\n"),
				mentioned(d)})
			before = nil
		default:
			before = append(before, code)
			s.decls = append(s.decls, sourceDecl{declared(d), mentioned(d), code,
				len(s.cells)})
		}
	}
	if before != nil { // helpers at the end
		rest := sourceFile{"main.go", strings.Join(before, "\n\n"), map[string]bool{}}
		last := len(s.decls) - len(before)
		for _, d := range s.decls[last:] {
			maps.Copy(rest.uses, d.uses)
		}
		s.decls, s.rest = s.decls[:last], append(s.rest, rest)
	}
	s.imports = strings.Join(imports, "\n")
	return nil
}

// whole takes a file without its package clause and imports.
func (s *source) whole(name string, text []byte) error {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	if err != nil {
		return err
	}
	from := fset.Position(file.Name.End()).Offset
	for _, d := range file.Decls {
		if isImport(d) {
			from = fset.Position(d.End()).Offset
		}
	}
	if code := strings.TrimSpace(string(text[from:])); code != "" {
		s.rest = append(s.rest, sourceFile{path.Base(name), code, mentioned(file)})
	}
	return nil
}

// ahead are the declarations of main.go that the other files need, or a cell before the one that
// they stand with, directly or through others of them: where those come first, as in a notebook,
// these must come before.
func (s *source) ahead() (code []string) {
	needed := map[string]bool{}
	for _, f := range s.rest {
		maps.Copy(needed, f.uses)
	}
	taken := make([]bool, len(s.decls))
	for more := true; more; {
		more = false
		for i, d := range s.decls {
			if taken[i] || !slices.ContainsFunc(d.names, func(n string) bool {
				return needed[n] || s.usedBefore(n, d.cell)
			}) {
				continue
			}
			taken[i], more = true, true
			maps.Copy(needed, d.uses)
		}
	}
	for i, d := range s.decls {
		if taken[i] {
			code = append(code, d.code)
		}
	}
	return code
}

// usedBefore reports whether a name is mentioned in a cell before one, or in what stands with it.
func (s *source) usedBefore(name string, cell int) bool {
	return slices.ContainsFunc(s.cells[:cell], func(c sourceCell) bool { return c.uses[name] }) ||
		slices.ContainsFunc(s.decls, func(d sourceDecl) bool {
			return d.cell < cell && d.uses[name]
		})
}

// mentioned are the identifiers below a node.
func mentioned(n ast.Node) map[string]bool {
	out := map[string]bool{}
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			out[id.Name] = true
		}
		return true
	})
	return out
}

// declared are the names that a declaration declares; for a method, that of its receiver's type.
func declared(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			return []string{d.Name.Name}
		}
		for name := range mentioned(d.Recv.List[0].Type) {
			names = append(names, name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				names = append(names, spec.Name.Name)
			case *ast.ValueSpec:
				for _, id := range spec.Names {
					names = append(names, id.Name)
				}
			}
		}
	}
	return names
}

func docOf(d ast.Decl) *ast.CommentGroup {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Doc
	case *ast.GenDecl:
		return d.Doc
	}
	return nil
}

func isImport(d ast.Decl) bool {
	g, ok := d.(*ast.GenDecl)
	return ok && g.Tok == token.IMPORT
}

// isFrame tells what every chapter has: func main, and the embedded files.
func isFrame(d ast.Decl) bool {
	if f, ok := d.(*ast.FuncDecl); ok {
		return f.Recv == nil && f.Name.Name == "main"
	}
	doc := docOf(d)
	if doc == nil {
		return false
	}
	return slices.ContainsFunc(doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "//go:embed")
	})
}

// isCell tells func name(p *course.Page) error.
func isCell(d ast.Decl) bool {
	f, ok := d.(*ast.FuncDecl)
	if !ok || f.Recv != nil || f.Type.Results == nil || len(f.Type.Results.List) != 1 ||
		len(f.Type.Params.List) != 1 {
		return false
	}
	star, ok := f.Type.Params.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	of, ok := star.X.(*ast.SelectorExpr)
	result, isName := f.Type.Results.List[0].Type.(*ast.Ident)
	return ok && isName && of.Sel.Name == "Page" && result.Name == "error"
}
