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


# Stacks whose layers differ: `stack` in a configuration has a full configuration for each layer, from the bottom up, and
# what stands beside it is the top layer's. Their states are [directions, B, *], with the layers' side by side.
# `residual` adds the input of each layer above the first to its output.

plain_params, plain_step, plain_stack, plain_zeros = G.stack_params, G.one_step, G.run_stack, G.zero_states
plain_parts, plain_scores = G.state_parts, G.scores


def state_parts(config):
    if "stack" not in config:
        return plain_parts(config)
    return [part for part in "hc" if any(width_of(c, part) for c in config["stack"])]


def width_of(config, part):
    """How wide a part is in a layer's state: 0 if the layer has none."""
    return {"h": G.hidden_out(config), "c": config["H"]}[part] if part in plain_parts(config) else 0


def split(config, states):
    """The states of a stack, layer by layer."""
    of = {part: s.split([width_of(c, part) for c in config["stack"]], -1) for part, s in zip(state_parts(config), states)}
    return [tuple(of[part][l] for part in plain_parts(c)) for l, c in enumerate(config["stack"])]


def joined(config, states):
    """What split divides."""
    of = [dict(zip(plain_parts(c), s)) for c, s in zip(config["stack"], states)]
    return tuple(G.torch.cat([s[part] for s in of if part in s], -1) for part in state_parts(config))


def stack_params(config, rng, width, prefix="", scale=0.6):
    if "stack" not in config:
        return plain_params(config, rng, width, prefix, scale)
    params = {}
    for l, c in enumerate(config["stack"]):
        own = plain_params(c, rng, width, prefix, scale)
        params.update({name.replace("_l0", f"_l{l}"): v for name, v in own.items()})
        width = G.output_width(c)
    return params


def zero_states(config, B):
    if "stack" not in config:
        return plain_zeros(config, B)
    return joined(config, [plain_zeros(c, B) for c in config["stack"]])


def layer_params(params, prefix, l):
    return {name.replace(f"_l{l}", "_l0"): v for name, v in params.items() if name.startswith(prefix) and f"_l{l}" in name}


def run_stack(config, params, x, states, lengths=None, prefix="", between=None):
    if "stack" not in config:
        return plain_stack(config, params, x, states, lengths, prefix, between)
    finals = []
    for l, (c, state) in enumerate(zip(config["stack"], split(config, states))):
        y, final = plain_stack(c, layer_params(params, prefix, l), x, state, lengths, prefix)
        x = x + y if l and config["residual"] else y
        finals.append(final)
    return x, finals[-1] if config.get("top") else joined(config, finals)


def one_step(config, params, prefix, x, states):
    if "stack" not in config:
        return plain_step(config, params, prefix, x, states)
    nexts = []
    for l, (c, state) in enumerate(zip(config["stack"], split(config, states))):
        y, new = plain_step(c, layer_params(params, prefix, l), prefix, x, state)
        x = x + y if l and config["residual"] else y
        nexts.append(new)
    return x, joined(config, nexts)


G.state_parts, G.stack_params, G.zero_states, G.run_stack, G.one_step = state_parts, stack_params, zero_states, run_stack, one_step


def stack_of(In, both=False, plain=True):
    """A stack of layers of any cells and widths."""
    layers, merge, widths = [], draw.choice(["concat", "sum", "mean", "product"]), draw.choice([[3, 5], [4, 2, 3], [1, 4], [3, 3], [2, 2, 2]])
    for H in widths:
        kind, options = cell(draw.choice([1, 2]), H, 1, False, plain)
        if both:
            options.update(bidirectional=True, merge=merge)
        layers.append(G.cell_config(kind, H=H, In=In, **options))
        In = G.output_width(layers[-1])
    equal = len({G.output_width(c) for c in layers}) == 1
    return {**layers[-1], "In": layers[0]["In"], "layers": len(layers), "stack": layers, "residual": equal and draw.random() < 0.7}


def bridge_of_stacks(config, params, prefix, enc, states):
    """The bridge from each layer of the encoder to the same layer of the decoder."""
    dec = config["decoder"]
    if "stack" not in dec or config["bridge"] == "none":
        return bridge(config, params, prefix, enc, states)
    starts = []
    for l, (e, d, state) in enumerate(zip(enc["stack"], dec["stack"], split(enc, states))):
        own = dict(zip(plain_parts(e), (s.transpose(0, 1).flatten(1).unsqueeze(0) for s in state)))
        starts.append(tuple(G.torch.tanh(G.apply(own.get(part, own["h"]), params, f"{prefix}_{part}_l{l}")) for part in plain_parts(d)))
    return joined(dec, starts)


def stacked_seq2seq(config, given, rng):
    """The generator's model, with a bridge as wide as each layer wants."""
    enc, dec = config["encoder"], config["decoder"]
    model = G.seq2seq(config, given, rng)
    model.params = {name: v for name, v in model.params.items() if not name.startswith("bridge_")}
    if config["bridge"] == "tanh":
        for l, (e, d) in enumerate(zip(enc["stack"], dec["stack"])):
            for part in plain_parts(d):
                wide = G.directions(e) * (width_of(e, part) or width_of(e, "h"))
                model.params.update(G.affine(rng, f"bridge_{part}_l{l}", width_of(d, part), wide))
    model.check, forward = None, model.forward

    def with_query(i, p):  # Bahdanau's query is the top layer's part of the state
        G.scores = lambda score, query, *more: plain_scores(score, query[..., -G.hidden_out(dec):], *more)
        try:
            return forward(i, p)
        finally:
            G.scores = plain_scores
    model.forward = with_query
    return model


G.bridge = bridge_of_stacks


def stacks(n):
    for i in range(n):
        size, attention, both = G.SIZES["seq2seq"][1], draw.choice(["none", "bahdanau", "luong"]), draw.random() < 0.5
        enc = stack_of(size["E_src"], both)
        M, free = G.output_width(enc), both or attention != "none"
        dec = dict(enc)
        while free and (dec is None or dec["layers"] != enc["layers"] or dec["bidirectional"] or G.hidden_out(dec) != dec["H"]):
            dec = stack_of(0, False, False)
        In = size["E_tgt"] + {"none": 0, "bahdanau": M, "luong": G.hidden_out(dec)}[attention]
        first, *others = dec["stack"]
        dec = {**dec, "In": In, "stack": [dict(first, In=In), *others]}
        att = {"kind": attention}
        if attention != "none":
            score = "additive" if attention == "bahdanau" else draw.choice(["general", "concat"])
            att.update(score=score, A=size["A"] if score in ("additive", "concat") else 0)
        more = {"k1": draw.choice([1, 2, 3])} if draw.random() < 0.4 else {}
        config = {"encoder": enc, "decoder": dec, "attention": att, "bridge": "tanh" if free else "none", "reduction": draw.choice(["mean", "batch"]),
                  **{k: size[k] for k in ("B", "S", "T", "V_src", "V_tgt", "E_src", "E_tgt")}, **more}
        yield G.named(f"stacks{i}", config, src_lengths=size["src_lengths"], tgt_lengths=size["tgt_lengths"])


def cut_hred(config, given, rng):
    """The generator's model, with the gradient of the decoder's state cut before every k1-th step of a turn."""
    enc, k1 = config["utterance_encoder"], config.get("k1")
    model = G.hred({**config, "utterance_encoder": {**enc, "top": True}}, given, rng)  # of a stack it reads the top layer's state
    forward, step = model.forward, G.one_step

    def cut(i, p):
        calls = 0

        def one(stack, params, prefix, x, states):
            nonlocal calls
            t, calls = calls % config["T"], calls + 1
            return step(stack, params, prefix, x, tuple(s.detach() for s in states) if k1 and t and t % k1 == 0 else states)
        G.one_step = one
        try:
            return forward(i, p)
        finally:
            G.one_step = step
    model.forward = cut
    return model


def hred_stacks(n):
    for i in range(n):
        size = dict(G.SIZES["hred"][1])
        enc = stack_of(size["E"])
        ctx = stack_of(G.output_width(enc))
        size["H_ctx"] = G.output_width(ctx)
        latent = {} if draw.random() < 0.5 else dict(variance=draw.choice(["exp", "softplus"]), kl_weight=draw.choice([0.3, 1.0]))
        name, config, given = G.hred_case(f"stacks{i}", size, dec=cell(draw.choice([1, 2]), size["H_dec"]), context_input=draw.random() < 0.5, **latent)
        more = {"k1": draw.choice([1, 2, 3])} if draw.random() < 0.5 else {}
        yield name, {**config, "utterance_encoder": enc, "context_encoder": ctx, **more}, given


def decode_stacks(n):
    for i in range(n):
        size = G.SIZES["decode"][1]
        method = {"method": "beam", "beam": draw.choice([2, 3]), "alpha": draw.choice([0.0, 0.6])} if i % 3 else {"method": "greedy"}
        yield G.named(f"stacks{i}", {**method, "cell": stack_of(size["E"]), "bos": 0, "eos": size["V"] - 1,
                                     **{k: size[k] for k in ("B", "V", "E", "max_length")}}, discourage_eos=1.0)


def tbptt_stacks(n):
    for i in range(n):
        size = dict(draw.choice(G.SIZES["tbptt"][::2]))
        k1, k2 = draw.choice(size.pop("windows"))
        size.pop("H")
        update = draw.choice(["none", "sgd"])
        yield G.named(f"stacks{i}", {**stack_of(size["In"], False, False), **size, "initial_state": draw.choice(["given", "zero"]), "k1": k1, "k2": k2,
                                     "update": update, "lr": 0.1 if update == "sgd" else 0.0, "reduction": draw.choice(["mean", "sum"])})


def length_stacks(n):
    for i in range(n):
        size = dict(draw.choice(G.SIZES["lengths"]))
        given = size.pop("lengths")
        yield G.named(f"stacks{i}", {**stack_of(size["In"], draw.random() < 0.5, False), "B": size["B"], "T": size["T"],
                                     "initial_state": draw.choice(["given", "zero"])}, lengths=given)


# Cases of which each is here for one thing that the other families do not have, by the generator's models.


def merged_hred(config, given, rng):
    """The generator's model, whose utterances are the last states of both directions, merged, and whose decoder has any depth: the
    rows of init are those of its layers, from the bottom up."""
    enc, dec, layers = config["utterance_encoder"], config["decoder"], config["decoder"]["layers"]
    model = G.hred({**config, "utterance_encoder": {**enc, "merged": enc["bidirectional"]}}, given, rng)
    for part in G.state_parts(dec):
        width = config["context_encoder"]["H"] + (config["latent"] or {"Z": 0})["Z"]
        model.params.update(G.affine(rng, "init_" + part, layers * dec["H"], width))
    forward, stack, step = model.forward, G.run_stack, G.one_step

    def merging(c, params, x, states, lengths=None, prefix="", between=None):
        y, final = stack(c, params, x, states, lengths, prefix, between)
        return y, ((G.MERGE[c["merge"]](*final[0][-2:]).unsqueeze(0),) if c.get("merged") else final)

    def deep(c, params, prefix, x, states):
        if states[0].shape[0] < layers:
            states = tuple(s[0].unflatten(-1, (layers, dec["H"])).transpose(0, 1) for s in states)
        return step(c, params, prefix, x, states)

    def both(i, p):
        G.run_stack, G.one_step = merging, deep
        try:
            return forward(i, p)
        finally:
            G.run_stack, G.one_step = stack, step
    model.forward = both
    return model


def hred_merges(n):
    for merge, layers in (("sum", 1), ("mean", 2), ("product", 3))[:n]:
        size = dict(G.SIZES["hred"][1], H_ctx=2, H_dec=2, E=2, V=4)
        latent = dict(variance="exp", kl_weight=0.3) if layers == 2 else {}
        yield G.hred_case(f"merges_{merge}", size, ("lstm", dict(bidirectional=True, merge=merge, bias=False)), ("gru", dict(reset="before")),
                          ("lstm" if layers == 2 else "gru", dict(layers=layers)), layers == 1, **latent)


def odd_bridges(n):
    """Encoders that say how they would merge if they read both ways, and whose state has a part that the decoder lacks."""
    size = dict(G.SIZES["seq2seq"][1], S=3, T=3, src_lengths=[3, 1, 2], tgt_lengths=[2, 3, 0], E_src=1, H_enc=2, H_dec=3, V_src=2)
    for attention, k1 in (("none", None), ("bahdanau", 2))[:n]:
        yield G.seq2seq_case(f"parts_{attention}", size, ("lstm", dict(merge="mean", peephole="full")), ("gru", dict(reset="before")),
                             attention, k1=k1)


def odd_codes(n):
    yield "beta_0", {"model": "vae", "B": 2, "D": 2, "H": 2, "Z": 2, "likelihood": "bernoulli", "beta": 0.0, "free_bits": 0.2}, {}
    yield "pca_square", {"model": "pca", "N": 3, "D": 3, "K": 2}, {}


def label(config, given, rng):
    """Labels of sequences, or of their steps."""
    cell, pool, lengths = config["cell"], config["pool"], G.torch.tensor(given["lengths"])
    B, T, V, E, L = (config[k] for k in ("B", "T", "V", "E", "labels"))
    params = {"embed.weight": rng.normal(V, E), **G.stack_params(cell, rng, E), **G.affine(rng, "out", L, G.output_width(cell))}
    inputs = {"ids": rng.ints(0, V, T, B), "lengths": lengths, "targets": rng.ints(0, L, *((T, B) if pool == "each" else (B,)))}

    def forward(i, p):
        y, final = G.run_stack(cell, p, p["embed.weight"][i["ids"]], G.zero_states(cell, B), lengths)
        live = G.token_mask(lengths, T).unsqueeze(-1)
        if pool == "last":
            top = final[0][-G.directions(cell):]
            y = G.MERGE[cell["merge"]](*top) if len(top) > 1 else top[0]
        elif pool == "mean":
            y = y.sum(0) / lengths.unsqueeze(-1)
        elif pool == "max":
            y = y.masked_fill(~live, -G.math.inf).amax(0)
        logits = G.apply(y, p, "out")
        if pool != "each":
            return {"logits": logits}, G.F.cross_entropy(logits, i["targets"])
        nll, n = G.masked_nll(logits, i["targets"], live.squeeze(-1))
        return {"logits": logits * live}, nll / n
    return G.Model(inputs, params, forward)


def labels(n):
    for pool in ["each", "last", "mean", "max"][:n]:
        both, E = draw.random() < 0.6, draw.choice([1, 3])
        kind, options = cell(draw.choice([1, 2]), 3, draw.choice([1, 2]), both, False)
        yield G.named(f"{pool}_{kind}", {"cell": G.cell_config(kind, H=3, In=E, **options), "pool": pool, "B": 3, "T": 4, "V": 5, "E": E, "labels": 3},
                      lengths=[4, 1, 3])


def forecast(config, given, rng):
    """The steps behind a window, all at once, measured from a level; `patch` steps of the window are one of the recurrence."""
    cell, (B, T, In, steps, patch) = config["cell"], (config[k] for k in ("B", "T", "In", "horizon", "patch"))
    params = {**G.stack_params(cell, rng, patch * In), **G.affine(rng, "out", steps * In, G.output_width(cell))}

    def forward(i, p):
        x = i["x"]
        level = {"none": 0 * x[:1], "last": x[-1:], "mean": x.mean(0, keepdim=True)}[config["level"]]
        z = (x - level).reshape(T // patch, patch, B, In).transpose(1, 2).flatten(2)
        _, final = G.run_stack(cell, p, z, G.zero_states(cell, B))
        return {"y": G.apply(final[0][-1], p, "out").reshape(B, steps, In).transpose(0, 1) + level}, None
    return G.weighted(G.Model({"x": rng.normal(T, B, In)}, params, forward), rng)


def forecasts(n):
    for level, patch in (("none", 1), ("last", 2), ("mean", 1), ("last", 3))[:n]:
        kind, stack = config_of(3, 2 * patch, draw.choice([1, 2]), False, False)
        yield G.named(f"{level}_patch{patch}_{kind}", {"cell": stack, "B": 2, "T": 6, "In": 2, "horizon": 3, "patch": patch, "level": level})


G.FAMILIES.update(label=(labels, label), forecast=(forecasts, forecast))

G.torch_module, torch_module = lambda config, width: None if "stack" in config else torch_module(config, width), G.torch_module
makes = {parts: seq2seq_model, seq2seq: seq2seq_model, stacks: stacked_seq2seq, hred_stacks: cut_hred, hred_merges: merged_hred}
lines = []
for family, cases in (("seq2seq", seq2seq), ("hred", hred), ("decode", decode), ("tbptt", tbptt), ("lengths", lengths),
                      ("norm_dropout", norm_dropout), ("seq2seq", parts), ("seq2seq", stacks), ("hred", hred_stacks),
                      ("decode", decode_stacks), ("tbptt", tbptt_stacks), ("lengths", length_stacks), ("hred", hred_merges),
                      ("seq2seq", odd_bridges), ("vae", odd_codes), ("label", labels), ("forecast", forecasts)):
    for name, config, given in cases(args.cases):
        model = makes.get(cases, G.FAMILIES[family][1])(config, given, G.Rng(args.seed, "composites", family, name))
        case = G.run_case(family, name, config, model, family == "tbptt" or "k1" not in config)
        case["name"] = family + "_" + name
        case["config"] = {"family": family, **config}
        lines.append(json.dumps(case, separators=(",", ":"), allow_nan=False))
os.makedirs(args.out, exist_ok=True)
with open(os.path.join(args.out, "composites.json"), "w") as f:
    f.write(f'{{"family":"composites","torch":"{G.TORCH_VERSION}","cases":[\n' + ",\n".join(lines) + "\n]}\n")
print(len(lines), "cases")
