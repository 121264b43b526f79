package main

import (
	"errors"
	"math"
	"math/rand/v2"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/reduce"
)

// learn fits a model to rows; err is that of making its task.
func learn(p *course.Page, task train.Task, err error, epochs int, rate float64,
	seed uint64) error {
	if err != nil {
		return err
	}
	adam, err := train.NewAdam(train.AdamConfig{LR: rate})
	if err != nil {
		return err
	}
	_, err = train.Fit(p.Context(), task, train.Config{Optimizer: adam, Epochs: epochs, Seed: seed,
		Warn: func(string) {}})
	return err
}

// deep learns an autoencoder with two layers before the code and two behind it.
func deep(p *course.Page, x []float32, K, epochs int, seed uint64,
	noise reduce.Corruption) (*reduce.Autoencoder, error) {
	m, err := reduce.NewAutoencoder(reduce.AutoencoderConfig{Features: D, Widths: []int{128, 64, K},
		Output: "sigmoid", Corruption: noise}, seed)
	if err != nil {
		return nil, err
	}
	task, err := m.Task(reduce.RowData{Train: x, Batch: 64, Seed: seed})
	return m, learn(p, task, err, max(epochs, 1), 0.003, seed)
}

// likeness is what linear autoencoders do beside PCA, by seed.
type likeness struct {
	PCA, Linear, Tie []float64 // errors; variance of the first direction left out, of the last kept
	Epochs           []float64
	Angles           [][]float64 // by epoch, in degrees
}

func learnLinear(p *course.Page, K int) (out likeness, err error) {
	test, _ := strokes(1000, 0)
	for seed := range course.Pick[uint64](p, 1, 3, 5) {
		x, _ := strokes(course.Pick(p, 300, 3000, 3000), seed+1)
		pca, err := reduce.FitPCA(p.Context(), x, reduce.PCAConfig{Features: D, Components: K})
		if err != nil {
			return out, err
		}
		m, err := twoMatrices(K, seed+1)
		if err != nil {
			return out, err
		}
		var angles []float64
		if out.Epochs, angles, err = turn(p, m, pca, x); err != nil {
			return out, err
		}
		out.Angles = append(out.Angles, angles)
		out.PCA, out.Linear = append(out.PCA, errorOf(pca, test)), append(out.Linear, errorOf(m,
			test))
		out.Tie = append(out.Tie, pca.Variance()[K]/pca.Variance()[K-1])
		p.Progress("code of %d, seed %d: %.2f°", K, seed+1, angles[len(angles)-1])
	}
	return out, nil
}

// turn trains a linear autoencoder, at a falling rate, and measures again and again how far its
// subspace is from PCA's, in degrees.
func turn(p *course.Page, m *reduce.Autoencoder, pca *reduce.PCA,
	x []float32) (epochs, angles []float64, err error) {
	const each = 5
	rate := 0.005
	for stage := range course.Pick(p, 3, 30, 30) {
		task, err := m.Task(reduce.RowData{Train: x, Batch: 64, Seed: uint64(stage)})
		if err := learn(p, task, err, each, rate, uint64(stage)); err != nil {
			return nil, nil, err
		}
		var basis []float64
		for _, param := range m.Params().Params() {
			if param.Name() == "decoder/l0/W" {
				for _, v := range param.Value().Float32s() {
					basis = append(basis, float64(v))
				}
			}
		}
		a, err := reduce.PrincipalAngles(basis, pca.Components(), D)
		if err != nil {
			return nil, nil, err
		}
		epochs = append(epochs, float64(each*(stage+1)))
		angles = append(angles, a[len(a)-1]*180/math.Pi)
		if stage >= 12 {
			rate *= 0.85
		}
	}
	return epochs, angles, nil
}

// widths is what autoencoders and PCA with codes of different widths do: by width and seed.
type widths struct {
	K               []int
	Seeds           int
	PCA, Deep       [][]float64   // squared error a pixel
	OddPCA, OddDeep [][][]float64 // area under the curve, by width, kind and seed
	// of a code of 4, all kinds, at the threshold that 95 % stay below
	Recall   []float64
	Pictures []float32
}

// at is the place of a width.
func (w widths) at(K int) int {
	for i, k := range w.K {
		if k == K {
			return i
		}
	}
	return 0
}

func learnWidths(p *course.Page) (out widths, err error) {
	out.K, out.Seeds = []int{1, 2, 4, 8, 16, 64}, course.Pick(p, 1, 3, 5)
	test, _ := strokes(1000, 0)
	for i, K := range out.K {
		out.PCA, out.Deep = append(out.PCA, nil), append(out.Deep, nil)
		out.OddPCA = append(out.OddPCA, make([][]float64, len(oddKinds)))
		out.OddDeep = append(out.OddDeep, make([][]float64, len(oddKinds)))
		for seed := range uint64(out.Seeds) {
			x, _ := strokes(course.Pick(p, 300, 3000, 10_000), seed+1)
			pca, err := reduce.FitPCA(p.Context(), x, reduce.PCAConfig{Features: D, Components: K})
			if err != nil {
				return out, err
			}
			ae, err := deep(p, x, K, course.Pick(p, 3, 20, 25), seed+1, reduce.Corruption{})
			if err != nil {
				return out, err
			}
			out.PCA[i], out.Deep[i] = append(out.PCA[i], errorOf(pca, test)), append(out.Deep[i],
				errorOf(ae, test))
			p.Progress("code of %d, seed %d: PCA %.4f, deep %.4f", K, seed+1, out.PCA[i][seed],
				out.Deep[i][seed])
			if err := errors.Join(findOdd(pca, test, out.OddPCA[i], nil), findOdd(ae, test,
				out.OddDeep[i], recallOf(&out, K))); err != nil {
				return out, err
			}
			if K != 4 || seed != 0 {
				continue
			}
			out.Pictures = append(out.Pictures, test[:12*D]...)
			for _, m := range []reduce.Reducer{pca, ae} {
				back, err := reduce.Reconstruct(m, test[:12*D])
				if err != nil {
					return out, err
				}
				out.Pictures = append(out.Pictures, back...)
			}
		}
	}
	return out, nil
}

func recallOf(w *widths, K int) *[]float64 {
	if K == 4 {
		return &w.Recall
	}
	return nil
}

// oddKinds are anomalies, made up.
var oddKinds = []string{"bent", "broken", "crossed"}

// odd draws a picture that is no stroke.
func odd(kind string, r *rand.Rand) []float32 {
	s, x := draw(r), make([]float32, D)
	c, n := math.Cos(s.Angle), math.Sin(s.Angle)
	switch kind {
	case "bent":
		b := s.Angle + math.Pi/3 + math.Pi/3*r.Float64()
		ink(x, s.X-4*c, s.Y-4*n, s.X, s.Y)
		ink(x, s.X, s.Y, s.X-4*math.Cos(b), s.Y-4*math.Sin(b))
	case "broken":
		ink(x, s.X-5*c, s.Y-5*n, s.X-2*c, s.Y-2*n)
		ink(x, s.X+2*c, s.Y+2*n, s.X+5*c, s.Y+5*n)
	case "crossed":
		ink(x, s.X-2*c, s.Y-2*n, s.X+2*c, s.Y+2*n)
		ink(x, s.X-2*n, s.Y+2*c, s.X+2*n, s.Y-2*c)
	}
	return x
}

// oddities are twelve usual pictures and twelve of each kind.
func oddities() []float32 {
	x, _ := strokes(12, 0)
	for _, kind := range oddKinds {
		r := rand.New(rand.NewPCG(77, 1))
		for range 12 {
			x = append(x, odd(kind, r)...)
		}
	}
	return x
}

// findOdd appends to auc how well a model tells each kind from usual pictures, by their errors, and
// to recall the share of all that lies above the error that 95 % of the usual stay below.
func findOdd(m reduce.Reducer, usual []float32, auc [][]float64, recall *[]float64) error {
	const each = 300
	errs, err := m.Errors(usual)
	if err != nil {
		return err
	}
	threshold, err := metrics.Quantile(errs, 0.95)
	if err != nil {
		return err
	}
	found := 0.0
	for k, kind := range oddKinds {
		r := rand.New(rand.NewPCG(77, 1))
		var rows []float32
		for range each {
			rows = append(rows, odd(kind, r)...)
		}
		of, err := m.Errors(rows)
		if err != nil {
			return err
		}
		for _, e := range of {
			if e > threshold {
				found += 1 / float64(each*len(oddKinds))
			}
		}
		is := make([]bool, len(errs)+each)
		for i := range each {
			is[len(errs)+i] = true
		}
		a, err := metrics.ROCAUC(append(append([]float64{}, errs...), of...), is)
		if err != nil {
			return err
		}
		auc[k] = append(auc[k], a)
	}
	if recall != nil {
		*recall = append(*recall, found)
	}
	return nil
}

// denoiser is a model that may take noise away.
type denoiser struct {
	Name  string
	Shown bool
	Learn func() (reduce.Reducer, error)
}

func denoisers(p *course.Page, seed uint64, noise reduce.Corruption) []denoiser {
	x, _ := strokes(course.Pick(p, 300, 3000, 10_000), seed)
	epochs := course.Pick(p, 3, 20, 25)
	return []denoiser{
		{"PCA, code of 16", true, func() (reduce.Reducer, error) {
			return reduce.FitPCA(p.Context(), x, reduce.PCAConfig{Features: D, Components: 16})
		}},
		{"autoencoder that learned clean pictures", false, func() (reduce.Reducer, error) {
			return deep(p, x, 16, epochs, seed, reduce.Corruption{})
		}},
		{"autoencoder that learned to denoise", true, func() (reduce.Reducer, error) {
			return deep(p, x, 16, epochs, seed, noise)
		}},
	}
}

// clear learns, brings pictures back from noise, and says how near they come to the clean ones.
func (d denoiser) clear(noisy, clean []float32) (back []float32, psnr float64, err error) {
	m, err := d.Learn()
	if err != nil {
		return nil, 0, err
	}
	if back, err = reduce.Reconstruct(m, noisy); err != nil {
		return nil, 0, err
	}
	after, err := metrics.MSE(back, clean)
	return back, metrics.PSNR(after, 1), err
}
