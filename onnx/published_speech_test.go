package onnx_test

import (
	"encoding/binary"
	"math"
	"math/cmplx"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/run"
)

// published is a file below the folder that SEQZOO_MODELS names, where the repositories of the
// models have been cloned; without it the test is skipped.
func published(t *testing.T, name string) string {
	t.Helper()
	file := filepath.Join(os.Getenv("SEQZOO_MODELS"), name)
	if _, err := os.Stat(file); os.Getenv("SEQZOO_MODELS") == "" || err != nil {
		t.Skipf("SEQZOO_MODELS names no folder with %s", name)
	}
	return file
}

// speech reads a recording of 16,000 samples a second, of 16 bits and one channel.
func speech(t *testing.T, name string) []float64 {
	content, err := os.ReadFile(published(t, name))
	require.NoError(t, err)
	const header = 44
	require.Equal(t, uint32(16_000), binary.LittleEndian.Uint32(content[24:]))
	require.Equal(t, uint16(16), binary.LittleEndian.Uint16(content[34:]))
	samples := make([]float64, (len(content)-header)/2)
	for i := range samples {
		s := int16(binary.LittleEndian.Uint16(content[header+2*i:]))
		samples[i] = float64(s) / (1 << 15)
	}
	return samples
}

// fourier is the discrete Fourier transform of n samples, n/2+1 frequencies, written out.
type fourier struct{ turn []complex128 }

func newFourier(n int) fourier {
	f := fourier{make([]complex128, n)}
	for i := range f.turn {
		f.turn[i] = cmplx.Exp(complex(0, -2*math.Pi*float64(i)/float64(n)))
	}
	return f
}

func (f fourier) of(x []float64) []complex128 {
	n := len(f.turn)
	out := make([]complex128, n/2+1)
	for k := range out {
		for i, v := range x {
			out[k] += complex(v, 0) * f.turn[k*i%n]
		}
	}
	return out
}

func (f fourier) back(s []complex128) []float64 {
	n := len(f.turn)
	out := make([]float64, n)
	for i := range out {
		for k, v := range s {
			twice := 2.0
			if k == 0 || k == n/2 {
				twice = 1
			}
			out[i] += twice * real(v*cmplx.Conj(f.turn[k*i%n])) / float64(n)
		}
	}
	return out
}

// stream is a model that is called with its state, here and, for the first calls, in ONNX Runtime.
type stream struct {
	*onnx.Model
	file    string
	r       *runtime
	calls   int
	state   onnx.Values
	carried map[string]string
}

// newStream reads a model; carried is which output continues which input where names do not show
// it.
func newStream(t *testing.T, file string, carried map[string]string) *stream {
	m, err := onnx.Import(file)
	require.NoError(t, err)
	if carried != nil {
		require.NoError(t, m.CarryOver(carried))
	}
	s := &stream{Model: m, file: file, state: onnx.Values{}, carried: m.Carried()}
	for _, info := range m.Inputs() {
		if s.carried[info.Name] == "" {
			continue
		}
		shape, n := []int{}, 1
		for _, d := range info.Shape {
			shape, n = append(shape, max(d.Size, 1)), n*max(d.Size, 1)
		}
		s.state[info.Name] = onnx.Floats(make([]float32, n), shape...)
	}
	if os.Getenv("SEQZOO_ORT") != "" {
		s.r = startRuntime(t)
	}
	return s
}

func (s *stream) next(t *testing.T, name string, x []float32, shape ...int) onnx.Values {
	in := onnx.Values{name: onnx.Floats(x, shape...)}
	for k, v := range s.state {
		in[k] = v
	}
	var out onnx.Values
	if s.calls++; s.r != nil && s.calls <= 100 {
		out = s.r.requireSameRun(t, s.file, s.Model, in)
	} else {
		var err error
		out, err = s.Run(in)
		require.NoError(t, err)
	}
	for to, from := range s.carried {
		s.state[to] = out[from]
	}
	return out
}

// GTCRN (Rong et al., 2024; 14 GRUs, convolutions) takes noise away as its authors' recording has
// it, which their own program made: both their plain and their simplified file, frame by frame.
func TestPublishedGTCRN(t *testing.T) {
	const size, hop = 512, 256
	f := newFourier(size)
	window := make([]float64, size)
	for i := range window {
		window[i] = math.Sin(math.Pi * float64(i) / size) // the root of Hann's
	}
	mix, want := speech(t, "gtcrn/test_wavs/mix.wav"), speech(t, "gtcrn/test_wavs/enh.wav")
	mix = mix[:min(len(mix), 4*16_000)]
	around := make([]float64, len(mix)+size) // reflected at its beginning, as torch.stft does
	copy(around[hop:], mix)
	for i := range hop {
		around[i] = mix[hop-i]
	}
	for _, name := range []string{"gtcrn_simple.onnx", "gtcrn.onnx"} {
		t.Run(name, func(t *testing.T) {
			s := newStream(t, published(t, "gtcrn/stream/onnx_models/"+name), nil)
			require.Len(t, s.carried, 3)
			got := make([]float64, len(around))
			frame, x := make([]float64, size), make([]float32, 2*(hop+1))
			for at := 0; at+size <= len(mix); at += hop {
				for i := range frame {
					frame[i] = around[at+i] * window[i]
				}
				for k, v := range f.of(frame) {
					x[2*k], x[2*k+1] = float32(real(v)), float32(imag(v))
				}
				y := s.next(t, "mix", x, 1, hop+1, 1, 2)["enh"].Float64s()
				clean := make([]complex128, hop+1)
				for k := range clean {
					clean[k] = complex(y[2*k], y[2*k+1])
				}
				for i, v := range f.back(clean) {
					got[at+i] += v * window[i]
				}
			}
			worst := 0.0
			for i := range len(mix) - 2*size {
				worst = max(worst, math.Abs(got[hop+i]-want[i]))
			}
			t.Logf("%d frames, no sample further than %.2g from the authors' recording", s.calls,
				worst)
			require.Less(t, worst, 1e-3)
		})
	}
}

// DTLN (Westhausen and Meyer, 2020; four LSTMs in two files, by Keras): magnitudes are masked, then
// samples. What it hears as noise becomes quieter than speech does.
func TestPublishedDTLN(t *testing.T) {
	const size, hop = 512, 128
	mix := speech(t, "gtcrn/test_wavs/mix.wav")
	mix = mix[:min(len(mix), 3*16_000)]
	mask := newStream(t, published(t, "DTLN/pretrained_model/model_1.onnx"),
		map[string]string{"input_3": "tf_op_layer_stack_2"})
	wave := newStream(t, published(t, "DTLN/pretrained_model/model_2.onnx"),
		map[string]string{"input_5": "tf_op_layer_stack_5"})
	f := newFourier(size)
	got := make([]float64, len(mix))
	for at := 0; at+size <= len(mix); at += hop {
		spectrum := f.of(mix[at : at+size])
		magnitude := make([]float32, len(spectrum))
		for k, v := range spectrum {
			magnitude[k] = float32(cmplx.Abs(v))
		}
		m := mask.next(t, "input_2", magnitude, 1, 1, len(magnitude))["activation_2"].Float64s()
		for k := range spectrum {
			spectrum[k] *= complex(m[k], 0)
		}
		block := make([]float32, size)
		for i, v := range f.back(spectrum) {
			block[i] = float32(v)
		}
		for i, v := range wave.next(t, "input_4", block, 1, 1, size)["conv1d_3"].Float64s() {
			got[at+i] += v
		}
	}
	// In decibels, what becomes of the loudest tenth of a second, and the most that is taken away.
	loud, kept, quiet := 0.0, 0.0, math.Inf(1)
	for at := 16_000; at+1600 < len(mix)-size; at += 1600 {
		before, after := 0.0, 0.0
		for i := at; i < at+1600; i++ {
			before, after = before+mix[i]*mix[i], after+got[i]*got[i]
		}
		gain := 10 * math.Log10(after/before)
		if quiet = min(quiet, gain); before > loud {
			loud, kept = before, gain
		}
	}
	t.Logf("%d blocks; speech changes by %.1f dB, noise by up to %.1f dB", mask.calls, kept, quiet)
	require.Less(t, quiet, kept-4)
}

// bands are logarithms of the energies in 40 mel bands of frames of 768 samples, 256 apart, each
// band with a mean of 0 and a variance of 1 over the recording; behind them, the pitch of no voice.
func bands(samples []float64) [][]float32 {
	const fft, size, hop, n = 1024, 768, 256, 40
	f := newFourier(fft)
	edge := make([]float64, n+2)
	for i := range edge {
		mel := float64(i) / (n + 1) * 2595 * math.Log10(1+8000.0/700)
		edge[i] = 700 * (math.Pow(10, mel/2595) - 1) * (fft + 1) / 16_000
	}
	var out [][]float32
	frame := make([]float64, size)
	for at := 0; at+size <= len(samples); at += hop {
		for i := range frame {
			frame[i] = samples[at+i] * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/size))
		}
		row := make([]float32, n+1)
		spectrum := f.of(frame)
		for b := range n {
			sum := 1e-10
			for k, v := range spectrum {
				up := (float64(k) - edge[b]) / (edge[b+1] - edge[b])
				down := (edge[b+2] - float64(k)) / (edge[b+2] - edge[b+1])
				sum += max(0, min(up, down)) * (real(v)*real(v) + imag(v)*imag(v))
			}
			row[b] = float32(math.Log(sum))
		}
		row[n] = -0.8
		out = append(out, row)
	}
	for b := range n {
		mean, square := 0.0, 0.0
		for _, row := range out {
			mean += float64(row[b]) / float64(len(out))
			square += float64(row[b]) * float64(row[b]) / float64(len(out))
		}
		for _, row := range out {
			row[b] = float32((float64(row[b]) - mean) / math.Sqrt(square-mean*mean+1e-6))
		}
	}
	return out
}

// TEN VAD (Agora, 2025; two LSTMs behind convolutions, by TensorFlow) tells voice from silence in
// recordings whose labels stand beside them, as well as may be without its estimate of the pitch.
func TestPublishedTENVAD(t *testing.T) {
	file := published(t, "ten-vad/src/onnx_model/ten-vad.onnx")
	for _, name := range []string{"01", "05", "12"} {
		s := newStream(t, file, nil)
		require.Equal(t, map[string]string{"input_2": "output_2", "input_3": "output_3",
			"input_6": "output_6", "input_7": "output_7"}, s.carried)
		name = "ten-vad/testset/testset-audio-" + name
		rows := bands(speech(t, name+".wav"))
		content, err := os.ReadFile(published(t, name+".scv"))
		require.NoError(t, err)
		labels := strings.Split(strings.TrimSpace(string(content)), ",")[1:]
		var sum, n [2]float64
		for i := 2; i < len(rows); i++ {
			x := append(append(append([]float32{}, rows[i-2]...), rows[i-1]...), rows[i]...)
			p := s.next(t, "input_1", x, 1, 3, 41)["output_1"].Float64s()[0]
			label := 0
			for k := 0; k+2 < len(labels); k += 3 {
				from, _ := strconv.ParseFloat(labels[k], 64)
				to, _ := strconv.ParseFloat(labels[k+1], 64)
				if at := (float64(i)*256 + 384) / 16_000; from <= at && at < to &&
					labels[k+2] == "1" {
					label = 1
				}
			}
			sum[label], n[label] = sum[label]+p, n[label]+1
		}
		t.Logf("%s: %.0f frames; voice with a mean probability of %.3f, its absence with %.3f",
			name, n[0]+n[1], sum[1]/n[1], sum[0]/n[0])
		require.Greater(t, sum[1]/n[1], sum[0]/n[0]+0.2)
	}
}

// Published models can be trained on: the gradient of each parameter agrees with the difference
// that a small step along it makes. Of single numbers, such as those that are added under a root,
// no step is small.
func TestPublishedModelsCanBeTrained(t *testing.T) {
	for _, name := range []string{"gtcrn/stream/onnx_models/gtcrn_simple.onnx",
		"DTLN/pretrained_model/model_1.onnx", "DTLN/pretrained_model/model_2.onnx",
		"ten-vad/src/onnx_model/ten-vad.onnx"} {
		t.Run(name, func(t *testing.T) {
			m, err := onnx.Import(published(t, name))
			require.NoError(t, err)
			step := squares(t, m)
			defer step.Close()
			require.NoError(t, step.Run(0, 0))
			var gradients [][]float64
			for i := range m.Params().Params() {
				gradients = append(gradients, slices.Clone(step.Output(i+1).Float64s()))
			}
			checked := 0
			for i, p := range m.Params().Params() {
				f, old, length, size := run.ParamFloats(p), []float64{}, 0.0, 0.0
				for k, d := range gradients[i] {
					require.False(t, math.IsNaN(d) || math.IsInf(d, 0), p.Name())
					old, length, size = append(old, f.At(k)), length+d*d, size+f.At(k)*f.At(k)
				}
				if length == 0 || len(old) == 1 {
					continue
				}
				length, size = math.Sqrt(length), 1e-3*max(0.1, math.Sqrt(size/float64(len(old))))
				move := func(by float64) float64 {
					for k, d := range gradients[i] {
						f.Set(k, old[k]+by*d/length)
					}
					require.NoError(t, step.Run(0, 0))
					return step.Output(0).Float64s()[0]
				}
				slope := (move(size) - move(-size)) / (2 * size)
				move(0)
				require.InDelta(t, length, slope, 0.02*length+1e-3, p.Name())
				checked++
			}
			t.Logf("%d of %d parameters", checked, len(gradients))
		})
	}
}

// squares is a graph of the mean of the squares of what a model puts out, of inputs that are no
// zeros, and of the gradients of its parameters.
func squares(t *testing.T, m *onnx.Model) *run.Step {
	inputs, values := map[string]*nodes.Node{}, run.Inputs{}
	g := nodes.NewGraph(nodes.Options{Dtype: m.Dtype()})
	for _, info := range m.Inputs() {
		var shape []int
		for _, d := range info.Shape {
			shape = append(shape, max(d.Size, 1))
		}
		require.NoError(t, nodes.Try(func() { inputs[info.Name] = g.Input(info.Name, shape...) }))
	}
	out, err := m.Build(g, inputs, nil)
	require.NoError(t, err)
	var kept []*nodes.Node
	require.NoError(t, nodes.Try(func() {
		var loss *nodes.Node
		for _, name := range sortedNames(out) {
			if part := nodes.Mean(nodes.Square(out[name])); loss == nil {
				loss = part
			} else {
				loss = nodes.Add(loss, part)
			}
		}
		var wrt []nodes.Operand
		for _, p := range m.Params().Params() {
			wrt = append(wrt, p)
		}
		kept = append([]*nodes.Node{loss}, g.Gradients(loss, wrt...)...)
	}))
	step, err := run.New(kept)
	require.NoError(t, err)
	for _, name := range sortedNames(inputs) {
		numbers := make([]float64, ops.Size(inputs[name].Shape()))
		for i := range numbers {
			numbers[i] = math.Sin(float64(i*i)) / 2
		}
		values.Floats(inputs[name]).Put64(0, numbers)
	}
	require.NoError(t, values.Err())
	return step
}
