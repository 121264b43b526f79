package vectors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/zoo/metrics"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// maxLine is the longest line, in bytes, of a file of analogies or judgements.
const maxLine = 1 << 16

// Restrict is how many words, the first ones, an evaluation looks at by default.
const Restrict = 300_000

// Section is a part of a file of analogies, with how many were asked and how many answered right.
type Section struct {
	Name           string
	Correct, Asked int
}

// Accuracy is the share of right answers, 0 if nothing was asked.
func (s Section) Accuracy() float64 { return float64(s.Correct) / float64(max(1, s.Asked)) }

// AnalogyResult is the outcome of [Vectors.Analogies].
type AnalogyResult struct {
	Sections []Section
	Total    Section
	Unknown  int // questions with a word that has no vector, which are not asked
}

// Analogies asks the questions of a file as questions-words.txt: lines ": name" that begin a
// section, and lines of four words, the fourth of which is what the third is to as the second is to
// the first. The answer is the word nearest to second − first + third (3CosAdd) that is none of the
// three. Case does not count, and of words that differ in case the first one, which is the most
// frequent, stands for all. Lines of another form are passed over. See First and [Restrict] for a
// smaller vocabulary. A cancelled context ends it soon with its error.
func (v *Vectors) Analogies(ctx context.Context, r io.Reader) (AnalogyResult, error) {
	if err := interrupt.Err(ctx); err != nil {
		return AnalogyResult{}, fmt.Errorf("vectors: analogies: %w", err)
	}
	folded, fold := v.fold()
	var result AnalogyResult
	var batch [][4]int
	var of []int // sections of the questions
	flush := func() error {
		right, err := v.answer(ctx, batch, folded)
		if err != nil {
			return fmt.Errorf("vectors: analogies: %w", err)
		}
		for k, ok := range right {
			s := &result.Sections[of[k]]
			s.Asked++
			if ok {
				s.Correct++
			}
		}
		batch, of = batch[:0], of[:0]
		return nil
	}
	lines := text.NewLineReader(r)
	lines.Max = maxLine
	for {
		line, err := lines.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			return AnalogyResult{}, fmt.Errorf("vectors: analogies: %w", err)
		}
		if strings.HasPrefix(line, ": ") {
			result.Sections = append(result.Sections,
				Section{Name: strings.TrimSpace(strings.TrimLeft(line, ": "))})
			continue
		}
		if len(result.Sections) == 0 {
			return AnalogyResult{}, fmt.Errorf("vectors: analogies: line %d: a section, as in "+
				"\": capitals\", should begin before it", lines.Line())
		}
		words := strings.Fields(line)
		if len(words) != 4 {
			continue
		}
		var q [4]int
		known := true
		for k, w := range words {
			i, ok := fold[strings.ToUpper(w)]
			q[k], known = i, known && ok
		}
		if !known {
			result.Unknown++
			continue
		}
		batch, of = append(batch, q), append(of, len(result.Sections)-1)
		if len(batch) == 64 {
			if err := flush(); err != nil {
				return AnalogyResult{}, err
			}
		}
	}
	if err := flush(); err != nil {
		return AnalogyResult{}, err
	}
	result.Total.Name = "total"
	for _, s := range result.Sections {
		result.Total.Asked += s.Asked
		result.Total.Correct += s.Correct
	}
	return result, nil
}

// fold maps each word to the first one that is the same but for case, by position and by text in
// upper case.
func (v *Vectors) fold() (folded []int, byText map[string]int) {
	folded, byText = make([]int, v.n), make(map[string]int, v.n)
	for i := range v.n {
		upper := strings.ToUpper(v.word(i))
		if _, ok := byText[upper]; !ok {
			byText[upper] = i
		}
		folded[i] = byText[upper]
	}
	return folded, byText
}

// answer reports which questions have the right answer.
func (v *Vectors) answer(ctx context.Context, questions [][4]int, folded []int) ([]bool, error) {
	ok := make([]bool, len(questions))
	if len(questions) == 0 {
		return ok, nil
	}
	query, u := make([]float32, len(questions)*v.dim), v.units()
	for k, q := range questions {
		row := v.row(query, k)
		copy(row, v.row(u, q[1]))
		kernels.Axpy(row, 1, v.row(u, q[2]))
		kernels.Axpy(row, -1, v.row(u, q[0]))
	}
	const strip = 4096 // words at a time
	scores := make([]float32, len(questions)*strip)
	best, top := make([]int, len(questions)), make([]float32, len(questions))
	kernels.Fill(top, float32(math.Inf(-1)))
	for from := 0; from < v.n; from += strip {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := min(strip, v.n-from)
		kernels.Gemm(false, true, len(questions), n, v.dim, query, v.dim, u[from*v.dim:], v.dim,
			scores, n, false)
		for k, q := range questions {
			for i, s := range scores[k*n : (k+1)*n] {
				if f := folded[from+i]; s > top[k] && f != q[0] && f != q[1] && f != q[2] {
					best[k], top[k] = f, s
				}
			}
		}
	}
	for k, q := range questions {
		ok[k] = top[k] > float32(math.Inf(-1)) && best[k] == q[3]
	}
	return ok, nil
}

// PairResult is the outcome of [Vectors.Pairs].
type PairResult struct {
	Spearman, Pearson float64 // correlation of people's judgements with the cosines
	Pairs             int     // that were compared
	Unknown           int     // pairs with a word that has no vector, which are left out
}

// Pairs compares the vectors with people's judgements of similarity, in a file as wordsim353's:
// lines of two words and a number, separated by tabs. Case does not count, as in Analogies. Lines
// that begin with # and lines of another form are passed over. If the judgements or the cosines do
// not vary, as those of one pair, there is no correlation: an error. A cancelled context ends it
// soon with its error.
func (v *Vectors) Pairs(ctx context.Context, r io.Reader) (PairResult, error) {
	if err := interrupt.Err(ctx); err != nil {
		return PairResult{}, fmt.Errorf("vectors: pairs: %w", err)
	}
	_, fold := v.fold()
	var result PairResult
	var people, ours []float64
	lines := text.NewLineReader(r)
	lines.Max = maxLine
	for {
		line, err := lines.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			return PairResult{}, fmt.Errorf("vectors: pairs: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return PairResult{}, fmt.Errorf("vectors: pairs: %w", err)
		}
		fields := strings.Split(line, "\t")
		if strings.HasPrefix(line, "#") || len(fields) != 3 {
			continue
		}
		judgement, err := strconv.ParseFloat(strings.TrimSpace(fields[2]), 64)
		if err != nil || math.IsNaN(judgement) || math.IsInf(judgement, 0) {
			continue
		}
		a, okA := fold[strings.ToUpper(fields[0])]
		b, okB := fold[strings.ToUpper(fields[1])]
		if !okA || !okB {
			result.Unknown++
			continue
		}
		people, ours = append(people, judgement), append(ours, float64(v.cosine(a, b)))
	}
	if len(people) == 0 {
		return PairResult{}, errors.New("vectors: pairs: there is no line \"word TAB word TAB " +
			"number\" of words with vectors")
	}
	result.Pairs = len(people)
	var errs [2]error
	result.Pearson, errs[0] = metrics.Pearson(people, ours)
	result.Spearman, errs[1] = metrics.Spearman(people, ours)
	if err := errors.Join(errs[:]...); err != nil {
		return result, fmt.Errorf("vectors: pairs: the judgements (list 1) and cosines (list 2) "+
			"of %d pairs: %w", result.Pairs, err)
	}
	return result, nil
}
