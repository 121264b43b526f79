// Living is the program of the course's living page: a browser trains a network that learns to add,
// and asks it for sums. The page is page.html; the course is built with it by
//
//	go run ./examples -serve          # and shown
//	go run ./examples -living DIR     # and written into a folder, for any file server
//
// Built with Go 1.26, the program has 33 MB: 21 of code, about half of it that of gorgonia and what
// gorgonia imports, and 12 of data. Pages load it compressed, as 6.3 MB.
package main
