"""CETT of every unit with PyTorch and forward hooks, for `counting.rs --rival`: python hooks.py MODEL.gguf

Transformers dequantises the GGUF file and runs it in 32-bit floats. A hook on every `down_proj` sees z and h, and keeps the sum over positions of |z| times the norm of what the
unit writes, over the norm of what the layer writes: what `widedeep detect collect` takes. Position 0 is left out, as there. For every line of JSON (blocks of token ids,
threads, whether predictions are wanted) on standard input a line [seconds, sum of all CETT] comes out. Predictions are the log-probability of every next token and the entropy; without
them the decoder alone runs.
"""

import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM

path = sys.argv[1]
folder, _, file = path.rpartition("/")
model = AutoModelForCausalLM.from_pretrained(folder or ".", gguf_file=file, dtype=torch.float32)
model.eval()
sums = {}


def hook(layer, norms):
    def see(_module, inputs, output):
        z, h = inputs[0][0, 1:], output[0, 1:]
        cett = z.abs() * norms / (h.norm(dim=1, keepdim=True) + 1e-8)
        sums[layer] = sums.get(layer, 0) + cett.sum(0)

    return see


layer = 0
for name, module in model.named_modules():
    if name.endswith("mlp.down_proj"):
        module.register_forward_hook(hook(layer, module.weight.detach().norm(dim=0)))
        layer += 1
assert layer > 0, "no `mlp.down_proj` in this model"

for line in sys.stdin:
    asked = json.loads(line)
    torch.set_num_threads(asked["threads"])
    sums.clear()
    start = time.perf_counter()
    with torch.inference_mode():
        for block in asked["blocks"]:
            ids = torch.tensor([block])
            # Without a cache for keys and values: nothing is generated.
            if asked["predictions"]:
                logs = model(ids, use_cache=False).logits[0].log_softmax(-1)
                entropy = -(logs.exp() * logs).sum(-1)
                following = logs[:-1].gather(1, ids[0, 1:, None])
            else:
                model.base_model(ids, use_cache=False)
    seconds = time.perf_counter() - start
    print(json.dumps([seconds, sum(float(values.double().sum()) for values in sums.values())]), flush=True)
