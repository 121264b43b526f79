package main

import (
	"errors"
	"math"
	"math/rand/v2"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/reduce"
)

// nearness is what models do to distances.
type nearness struct {
	Models         []nearModel
	PixelMove      float64   // rank correlation of distances of pixels with those of strokes
	Own            float64   // error of a new picture to the nearest that was learned from
	Between, Atlas []float32 // pictures
}

// nearModel is what one model does, by seed.
type nearModel struct {
	Name, Key                             string
	Error, ByPixels, ByMove, Random, Used []float64
}

func learnNear(p *course.Page) (out nearness, err error) {
	const K, N = 8, 1000
	test, of := strokes(N, 0)
	names := []string{"PCA", "autoencoder", "VAE", "VAE, β = 4"}
	for i, key := range []string{"pca", "ae", "vae", "vae4"} {
		out.Models = append(out.Models, nearModel{Name: names[i], Key: key})
	}
	epochs := course.Pick(p, 2, 20, 40)
	for seed := range course.Pick[uint64](p, 1, 3, 5) {
		x, _ := strokes(course.Pick(p, 300, 3000, 10_000), seed+1)
		pca, e1 := reduce.FitPCA(p.Context(), x, reduce.PCAConfig{Features: D, Components: K})
		ae, e2 := deep(p, x, K, epochs, seed+1, reduce.Corruption{})
		one, e3 := variational(p, x, K, epochs, 1, seed+1)
		four, e4 := variational(p, x, K, epochs, 4, seed+1)
		if err := errors.Join(e1, e2, e3, e4); err != nil {
			return out, err
		}
		models := []reduce.Reducer{pca, ae, one, four}
		for i, m := range models {
			if err := out.measure(&out.Models[i], m, x, test, of); err != nil {
				return out, err
			}
			p.Progress("seed %d, %s: %.2f", seed+1, out.Models[i].Name, mean(out.Models[i].ByMove))
		}
		if seed > 0 {
			continue
		}
		a, b := Stroke{5.5, 9, 0.3}.Draw(), Stroke{9.5, 6, 1.9}.Draw()
		for _, m := range models[:3] {
			way, err := reduce.Interpolate(m, a, b, 12)
			if err != nil {
				return out, err
			}
			out.Between = append(out.Between, way...)
		}
		two, err := variational(p, x, 2, epochs, 1, 1)
		if err != nil {
			return out, err
		}
		if out.Atlas, err = atlas(two, 14); err != nil {
			return out, err
		}
	}
	return out, nil
}

// variational learns a VAE with as many layers as deep has.
func variational(p *course.Page, x []float32, K, epochs int, beta float64,
	seed uint64) (*reduce.VAE, error) {
	m, err := reduce.NewVAE(reduce.VAEConfig{Features: D, Widths: []int{128, 64}, Code: K,
		Beta: beta}, seed)
	if err != nil {
		return nil, err
	}
	task, err := m.Task(reduce.VAEData{RowData: reduce.RowData{Train: x, Batch: 64, Seed: seed}})
	return m, learn(p, task, err, epochs, 0.003, seed)
}

// atlas is what the codes of a square stand for, whose lines are quantiles of the normal
// distribution, as the codes are distributed.
func atlas(m *reduce.VAE, n int) ([]float32, error) {
	at := func(i int) float32 {
		return float32(math.Sqrt2 * math.Erfinv(2*(float64(i)+0.5)/float64(n)-1))
	}
	var codes []float32
	for i := range n {
		for j := range n {
			codes = append(codes, at(j), at(i))
		}
	}
	return m.InverseTransform(codes)
}

// apart is how far the ends of a stroke have to move to be those of another, on average, in pixels.
func apart(s, o Stroke) float64 {
	ends := func(s Stroke) (a, b [2]float64) {
		c, n := half*math.Cos(s.Angle), half*math.Sin(s.Angle)
		return [2]float64{s.X - c, s.Y - n}, [2]float64{s.X + c, s.Y + n}
	}
	h := func(p, q [2]float64) float64 { return math.Hypot(p[0]-q[0], p[1]-q[1]) }
	a, b := ends(s)
	c, d := ends(o)
	return min(h(a, c)+h(b, d), h(a, d)+h(b, c)) / 2
}

// distance is that of Euclid.
func distance(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		d := float64(v - b[i])
		sum += d * d
	}
	return math.Sqrt(sum)
}

// measure compares distances of codes with distances of pictures and of strokes, draws codes, and
// counts the numbers of a code that vary.
func (out *nearness) measure(to *nearModel, m reduce.Reducer, x, test []float32,
	of []Stroke) error {
	codes, err := m.Transform(test)
	if err != nil {
		return err
	}
	N, K := len(of), m.Codes()
	row := func(x []float32, i, width int) []float32 { return x[i*width : (i+1)*width] }
	r := rand.New(rand.NewPCG(4, 4))
	var byCode, byPixel, byMove []float64
	for range 5000 {
		i, j := r.IntN(N), r.IntN(N)
		byCode = append(byCode, distance(row(codes, i, K), row(codes, j, K)))
		byPixel = append(byPixel, distance(row(test, i, D), row(test, j, D)))
		byMove = append(byMove, apart(of[i], of[j]))
	}
	pixels, e1 := metrics.Spearman(byCode, byPixel)
	move, e2 := metrics.Spearman(byCode, byMove)
	own, e3 := metrics.Spearman(byPixel, byMove)
	if err := errors.Join(e1, e2, e3); err != nil {
		return err
	}
	to.Error, to.ByPixels, to.ByMove = append(to.Error, errorOf(m, test)), append(to.ByPixels,
		pixels), append(to.ByMove, move)
	middle, spread, used := make([]float64, K), make([]float64, K), 0.0
	for k := range K {
		var column []float64
		for i := range N {
			column = append(column, float64(codes[i*K+k]))
		}
		middle[k] = mean(column)
		for _, v := range column {
			spread[k] += (v - middle[k]) * (v - middle[k]) / float64(N)
		}
		if spread[k] = math.Sqrt(spread[k]); spread[k] > 0.3 {
			used++
		}
		if _, ok := m.(*reduce.VAE); ok { // whose codes are drawn as it learned them
			middle[k], spread[k] = 0, 1
		}
	}
	to.Used = append(to.Used, used)
	const drawn = 200
	var z []float32
	for range drawn {
		for k := range K {
			z = append(z, float32(middle[k]+spread[k]*r.NormFloat64()))
		}
	}
	y, err := m.InverseTransform(z)
	if err != nil {
		return err
	}
	to.Random = append(to.Random, toNearest(y, x))
	out.PixelMove, out.Own = own, toNearest(test[:drawn*D], x)
	return nil
}

// toNearest is the mean squared error a pixel of pictures to the nearest of others.
func toNearest(y, x []float32) float64 {
	sum := 0.0
	for i := 0; i < len(y); i += D {
		best := math.Inf(1)
		for j := 0; j < len(x); j += D {
			best = min(best, distance(y[i:i+D], x[j:j+D]))
		}
		sum += best * best / D
	}
	return sum / float64(len(y)/D)
}
