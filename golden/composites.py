#!/usr/bin/env python3
"""Writes golden vectors of models whose parts have different cells, in the format of testdata.

    python3 golden/composites.py --generator PATH/generate.py --out DIR [--seed N] [--cases N]

The generator is the script that wrote the other files of testdata (see the README there). What is drawn here is which
cells, options, widths and depths meet; the models themselves are the generator's. Every gradient is held to central
differences on the way.
"""
import argparse
import importlib.util
import json
import os
import random

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--generator", required=True)
parser.add_argument("--out", required=True)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--cases", type=int, default=10, help="of each family")
args = parser.parse_args()

spec = importlib.util.spec_from_file_location("generate", args.generator)
G = importlib.util.module_from_spec(spec)
spec.loader.exec_module(G)
draw = random.Random(args.seed)


def cell(parts, H, layers=1, both=False, plain=True):
    """A cell with as many parts of a state, and options as they fall."""
    kind = draw.choice(["rnn", "gru"] if parts == 1 else ["lstm"])
    options = {"bias": draw.random() < 0.7, "layers": layers}
    if both:
        options.update(bidirectional=True, merge=draw.choice(["concat", "sum", "mean", "product"]))
    if kind == "rnn":
        options["activation"] = draw.choice(["tanh", "sigmoid"])
    elif kind == "gru":
        options["reset"] = draw.choice(["before", "after"])
    else:
        options.update(peephole=draw.choice(["none", "diagonal", "full"]), coupled=draw.random() < 0.5)
        if not plain and draw.random() < 0.5:
            options["proj_size"] = max(1, H - 1)
    return kind, options


def seq2seq(n):
    for i in range(n):
        parts, layers, both = draw.choice([1, 2]), draw.choice([1, 2]), draw.random() < 0.5
        size = dict(G.SIZES["seq2seq"][1], H_enc=draw.choice([2, 3, 5]), H_dec=draw.choice([2, 4]))
        attention = draw.choice(["none", "bahdanau", "luong"])
        free = both or attention != "none"  # the bridge makes any widths meet
        enc = cell(parts, size["H_enc"], layers, both, not free)
        dec = cell(parts, size["H_dec"], layers, False, not free or attention == "luong")
        more = {"k1": draw.choice([1, 2, 3])} if draw.random() < 0.4 else {}
        yield G.seq2seq_case(f"mixed{i}_{enc[0]}_{dec[0]}", size, enc, dec, attention,
                             draw.choice(["general", "concat"]) if attention == "luong" else None,
                             draw.choice(["mean", "batch"]), **more)


def parts(n):
    """Encoders and decoders whose states have other parts: each part of the decoder's starts as what the bridge makes of
    the encoder's part of that name, or of its output."""
    for i in range(n):
        size = dict(G.SIZES["seq2seq"][1], H_enc=draw.choice([2, 3, 5]), H_dec=draw.choice([2, 4]))
        attention, layers, (one, other) = draw.choice(["none", "bahdanau", "luong"]), draw.choice([1, 2]), draw.choice([(1, 2), (2, 1)])
        enc = cell(one, size["H_enc"], layers, i % 2 == 0 or attention == "none", False)
        if enc[1].get("bidirectional"):
            enc[1]["merge"] = ["sum", "mean", "concat", "product"][i // 2 % 4]
        dec = cell(other, size["H_dec"], layers, False, attention == "bahdanau")
        more = {"k1": draw.choice([1, 2, 3])} if draw.random() < 0.4 else {}
        yield G.seq2seq_case(f"parts{i}_{enc[0]}_{dec[0]}", size, enc, dec, attention,
                             draw.choice(["general", "concat"]) if attention == "luong" else None,
                             draw.choice(["mean", "batch"]), **more)


def bridge(config, params, prefix, enc, states):
    """The generator's bridge, for the parts of the decoder."""
    if config["bridge"] == "none":
        return states
    own, ways, out = dict(zip(G.state_parts(enc), states)), G.directions(enc), []
    for part in G.state_parts(config["decoder"]):
        s = own.get(part, own["h"])
        s = s.reshape(enc["layers"], ways, *s.shape[1:]).transpose(1, 2).flatten(2)
        out.append(G.torch.stack([G.torch.tanh(G.apply(s[l], params, f"{prefix}_{part}_l{l}")) for l in range(enc["layers"])]))
    return tuple(out)


def seq2seq_model(config, given, rng):
    """The generator's model, with weights of the bridge for the parts of the decoder."""
    parts_of = G.state_parts
    G.state_parts = lambda c: parts_of(config["decoder"] if c is config["encoder"] else c)
    try:
        return G.seq2seq(config, given, rng)  # declares the parameters; what it returns asks for parts anew
    finally:
        G.state_parts = parts_of


G.bridge = bridge


def hred(n):
    for i in range(n):
        size = dict(G.SIZES["hred"][1], H_enc=draw.choice([2, 3]), H_ctx=draw.choice([2, 5]), H_dec=draw.choice([1, 4]))
        enc = cell(draw.choice([1, 2]), size["H_enc"], draw.choice([1, 2]), draw.random() < 0.5)
        if "merge" in enc[1]:
            enc[1]["merge"] = "concat"  # the last states of both directions stand side by side
        ctx = cell(draw.choice([1, 2]), size["H_ctx"], draw.choice([1, 2]))
        latent = {} if draw.random() < 0.5 else dict(variance=draw.choice(["exp", "softplus"]), kl_weight=draw.choice([0.3, 1.0]))
        yield G.hred_case(f"mixed{i}", size, enc, ctx, cell(draw.choice([1, 2]), size["H_dec"]), draw.random() < 0.5, **latent)


def decode(n):
    for i in range(n):
        size, H = G.SIZES["decode"][1], draw.choice([3, 4])
        kind, options = cell(draw.choice([1, 2]), H, draw.choice([1, 2]))
        base = {k: size[k] for k in ("B", "V", "E", "max_length")}
        method = {"method": "beam", "beam": draw.choice([2, 3]), "alpha": draw.choice([0.0, 0.6])} if i % 3 else {"method": "greedy"}
        yield G.named(f"mixed{i}_{kind}", {**method, "cell": G.cell_config(kind, In=size["E"], H=H, **options), "bos": 0,
                                           "eos": size["V"] - 1, **base}, discourage_eos=1.0)


def config_of(H, In, layers=1, both=False, plain=True):
    kind, options = cell(draw.choice([1, 2]), H, layers, both, plain)
    return kind, G.cell_config(kind, H=H, In=In, **options)


def tbptt(n):
    for i in range(n):
        size = dict(draw.choice(G.SIZES["tbptt"][::2]))
        k1, k2 = draw.choice(size.pop("windows"))
        kind, stack = config_of(size["H"], size["In"], draw.choice([1, 2, 3]), plain=False)
        update = draw.choice(["none", "sgd"])
        yield G.named(f"mixed{i}_{kind}", {**stack, **size, "initial_state": draw.choice(["given", "zero"]), "k1": k1, "k2": k2,
                                           "update": update, "lr": 0.1 if update == "sgd" else 0.0,
                                           "reduction": draw.choice(["mean", "sum"])})


def lengths(n):
    for i in range(n):
        size = dict(draw.choice(G.SIZES["lengths"]))
        given = size.pop("lengths")
        kind, stack = config_of(size["H"], size["In"], draw.choice([1, 2]), draw.random() < 0.5, False)
        yield G.named(f"mixed{i}_{kind}", {**stack, "B": size["B"], "T": size["T"], "initial_state": draw.choice(["given", "zero"])},
                      lengths=given)


def norm_dropout(n):
    for i in range(n):
        size = draw.choice(G.SIZES["norm_dropout"][1:])
        how = draw.choice(["variational", "zoneout", "between_layers"])
        kind, stack = config_of(size["H"], size["In"], 2 if how == "between_layers" else 1, how == "between_layers")
        more = {"p": 0.3}
        if how == "zoneout":
            more = {"mode": draw.choice(["train", "eval"]), "p_h": 0.2}
            if kind == "lstm":
                more["p_c"] = 0.5
        yield G.named(f"mixed{i}_{how}_{kind}", {"kind": how, "cell": stack, **size, **more})


lines = []
for family, cases in (("seq2seq", seq2seq), ("hred", hred), ("decode", decode), ("tbptt", tbptt), ("lengths", lengths),
                      ("norm_dropout", norm_dropout), ("seq2seq", parts)):
    for name, config, given in cases(args.cases):
        make = seq2seq_model if family == "seq2seq" else G.FAMILIES[family][1]
        model = make(config, given, G.Rng(args.seed, "composites", family, name))
        case = G.run_case(family, name, config, model, family != "seq2seq" or "k1" not in config)
        case["name"] = family + "_" + name
        case["config"] = {"family": family, **config}
        lines.append(json.dumps(case, separators=(",", ":"), allow_nan=False))
os.makedirs(args.out, exist_ok=True)
with open(os.path.join(args.out, "composites.json"), "w") as f:
    f.write(f'{{"family":"composites","torch":"{G.TORCH_VERSION}","cases":[\n' + ",\n".join(lines) + "\n]}\n")
print(len(lines), "cases")
