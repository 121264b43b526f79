package reduce_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/reduce"
)

// bars are pictures [N, 9] of 3 × 3 dots, in each of which one row is dark.
func bars(n int) (x []float32, rows []int) {
	draw := rng.Stream{Key: rng.New(1)}
	for range n {
		row, picture := draw.Intn(3), make([]float32, 9)
		for i := range 3 {
			picture[3*row+i] = 1
		}
		x, rows = append(x, picture...), append(rows, row)
	}
	return x, rows
}

// fitTask trains for some epochs.
func fitTask(task train.Task, epochs int) {
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
	if err != nil {
		log.Fatal(err)
	}
	_, err = train.Fit(context.Background(), task, train.Config{Optimizer: adam, Epochs: epochs})
	if err != nil {
		log.Fatal(err)
	}
}

// A variational autoencoder of small pictures: codes are drawn, and pictures are made of them.
func ExampleVAE() {
	x, _ := bars(400)
	m, err := reduce.NewVAE(reduce.VAEConfig{Features: 9, Widths: []int{16}, Code: 2}, 1)
	if err != nil {
		log.Fatal(err)
	}
	task, err := m.Task(reduce.VAEData{RowData: reduce.RowData{Train: x, Batch: 20}})
	if err != nil {
		log.Fatal(err)
	}
	fitTask(task, 60)
	drawn, err := m.Sample(100, 1) // [100, 9]
	if err != nil {
		log.Fatal(err)
	}
	good := 0
	for i := range 100 {
		dark, picture := 0, drawn[9*i:9*i+9]
		for row := range 3 {
			if picture[3*row] > 0.5 && picture[3*row+1] > 0.5 && picture[3*row+2] > 0.5 {
				dark++
			}
		}
		if dark == 1 {
			good++
		}
	}
	fmt.Println("most pictures that are drawn have one dark row:", good > 80)
	// Output: most pictures that are drawn have one dark row: true
}

// An autoencoder keeps what a picture is in two numbers, and finds a picture unlike the others.
func ExampleAutoencoder() {
	x, _ := bars(400)
	m, err := reduce.NewAutoencoder(reduce.AutoencoderConfig{Features: 9, Widths: []int{16, 2}}, 1)
	if err != nil {
		log.Fatal(err)
	}
	task, err := m.Task(reduce.RowData{Train: x, Batch: 20})
	if err != nil {
		log.Fatal(err)
	}
	fitTask(task, 60)
	codes, err := m.Transform(x[:9])
	if err != nil {
		log.Fatal(err)
	}
	diagonal := []float32{1, 0, 0, 0, 1, 0, 0, 0, 1}
	errs, err := m.Errors(append(x[:9:9], diagonal...))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(codes), "numbers a picture")
	fmt.Println("the diagonal stands out:", errs[1] > 10*errs[0])
	// Output:
	// 2 numbers a picture
	// the diagonal stands out: true
}
