package seqzoo_test

import (
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const givenReadme = `
	type minimalGatedUnit struct { wIH, wHHf, wHHn, b *nodes.Param }
	var g *gorgonia.ExprGraph
	var learnables gorgonia.Nodes`

// given declares what fragments of code in documents and doc comments use without declaring it, by
// the file that they stand in.
var given = map[string]string{
	"README.md":    givenReadme,
	"README.ja.md": givenReadme,
	"docs/design/0001-parameters-meet-nodes.md": `
		type State = cells.State
		var glorot, orthogonal, zeros nodes.Init`,
	"cells/registry.go": `
		type MineConfig struct { In, Hidden int }
		func NewMine(s *nodes.Scope, c MineConfig) cells.Cell { return nil }`,
	"docs/engine.md": `
		var machine *graph.Machine
		var g *gorgonia.ExprGraph
		var loss, dW, dU *gorgonia.Node
		var inputs, grads []*gorgonia.Node
		var w io.Writer
		var ctx context.Context`,
	"graph/flow.go": `
		var g *nodes.Graph
		var loss, weights *nodes.Node`,
	"graph/machine.go": `var g *gorgonia.ExprGraph`,
	"course/coursetest/coursetest.go": `
		var files embed.FS
		var byHand, byAutodiff course.Cell`,
	"course/doc.go": `
		var difference float64
		var figure plot.Plot
		func byAutodiff(p *course.Page) error { return nil }`,
	"zoo/vectors/fill.go": `
		var model *lm.Model
		var words *vectors.Vectors`,
	"plot/doc.go": `
		var w io.Writer
		var examples []float64
		var losses [][]float64`,
	"run/doc.go": `
		var logits, tokens *nodes.Node
		var err error`,
	"nodes/doc.go": `var x, h, wIH, wHH, b *nodes.Node`,
	"train/accumulate.go": `
		var accumulator *train.Accumulator
		var optimizer train.Optimizer
		var params []gorgonia.ValueGrad
		var batches []int
		var err error`,
	"train/batch_padded.go": `
		var batches *train.Batches
		var source, target *train.Padded
		var sources, targets [][]int
		var pad int`,
	"train/folds.go": `
		var examples []label.Labelled
		var fresh func() *label.Classifier`,
	"train/groups.go": `var m interface{ Params() *nodes.Store }`,
	"train/task.go": `
		var store *nodes.Store
		var batches *train.Batches
		var sequences [][]int
		var step *train.Step
		var fill func([]int)`,
	"train/events.go": `var config train.Config`,
	"train/epoch.go": `
		var stream *train.Stream
		var batches *train.Batches`,
	"train/doc.go": `
		var task train.Task
		var adam train.Optimizer`,
	"train/mpi/doc.go": `
		var ctx context.Context
		var task train.Task
		var adam train.Optimizer
		var err error`,
	"train/schedule.go": `
		var optimizer train.Optimizer
		var schedule train.Schedule
		var loss float64`,
	"zoo/metrics/doc.go": `var predicted, truth []float64`,
}

// notGo are the blocks that look like Go and are not meant to be compiled, by their first line.
var notGo = map[string]string{
	"s := init                                // zeros unless given": "unroll/doc.go " +
		"defines unrolling",
}

// goLike tells code of Go in a doc comment, where nothing marks it, from equations and commands.
var goLike = regexp.MustCompile(`(?m):=|^\s*(func|import|type|package) |\b[a-z]\w*\.[A-Z]\w*\(`)

// block is a piece of code in a document or a doc comment.
type block struct {
	where, file, code string
}

// Every block of Go in a document and in a doc comment compiles, with the declarations of given.
func TestCodeOfDocs(t *testing.T) {
	blocks := append(blocksOfPages(t), blocksOfComments(t)...)
	require.Greater(t, len(blocks), 15)
	check := newChecker(t)
	for _, b := range blocks {
		if _, ok := notGo[strings.SplitN(b.code, "\n", 2)[0]]; ok {
			continue
		}
		for _, err := range check.block(b) {
			t.Errorf("%s: %v\n%s", b.where, err, b.code)
		}
	}
}

// Code that does not compile is found: a name, a type or a number of results that is not so, and a
// sentence that is no Go.
func TestCodeOfDocsFindsMistakes(t *testing.T) {
	check := newChecker(t)
	for code, found := range map[string]string{
		"x := nodes.Tanhh(nil)":                      "undefined: nodes.Tanhh",
		"vm := graph.Compile(nil)":                   "assignment mismatch",
		"func f() int { return nodes.Mul }":          "cannot use nodes.Mul",
		"undeclared.Run()":                           "undefined: undeclared",
		"a, b := first, …":                           "no Go",
		"package main\n\nfunc main() { zoo.Load() }": "undefined: zoo",
	} {
		require.Contains(t, fmt.Sprint(check.block(block{code: code})), found, code)
	}
	require.Empty(t, check.block(block{code: "x := nodes.Tanh(nil)\ny := x"}))
}

var (
	fence    = regexp.MustCompile("(?m)^```(.*)\n((?s:.*?))^```$")
	indented = regexp.MustCompile(`(?m)(?:^\n?(?: {4}|\t).*\n)+`)
)

// blocksOfPages returns the blocks of Go in documents. A fence says what it holds: go, sh, text;
// "go sketch" is code of an alternative that was not built.
func blocksOfPages(t *testing.T) []block {
	t.Helper()
	var blocks []block
	for _, page := range filesUnder(t, ".", ".md") {
		content, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range fence.FindAllStringSubmatchIndex(string(content), -1) {
			language := string(content[m[2]:m[3]])
			where := fmt.Sprintf("%s:%d", page, 1+strings.Count(string(content[:m[0]]), "\n"))
			if !slices.Contains([]string{"go", "go sketch", "sh", "text"}, language) {
				t.Errorf("%s: a block is marked as go, go sketch, sh or text, and not %q", where,
					language)
			}
			if language == "go" {
				blocks = append(blocks, block{where, page, string(content[m[4]:m[5]])})
			}
		}
		for _, code := range indented.FindAllString(fence.ReplaceAllString(string(content), ""),
			-1) {
			if goLike.MatchString(code) {
				blocks = append(blocks, block{page, page, code})
			}
		}
	}
	return blocks
}

// blocksOfComments returns what looks like Go in the doc comments of all packages.
func blocksOfComments(t *testing.T) []block {
	t.Helper()
	var blocks []block
	for _, name := range filesUnder(t, ".", ".go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		require.NoError(t, err)
		for _, group := range docsOf(file) {
			var p comment.Parser
			all := "" // of one comment: later pieces use what earlier ones declare
			for _, part := range p.Parse(group.Text()).Content {
				if code, ok := part.(*comment.Code); ok && goLike.MatchString(code.Text) {
					all += code.Text
				}
			}
			if all != "" {
				blocks = append(blocks, block{fset.Position(group.Pos()).String(), name, all})
			}
		}
	}
	return blocks
}

// docsOf returns the doc comments of a file: of its package, declarations, fields and methods.
func docsOf(file *ast.File) []*ast.CommentGroup {
	docs := []*ast.CommentGroup{file.Doc}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			docs = append(docs, n.Doc)
			return false
		case *ast.GenDecl:
			docs = append(docs, n.Doc)
		case *ast.TypeSpec:
			docs = append(docs, n.Doc)
		case *ast.ValueSpec:
			docs = append(docs, n.Doc)
		case *ast.Field:
			docs = append(docs, n.Doc)
		}
		return true
	})
	return slices.DeleteFunc(docs, func(g *ast.CommentGroup) bool { return g == nil })
}

// checker type-checks pieces of code against the packages of this module and all that they import.
type checker struct {
	paths  map[string]string // of packages, by name
	export map[string]string // files of export data, by path
}

func newChecker(t *testing.T) *checker {
	t.Helper()
	c := &checker{paths: map[string]string{}, export: map[string]string{}}
	format := "{{.ImportPath}} {{.Name}} {{.Standard}} {{.Export}}"
	for line := range strings.Lines(goTool(t, "list", "-export", "-deps", "-f", format, "./...")) {
		words := strings.Fields(line)
		if len(words) < 4 || words[1] == "main" { // unsafe has no export data
			continue
		}
		importPath, name := words[0], words[1]
		c.export[importPath] = words[3]
		ours := strings.HasPrefix(importPath, "github.com/seqzoo/")
		if ours || c.paths[name] == "" || path.Dir(importPath) == "." {
			c.paths[name] = importPath
		}
	}
	return c
}

var qualified = regexp.MustCompile(`\b([a-z]\w*)\.[A-Z]`)

// block returns what is wrong with a piece of code. Code that begins with a package clause is
// checked as it stands; other code is made a file, as declarations or as the body of a function,
// that imports the packages it names and begins with what is given.
func (c *checker) block(b block) []error {
	fset := token.NewFileSet()
	parse := func(source string) *ast.File {
		file, err := parser.ParseFile(fset, b.where, source, parser.SkipObjectResolution)
		if err != nil {
			return nil
		}
		return file
	}
	head := "package fragment\n"
	for _, name := range namesIn(given[b.file] + "\n" + b.code) {
		if p := c.paths[name]; p != "" {
			head += fmt.Sprintf("import %q\n", p)
		}
	}
	head += given[b.file] + "\n"
	var file *ast.File
	switch {
	case strings.HasPrefix(b.code, "package "):
		file = parse(b.code)
	case strings.HasPrefix(strings.TrimSpace(b.code), "import "):
		file = parse("package fragment\n" + b.code)
	default:
		if file = parse(head + b.code); file == nil {
			file = parse(head + "func _() {\n" + b.code + "\n}")
		}
	}
	if file == nil {
		return []error{fmt.Errorf("is no Go: neither a file nor declarations nor statements")}
	}
	var wrong []error
	config := types.Config{
		Importer: importer.ForCompiler(fset, "gc", func(p string) (io.ReadCloser, error) {
			if c.export[p] == "" {
				return nil, fmt.Errorf("there is no package %q", p)
			}
			return os.Open(c.export[p])
		}),
		Error: func(err error) {
			if e, ok := err.(types.Error); ok && e.Soft {
				return // a fragment need not use what it declares
			}
			wrong = append(wrong, err)
		},
	}
	config.Check("fragment", fset, []*ast.File{file}, nil) // errors are those above
	return wrong
}

// namesIn returns the names before a dot and an exported name.
func namesIn(code string) []string {
	var names []string
	for _, m := range qualified.FindAllStringSubmatch(code, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}
