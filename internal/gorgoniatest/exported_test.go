package gorgoniatest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// notDrawn has the functions of Gorgonia that return nodes and are in no random program, with the
// reason.
var notDrawn = map[string]string{
	"Broadcast":          "two nodes; those that are broadcast are drawn",
	"Backpropagate":      "what Grad, which is drawn, is made of",
	"NodesFromInputs":    "converts nodes",
	"NodeFromAny":        "makes an input",
	"NewUniqueNode":      "makes any node",
	"ApplyOp":            "applies any operation",
	"ApplyOpWithName":    "applies any operation",
	"OneHotVector":       "makes a constant",
	"UniformRandomNode":  "random: tests of the engine hold it to be drawn anew",
	"GaussianRandomNode": "random: tests of the engine hold it to be drawn anew",
	"BinomialRandomNode": "random: tests of the engine hold it to be drawn anew",
	"Set":                "a statement that Gorgonia's machine ignores",
	"Read":               "a statement: the test reads all nodes",
	"Sort":               "lists nodes",
	"UnstableSort":       "lists nodes",
	"CTCLoss": "has integers of its own kind; the engine's tests of operations with " +
		"state have it",
	"ConvType": "its derivative is of another type than its operand; the engine's " +
		"tests have it",
	"YOLOv3": "a whole network's head, in float32 alone; Gorgonia's own tests have it",
}

// Every function of Gorgonia that returns a node is among the random operations, or has a reason
// not to be.
func TestEveryFunctionIsDrawn(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "gorgonia.org/gorgonia").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Skipf("the go command does not say where Gorgonia is: %v", err)
	}
	used := map[string]bool{}
	each(t, ".", func(f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "G" {
					used[s.Sel.Name] = true
				}
			}
			return true
		})
	})
	found := 0
	each(t, dir, func(f *ast.File) {
		for _, d := range f.Decls {
			d, ok := d.(*ast.FuncDecl)
			if !ok || d.Recv != nil || !d.Name.IsExported() || !returnsNode(d.Type) {
				continue
			}
			found++
			name := d.Name.Name
			_, excused := notDrawn[name]
			if used[name] == excused {
				t.Errorf("%s is drawn: %v, and has a reason not to be: %v", name, used[name],
					excused)
			}
		}
	})
	require.Greater(t, found, 80)
}

// each parses the files of a folder, tests aside.
func each(t *testing.T, dir string, visit func(*ast.File)) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		visit(f)
	}
}

func returnsNode(f *ast.FuncType) bool {
	if f.Results == nil {
		return false
	}
	for _, r := range f.Results.List {
		switch x := r.Type.(type) {
		case *ast.StarExpr:
			if i, ok := x.X.(*ast.Ident); ok && i.Name == "Node" {
				return true
			}
		case *ast.Ident:
			if x.Name == "Nodes" {
				return true
			}
		}
	}
	return false
}
