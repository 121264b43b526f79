// Command asm writes the assembly of package kernels: one file a unit.
//
//	go run . -unit gemm -out ../gemm_amd64.s
package main

import (
	"flag"
	"log"

	"github.com/mmcloughlin/avo/build"
)

var units = map[string]func(){
	"gemm":   gemm,
	"matrix": matrix,
	"optim":  optim,
	"pack":   pack,
	"peak":   peak,
	"rows":   rows,
	"script": script,
	"vector": vector,
}

func main() {
	unit := flag.String("unit", "", "what to generate")
	flag.Parse()
	generate, ok := units[*unit]
	if !ok {
		log.Fatalf("no unit %q", *unit)
	}
	build.ConstraintExpr("!noasm")
	generate()
	build.Generate()
}
