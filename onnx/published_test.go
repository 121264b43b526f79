package onnx_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/onnx"
)

// sounds is where Debian's alsa-utils keeps recordings of a voice.
const sounds = "/usr/share/sounds/alsa"

// recording reads a recording of 48,000 samples a second, of 16 bits and one channel, as 16,000.
func recording(t *testing.T, name string) []float32 {
	content, err := os.ReadFile(filepath.Join(sounds, name))
	if err != nil {
		t.Skip("there is no alsa-utils: no recording to listen to")
	}
	const header = 44
	require.Equal(t, uint32(48_000), binary.LittleEndian.Uint32(content[24:]))
	require.Equal(t, uint16(16), binary.LittleEndian.Uint16(content[34:]))
	samples := make([]float32, (len(content)-header)/6)
	for i := range samples {
		for k := range 3 {
			s := int16(binary.LittleEndian.Uint16(content[header+2*(3*i+k):]))
			samples[i] += float32(s) / 3 / (1 << 15)
		}
	}
	return samples
}

// Voice detectors that were published, three versions of Silero VAD, hear a voice in recordings of
// one, and none in silence, and give what they give in ONNX Runtime, with their states carried over
// all pieces of a recording. SEQZOO_MODELS names the folder in which npm has installed
// @ricky0123/vad-web, which ships them.
func TestPublishedVoiceDetectors(t *testing.T) {
	for name, before := range map[string]int{"silero_vad_legacy": 0, "silero_vad_v5": 64,
		"silero_vad_v6": 64} {
		t.Run(name, func(t *testing.T) {
			file := published(t, "node_modules/@ricky0123/vad-web/dist/"+name+".onnx")
			m, err := onnx.Import(file)
			require.NoError(t, err)
			require.NotEmpty(t, m.Carried())
			var r *runtime
			if os.Getenv("SEQZOO_ORT") != "" {
				r = startRuntime(t)
			}
			for _, sound := range []string{"Front_Center.wav", "Rear_Left.wav", ""} {
				samples := make([]float32, 16_000)
				if sound != "" {
					samples = recording(t, sound)
				}
				p := listen(t, r, m, file, samples, before)
				require.Equal(t, sound != "", p > 0.5, "%s: %g", sound, p)
				t.Logf("%q: voice with a probability of %.4f", sound, p)
			}
		})
	}
}

// listen gives a voice detector pieces of a recording, each with so many samples before it, and
// returns the largest probability of a voice.
func listen(t *testing.T, r *runtime, m *onnx.Model, file string, samples []float32, before int) (most float64) {
	const piece = 512
	in := onnx.Values{"sr": onnx.Ints([]int{16_000})}
	for _, info := range m.Inputs() {
		if m.Carried()[info.Name] == "" {
			continue
		}
		shape, n := []int{}, 1
		for _, d := range info.Shape {
			size := max(d.Size, 1) // a batch of one
			shape, n = append(shape, size), n*size
		}
		in[info.Name] = onnx.Floats(make([]float32, n), shape...)
	}
	padded := append(make([]float32, before), samples...)
	for at := 0; at+before+piece <= len(padded); at += piece {
		in["input"] = onnx.Floats(padded[at:at+before+piece], 1, before+piece)
		var out onnx.Values
		if r != nil {
			out = r.requireSameRun(t, file, m, in)
		} else {
			var err error
			out, err = m.Run(in)
			require.NoError(t, err)
		}
		most = max(most, out["output"].Float64s()[0])
		for to, from := range m.Carried() {
			in[to] = out[from]
		}
	}
	return most
}
