// Binaryaddition is the first experiment that one does with a recurrent network: it learns to add
// two numbers, digit by digit, and has to find out by itself what a carry is.
//
//	go run ./examples/binaryaddition             # the story, in a few seconds
//	go run ./examples/binaryaddition -draw DIR   # and its figures
//	go run ./examples/binaryaddition -quick      # a smoke run
package main
