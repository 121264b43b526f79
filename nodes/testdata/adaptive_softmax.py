# Writes adaptive_softmax.json: what PyTorch makes of an adaptive softmax, for softmax_test.go.
#
#     python3 adaptive_softmax.py > adaptive_softmax.json
import json
import re

import torch

torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
m = torch.nn.AdaptiveLogSoftmaxWithLoss(6, 17, [5, 11], div_value=2.0, head_bias=True)
with torch.no_grad():
    for p in m.parameters():
        p.copy_(torch.round(torch.randn(p.shape) * 40) / 40)
x = torch.round(torch.randn(7, 6) * 20) / 20
x.requires_grad_(True)
targets = torch.tensor([0, 4, 5, 10, 11, 16, 7])
_, loss = m(x, targets)
loss.backward()


def numbers(a):
    return [float(v) for v in a.detach().reshape(-1)]


names = {
    "head.weight": "W_head", "head.bias": "b",
    "tail.0.0.weight": "tail0/P", "tail.0.1.weight": "tail0/W",
    "tail.1.0.weight": "tail1/P", "tail.1.1.weight": "tail1/W",
}
golden = {
    "source": "torch " + torch.__version__ + ", AdaptiveLogSoftmaxWithLoss(6, 17, [5, 11], div_value=2, head_bias=True)",
    "x": numbers(x), "targets": targets.tolist(), "loss": float(loss),
    "log_prob": numbers(m.log_prob(x)), "dx": numbers(x.grad), "params": {}, "grads": {},
}
for name, p in m.named_parameters():
    golden["params"][names[name]] = numbers(p.t() if p.dim() == 2 else p)
    golden["grads"][names[name]] = numbers(p.grad.t() if p.dim() == 2 else p.grad)
print(re.sub(r"\[\s+([^\]]*?)\s+\]", lambda a: "[" + re.sub(r"\s+", " ", a.group(1)) + "]", json.dumps(golden, indent=1)))
