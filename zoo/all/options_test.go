package all_test

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/emoji"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/series"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// optioned is a family with its options: a pointer to a struct of structs, and what makes a model
// and its task of them.
type optioned struct {
	options any
	make    func(options any) (zoo.Model, train.Task, error)
}

// of are options with a function of their type.
func of[O any](options O, make func(O) (zoo.Model, train.Task, error)) optioned {
	return optioned{&options, func(o any) (zoo.Model, train.Task, error) { return make(*o.(*O)) }}
}

// fitted is a model with its task.
func fitted[M zoo.Model, D any](m M, err error, task func(M, D) (train.Task, error),
	d D) (zoo.Model, train.Task, error) {
	if err != nil {
		return nil, nil, err
	}
	t, err := task(m, d)
	return m, t, err
}

// optionLayer is what the models are made around.
var optionLayer = zoo.Recurrent{Cell: "gru", Hidden: 4}

// optionTexts are examples of ids.
type optionTexts struct {
	ids               []int
	sequences, tagged []label.Labelled
	joint             []label.JointLabelled
	pairs             []seq2seq.Pair
	dialogues         []dialogue.Dialogue
}

func newOptionTexts() (e optionTexts) {
	for i := range 12 {
		var s []int
		for k := range 1 + i%5 {
			s = append(s, 2+(i*k+k+i)%4)
		}
		e.ids = append(e.ids, s...)
		one := label.Sequence{IDs: s}
		tags := make([]int, len(s))
		tags[0] = i % 2
		e.sequences = append(e.sequences, label.Labelled{Sequence: one, Labels: []int{i % 2}})
		e.tagged = append(e.tagged, label.Labelled{Sequence: one, Labels: tags})
		e.joint = append(e.joint, label.JointLabelled{Sequence: one, Label: i % 2, Tags: tags})
		e.pairs = append(e.pairs, seq2seq.Pair{Source: s, Target: s[:len(s)-i%2]})
		e.dialogues = append(e.dialogues, dialogue.Dialogue{s, {3, 4}, s}[:2+i%2])
	}
	return e
}

// optionsOf are the families.
func optionsOf() map[string]optioned {
	all := map[string]optioned{}
	optionsOfTexts(all, newOptionTexts())
	optionsOfPairs(all, newOptionTexts())
	optionsOfNumbers(all)
	return all
}

func optionsOfTexts(all map[string]optioned, e optionTexts) {
	v := vocabularyFor(theSame)
	lang := struct {
		C lm.Config
		D lm.Data
	}{lm.Config{Recurrent: optionLayer}, lm.Data{Train: e.ids, Batch: 2,
		Window: unroll.Window{Stride: 4}}}
	all["lm"] = of(lang, func(o struct {
		C lm.Config
		D lm.Data
	}) (zoo.Model, train.Task, error) {
		m, err := lm.New(o.C, v, 1)
		return fitted(m, err, (*lm.Model).Task, o.D)
	})
	type classifier struct {
		C label.ClassifierConfig
		D label.Data
	}
	all["classifier"] = of(classifier{
		label.ClassifierConfig{Config: label.Config{Recurrent: optionLayer}},
		label.Data{Train: e.sequences, Batch: 3},
	}, func(o classifier) (zoo.Model, train.Task, error) {
		m, err := label.NewClassifier(o.C, v, twoLabels(), 1)
		return fitted(m, err, (*label.Classifier).Task, o.D)
	})
	type tagger struct {
		C label.TaggerConfig
		D label.Data
	}
	all["tagger"] = of(tagger{label.TaggerConfig{Config: label.Config{Recurrent: optionLayer}},
		label.Data{Train: e.tagged, Batch: 3}}, func(o tagger) (zoo.Model, train.Task, error) {
		m, err := label.NewTagger(o.C, v, twoLabels(), 1)
		return fitted(m, err, (*label.Tagger).Task, o.D)
	})
	type both struct {
		C label.JointConfig
		D label.JointData
	}
	all["joint"] = of(both{label.JointConfig{Config: label.Config{Recurrent: optionLayer}},
		label.JointData{Train: e.joint, Batch: 3}}, func(o both) (zoo.Model, train.Task, error) {
		m, err := label.NewJoint(o.C, v, twoLabels(), twoLabels(), 1)
		return fitted(m, err, (*label.Joint).Task, o.D)
	})
}

func optionsOfPairs(all map[string]optioned, e optionTexts) {
	v := vocabularyFor(theSame)
	type translator struct {
		C seq2seq.Config
		D seq2seq.Data
	}
	all["seq2seq"] = of(translator{seq2seq.Config{Encoder: optionLayer},
		seq2seq.Data{Train: e.pairs, Batch: 3}},
		func(o translator) (zoo.Model, train.Task, error) {
			m, err := seq2seq.New(o.C, v, v, 1)
			return fitted(m, err, (*seq2seq.Model).Task, o.D)
		})
	type talk struct {
		C dialogue.Config
		D dialogue.Data
	}
	all["dialogue"] = of(talk{dialogue.Config{Encoder: optionLayer},
		dialogue.Data{Train: e.dialogues, Batch: 3}},
		func(o talk) (zoo.Model, train.Task, error) {
			m, err := dialogue.New(o.C, v, 1)
			return fitted(m, err, (*dialogue.Model).Task, o.D)
		})
}

func optionsOfNumbers(all map[string]optioned) {
	v := vocabularyFor(theSame)
	learn, _ := rows(theSame)
	shown, _ := pictures(theSame)
	emojis, _ := emojiPairs(theSame)
	words := must(vectors.New([]string{"sun", "moon", "star"}, 2, []float32{1, 0, 0, 1, 1, 1}))
	walk := &series.Series{Names: []string{"x", "z"}}
	for t := range 40 {
		walk.Values = append(walk.Values, float64(t%7), float64(t%5)-float64(t%3))
	}
	type captioner struct {
		C caption.Config
		D caption.Data
	}
	all["caption"] = of(captioner{caption.Config{Height: 4, Width: 4, Patch: 2, Hidden: 4,
		Features: 4, Decoder: optionLayer}, caption.Data{Train: shown, Batch: 3}},
		func(o captioner) (zoo.Model, train.Task, error) {
			m, err := caption.New(o.C, v, 1)
			return fitted(m, err, (*caption.Model).Task, o.D)
		})
	type forecaster struct {
		C forecast.Config
		D forecast.Data
	}
	all["forecast"] = of(forecaster{
		forecast.Config{Recurrent: optionLayer, Variables: walk.Names, Lookback: 4, Horizon: 2},
		forecast.Data{Train: walk, Batch: 3},
	}, func(o forecaster) (zoo.Model, train.Task, error) {
		scale := &series.Scale{Mean: []float64{0, 0}, Deviation: []float64{1, 1}}
		m, err := forecast.New(o.C, scale, 1)
		return fitted(m, err, (*forecast.Model).Task, o.D)
	})
	type auto struct {
		C reduce.AutoencoderConfig
		D reduce.RowData
	}
	all["autoencoder"] = of(auto{reduce.AutoencoderConfig{Features: 4, Widths: []int{3, 2}},
		reduce.RowData{Train: learn, Batch: 3}}, func(o auto) (zoo.Model, train.Task, error) {
		m, err := reduce.NewAutoencoder(o.C, 1)
		return fitted(m, err, (*reduce.Autoencoder).Task, o.D)
	})
	type vae struct {
		C reduce.VAEConfig
		D reduce.VAEData
	}
	all["vae"] = of(vae{reduce.VAEConfig{Features: 4, Widths: []int{3}, Code: 2},
		reduce.VAEData{RowData: reduce.RowData{Train: learn, Batch: 3}}}, func(o vae) (zoo.Model,
		train.Task, error) {
		m, err := reduce.NewVAE(o.C, 1)
		return fitted(m, err, (*reduce.VAE).Task, o.D)
	})
	type recurrent struct {
		C reduce.RecurrentAutoencoderConfig
		D reduce.SeriesData
	}
	some := [][]float32{learn[:12], learn[12:20], learn[20:40], learn[4:8]}
	all["recurrent autoencoder"] = of(
		recurrent{reduce.RecurrentAutoencoderConfig{Recurrent: optionLayer,
			Variables: 4, Window: 2, Code: 2}, reduce.SeriesData{Train: some, Batch: 2}},
		func(o recurrent) (zoo.Model, train.Task, error) {
			m, err := reduce.NewRecurrentAutoencoder(o.C, 1)
			return fitted(m, err, (*reduce.RecurrentAutoencoder).SeriesTask, o.D)
		})
	type faces struct {
		C emoji.Config
		D emoji.Data
	}
	all["emoji"] = of(faces{emoji.Config{}, emoji.Data{Train: emojis, Batch: 3}},
		func(o faces) (zoo.Model, train.Task, error) {
			m, err := emoji.New(o.C, words, emojis)
			return fitted(m, err, (*emoji.Model).Task, o.D)
		})
}

// settings are values that options of a type, or one of a name, may have.
var settings = map[string][]any{
	"Cell": {"lstm"}, "ZoneoutParts": {"all"}, "Merge": {unroll.Sum}, "Score": {cells.DotScore,
		cells.AdditiveScore}, "Attention": {seq2seq.BahdanauAttention, seq2seq.LuongAttention},
	"Bridge": {seq2seq.TanhBridge}, "lm.Level": {lm.Characters},
	"forecast.Level": {forecast.LevelMean},
	"Level":          {"char"}, "Unicode": {text.NFC}, "Variance": {dialogue.ExpVariance},
	"Gaps": {forecast.MaskGaps}, "Activation": {cells.Tanh}, "CodeActivation": {cells.Tanh},
	"Output": {cells.Sigmoid}, "Loss": {reduce.BinaryCrossEntropy},
	"Likelihood": {reduce.GaussianDecoder},
	"Kind":       {reduce.Masking, reduce.SaltAndPepper}, "Pool": {label.PoolMean, label.PoolMax},
	"Targets": {[]string{"x"}}, "Known": {[]string{"z"}}, "Static": {[]string{"z"}},
	"Quantiles": {[]float64{0.1, 0.5, 0.9}}, "Cutoffs": {[]int{4}},
	"ClassWeights": {[]float64{1, 2}}, "PositiveWeights": {[]float64{1, 2}},
	"Weights": {[]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3}},
}

// option is one that can be set.
type option struct {
	name   string
	index  []int
	values []reflect.Value
}

// optionsIn lists those of a struct.
func optionsIn(t reflect.Type, name string, index []int) (all []option) {
	for i := range t.NumField() {
		f := t.Field(i)
		at, called := append(slices.Clone(index), i), strings.TrimPrefix(name+"."+f.Name, ".")
		o := option{name: called, index: at}
		for _, key := range []string{path(t.PkgPath()) + "." + f.Name, f.Name} {
			for _, v := range settings[key] {
				if x := reflect.ValueOf(v); len(o.values) == 0 && x.Type().ConvertibleTo(f.Type) &&
					x.Kind() == f.Type.Kind() {
					o.values = append(o.values, x.Convert(f.Type))
				}
			}
		}
		switch {
		case len(o.values) > 0:
		case f.Type.Kind() == reflect.Struct:
			all = append(all, optionsIn(f.Type, called, at)...)
			continue
		case f.Type.Kind() == reflect.Bool:
			o.values = []reflect.Value{reflect.ValueOf(true)}
		case f.Type.Kind() == reflect.Int || f.Type.Kind() == reflect.Uint64:
			o.values = []reflect.Value{reflect.ValueOf(2).Convert(f.Type),
				reflect.ValueOf(5).Convert(f.Type)}
		case f.Type.Kind() == reflect.Float64:
			o.values = []reflect.Value{reflect.ValueOf(0.25), reflect.ValueOf(2.0)}
		default:
			continue
		}
		all = append(all, o)
	}
	return all
}

func path(s string) string { return s[strings.LastIndex(s, "/")+1:] }

// effect is all that a model with options is and does at first: what it would save, and the losses
// and gradients of some batches.
func (f optioned) effect(set func(options reflect.Value)) (print string, err error) {
	options := reflect.New(reflect.TypeOf(f.options).Elem())
	options.Elem().Set(reflect.ValueOf(f.options).Elem())
	set(options.Elem())
	m, task, err := f.make(options.Interface())
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, p := range m.Params().Params() {
		fmt.Fprintln(h, p.Name(), p.Shape())
		numbers(h, run.ParamFloats(p))
	}
	for i := range 3 {
		b, err := task.Next(1, i)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, b.Loss, b.Count)
		for _, g := range b.Grads {
			v, err := g.Grad()
			if err != nil {
				return "", err
			}
			numbers(h, must(run.FloatsOf(v)))
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

func numbers(h hash.Hash, x run.Floats) {
	for i := range x.Len() {
		fmt.Fprint(h, x.At(i), " ")
	}
}

// silentlyNothing finds options of a family that change nothing and are not refused, beside some
// that are set already.
func (f optioned) silentlyNothing(beside []option, which []int) (found []string,
	effective []option) {
	base := func(o reflect.Value) {
		for i, b := range beside {
			o.FieldByIndex(b.index).Set(b.values[which[i]])
		}
	}
	before, err := f.effect(base)
	if err != nil {
		return nil, nil
	}
	for _, o := range optionsIn(reflect.TypeOf(f.options).Elem(), "", nil) {
		if slices.ContainsFunc(beside, func(b option) bool { return b.name == o.name }) {
			continue
		}
		refused, changed := 0, false
		for _, v := range o.values {
			after, err := f.effect(func(to reflect.Value) {
				base(to)
				to.FieldByIndex(o.index).Set(v)
			})
			if err != nil {
				refused++
			} else if after != before {
				changed = true
			}
		}
		if !changed && refused < len(o.values) {
			found = append(found, o.name)
		} else if changed {
			effective = append(effective, o)
		}
	}
	return found, effective
}

// elsewhere are options that are of something else than what a model learns: how texts are cut, and
// what is an anomaly; and the size of a window, of a reducer's rows.
func elsewhere(name string) bool {
	return strings.Contains(name, ".Text.") || slices.Contains([]string{"C.Level", "C.KeepCase",
		"C.Spaced", "C.Unicode", "C.Threshold", "C.Window"}, name)
}

// Every option of every model does something when it is set alone, or is refused. Dropout between
// the layers of one, and what stands around those above it, are doubted when a training begins.
func TestOptionsAlone(t *testing.T) {
	for name, f := range optionsOf() {
		t.Run(name, func(t *testing.T) {
			_, err := f.effect(func(reflect.Value) {})
			require.NoError(t, err)
			found, effective := f.silentlyNothing(nil, nil)
			require.NotEmpty(t, effective)
			for _, o := range found {
				switch {
				case elsewhere(o), name == "caption" && o == "C.Patch": // 2, as it was
				case strings.HasSuffix(o, ".Dropout"), strings.HasSuffix(o, ".Residual"):
					require.Contains(t, f.doubts(t, o), "it does nothing", o)
				default:
					t.Errorf("%s does nothing, and is not refused", o)
				}
			}
		})
	}
}

// doubts are what a training says of an option.
func (f optioned) doubts(t *testing.T, name string) string {
	options := reflect.New(reflect.TypeOf(f.options).Elem())
	options.Elem().Set(reflect.ValueOf(f.options).Elem())
	for _, o := range optionsIn(options.Type().Elem(), "", nil) {
		if o.name == name {
			options.Elem().FieldByIndex(o.index).Set(o.values[0])
		}
	}
	_, task, err := f.make(options.Interface())
	require.NoError(t, err)
	return strings.Join(task.(train.Warner).Warnings(), "\n")
}

// With -long: which options do nothing beside another one, for who looks for contradictions. Some
// are no mistakes: a bridge of tanh where it is the default.
func TestOptionsInPairs(t *testing.T) {
	if !*long {
		t.Skip("it takes minutes: -long")
	}
	for name, f := range optionsOf() {
		t.Run(name, func(t *testing.T) {
			alone, effective := f.silentlyNothing(nil, nil)
			for _, o := range effective {
				found, _ := f.silentlyNothing([]option{o}, []int{0})
				for _, other := range found {
					if !slices.Contains(alone, other) {
						t.Log(other, "does nothing beside", o.name, o.values[0])
					}
				}
			}
		})
	}
}
