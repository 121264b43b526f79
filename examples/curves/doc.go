// Curves draws learning curves from the histories that trainings have saved, to compare runs.
//
//	go run ./examples/curves -draw curves.svg models/*/history.csv
//
// Curves from folders of one name, such as the same cell with several seeds, share a colour.
package main
