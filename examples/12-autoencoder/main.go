// 12-autoencoder is a chapter of the course: what an autoencoder does that PCA does not, what it is
// used for, and whether a VAE puts near data at near vectors.
package main

import (
	"embed"
	"fmt"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/reduce"
)

//go:embed *.go *.md
var files embed.FS

func main() {
	course.Main(files, pictures, linear, deeper, fewer, denoise, anomalies, near)
}

// pictures shows what all models of this chapter learn from.
func pictures(p *course.Page) error {
	x, _ := strokes(24, 7)
	p.Value("pixels", "%d", D)
	return show(p, 12, x,
		"Twenty-four pictures of one stroke each, at many places and in many directions.")
}

// twoMatrices is an autoencoder without any bend: code = (x − mean)·W + b, y = code·V + c + mean.
func twoMatrices(K int, seed uint64) (*reduce.Autoencoder, error) {
	return reduce.NewAutoencoder(reduce.AutoencoderConfig{Features: D, Widths: []int{K},
		CodeActivation: reduce.Linear, Output: reduce.Linear, Centre: true}, seed)
}

// linear compares it with PCA.
func linear(p *course.Page) error {
	figure := plot.Plot{Title: "A linear autoencoder turns towards PCA's subspace", X: "epoch",
		Y: "largest principal angle, degrees", LogY: true,
		Alt: "The angle between the two subspaces falls from about 90 degrees to below one."}
	var rows [][]any
	worstAngle, worstError := 0.0, 0.0
	for _, K := range []int{2, 4, 7, 8} {
		got, err := learnLinear(p, K)
		if err != nil {
			return err
		}
		figure.AddRuns(fmt.Sprintf("code of %d", K), got.Epochs, got.Angles)
		end := column(got.Angles, len(got.Epochs)-1)
		rows = append(rows, []any{K, course.Digits(mean(got.PCA), 4),
			course.Digits(mean(got.Linear), 4),
			fmt.Sprintf("%.2f°", least(end)), fmt.Sprintf("%.2f°", most(end)),
			fmt.Sprintf("%.0f %%", 100*mean(got.Tie))})
		worstError = max(worstError, mean(got.Linear)/mean(got.PCA)-1)
		if K == 8 {
			p.Value("tie", "%.0f %%", 100*mean(got.Tie))
			p.Value("angle8", "%.0f°", most(end))
			break
		}
		worstAngle = max(worstAngle, most(end))
	}
	p.Table("Squared error a pixel, of pictures that were not learned from", []string{"code", "PCA",
		"linear autoencoder", "angle, least", "angle, most", "next variance"}, rows...)
	p.Plot(&figure)
	p.Value("angle", "%.1f°", worstAngle)
	if p.Size != course.Quick {
		p.Claim("the linear autoencoder's error is PCA's within 0.2 %", worstError < 0.002 &&
			worstError > -0.002)
		p.Claim("with codes of 2, 4 and 7 the largest angle is below 1°, with every seed",
			worstAngle < 1)
	}
	return nil
}

// deeper adds layers with rectifiers before and behind the code.
func deeper(p *course.Page) error {
	got, err := course.Once(p, "widths", func() (widths, error) { return learnWidths(p) })
	if err != nil {
		return err
	}
	figure := plot.Plot{Title: "Error by the width of the code", X: "numbers in the code",
		Y: "squared error a pixel", LogX: true, LogY: true,
		Alt: "PCA's error falls slowly; that of the deep autoencoder falls steeply up to four numbers and no further."}
	var x []float64
	var rows [][]any
	pca, deep := make([][]float64, got.Seeds), make([][]float64, got.Seeds)
	for i, K := range got.K {
		x = append(x, float64(K))
		for seed := range got.Seeds {
			pca[seed], deep[seed] = append(pca[seed], got.PCA[i][seed]), append(deep[seed],
				got.Deep[i][seed])
		}
		rows = append(rows, []any{K, course.Digits(mean(got.PCA[i]), 3),
			course.Digits(mean(got.Deep[i]), 3),
			fmt.Sprintf("%.0f %%", 100*mean(got.Deep[i])/mean(got.PCA[i]))})
		p.Value(fmt.Sprintf("pca%d", K), "%s", course.Digits(mean(got.PCA[i]), 2))
		p.Value(fmt.Sprintf("deep%d", K), "%s", course.Digits(mean(got.Deep[i]), 2))
	}
	figure.AddRuns("PCA", x, pca)
	figure.AddRuns("deep autoencoder", x, deep)
	p.Table("Squared error a pixel", []string{"numbers in the code", "PCA", "deep autoencoder",
		"share of PCA's"}, rows...)
	p.Plot(&figure)
	p.Printf("From the top: the pictures; by PCA; by the deep autoencoder (code of 4).\n")
	if err := show(p, 12, got.Pictures,
		"PCA brings blurred spots back from four numbers, the deep autoencoder strokes."); err != nil {
		return err
	}
	if p.Size != course.Quick {
		p.Claim("with four numbers the deep autoencoder has less than a quarter of PCA's error, with every seed",
			most(got.Deep[got.at(4)]) < least(got.PCA[got.at(4)])/4)
		p.Claim("sixteen numbers make the deep autoencoder no better than four do, on average of the seeds",
			mean(got.Deep[got.at(16)]) > 0.8*mean(got.Deep[got.at(4)]))
	}
	return nil
}

// fewer learns from fewer pictures, with as many updates.
func fewer(p *course.Page) error {
	figure := plot.Plot{Title: "Error by the number of pictures learned from, code of 4",
		X: "pictures",
		Y: "squared error a pixel", LogX: true, LogY: true,
		Alt: "With 30 pictures PCA is better, with 300 and more the deep autoencoder is, by far."}
	test, _ := strokes(1000, 0)
	sizes := course.Pick(p, []int{30, 300}, []int{30, 100, 300, 1000, 3000}, []int{30, 100, 300,
		1000, 3000, 10000})
	seeds := course.Pick(p, 1, 3, 5)
	pca, ae := make([][]float64, seeds), make([][]float64, seeds)
	var at []float64
	for _, n := range sizes {
		at = append(at, float64(n))
		for seed := range seeds {
			x, _ := strokes(n, uint64(seed+1))
			a, err := reduce.FitPCA(p.Context(), x, reduce.PCAConfig{Features: D, Components: 4})
			if err != nil {
				return err
			}
			b, err := deep(p, x, 4, course.Pick(p, 3000, 45_000, 120_000)/n, uint64(seed+1),
				reduce.Corruption{})
			if err != nil {
				return err
			}
			pca[seed], ae[seed] = append(pca[seed], errorOf(a, test)), append(ae[seed], errorOf(b,
				test))
			p.Progress("%d pictures, seed %d: PCA %.4f, deep %.4f", n, seed+1, pca[seed][len(at)-1],
				ae[seed][len(at)-1])
		}
	}
	figure.AddRuns("PCA", at, pca)
	figure.AddRuns("deep autoencoder", at, ae)
	p.Plot(&figure)
	first, last := column(ae, 0), column(ae, len(sizes)-1)
	p.Value("few", "%s", course.Digits(mean(first), 2))
	p.Value("fewPCA", "%s", course.Digits(mean(column(pca, 0)), 2))
	p.Value("many", "%s", course.Digits(mean(last), 2))
	p.Value("manyPCA", "%s", course.Digits(mean(column(pca, len(sizes)-1)), 2))
	if p.Size != course.Quick {
		p.Claim("with 30 pictures PCA is better, with every seed", most(column(pca,
			0)) < least(first))
		p.Claim("with 3000 the deep autoencoder is, with every seed", most(last) < least(column(pca,
			len(sizes)-1)))
	}
	return nil
}

// denoise hides pictures under noise that is as strong as ink.
func denoise(p *course.Page) error {
	noise := reduce.Corruption{Kind: reduce.GaussianNoise, Amount: 0.5}
	clean, _ := strokes(1000, 0)
	noisy, err := noise.Apply(clean, D, 5)
	if err != nil {
		return err
	}
	before, err := metrics.MSE(noisy, clean)
	if err != nil {
		return err
	}
	got := map[string][]float64{}
	shown := append(append([]float32{}, clean[:12*D]...), noisy[:12*D]...)
	for seed := range course.Pick[uint64](p, 1, 3, 5) {
		for _, d := range denoisers(p, seed+1, noise) {
			back, after, err := d.clear(noisy, clean)
			if err != nil {
				return err
			}
			got[d.Name] = append(got[d.Name], after)
			if seed == 0 && d.Shown {
				shown = append(shown, back[:12*D]...)
			}
		}
	}
	rows := [][]any{{"as it is", fmt.Sprintf("%.1f", metrics.PSNR(before, 1)), ""}}
	for _, d := range denoisers(p, 1, noise) {
		rows = append(rows, []any{d.Name, fmt.Sprintf("%.1f", mean(got[d.Name])),
			fmt.Sprintf("%.1f … %.1f", least(got[d.Name]), most(got[d.Name]))})
	}
	p.Table("How near to the clean picture (PSNR, dB: ten more is a tenth of the squared error)",
		[]string{"noisy pictures brought back by", "PSNR", "over seeds"}, rows...)
	p.Printf("From the top: clean, noisy, PCA, autoencoder that learned to denoise.\n")
	if err := show(p, 12, shown,
		"Strokes, strokes hidden in noise, PCA's grey spots, and strokes again."); err != nil {
		return err
	}
	p.Value("noisy", "%.1f", metrics.PSNR(before, 1))
	p.Value("pca", "%.1f", mean(got["PCA, code of 16"]))
	p.Value("plain", "%.1f", mean(got["autoencoder that learned clean pictures"]))
	p.Value("denoising", "%.1f", mean(got["autoencoder that learned to denoise"]))
	if p.Size != course.Quick {
		p.Claim("the autoencoder that learned to denoise is 3 dB better than PCA, with every seed",
			least(got["autoencoder that learned to denoise"]) > most(got["PCA, code of 16"])+3)
		p.Claim("one that learned clean pictures is no better than PCA",
			mean(got["autoencoder that learned clean pictures"]) < mean(got["PCA, code of 16"]))
	}
	return nil
}

// anomalies asks each model how badly odd pictures come back.
func anomalies(p *course.Page) error {
	got, err := course.Once(p, "widths", func() (widths, error) { return learnWidths(p) })
	if err != nil {
		return err
	}
	p.Printf("From the top: a usual picture, bent, broken, crossed.\n")
	if err := show(p, 12, oddities(),
		"Usual strokes; bent ones; broken ones; small crosses."); err != nil {
		return err
	}
	var rows [][]any
	worst := map[int]float64{}
	for i, K := range got.K {
		row := []any{K}
		worst[K] = 1
		for _, auc := range [][][]float64{got.OddPCA[i], got.OddDeep[i]} {
			for kind := range oddKinds {
				row = append(row, fmt.Sprintf("%.2f", mean(auc[kind])))
			}
		}
		for kind := range oddKinds {
			worst[K] = min(worst[K], least(got.OddDeep[i][kind]))
		}
		rows = append(rows, row)
	}
	p.Table("Area under the ROC curve: 1 finds all, 0.5 is chance, 0 takes the usual for odd",
		[]string{"code", "PCA: bent", "PCA: broken", "PCA: crossed", "deep: bent", "deep: broken",
			"deep: crossed"}, rows...)
	four := got.at(4)
	p.Value("crossed", "%.2f", mean(got.OddPCA[four][2]))
	p.Value("worst4", "%.3f", worst[4])
	p.Value("worst64", "%.3f", worst[64])
	p.Value("recall", "%.0f %%", 100*mean(got.Recall))
	if p.Size != course.Quick {
		p.Claim("with a code of 4 every kind is found with an area above 0.98, with every seed",
			worst[4] > 0.98)
		p.Claim("with a code of 64 the worst is worse than with 4", worst[64] < worst[4])
		p.Claim("PCA with a code of 4 takes crosses for more usual than strokes",
			most(got.OddPCA[four][2]) < 0.5)
	}
	return nil
}

// near compares distances between codes with how far the strokes lie apart.
func near(p *course.Page) error {
	got, err := course.Once(p, "near", func() (nearness, error) { return learnNear(p) })
	if err != nil {
		return err
	}
	var rows [][]any
	for _, m := range got.Models {
		rows = append(rows, []any{m.Name, course.Digits(mean(m.Error), 2), fmt.Sprintf("%.2f",
			mean(m.ByPixels)),
			fmt.Sprintf("%.2f", mean(m.ByMove)), course.Digits(mean(m.Random), 2),
			fmt.Sprintf("%.1f", mean(m.Used))})
		p.Value("move."+m.Key, "%.2f", mean(m.ByMove))
		p.Value("pixels."+m.Key, "%.2f", mean(m.ByPixels))
		p.Value("random."+m.Key, "%s", course.Digits(mean(m.Random), 2))
	}
	p.Table("Codes of eight numbers. Rank correlation of the distances of codes with those of pixels and of strokes; error of drawn codes to the nearest picture",
		[]string{"model", "error", "with pixels", "with strokes", "drawn codes", "numbers in use"},
		rows...)
	p.Value("pixelMove", "%.2f", got.PixelMove)
	p.Value("own", "%s", course.Digits(got.Own, 2))
	p.Value("used", "%.1f", mean(got.Models[3].Used))
	p.Printf("From one stroke to another. From the top: PCA, autoencoder, VAE.\n")
	if err := show(p, 12, got.Between,
		"PCA fades one stroke out and the other in; "+
			"the autoencoder's stroke turns and breaks halfway; the VAE's bends and stays whole."); err != nil {
		return err
	}
	p.Printf("A VAE whose code has two numbers: what each pair stands for.\n")
	if err := show(p, 14, got.Atlas,
		"A square of small pictures: strokes that turn and move a little from each to the next."); err != nil {
		return err
	}
	if p.Size != course.Quick {
		m := got.Models
		p.Claim("codes that are drawn at random stand for strokes in a VAE more than in an autoencoder, with every seed",
			most(m[2].Random) < least(m[1].Random))
		p.Claim("in a VAE, distances of codes follow how far strokes lie apart better than in PCA",
			mean(m[2].ByMove) > mean(m[0].ByMove))
		p.Claim("in PCA, distances of codes follow those of pixels best",
			mean(m[0].ByPixels) > mean(m[1].ByPixels) &&
				mean(m[0].ByPixels) > mean(m[2].ByPixels))
		p.Claim("with β = 4 the VAE uses about four of eight numbers", mean(m[3].Used) > 3.5 &&
			mean(m[3].Used) < 5)
	}
	return nil
}
