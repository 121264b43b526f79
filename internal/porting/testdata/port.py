# Two scripts of PyTorch, as their users write them, beside which TestClassifierBesideTorch and
# TestStatefulLSTMBesideTorch train the same models from the same weights. Standard input is JSON:
# the weights by this library's names, the data and the settings; standard output the losses.
import json
import sys

import torch
from torch import nn

torch.set_num_threads(1)
given = json.load(sys.stdin)
weights = {name: torch.tensor(w["data"]).reshape(w["shape"]) for name, w in given["weights"].items()}


def lstm(path):
    w_ih, w_hh = weights[path + "/W_ih"], weights[path + "/W_hh"]
    layer = nn.LSTM(w_ih.shape[0], w_hh.shape[0])
    with torch.no_grad():
        layer.weight_ih_l0.copy_(w_ih.T)
        layer.weight_hh_l0.copy_(w_hh.T)
        layer.bias_ih_l0.copy_(weights[path + "/b"].reshape(-1))
        layer.bias_hh_l0.zero_()
    layer.bias_hh_l0.requires_grad = False  # one bias a gate
    return layer


def linear(path):
    layer = nn.Linear(*weights[path + "/W"].shape)
    with torch.no_grad():
        layer.weight.copy_(weights[path + "/W"].T)
        layer.bias.copy_(weights[path + "/b"].reshape(-1))
    return layer


embed = nn.Embedding.from_pretrained(weights["embed/E"], freeze=False)
layer, out = lstm("layers/l0"), linear("out")
trained = [p for m in (embed, layer, out) for p in m.parameters() if p.requires_grad]
adam = torch.optim.Adam(trained, lr=given["lr"])
loss_of = nn.CrossEntropyLoss()
losses = []


def learn(logits, targets):
    loss = loss_of(logits, targets)
    adam.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(trained, given["clip"])
    adam.step()
    losses.append(loss.item())


if given["task"] == "classifier":
    reviews = [torch.tensor(r) for r in given["reviews"]]
    lengths, labels = [len(r) for r in reviews], torch.tensor(given["labels"])
    padded = nn.utils.rnn.pad_sequence(reviews)
    for epoch in range(given["epochs"]):
        packed = nn.utils.rnn.pack_padded_sequence(embed(padded), lengths, enforce_sorted=False)
        _, (h, _) = layer(packed)
        learn(out(h[0]), labels)
else:
    tracks, window = given["tracks"], given["window"]
    text = torch.tensor(given["text"])
    steps = (len(text) - 1) // tracks
    inputs = text[: steps * tracks].reshape(tracks, steps).T
    nexts = text[1 : steps * tracks + 1].reshape(tracks, steps).T
    for epoch in range(given["epochs"]):
        state = None
        for at in range(0, steps, window):
            y, state = layer(embed(inputs[at : at + window]), state)
            state = tuple(s.detach() for s in state)
            learn(out(y).flatten(0, 1), nexts[at : at + window].flatten())
json.dump(losses, sys.stdout)
