"""Writes the conformance suite beside this file: recurrent ONNX models with inputs, outputs and
gradients. Needs python3-onnx and python3-torch (Debian 12: onnx 1.12, torch 1.13); see docs/onnx.md.

Each case is a folder in the layout of ONNX's own node tests:

    model.onnx
    test_data_set_0/input_K.pb      the K-th input of the graph
    test_data_set_0/output_K.pb     the K-th output
    test_data_set_0/cotangent_K.pb  dL/d(output K)
    test_data_set_0/gradient_K.pb   dL/d(the tensor that it is named after): inputs of floats and
                                    initialisers

with L the sum over all outputs of the sum of cotangent times output. The numbers are PyTorch's, in
float64, rounded. The operators are written out step by step, after ONNX's definition, so that no
exporter has a part in them; those under torch_ come from torch.onnx.export.
"""
import io, os, shutil, sys
import numpy, onnx, torch
from onnx import helper, numpy_helper, TensorProto as TP

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "conformance")
ALPHA = {"leakyrelu": 0.01, "thresholdedrelu": 1.0, "affine": 1.0, "scaledtanh": 1.0,
         "hardsigmoid": 0.2, "elu": 1.0}
BETA = {"affine": 0.0, "scaledtanh": 1.0, "hardsigmoid": 0.5}


def function(name, alpha, beta):
    return {
        "relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
        "softplus": torch.nn.functional.softplus, "softsign": torch.nn.functional.softsign,
        "leakyrelu": lambda x: torch.where(x > 0, x, alpha * x),
        "thresholdedrelu": lambda x: torch.where(x > alpha, x, torch.zeros_like(x)),
        "affine": lambda x: alpha * x + beta,
        "scaledtanh": lambda x: alpha * torch.tanh(beta * x),
        "hardsigmoid": lambda x: torch.clamp(alpha * x + beta, 0, 1),
        "elu": lambda x: torch.where(x > 0, x, alpha * (torch.exp(torch.clamp(x, max=0)) - 1)),
    }[name]


def recurrent(kind, X, W, R, B=None, lengths=None, h0=None, c0=None, P=None, direction="forward",
              activations=None, alpha=(), beta=(), clip=None, linear_before_reset=0,
              input_forget=0, layout=0):
    """The operator, written out: a loop over directions, sequences and steps."""
    if layout:
        X = X.transpose(0, 1)
        h0, c0 = [None if s is None else s.transpose(0, 1) for s in (h0, c0)]
    T, N, _ = X.shape
    D, H = R.shape[0], R.shape[2]
    usual = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}[kind]
    names = [n.lower() for n in (activations or usual * D)]
    alpha, beta = list(alpha), list(beta)
    fs = [function(n, alpha.pop(0) if n in ALPHA and alpha else ALPHA.get(n),
                   beta.pop(0) if n in BETA and beta else BETA.get(n)) for n in names]
    limit = (lambda x: torch.clamp(x, -clip, clip)) if clip else (lambda x: x)
    acts = [[lambda x, f=f: f(limit(x)) for f in fs[d * len(usual):(d + 1) * len(usual)]]
            for d in range(D)]
    Y = [[[torch.zeros(H, dtype=X.dtype) for _ in range(N)] for _ in range(D)] for _ in range(T)]
    last = [[None] * N for _ in range(D)]
    cell = [[None] * N for _ in range(D)]
    for d in range(D):
        f, g, hh = (acts[d] + [None, None])[:3]
        w, r = W[d], R[d]
        wb = B[d][:len(w)] if B is not None else torch.zeros(len(w), dtype=X.dtype)
        rb = B[d][len(w):] if B is not None else torch.zeros(len(w), dtype=X.dtype)
        p = [P[d][k * H:(k + 1) * H] for k in range(3)] if P is not None else [0, 0, 0]
        for n in range(N):
            h = h0[d][n] if h0 is not None else torch.zeros(H, dtype=X.dtype)
            c = c0[d][n] if c0 is not None else torch.zeros(H, dtype=X.dtype)
            steps = range(T if lengths is None else int(lengths[n]))
            if d == 1 or direction == "reverse":
                steps = reversed(steps)
            for t in steps:
                x = X[t][n]
                a = w @ x + wb
                if kind == "RNN":
                    h = f(a + r @ h + rb)
                elif kind == "GRU":
                    ah = r @ h + rb
                    z, s = f(a[:H] + ah[:H]), f(a[H:2 * H] + ah[H:2 * H])
                    if linear_before_reset:
                        m = g(a[2 * H:] + s * ah[2 * H:])
                    else:
                        m = g(a[2 * H:] + r[2 * H:] @ (s * h) + rb[2 * H:])
                    h = (1 - z) * m + z * h
                else:
                    a = a + r @ h + rb
                    i = f(a[:H] + p[0] * c)
                    q = 1 - i if input_forget else f(a[2 * H:3 * H] + p[2] * c)
                    c = q * c + i * g(a[3 * H:])
                    o = f(a[H:2 * H] + p[1] * c)
                    h = o * hh(c)
                Y[t][d][n] = h
            last[d][n], cell[d][n] = h, c
    Y = torch.stack([torch.stack([torch.stack(r) for r in t]) for t in Y])
    out = [Y, torch.stack([torch.stack(r) for r in last])]
    if kind == "LSTM":
        out.append(torch.stack([torch.stack(r) for r in cell]))
    if layout:
        out = [out[0].permute(2, 0, 1, 3)] + [s.transpose(0, 1) for s in out[1:]]
    return out


def save(name, model, inputs, outputs, wrt, seed):
    """inputs and wrt: tensors by name; outputs: in the order of the graph."""
    folder = os.path.join(here, name)
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data)
    onnx.save(model, os.path.join(folder, "model.onnx"))
    gen = torch.Generator().manual_seed(seed)
    cots = [torch.randn(o.shape, generator=gen, dtype=torch.float64).float().double()
            for o in outputs]
    loss = sum((c * o).sum() for c, o in zip(cots, outputs))
    grads = torch.autograd.grad(loss, list(wrt.values()), allow_unused=True)

    def write(file, tensor, key):
        array = tensor.detach().numpy()
        if array.dtype == numpy.float64:
            array = array.astype(numpy.float32)
        with open(os.path.join(data, file), "wb") as f:
            f.write(numpy_helper.from_array(array, key).SerializeToString())

    for k, (key, t) in enumerate(inputs.items()):
        write("input_%d.pb" % k, t, key)
    for k, o in enumerate(outputs):
        write("output_%d.pb" % k, o, model.graph.output[k].name)
        write("cotangent_%d.pb" % k, cots[k], model.graph.output[k].name)
    for k, (key, g) in enumerate(zip(wrt, grads)):
        write("gradient_%d.pb" % k, torch.zeros_like(wrt[key]) if g is None else g, key)


def operator(name, kind, T=4, N=3, I=3, H=2, bias=True, lengths=None, states=False, peephole=False,
             seed=0, **attrs):
    gen = torch.Generator().manual_seed(seed + 1)

    def draw(*shape, scale=0.7):
        x = (scale * torch.randn(*shape, generator=gen, dtype=torch.float64)).float().double()
        return x.requires_grad_()

    D = 2 if attrs.get("direction") == "bidirectional" else 1
    G = {"RNN": 1, "GRU": 3, "LSTM": 4}[kind]
    layout = attrs.get("layout", 0)
    order = (lambda *s: (s[1], s[0]) + s[2:]) if layout else (lambda *s: s)
    inputs = {"X": draw(*order(T, N, I), scale=1)}
    weights = {"W": draw(D, G * H, I), "R": draw(D, G * H, H)}
    names = ["X", "W", "R", "", "", "", "", ""]
    args = {}
    if bias:
        args["B"] = weights["B"] = draw(D, 2 * G * H)
        names[3] = "B"
    if lengths is not None:
        inputs["lengths"] = args["lengths"] = torch.tensor(lengths, dtype=torch.int32)
        names[4] = "lengths"
    if states:
        args["h0"] = inputs["h0"] = draw(*order(D, N, H))
        names[5] = "h0"
        if kind == "LSTM":
            args["c0"] = inputs["c0"] = draw(*order(D, N, H))
            names[6] = "c0"
    if peephole:
        args["P"] = weights["P"] = draw(D, 3 * H)
        names[7] = "P"
    while not names[-1]:
        names.pop()
    ref = dict(attrs)
    node = dict(attrs)
    for key, to in (("alpha", "activation_alpha"), ("beta", "activation_beta")):
        if key in node:
            node[to] = node.pop(key)
    outs = recurrent(kind, inputs["X"], weights["W"], weights["R"], **args, **ref)
    out_names = ["Y", "Y_h", "Y_c"][:len(outs)]

    def info(key, t):
        elem = TP.INT32 if t.dtype == torch.int32 else TP.FLOAT
        return helper.make_tensor_value_info(key, elem, list(t.shape))

    graph = helper.make_graph(
        [helper.make_node(kind, names, out_names, hidden_size=H, **node)], name,
        [info(k, t) for k, t in inputs.items()], [info(k, t) for k, t in zip(out_names, outs)],
        [numpy_helper.from_array(t.detach().numpy().astype(numpy.float32), k)
         for k, t in weights.items()])
    model = helper.make_model(graph, producer_name="seqzoo conformance",
                              opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 7
    onnx.checker.check_model(model)
    wrt = {k: t for k, t in list(inputs.items()) + list(weights.items()) if t.requires_grad}
    save(name, model, inputs, outs, wrt, seed)


def operators():
    k = 0
    for kind in ("RNN", "GRU", "LSTM"):
        low = kind.lower()
        for name, o in {
            "plain": dict(bias=False),
            "reverse_lengths": dict(direction="reverse", lengths=[2, 0, 4]),
            "bidirectional_lengths": dict(direction="bidirectional", lengths=[0, 4, 1], states=True),
            "layout": dict(layout=1, states=True, direction="bidirectional"),
            "one_step": dict(T=1, states=True),
            "one_sequence": dict(N=1, direction="bidirectional"),
            "clip": dict(clip=0.4, states=True),
            "one_unit": dict(H=1, I=1, lengths=[4, 3, 1]),
        }.items():
            operator("%s_%s" % (low, name), kind, seed=k, **o)
            k += 1
    for lbr in (0, 1):
        operator("gru_linear_before_reset_%d" % lbr, "GRU", linear_before_reset=lbr, states=True,
                 lengths=[1, 4, 3], seed=90 + lbr)
        operator("gru_linear_before_reset_%d_bidirectional" % lbr, "GRU", linear_before_reset=lbr,
                 direction="bidirectional", seed=92 + lbr)
    operator("lstm_peepholes", "LSTM", peephole=True, states=True, seed=100)
    operator("lstm_peepholes_bidirectional_lengths", "LSTM", peephole=True, seed=101,
             direction="bidirectional", lengths=[4, 2, 0], states=True)
    operator("lstm_input_forget", "LSTM", input_forget=1, peephole=True, seed=102)
    for k, name in enumerate(["Relu", "Softplus", "Softsign", "LeakyRelu", "ThresholdedRelu", "Affine",
                              "ScaledTanh", "HardSigmoid", "Elu"]):
        low = name.lower()
        o = {}
        if low in ALPHA:
            o["alpha"] = [0.3]
        if low in BETA:
            o["beta"] = [0.6]
        operator("rnn_" + low, "RNN", activations=[name], seed=110 + k, **o)
    operator("lstm_activations", "LSTM", activations=["HardSigmoid", "ScaledTanh", "LeakyRelu",
             "Sigmoid", "Elu", "Softsign"], alpha=[0.3, 1.2, 0.2, 0.7], beta=[0.4, 0.8],
             direction="bidirectional", seed=120)


class Net(torch.nn.Module):
    def __init__(self, kind, **o):
        super().__init__()
        self.embed = torch.nn.Embedding(7, 3)
        self.rnn = getattr(torch.nn, kind)(3, 4, **o)
        width = 4 * (2 if o.get("bidirectional") else 1)
        if o.get("proj_size"):
            width = o["proj_size"] * (2 if o.get("bidirectional") else 1)
        self.out = torch.nn.Linear(width, 2)

    def forward(self, ids, h=None, c=None):
        x = self.embed(ids)
        if h is None:
            y, _ = self.rnn(x)
            return self.out(y)
        y, s = self.rnn(x, (h, c) if isinstance(self.rnn, torch.nn.LSTM) else h)
        return (self.out(y),) + (s if isinstance(s, tuple) else (s,))


def scan(name, T=4, N=3, H=2, states=1, reads=(3,), read_directions=None, read_axes=None,
         write_directions=None, write_axes=None, seed=0):
    """A Scan over steps of so many states, which reads sequences of these widths, each with a
    direction and an axis of its own, and writes two. The step, with every number of its states:

        a = sum of x_j W_j + s_1 U + b
        s_1' = tanh(a), s_2' = s_2 sigmoid(a) + s_1', s_k' = (s_k + s_(k-1)') / 2
        y_1 = s_1' * (x_1 V), y_2 = the last state after the step
    """
    gen = torch.Generator().manual_seed(seed + 1)

    def draw(*shape, scale=0.7):
        x = (scale * torch.randn(*shape, generator=gen, dtype=torch.float64)).float().double()
        return x.requires_grad_()

    m = len(reads)
    inputs = {"s%d" % (k + 1): draw(N, H) for k in range(states)}
    along = read_axes or [0] * m
    for j, width in enumerate(reads):
        inputs["x%d" % (j + 1)] = draw(*((N, T, width) if along[j] == 1 else (T, N, width)))
    weights = {"W%d" % (j + 1): draw(width, H) for j, width in enumerate(reads)}
    weights.update(U=draw(H, H), b=draw(H), V=draw(reads[0], H))

    s = [inputs["s%d" % (k + 1)] for k in range(states)]
    ys = [[None] * T, [None] * T]
    for i in range(T):
        at = [T - 1 - i if (read_directions or [0] * m)[j] else i for j in range(m)]
        x = [inputs["x%d" % (j + 1)].select(along[j], at[j]) for j in range(m)]
        a = sum(x[j] @ weights["W%d" % (j + 1)] for j in range(m)) + s[0] @ weights["U"] + weights["b"]
        new = [torch.tanh(a)]
        for k in range(1, states):
            new.append(s[1] * torch.sigmoid(a) + new[0] if k == 1 else (s[k] + new[k - 1]) * 0.5)
        s = new
        for k, y in enumerate((s[0] * (x[0] @ weights["V"]), s[-1])):
            ys[k][T - 1 - i if (write_directions or [0, 0])[k] else i] = y
    outs = s + [torch.stack(y, (write_axes or [0, 0])[k]) for k, y in enumerate(ys)]
    out_names = ["end%d" % (k + 1) for k in range(states)] + ["y1", "y2"]

    node = helper.make_node
    body, sums = [], []
    for j in range(m):
        body.append(node("MatMul", ["in_x%d" % (j + 1), "W%d" % (j + 1)], ["p%d" % j]))
        sums.append("p%d" % j)
    body.append(node("MatMul", ["in_s1", "U"], ["pu"]))
    body += [node("Sum", sums + ["pu", "b"], ["a"]), node("Tanh", ["a"], ["out_s1"])]
    for k in range(2, states + 1):
        if k == 2:
            body += [node("Sigmoid", ["a"], ["gate"]), node("Mul", ["in_s2", "gate"], ["kept"]),
                     node("Add", ["kept", "out_s1"], ["out_s2"])]
        else:
            body += [node("Constant", [], ["half%d" % k], value=helper.make_tensor("h", TP.FLOAT, [], [0.5])),
                     node("Add", ["in_s%d" % k, "out_s%d" % (k - 1)], ["sum%d" % k]),
                     node("Mul", ["sum%d" % k, "half%d" % k], ["out_s%d" % k])]
    body += [node("MatMul", ["in_x1", "V"], ["xv"]), node("Mul", ["out_s1", "xv"], ["out_y1"]),
             node("Identity", ["out_s%d" % states], ["out_y2"])]

    def info(key, shape):
        return helper.make_tensor_value_info(key, TP.FLOAT, list(shape))

    step = helper.make_graph(
        body, "step",
        [info("in_s%d" % (k + 1), (N, H)) for k in range(states)] +
        [info("in_x%d" % (j + 1), (N, w)) for j, w in enumerate(reads)],
        [info("out_s%d" % (k + 1), (N, H)) for k in range(states)] +
        [info("out_y1", (N, H)), info("out_y2", (N, H))])
    attrs = {"scan_input_directions": read_directions, "scan_input_axes": read_axes,
             "scan_output_directions": write_directions, "scan_output_axes": write_axes}
    graph = helper.make_graph(
        [node("Scan", list(inputs), out_names, body=step, num_scan_inputs=m,
              **{k: list(v) for k, v in attrs.items() if v})], name,
        [info(k, t.shape) for k, t in inputs.items()],
        [info(k, t.shape) for k, t in zip(out_names, outs)],
        [numpy_helper.from_array(t.detach().numpy().astype(numpy.float32), k)
         for k, t in weights.items()])
    model = helper.make_model(graph, producer_name="seqzoo conformance",
                              opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 7
    onnx.checker.check_model(model)
    save(name, model, inputs, outs, dict(list(inputs.items()) + list(weights.items())), seed)


def scans():
    scan("scan_one_state", seed=301)
    scan("scan_three_states", states=3, seed=302)
    scan("scan_reverse", states=2, read_directions=[1], write_directions=[1, 1], seed=303)
    scan("scan_both_directions", states=2, reads=(3, 2), read_directions=[0, 1],
         write_directions=[1, 0], seed=304)
    scan("scan_axes", states=2, reads=(3, 2), read_directions=[1, 0], read_axes=[1, 0],
         write_directions=[0, 1], write_axes=[1, 1], seed=305)
    scan("scan_one_step", T=1, states=2, seed=306)
    scan("scan_one_sequence", N=1, states=2, reads=(3, 2), read_directions=[1, 0], seed=307)
    scan("scan_one_unit", H=1, states=2, seed=308)


def exported():
    k = 0
    for kind in ("RNN", "GRU", "LSTM"):
        for opset, o in ((11, dict()), (13, dict(num_layers=2)), (14, dict(bidirectional=True)),
                         (16, dict(num_layers=2, bidirectional=True, batch_first=True))):
            torch.manual_seed(k)
            k += 1
            net = Net(kind, **o).eval()
            ids = torch.randint(0, 7, (5, 3))
            first = 1 if o.get("batch_first") else 0
            axes = {0: "batch", 1: "time"} if first else {0: "time", 1: "batch"}
            buffer = io.BytesIO()
            torch.onnx.export(net, (ids,), buffer, opset_version=opset, input_names=["ids"],
                              output_names=["scores"], dynamic_axes={"ids": axes, "scores": axes})
            model = onnx.load_from_string(buffer.getvalue())
            name = "torch_%s_%d%s" % (kind.lower(), opset, "_stacked" if "num_layers" in o else "")
            other = torch.randint(0, 7, (4, 2))  # another batch and length than exported with
            double = net.double()
            out = double(other)
            save(name, model, {"ids": other}, [out], dict(kept(double, model)), k)


class Packed(torch.nn.Module):
    """A classifier over packed sequences: unequal lengths, the last states, states given."""
    def __init__(self, kind, **o):
        super().__init__()
        self.embed = torch.nn.Embedding(7, 3)
        self.rnn = getattr(torch.nn, kind)(3, 4, **o)
        self.out = torch.nn.Linear(4 * (2 if o.get("bidirectional") else 1), 2)

    def forward(self, ids, lengths, h, c=None):
        x = torch.nn.utils.rnn.pack_padded_sequence(self.embed(ids), lengths)
        y, s = self.rnn(x, h if c is None else (h, c))
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y)
        s = s if isinstance(s, tuple) else (s,)
        return (self.out(y),) + s


class Voice(torch.nn.Module):
    """What voice-activity detectors look like: convolutions, an LSTM, a probability a frame."""
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Conv1d(1, 6, 5, stride=2, padding=2)
        self.norm = torch.nn.BatchNorm1d(6)
        self.b = torch.nn.Conv1d(6, 4, 3, groups=2, dilation=2)
        self.pool = torch.nn.MaxPool1d(2)
        self.rnn = torch.nn.LSTM(4, 5)
        self.out = torch.nn.Linear(5, 1)

    def forward(self, x, h, c):
        x = torch.relu(self.norm(self.a(x.unsqueeze(1))))
        x = self.pool(torch.nn.functional.gelu(self.b(x))).permute(2, 0, 1)
        y, (h, c) = self.rnn(x, (h, c))
        return torch.sigmoid(self.out(y)).squeeze(-1).mean(0), h, c


class Attends(torch.nn.Module):
    """A GRU, attention of its last state over all of them, and layer normalisation."""
    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.GRU(3, 4, batch_first=True)
        self.norm = torch.nn.LayerNorm(4)
        self.out = torch.nn.Linear(8, 3)

    def forward(self, x):
        y, h = self.rnn(x)
        q = self.norm(h[-1])
        a = torch.softmax(torch.einsum("bth,bh->bt", y, q) / 2, 1)
        context = torch.bmm(a.unsqueeze(1), y).squeeze(1)
        return torch.log_softmax(self.out(torch.cat([context, torch.tanh(q)], 1)), -1)


def export(name, net, example, other, names, outs, axes, opset, seed):
    """Exports with one input, keeps the numbers of another of other sizes."""
    buffer = io.BytesIO()
    torch.onnx.export(net.eval(), example, buffer, opset_version=opset, input_names=names,
                      output_names=outs, dynamic_axes=axes)
    model = onnx.load_from_string(buffer.getvalue())
    double = net.double()
    floats = {k: t.double().requires_grad_() if t.dtype == torch.float32 else t
              for k, t in zip(names, other)}
    got = double(*floats.values())
    got = list(got) if isinstance(got, tuple) else [got]
    wrt = dict(kept(double, model))
    wrt.update({k: t for k, t in floats.items() if t.requires_grad})
    save(name, model, floats, got, wrt, seed)


def larger():
    k = 200
    for kind in ("RNN", "GRU", "LSTM"):
        for opset, o in ((12, dict()), (15, dict(num_layers=2, bidirectional=True))):
            torch.manual_seed(k)
            k += 1
            D = (2 if o.get("bidirectional") else 1) * o.get("num_layers", 1)

            def arguments(T, N, lengths):
                a = [torch.randint(0, 7, (T, N)), torch.tensor(lengths), torch.randn(D, N, 4)]
                return tuple(a + [torch.randn(D, N, 4)] if kind == "LSTM" else a)
            names = ["ids", "lengths", "h", "c"][:4 if kind == "LSTM" else 3]
            outs = ["scores", "h_n", "c_n"][:len(names) - 1]
            axes = {"ids": {0: "T", 1: "B"}, "lengths": {0: "B"}, "scores": {0: "T", 1: "B"}}
            axes.update({n: {1: "B"} for n in names[2:] + outs[1:]})
            export("torch_packed_%s_%d" % (kind.lower(), opset), Packed(kind, **o),
                   arguments(5, 3, [5, 3, 1]), arguments(4, 2, [4, 3]), names, outs, axes, opset, k)
    for opset in (12, 16):
        torch.manual_seed(k)
        k += 1
        states = lambda n: (torch.randn(1, n, 5), torch.randn(1, n, 5))
        export("torch_voice_%d" % opset, Voice(), (torch.randn(2, 40),) + states(2),
               (torch.randn(3, 52),) + states(3), ["x", "h", "c"], ["p", "h_n", "c_n"],
               {"x": {0: "B", 1: "samples"}, "p": {0: "B"}, "h": {1: "B"}, "c": {1: "B"},
                "h_n": {1: "B"}, "c_n": {1: "B"}}, opset, k)
        export("torch_attention_%d" % opset, Attends(), (torch.randn(2, 5, 3),),
               (torch.randn(3, 7, 3),), ["x"], ["p"], {"x": {0: "B", 1: "T"}, "p": {0: "B"}}, opset,
               k)


def kept(net, model):
    """Parameters whose names the exporter kept."""
    names = {t.name for t in model.graph.initializer}
    return [(n, p) for n, p in net.named_parameters() if n in names]


if __name__ == "__main__":
    shutil.rmtree(here, ignore_errors=True)
    os.makedirs(here)
    operators()
    scans()
    exported()
    larger()
    print(len(os.listdir(here)), "cases")
