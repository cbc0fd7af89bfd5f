#!/usr/bin/env python3
"""α0 and width of a GGUF model by a straightforward script over gguf, NetworkX, NumPy and SciPy: what `speed.rs` is compared with.

    venv/bin/pip install gguf networkx numpy scipy
    venv/bin/python benchmarks/emergence/rival.py MODEL.gguf --repetitions 2

It draws the same nodes (SplitMix64, partial Fisher-Yates), and does what one would write first: dequantise the tensors, put the weights between sampled
nodes into a `networkx.DiGraph` with 1/|w| as the length of an edge, take the lengths of every node's edges, count masses, raise them to 61 powers,
lay a line through each with `scipy.stats.linregress`, take differences. Times are printed by stage; those of reading the file are no part of the
comparison, since most of them go into the tokenizer.
"""

import argparse
import json
import time

import gguf
import networkx
import numpy
from scipy import stats

SHORTEST, LONGEST, MORE_THAN = 1.0, 150.0, 10
Q = numpy.arange(-30, 31) / 10
MASK = (1 << 64) - 1


class SplitMix64:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def draw(self, population, count):
        places = list(range(population))
        for nth in range(min(count, population)):
            other = nth + ((self.next() * (population - nth)) >> 64)
            places[nth], places[other] = places[other], places[nth]
        return places[: min(count, population)]


def maps(path):
    """Every block's maps as arrays of outputs × inputs."""
    reader = gguf.GGUFReader(path)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    blocks = []
    while f"blk.{len(blocks)}.attn_q.weight" in tensors:
        get = lambda name: (t := tensors[f"blk.{len(blocks)}.{name}.weight"], gguf.dequantize(t.data, t.tensor_type))[1]
        names = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
        blocks.append({name: get(name) for name in names})
    return blocks


def network(blocks, size, seed):
    """The sampled network of one repetition: an edge for every weight between sampled nodes that is not zero."""
    sampler, drawn = SplitMix64(seed), []
    for block in blocks:
        drawn.append({
            "x": sampler.draw(block["attn_q"].shape[1], size),
            "a": sampler.draw(block["attn_q"].shape[0], size),
            "b": sampler.draw(block["attn_k"].shape[0], size),
            "m": sampler.draw(block["attn_output"].shape[0], size),
            "f": sampler.draw(block["ffn_down"].shape[1], 2 * size),
        })
    drawn.append({"x": sampler.draw(blocks[-1]["ffn_down"].shape[0], size)})
    graph = networkx.DiGraph()
    for number, (block, own) in enumerate(zip(blocks, drawn)):
        following = drawn[number + 1]["x"]
        for name, sources, targets in [
            ("attn_q", ("x", own["x"]), own["a"]), ("attn_k", ("x", own["x"]), own["b"]), ("attn_v", ("x", own["x"]), own["b"]),
            ("attn_output", ("o", own["a"]), own["m"]), ("ffn_gate", ("m", own["m"]), own["f"]), ("ffn_up", ("m", own["m"]), own["f"]),
            ("ffn_down", ("f", own["f"]), following),
        ]:
            group, columns = sources
            weights = block[name][numpy.ix_(targets, columns)].astype(numpy.float64)
            for row, target in enumerate(targets):
                for column, source in enumerate(columns):
                    weight = weights[row, column]
                    if weight != 0.0:
                        graph.add_edge((number, group, source), (number, name, target), length=1.0 / abs(weight))
    return graph


def lengths(graph):
    kept = []
    for node in graph:
        own = numpy.array([length for _, _, length in graph.out_edges(node, data="length")])
        own = own[(own > SHORTEST) & (own <= LONGEST)]
        if len(own) > MORE_THAN:
            kept.append(numpy.sort(numpy.round(own)))
    return kept


def spectrum(kept):
    radii = numpy.unique(numpy.concatenate(kept))
    masses = numpy.array([1 + numpy.searchsorted(own, radii, side="right") for own in kept])
    shares = masses / masses[:, -1:]
    x = numpy.log(radii / radii[-1])
    tau = numpy.array([stats.linregress(x, numpy.log((shares**q).sum(axis=0))).slope for q in Q])
    alpha = numpy.diff(tau) / numpy.diff(Q)
    zero = len(Q) // 2
    return (tau[zero + 1] - tau[zero - 1]) / (Q[zero + 1] - Q[zero - 1]), alpha.max() - alpha.min()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--nodes", type=int, default=64)
    parser.add_argument("--repetitions", type=int, default=10)
    arguments = parser.parse_args()
    started = time.perf_counter()
    blocks = maps(arguments.model)
    print(json.dumps({"read_s": round(time.perf_counter() - started, 2)}), flush=True)
    for seed in range(arguments.repetitions):
        times, before = [time.perf_counter()], time.process_time()
        graph = network(blocks, arguments.nodes, seed)
        times.append(time.perf_counter())
        kept = lengths(graph)
        times.append(time.perf_counter())
        alpha0, width = spectrum(kept)
        times.append(time.perf_counter())
        network_s, lengths_s, spectrum_s = numpy.diff(times).round(3)
        print(json.dumps({"seed": seed, "edges": graph.number_of_edges(), "nodes": len(kept), "alpha0": alpha0, "width": width,
                          "network_s": network_s, "lengths_s": lengths_s, "spectrum_s": spectrum_s,
                          "total_s": round(times[-1] - times[0], 3),
                          "processor_s": round(time.process_time() - before, 3)}), flush=True)


if __name__ == "__main__":
    main()
