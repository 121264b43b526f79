#!/usr/bin/env python3
"""The loss and gradients of a hierarchical model of dialogues that copies (See, Liu and Manning, 2017), in plain loops.

Reads {config, weights: {name: {shape, data}}, dialogues: [[[id, ...], ...], ...]} from standard input, all of it in
float64, and writes {loss, grads: {name: [...]}}. An id behind the vocabulary is a word that it lacks. Words are copied by
walking through the places of what was said, one probability at a time; nothing is batched, masked or padded.
"""
import json
import sys

import torch

given = json.load(sys.stdin)
c = given["config"]
W = {name: torch.tensor(w["data"], dtype=torch.float64).reshape(w["shape"]).requires_grad_()
     for name, w in given["weights"].items()}
V = W["embed/E"].shape[0]


def rnn(scope, x, h):
    return torch.tanh(x @ W[scope + "/W_ih"] + h @ W[scope + "/W_hh"] + W[scope + "/b"].reshape(-1))


def read(word):
    return word if word < V else c["unk"]


losses = []
for dialogue in given["dialogues"]:
    context, said, outputs = torch.zeros(c["hidden"], dtype=torch.float64), [], []
    for n, turn in enumerate(dialogue):
        if n > 0:
            d = context
            h, before = torch.tanh(d @ W["init/l0/W_h"] + W["init/l0/b_h"].reshape(-1)), c["bos"]
            places, memory = said[-c["copy"]:], outputs[-c["copy"]:]
            for word in turn + [c["eos"]]:
                e = W["embed/E"][before]
                h = rnn("decoder/l0", torch.cat([e, d]), h)
                p, copied, seen = 1.0, 0.0, torch.zeros(c["hidden"], dtype=torch.float64)
                if memory:
                    a = torch.softmax(torch.stack([h @ W["attention/W"] @ m for m in memory]), 0)
                    seen = sum(w * m for w, m in zip(a, memory))
                y = torch.cat([h, seen])
                if memory:
                    p = torch.sigmoid(torch.cat([y, e]) @ W["copy/W"] + W["copy/b"].reshape(-1)).squeeze()
                    copied = sum((1 - p) * w for w, place in zip(a, places) if place == word)
                written = word
                if word >= V:
                    written = None if word in places else c["unk"]
                logits = y @ W["out/W"] + W["out/b"].reshape(-1)
                probability = copied
                if written is not None:
                    probability = probability + p * torch.softmax(logits, 0)[written]
                losses.append(-torch.log(probability))
                before = read(word)
        u = torch.zeros(c["hidden"], dtype=torch.float64)
        for word in turn:
            u = rnn("encoder/l0", W["embed/E"][read(word)], u)
            said.append(word)
            outputs.append(u)
        u = rnn("encoder/l0", W["embed/E"][c["eos"]], u)
        context = rnn("context/l0", u, context)

loss = torch.stack(losses).mean()
loss.backward()
json.dump({"loss": loss.item(), "grads": {name: w.grad.flatten().tolist() for name, w in W.items()}}, sys.stdout)
