// Living is the program of the course's living page: a browser trains a network that learns to add,
// and asks it for sums. The page is page.html; the course is built with it by
//
//	go run ./examples -serve          # and shown
//	go run ./examples -living DIR     # and written into a folder, for any file server
package main
