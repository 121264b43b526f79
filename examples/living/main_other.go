//go:build !js

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "living: it runs in a browser: go run ./examples -serve")
	os.Exit(2)
}
