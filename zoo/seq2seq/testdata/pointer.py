#!/usr/bin/env python3
"""The loss and gradients of a sequence-to-sequence model that copies (See, Liu and Manning, 2017), in plain loops.

Reads {config, weights: {name: {shape, data}}, pairs: [{places, source, target}]} from standard input, all of it in
float64, and writes {loss, grads: {name: [...]}}. Words are copied by walking through the places of a source, one
probability at a time; nothing is batched, masked or padded.
"""
import json
import sys

import torch

given = json.load(sys.stdin)
c = given["config"]
W = {name: torch.tensor(w["data"], dtype=torch.float64).reshape(w["shape"]).requires_grad_()
     for name, w in given["weights"].items()}


def rnn(scope, x, h):
    return torch.tanh(x @ W[scope + "/W_ih"] + h @ W[scope + "/W_hh"] + W[scope + "/b"].reshape(-1))


def attend(query, memory, coverage):
    scores = []
    for s, key in enumerate(memory):
        if c["attention"] == "luong":
            scores.append(query @ W["attention/W"] @ key)
            continue
        inner = query @ W["attention/W_q"] + key @ W["attention/W_k"]
        if c["coverage"]:
            inner = inner + coverage[s] * W["attention/w_c"]
        scores.append(torch.tanh(inner) @ W["attention/v"])
    a = torch.softmax(torch.stack(scores), 0)
    return sum(w * v for w, v in zip(a, memory)), a


losses, again = [], []
for pair in given["pairs"]:
    h, memory = torch.zeros(c["hidden"], dtype=torch.float64), []
    for word in pair["source"]:
        h = rnn("encoder/l0", W["source/E"][word], h)
        memory.append(h)
    out = torch.zeros(c["hidden"], dtype=torch.float64)
    coverage, before = torch.zeros(len(memory), dtype=torch.float64), c["bos"]
    for word in pair["target"] + [c["eos"]]:
        e = W["target/E"][before]
        if c["attention"] == "luong":
            h = rnn("decoder/l0", torch.cat([e, out]), h)
            context, a = attend(h, memory, coverage)
            out = torch.tanh(torch.cat([context, h]) @ W["combine/W_c"])
        else:
            context, a = attend(h, memory, coverage)
            h = rnn("decoder/l0", torch.cat([e, context]), h)
            out = torch.cat([h, context])
        again.append(torch.minimum(a, coverage).sum())
        coverage = coverage + a
        logits = out @ W["out/W"] + W["out/b"].reshape(-1)
        p = torch.sigmoid(torch.cat([out, e]) @ W["copy/W"] + W["copy/b"].reshape(-1)).squeeze()
        probability = 0.0
        if word < len(logits):
            probability = probability + p * torch.softmax(logits, 0)[word]
        for s, place in enumerate(pair["places"]):
            if place == word:
                probability = probability + (1 - p) * a[s]
        losses.append(-torch.log(probability))
        before = word if word < len(logits) else c["unk"]

loss = torch.stack(losses).mean()
if c["coverage"]:
    loss = loss + c["coverage"] * torch.stack(again).mean()
loss.backward()
json.dump({"loss": loss.item(), "grads": {name: w.grad.flatten().tolist() for name, w in W.items()}}, sys.stdout)
