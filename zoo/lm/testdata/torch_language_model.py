"""An embedding, two recurrent layers and a linear layer of PyTorch, saved as safetensors or loaded from it; prints logits.

    python3 torch_language_model.py save|load FOLDER
"""
import json
import struct
import sys

import numpy
import torch


def write(path, tensors):
    header, data = {}, b""
    for name, t in tensors.items():
        raw = t.detach().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def read(path):
    content = open(path, "rb").read()
    n = struct.unpack("<Q", content[:8])[0]
    tensors = {}
    for name, t in json.loads(content[8:8 + n]).items():
        if name != "__metadata__":
            a, b = t["data_offsets"]
            values = numpy.frombuffer(content[8 + n + a:8 + n + b], dtype="<f4").reshape(t["shape"])
            tensors[name] = torch.from_numpy(values.copy())
    return tensors


command, folder = sys.argv[1:]
logits = {}
for cell, layers in {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}.items():
    path = folder + "/" + cell + ".safetensors"
    torch.manual_seed(1)
    model = torch.nn.ModuleDict({"embed": torch.nn.Embedding(5, 3), "rnn": layers(3, 6, num_layers=2), "out": torch.nn.Linear(6, 5)})
    if command == "save":
        write(path, model.state_dict())
    else:
        for p in model.parameters():
            torch.nn.init.zeros_(p)
        model.load_state_dict(read(path))
    ids = torch.tensor([[0], [3], [1], [4], [2], [2], [0]])
    y, _ = model["rnn"](model["embed"](ids))
    logits[cell] = model["out"](y)[:, 0].tolist()
print(json.dumps(logits))
