// Sizes prints how long the functions, files and lines of this repository are: the functions of
// more than 80 lines, the files of more than 450, and the share of lines of more than 100 columns,
// a tab counted as four. It is run in the root of the repository:
//
//	go run ./internal/sizes
//
// Generated files are left out. A function most of which is one literal is a table: it is printed,
// but not counted. What is above a limit on purpose stands in limits.txt with its reason; a test
// fails for anything else.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxFunction = 80  // lines
	maxFile     = 450 // lines
	maxLine     = 100 // columns
	tab         = 4   // columns
)

func main() {
	long := flag.Bool("lines", false, "print the lines of more than 100 columns as well")
	flag.Parse()
	s, err := measure(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "sizes:", err)
		os.Exit(1)
	}
	list := func(what string, limit int, all []found) {
		fmt.Printf("%s of more than %d lines: %d\n", what, limit, len(all))
		for _, f := range all {
			fmt.Printf("  %5d  %s\n", f.lines, f.name)
		}
	}
	list("functions", maxFunction, s.functions)
	list("tables", maxFunction, s.tables)
	list("files", maxFile, s.files)
	fmt.Printf("lines of more than %d columns: %d of %d, %.2f %%\n",
		maxLine, len(s.long), s.lines, s.longShare())
	for _, line := range s.long {
		if *long {
			fmt.Println(" ", line)
		}
	}
}

// found is a function or a file that is longer than its limit.
type found struct {
	name  string // of a file its path, of a function its package's path and its name
	lines int
}

func longestFirst(a, b found) int { return b.lines - a.lines }

type sizes struct {
	functions, tables, files []found
	long                     []string // path:line of each line that is too long
	lines                    int
}

// longShare returns how many lines in a hundred are too long.
func (s *sizes) longShare() float64 { return 100 * float64(len(s.long)) / float64(max(s.lines, 1)) }

// measure reads every Go file below root that was written by hand.
func measure(root string) (*sizes, error) {
	s := &sizes{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		hidden := d != nil && d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".")
		switch {
		case err != nil:
			return err
		case hidden:
			return filepath.SkipDir
		case filepath.Ext(path) == ".go":
			return s.read(root, path)
		}
		return nil
	})
	for _, list := range [][]found{s.functions, s.tables, s.files} {
		slices.SortStableFunc(list, longestFirst)
	}
	return s, err
}

func (s *sizes) read(root, filename string) error {
	src, err := os.ReadFile(filename)
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, filename, src, parser.ParseComments)
	if err != nil || ast.IsGenerated(file) {
		return err
	}
	name, err := filepath.Rel(root, filename)
	if err != nil {
		return err
	}
	name = filepath.ToSlash(name)
	lines := 0
	for scan := bufio.NewScanner(strings.NewReader(string(src))); scan.Scan(); lines++ {
		line := scan.Text()
		if utf8.RuneCountInString(line)+(tab-1)*strings.Count(line, "\t") > maxLine {
			s.long = append(s.long, fmt.Sprintf("%s:%d", name, lines+1))
		}
	}
	s.lines += lines
	if lines > maxFile {
		s.files = append(s.files, found{name, lines})
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		n := linesOf(fset, f)
		if n <= maxFunction {
			continue
		}
		long := found{strings.TrimPrefix(path.Dir(name)+"."+nameOf(f), ".."), n}
		if 4*largestLiteral(fset, f) >= 3*n {
			s.tables = append(s.tables, long)
		} else {
			s.functions = append(s.functions, long)
		}
	}
	return nil
}

func linesOf(fset *token.FileSet, n ast.Node) int {
	return fset.Position(n.End()).Line - fset.Position(n.Pos()).Line + 1
}

// nameOf returns the name of a function, of a method with its type before it.
func nameOf(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	typ := f.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		case *ast.Ident:
			return t.Name + "." + f.Name.Name
		default:
			return f.Name.Name
		}
	}
}

// largestLiteral returns the lines of the largest literal of a slice, map or struct in a function.
func largestLiteral(fset *token.FileSet, f *ast.FuncDecl) int {
	most := 0
	ast.Inspect(f, func(n ast.Node) bool {
		if l, ok := n.(*ast.CompositeLit); ok {
			most = max(most, linesOf(fset, l))
		}
		return true
	})
	return most
}
