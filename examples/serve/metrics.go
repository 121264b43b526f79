package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// metrics counts, and writes what it has counted in Prometheus' text format.
type metrics struct {
	mu         sync.Mutex
	counters   map[string]float64 // by name and labels
	histograms map[string]*histogram
	help       map[string]string // by name
}

// histogram counts values in buckets, each up to its bound.
type histogram struct {
	bounds []float64
	counts []uint64
	sum    float64
	n      uint64
}

var (
	seconds = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
		10}
	sizes = []float64{1, 2, 4, 8, 16, 32, 64}
)

func newMetrics() *metrics {
	return &metrics{counters: map[string]float64{}, histograms: map[string]*histogram{},
		help: map[string]string{
			"seqzoo_requests_total":           "Requests, by route and status.",
			"seqzoo_request_seconds":          "Time that requests took, by route.",
			"seqzoo_batch_size":               "Requests that ran together.",
			"seqzoo_reloads_total":            "Models that were loaded anew, or refused.",
			"seqzoo_written_parts_total":      "Parts of text that were streamed.",
			"seqzoo_forgotten_states_total":   "States of users that were of another model.",
			"seqzoo_requests_in_flight":       "Requests that are being answered.",
			"seqzoo_users":                    "Users whose state is kept.",
			"seqzoo_user_bytes":               "Bytes that their states take.",
			"seqzoo_model_info":               "The model that answers.",
			"seqzoo_go_goroutines":            "Goroutines.",
			"seqzoo_go_heap_bytes":            "Bytes of live and dead objects on the heap.",
			"seqzoo_model_loaded_seconds":     "When the model was loaded, in seconds since 1970.",
			"seqzoo_connections":              "Connections that are open.",
			"seqzoo_panics_total":             "Requests that ended in a panic.",
			"seqzoo_request_body_bytes_total": "Bytes of bodies that were read.",
		}}
}

// key is a name with labels, such as `name{route="/x"}`; labels are names and values by turns.
func key(name string, labels ...string) string {
	if len(labels) == 0 {
		return name
	}
	var b strings.Builder
	for i := 0; i+1 < len(labels); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(labels[i+1])
		fmt.Fprintf(&b, `%s="%s"`, labels[i], escaped)
	}
	return name + "{" + b.String() + "}"
}

// add counts.
func (m *metrics) add(by float64, name string, labels ...string) {
	m.mu.Lock()
	m.counters[key(name, labels...)] += by
	m.mu.Unlock()
}

// of is what was counted so far.
func (m *metrics) of(name string, labels ...string) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counters[key(name, labels...)]
}

// observe adds a value to a histogram.
func (m *metrics) observe(x float64, bounds []float64, name string, labels ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := key(name, labels...)
	h := m.histograms[k]
	if h == nil {
		h = &histogram{bounds: bounds, counts: make([]uint64, len(bounds))}
		m.histograms[k] = h
	}
	for i, bound := range h.bounds {
		if x <= bound {
			h.counts[i]++
		}
	}
	h.n++
	h.sum += x
}

// write writes all that was counted, and gauges as they are now.
func (m *metrics) write(w io.Writer, gauges map[string]float64) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	gauges["seqzoo_go_goroutines"] = float64(runtime.NumGoroutine())
	gauges["seqzoo_go_heap_bytes"] = float64(memory.HeapAlloc)
	m.mu.Lock()
	defer m.mu.Unlock()
	written := ""
	head := func(k, kind string) {
		name, _, _ := strings.Cut(k, "{")
		if name != written {
			fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, m.help[name], name, kind)
		}
		written = name
	}
	for _, k := range slices.Sorted(maps.Keys(m.counters)) {
		head(k, "counter")
		fmt.Fprintf(w, "%s %s\n", k, number(m.counters[k]))
	}
	for _, k := range slices.Sorted(maps.Keys(gauges)) {
		head(k, "gauge")
		fmt.Fprintf(w, "%s %s\n", k, number(gauges[k]))
	}
	for _, k := range slices.Sorted(maps.Keys(m.histograms)) {
		head(k, "histogram")
		m.histograms[k].write(w, k)
	}
}

func (h *histogram) write(w io.Writer, k string) {
	name, labels, _ := strings.Cut(strings.TrimSuffix(k, "}"), "{")
	own := ""
	if labels != "" {
		own, labels = "{"+labels+"}", labels+","
	}
	for i, bound := range h.bounds {
		fmt.Fprintf(w, "%s_bucket{%sle=\"%s\"} %d\n", name, labels, number(bound), h.counts[i])
	}
	fmt.Fprintf(w, "%s_bucket{%sle=\"+Inf\"} %d\n", name, labels, h.n)
	fmt.Fprintf(w, "%s_sum%s %s\n%s_count%s %d\n", name, own, number(h.sum), name, own, h.n)
}

func number(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return fmt.Sprintf("%d", int64(x))
	}
	return fmt.Sprintf("%g", x)
}
