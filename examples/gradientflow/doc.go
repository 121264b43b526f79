// Gradientflow shows what vanishing and exploding gradients are, and what gates do about them: it
// measures the gradient in the state at every step of an RNN, an LSTM and a GRU, on a task that
// needs a long memory, before and after training.
//
//	go run ./examples/gradientflow             # the story, in a few seconds
//	go run ./examples/gradientflow -draw DIR    # and its figures
//	go run ./examples/gradientflow -quick      # a smoke run
package main
