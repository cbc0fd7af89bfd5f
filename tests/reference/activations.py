"""Activations of the feed-forward layers, computed without llama.cpp.

Dequantises a GGUF file with the `gguf` package and runs the model's forward pass in NumPy (float64 sums of float32 weights), for the
architectures llama, qwen2 and gemma3. Writes what tests/tap/reference.rs compares with what the tap reads: per layer and token the norms
of z and h, the unit with the largest |z| and how many gates are open, the log-probability of each next token, and of one tensor of every number
format some numbers and sums.

The pass runs twice: `exact`, and `rounded`, in which the vector that a quantised matrix multiplies is first rounded to 8 bits as llama.cpp does on a
CPU (blocks of 256 numbers for K formats, of 32 for the others). The two differ most at the first token, whose massive activations leave the other numbers
of their block only few steps: in the last layer of qwen2.5-coder-1.5b, z is twice as long there in one as in the other.

    python -m venv venv && venv/bin/pip install numpy gguf
    venv/bin/python tests/reference/activations.py MODEL.gguf ID,ID,... tests/fixtures/activations/NAME.json

The token ids are those of the text in tests/tap/reference.rs as the model's tokenizer cuts it; the test checks that too.
"""

import hashlib
import json
import sys

import gguf
import numpy as np
from gguf.quants import dequantize

path, ids, out = sys.argv[1], [int(i) for i in sys.argv[2].split(",")], sys.argv[3]
reader = gguf.GGUFReader(path)
arch = reader.fields["general.architecture"].contents()
stored = {t.name: t for t in reader.tensors}


def field(name, default=None):
    f = reader.fields.get(f"{arch}.{name}")
    return default if f is None else f.contents()


def tensor(name):
    t = stored[name]
    return dequantize(t.data, t.tensor_type).astype(np.float64)


def rounded_to_8_bits(x, name):
    kind = stored[name].tensor_type.name
    if kind in ("F32", "F16", "BF16"):
        return x
    block = 256 if kind.endswith("_K") else 32
    b = x.reshape(-1, block).astype(np.float32)
    largest = b[np.arange(len(b)), np.abs(b).argmax(1)]
    if block == 256:
        step = largest / np.float32(-127)
    else:
        step = np.abs(largest) / np.float32(127)
    q = np.rint(np.divide(b, step[:, None], out=np.zeros_like(b), where=step[:, None] != 0))
    if block == 32:
        step = step.astype(np.float16).astype(np.float32)
    return (np.minimum(q, 127) * step[:, None]).reshape(x.shape).astype(np.float64)


def product(x, name):
    return (rounded_to_8_bits(x, name) if rounding else x) @ tensor(name).T


def linear(x, name):
    y = product(x, name + ".weight")
    return y + tensor(name + ".bias") if name + ".bias" in stored else y


EPS = field("attention.layer_norm_rms_epsilon")


def norm(x, name):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + EPS) * tensor(name + ".weight")


def rope(x, base):
    """x: [tokens, heads, size]. llama's files have neighbouring pairs, the others' halves."""
    n, _, size = x.shape
    angle = np.arange(n)[:, None, None] * base ** (-np.arange(0, size, 2) / size)
    cos, sin = np.cos(angle), np.sin(angle)
    y = np.empty_like(x)
    if arch == "llama":
        a, b = x[..., 0::2], x[..., 1::2]
        y[..., 0::2], y[..., 1::2] = a * cos - b * sin, a * sin + b * cos
    else:
        a, b = x[..., : size // 2], x[..., size // 2 :]
        y[..., : size // 2], y[..., size // 2 :] = a * cos - b * sin, a * sin + b * cos
    return y


def attention(x, layer):
    blk = f"blk.{layer}."
    n, heads = len(x), field("attention.head_count")
    kv_heads = field("attention.head_count_kv", heads)
    size = field("attention.key_length", field("embedding_length") // heads)
    base = field("rope.freq_base", 10000.0)
    if arch == "gemma3" and (layer + 1) % 6 != 0:
        base = 10000.0  # layers with a sliding window, which is longer than the text
    q = linear(x, blk + "attn_q").reshape(n, heads, size)
    k = linear(x, blk + "attn_k").reshape(n, kv_heads, size)
    v = linear(x, blk + "attn_v").reshape(n, kv_heads, size)
    if blk + "attn_q_norm.weight" in stored:
        q, k = norm(q, blk + "attn_q_norm"), norm(k, blk + "attn_k_norm")
    q, k = rope(q, base), rope(k, base)
    group = heads // kv_heads
    result = np.empty((n, heads, size))
    mask = np.triu(np.full((n, n), -np.inf), 1)
    for head in range(heads):
        s = q[:, head] @ k[:, head // group].T / np.sqrt(size) + mask
        p = np.exp(s - s.max(-1, keepdims=True))
        result[:, head] = p / p.sum(-1, keepdims=True) @ v[:, head // group]
    return linear(result.reshape(n, -1), blk + "attn_output")


def act(x):
    if arch == "gemma3":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x / (1 + np.exp(-x))


def numbers(values, digits=6):
    return [float(f"{v:.{digits}g}") for v in np.asarray(values).ravel()]


def forward():
    x = tensor("token_embd.weight")[ids]
    if arch == "gemma3":
        x = x * np.sqrt(field("embedding_length"))
    layers = []
    for layer in range(field("block_count")):
        blk = f"blk.{layer}."
        a = attention(norm(x, blk + "attn_norm"), layer)
        if blk + "post_attention_norm.weight" in stored:
            a = norm(a, blk + "post_attention_norm")
        x = x + a
        y = norm(x, blk + "ffn_norm")
        gate, up = linear(y, blk + "ffn_gate"), linear(y, blk + "ffn_up")
        z = act(gate) * up
        h = linear(z, blk + "ffn_down")
        layers.append(
            {
                "z_norm": numbers(np.linalg.norm(z, axis=1)),
                "h_norm": numbers(np.linalg.norm(h, axis=1)),
                "top_unit": np.abs(z).argmax(1).tolist(),
                "open": (gate > 0).sum(1).tolist(),
            }
        )
        x = x + (norm(h, blk + "post_ffw_norm") if blk + "post_ffw_norm.weight" in stored else h)
    x = norm(x, "output_norm")
    logits = product(x, "output.weight" if "output.weight" in stored else "token_embd.weight")
    logits -= logits.max(-1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
    return {"log_probability": numbers(logits[np.arange(len(ids) - 1), ids[1:]]), "layers": layers}


rounding = False
exact = forward()
rounding = True
rounded = forward()

formats = {}
for t in sorted(reader.tensors, key=lambda t: t.name):
    kind = t.tensor_type.name.lower()
    if kind not in formats:
        w = tensor(t.name).reshape(-1, t.shape[0])
        formats[kind] = {
            "tensor": t.name,
            "rows": w.shape[0],
            "columns": w.shape[1],
            "first": numbers(w[0, :6], 9),
            "last": numbers(w[-1, -6:], 9),
            "sum": float(w.sum()),
            "squares": float((w * w).sum()),
        }
down = tensor("blk.1.ffn_down.weight")
json.dump(
    {
        "made_by": "tests/reference/activations.py, NumPy " + np.__version__,
        "model": path.rsplit("/", 1)[-1],
        "sha256": hashlib.sha256(open(path, "rb").read()).hexdigest(),
        "tokens": ids,
        "column_norms_of_layer_1": numbers(np.linalg.norm(down, axis=0)[:16], 9),
        "formats": formats,
        "exact": exact,
        "rounded": rounded,
    },
    open(out, "w"),
)
