package reduce_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/reduce"
)

// Anomalies in the metrics of servers: an autoencoder learns how requests, CPU, latency and errors
// go together, and a row that does not go so has a large error, also if each number alone is
// common.
func Example_serverMetrics() {
	day := func(i int) float64 { return 50 + 40*math.Sin(float64(i)*2*math.Pi/144) }
	var rows []float32 // requests a second, CPU in percent, latency in ms, errors a minute
	for i := range 600 {
		requests := day(i) + 3*math.Sin(float64(7*i))
		rows = append(rows, float32(requests), float32(0.8*requests+2*math.Sin(float64(3*i))),
			float32(20+0.3*requests), float32(1+math.Sin(float64(5*i))))
	}
	m, err := reduce.NewAutoencoder(reduce.AutoencoderConfig{Features: 4, Widths: []int{8, 2},
		Activation: "tanh", Standardise: true}, 1)
	if err != nil {
		log.Fatal(err)
	}
	task, err := m.Task(reduce.RowData{Train: rows, Batch: 20})
	if err != nil {
		log.Fatal(err)
	}
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := train.Fit(context.Background(), task, train.Config{Optimizer: adam, Epochs: 15}); err != nil {
		log.Fatal(err)
	}
	usual, err := m.Errors(rows)
	if err != nil {
		log.Fatal(err)
	}
	most := 0.0
	for _, e := range usual {
		most = max(most, e)
	}
	if err := m.SetThreshold(1.5 * most); err != nil { // is saved with the model
		log.Fatal(err)
	}
	today := []float32{
		70, 56, 41, 1, // a busy hour
		20, 85, 26, 1, // little to do, and the CPU is busy: each number is common
		30, 24, 90, 1, // slow
	}
	errors, err := m.Errors(today)
	if err != nil {
		log.Fatal(err)
	}
	for i, e := range errors {
		fmt.Println(today[4*i:4*i+4], e > m.Threshold())
	}
	// Output:
	// [70 56 41 1] false
	// [20 85 26 1] true
	// [30 24 90 1] true
}
