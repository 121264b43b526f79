package train

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

type goldenTensor struct {
	Shape []int     `json:"shape"`
	Data  []float64 `json:"data"`
	Dtype string    `json:"dtype"`
}

type goldenCase struct {
	Name    string                  `json:"name"`
	Config  json.RawMessage         `json:"config"`
	Inputs  map[string]goldenTensor `json:"inputs"`
	Params  map[string]goldenTensor `json:"params"`
	Outputs map[string]goldenTensor `json:"outputs"`
	Loss    *float64                `json:"loss"`
	Grads   map[string]goldenTensor `json:"grads"`
}

func TestGoldenOptim(t *testing.T) {
	dir := os.Getenv("GOLDEN_DIR")
	if dir == "" {
		dir = filepath.Join("..", "testdata", "golden")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "optim.json"))
	require.NoError(t, err)
	var file struct {
		Family string       `json:"family"`
		Torch  string       `json:"torch"`
		Cases  []goldenCase `json:"cases"`
	}
	in := json.NewDecoder(bytes.NewReader(raw))
	in.DisallowUnknownFields()
	require.NoError(t, in.Decode(&file))
	require.NotEmpty(t, file.Cases)
	for _, c := range file.Cases {
		t.Run(file.Family+"/"+c.Name, func(t *testing.T) { runOptimCase(t, c) })
	}
}

// runOptimCase runs one case of the family optim, in float64 and in float32.
func runOptimCase(t *testing.T, c goldenCase) {
	switch problem := decodeSettings(t, c.Config).word("problem"); problem {
	case "schedule":
		runScheduleCase(t, c)
	case "quadratic_lstm":
		t.Run("float64", func(t *testing.T) { runTrajectoryCase[float64](t, c, 1e-9, 1e-12) })
		t.Run("float32", func(t *testing.T) { runTrajectoryCase[float32](t, c, 1e-3, 1e-3) })
	default:
		t.Fatalf("unknown problem %q", problem)
	}
}

func runScheduleCase(t *testing.T, c goldenCase) {
	s := decodeSettings(t, c.Config)
	s.word("problem")
	lr, steps := s.number("lr"), s.whole("steps")
	schedule := s.object("schedule").schedule(lr)
	s.done()
	require.ElementsMatch(t, []string{"metrics"}, slices.Collect(maps.Keys(c.Inputs)))
	require.ElementsMatch(t, []string{"lrs"}, slices.Collect(maps.Keys(c.Outputs)))

	var rates []float64
	for n := range steps {
		rates = append(rates, schedule.LR(n))
		schedule.Observe(c.Inputs["metrics"].Data[n])
	}
	requireClose(t, "lrs", c.Outputs["lrs"].Data, rates, 1e-9, 1e-12)
}

func runTrajectoryCase[T float](t *testing.T, c goldenCase, rtol, atol float64) {
	s := decodeSettings(t, c.Config)
	s.word("problem")
	lr, steps := s.number("lr"), s.whole("steps")
	optimizer, clip := s.optimizer(lr), s.clip()
	schedule := s.object("schedule").schedule(lr)
	p := quadraticLSTM{
		B: s.whole("B"), T: s.whole("T"), In: s.whole("In"), H: s.whole("H"), N: s.whole("N"),
		x: c.Inputs["x"].Data, target: c.Inputs["target"].Data, A: c.Inputs["A"].Data, a: c.Inputs["a"].Data,
	}
	s.done()
	require.ElementsMatch(t, []string{"x", "target", "A", "a"}, slices.Collect(maps.Keys(c.Inputs)))

	var params []gorgonia.ValueGrad
	for _, name := range slices.Sorted(maps.Keys(c.Params)) {
		params = append(params, newParam(name, convert[T](c.Params[name].Data), c.Params[name].Shape...))
	}
	got := map[string][]float64{}
	for n := range steps {
		weights := map[string][]float64{}
		for _, vg := range params {
			p := vg.(*param)
			weights[p.name] = convert[float64](dataOf[T](p.value))
		}
		loss, grads := p.lossAndGrads(weights)
		if n == 0 {
			require.Len(t, grads, len(c.Grads))
			requireClose(t, "loss", []float64{*c.Loss}, []float64{loss}, rtol, atol)
			for name, g := range grads {
				requireClose(t, "gradient of "+name, c.Grads[name].Data, g, rtol, atol)
			}
		}
		for _, vg := range params {
			copy(dataOf[T](vg.(*param).grad), convert[T](grads[vg.(*param).name]))
		}
		norm, err := clip.Apply(params)
		require.NoError(t, err)
		optimizer.SetLR(schedule.LR(n))
		require.NoError(t, optimizer.Step(params))
		schedule.Observe(loss)

		got["losses"] = append(got["losses"], loss)
		got["grad_norms"] = append(got["grad_norms"], norm)
		got["lrs"] = append(got["lrs"], optimizer.LR())
		for _, vg := range params {
			p := vg.(*param)
			got["traj."+p.name] = append(got["traj."+p.name], convert[float64](dataOf[T](p.value))...)
		}
	}
	require.Len(t, got, len(c.Outputs))
	for name, want := range c.Outputs {
		requireClose(t, name, want.Data, got[name], rtol, atol)
	}
}

// requireClose applies the rule of the golden vectors: |got − want| ≤ atol + rtol·max|want|.
func requireClose(t *testing.T, name string, want, got []float64, rtol, atol float64) {
	t.Helper()
	require.Len(t, got, len(want), name)
	largest := 0.0
	for _, w := range want {
		largest = max(largest, math.Abs(w))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= atol+rtol*largest) {
			t.Fatalf("%s[%d] is %v; want %v", name, i, got[i], want[i])
		}
	}
}

// settings is the configuration of a case. Each key is taken out once, and none may be left in the end.
type settings struct {
	t *testing.T
	m map[string]any
}

func decodeSettings(t *testing.T, raw json.RawMessage) settings {
	s := settings{t: t}
	require.NoError(t, json.Unmarshal(raw, &s.m))
	return s
}

func take[V any](s settings, key string) V {
	s.t.Helper()
	v, ok := s.m[key].(V)
	require.True(s.t, ok, "config %q is %v", key, s.m[key])
	delete(s.m, key)
	return v
}

func (s settings) number(key string) float64 { return take[float64](s, key) }
func (s settings) word(key string) string    { return take[string](s, key) }
func (s settings) flag(key string) bool      { return take[bool](s, key) }
func (s settings) whole(key string) int      { return int(s.number(key)) }

// exact is a number of which 0 means 0.
func (s settings) exact(key string) float64 {
	if x := s.number(key); x != 0 {
		return x
	}
	return Zero
}

func (s settings) object(key string) settings { return settings{s.t, take[map[string]any](s, key)} }
func (s settings) done()                      { s.t.Helper(); require.Empty(s.t, s.m, "unknown config keys") }

func (s settings) optimizer(lr float64) (o Optimizer) {
	var err error
	switch kind := s.word("optimizer"); kind {
	case "sgd":
		o, err = NewSGD(SGDConfig{LR: lr, Momentum: s.number("momentum"), Nesterov: s.flag("nesterov"),
			WeightDecay: s.number("weight_decay")})
	case "adam", "adamw":
		build := map[string]func(AdamConfig) (Optimizer, error){"adam": NewAdam, "adamw": NewAdamW}[kind]
		o, err = build(AdamConfig{LR: lr, Beta1: s.exact("beta1"), Beta2: s.exact("beta2"), Eps: s.exact("eps"),
			WeightDecay: s.number("weight_decay"), AMSGrad: s.flag("amsgrad")})
	case "rmsprop":
		o, err = NewRMSProp(RMSPropConfig{LR: lr, Alpha: s.exact("alpha"), Eps: s.exact("eps"),
			Momentum: s.number("momentum"), Centered: s.flag("centered")})
	case "adagrad":
		o, err = NewAdagrad(AdagradConfig{LR: lr, LRDecay: s.number("lr_decay"), Eps: s.exact("eps")})
	case "adadelta":
		o, err = NewAdadelta(AdadeltaConfig{LR: lr, Rho: s.exact("rho"), Eps: s.exact("eps")})
	default:
		s.t.Fatalf("unknown optimizer %q", kind)
	}
	require.NoError(s.t, err)
	return o
}

func (s settings) clip() (c Clip) {
	limit, eps := s.number("clip_max"), s.exact("clip_eps")
	switch kind := s.word("clip"); kind {
	case "none":
	case "norm":
		c = Clip{Norm: limit, Eps: eps}
	case "value":
		c = Clip{Value: limit}
	default:
		s.t.Fatalf("unknown clip %q", kind)
	}
	return c
}

func (s settings) schedule(lr float64) (schedule Schedule) {
	var err error
	switch kind := s.word("kind"); kind {
	case "none":
		schedule, err = NewConstant(lr)
	case "step":
		schedule, err = NewStepDecay(StepDecayConfig{LR: lr, Every: s.whole("step_size"), Gamma: s.number("gamma")})
	case "exponential":
		schedule, err = NewExponential(ExponentialConfig{LR: lr, Gamma: s.number("gamma")})
	case "cosine_warmup":
		schedule, err = NewCosine(CosineConfig{LR: lr, MinLR: s.number("min_lr"), Warmup: s.whole("warmup"),
			Total: s.whole("total")})
	case "reduce_on_plateau":
		schedule, err = NewPlateau(PlateauConfig{LR: lr, Factor: s.number("factor"), Patience: s.whole("patience"),
			Threshold: s.number("threshold"), MinLR: s.number("min_lr")})
	default:
		s.t.Fatalf("unknown schedule %q", kind)
	}
	require.NoError(s.t, err)
	s.done()
	return schedule
}

// quadraticLSTM is the problem of the golden trajectories, differentiated by hand:
//
//	loss = mean((y − target)²) + ½(q−a)ᵀA(q−a),  y = out(h_t) of a one-layer LSTM from a zero state
type quadraticLSTM struct {
	B, T, In, H, N  int
	x, target, A, a []float64 // [T, B, In], [T, B, 1], [N, N], [N]
}

func (p quadraticLSTM) lossAndGrads(w map[string][]float64) (loss float64, grads map[string][]float64) {
	grads = map[string][]float64{}
	for name, v := range w {
		grads[name] = make([]float64, len(v))
	}
	wIH, wHH, bIH, bHH := w["weight_ih_l0"], w["weight_hh_l0"], w["bias_ih_l0"], w["bias_hh_l0"]
	out, H, scored := w["out.weight"], p.H, float64(p.T*p.B)
	sigmoid := func(a float64) float64 { return 1 / (1 + math.Exp(-a)) }

	for b := range p.B { // the rows of a batch are independent
		h, c := make([][]float64, p.T+1), make([][]float64, p.T+1) // states before each step and after the last
		gates, errs := make([][]float64, p.T), make([]float64, p.T)
		h[0], c[0] = make([]float64, H), make([]float64, H)
		for t := range p.T {
			x, a := p.x[(t*p.B+b)*p.In:][:p.In], make([]float64, 4*H)
			for r := range a {
				a[r] = bIH[r] + bHH[r] + dot(wIH[r*p.In:], x) + dot(wHH[r*H:], h[t])
				if r/H == 2 {
					a[r] = math.Tanh(a[r])
				} else {
					a[r] = sigmoid(a[r])
				}
			}
			gates[t], h[t+1], c[t+1] = a, make([]float64, H), make([]float64, H)
			for j := range H {
				c[t+1][j] = a[H+j]*c[t][j] + a[j]*a[2*H+j]
				h[t+1][j] = a[3*H+j] * math.Tanh(c[t+1][j])
			}
			errs[t] = dot(out, h[t+1]) + w["out.bias"][0] - p.target[t*p.B+b]
			loss += errs[t] * errs[t] / scored
		}
		dh, dc := make([]float64, H), make([]float64, H)
		for t := p.T - 1; t >= 0; t-- {
			dy, a, da := 2*errs[t]/scored, gates[t], make([]float64, 4*H)
			grads["out.bias"][0] += dy
			for j := range H {
				grads["out.weight"][j] += dy * h[t+1][j]
				dh[j] += dy * out[j]
				i, f, g, o, tc := a[j], a[H+j], a[2*H+j], a[3*H+j], math.Tanh(c[t+1][j])
				dc[j] += dh[j] * o * (1 - tc*tc)
				da[j], da[H+j] = dc[j]*g*i*(1-i), dc[j]*c[t][j]*f*(1-f)
				da[2*H+j], da[3*H+j] = dc[j]*i*(1-g*g), dh[j]*tc*o*(1-o)
				dh[j], dc[j] = 0, dc[j]*f
			}
			for r, d := range da {
				grads["bias_ih_l0"][r] += d
				grads["bias_hh_l0"][r] += d
				for k := range p.In {
					grads["weight_ih_l0"][r*p.In+k] += d * p.x[(t*p.B+b)*p.In+k]
				}
				for k := range H {
					grads["weight_hh_l0"][r*H+k] += d * h[t][k]
					dh[k] += d * wHH[r*H+k]
				}
			}
		}
	}
	for i := range p.N {
		for j := range p.N {
			slope := p.A[i*p.N+j] * (w["q"][j] - p.a[j]) // A is symmetric
			grads["q"][i] += slope
			loss += 0.5 * (w["q"][i] - p.a[i]) * slope
		}
	}
	return loss, grads
}

func dot(x, y []float64) (sum float64) {
	for i := range y {
		sum += x[i] * y[i]
	}
	return sum
}

// param is a parameter as the machines of this library list it.
type param struct {
	name        string
	value, grad gorgonia.Value
}

func (p *param) Name() string                  { return p.name }
func (p *param) Value() gorgonia.Value         { return p.value }
func (p *param) Grad() (gorgonia.Value, error) { return p.grad, nil }

// newParam has a gradient of zeros. data becomes the value, or is copied where the shape is that of a scalar.
func newParam[T float](name string, data []T, shape ...int) *param {
	if len(shape) == 0 {
		if dtypeOf[T]() == tensor.Float32 {
			return &param{name, gorgonia.NewF32(float32(data[0])), gorgonia.NewF32(0)}
		}
		return &param{name, gorgonia.NewF64(float64(data[0])), gorgonia.NewF64(0)}
	}
	return &param{name,
		tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data)),
		tensor.New(tensor.WithShape(shape...), tensor.WithBacking(make([]T, len(data))))}
}

func sizeOf(shape []int) int {
	size := 1
	for _, d := range shape {
		size *= d
	}
	return size
}

func dtypeOf[T float]() tensor.Dtype {
	if _, ok := any(T(0)).(float32); ok {
		return tensor.Float32
	}
	return tensor.Float64
}

// dataOf is the numbers of v in place.
func dataOf[T float](v gorgonia.Value) []T {
	opened, err := vectorOf(v)
	if err != nil {
		panic(err)
	}
	if x, ok := any(opened.f32).([]T); ok {
		return x
	}
	return any(opened.f64).([]T)
}

func convert[To, From float](from []From) []To {
	to := make([]To, len(from))
	for i, x := range from {
		to[i] = To(x)
	}
	return to
}
