# SPDX-License-Identifier: MIT
"""python made_up_run.py DIR: writes a run of MADE-UP numbers in the shape of a real one, for the tests of the report."""
import hashlib
import json
import math
import pathlib
import random
import sys

random.seed(7)
GIB = 2**30
cells = []


def cell(experiment, axes, metrics=None, series=None, status="ok", reason=None, seed=0):
    key = json.dumps([experiment, axes], sort_keys=True)
    cells.append({
        "schema": "lavo.cell/1", "id": hashlib.sha256(key.encode()).hexdigest()[:16], "experiment": experiment,
        "spec_version": 1, "attempt": 1, "status": status, "reason": reason, "axes": axes,
        "metrics": metrics or {}, "series": series or {}, "environment": "e1", "seed": seed,
        "started": "2026-01-01T00:00:00Z", "elapsed_s": round(random.uniform(1, 9), 2)})


def metric(value, unit, better="lower", kind="exact"):
    return {"value": value, "unit": unit, "better": better, "kind": kind}


def timing(ms):
    samples = [float(f"{ms * random.lognormvariate(0, 0.03):.5g}") for _ in range(9)]
    ordered = sorted(samples)
    return {**metric(ordered[4], "ms", kind="timing"), "ci95": [ordered[2], ordered[6]], "samples": samples,
            "blocks": [3, 3, 3]}


# name: options, ms a token, ms fixed, ms a token pair, bytes a token, bytes a pair
MECHANISMS = {
    "vanilla": ({}, 4e-4, .05, 1.1e-6, 1040, 0),
    "vanilla_math": ({}, 4e-4, .05, 6e-6, 1040, 8),
    "lavo": ({"bases": 64, "window": 16, "memory": "key_value", "look_back": 0}, 1.1e-3, .03, 0, 1100, 0),
    "linear": ({"epsilon": 1e-6}, 1.3e-3, .06, 0, 1500, 0),
    "performer": ({"feature_count": 266}, 6e-3, .2, 0, 6000, 0),
    "cosformer": ({"max_length": 65536}, 2e-3, .08, 0, 2200, 0),
    "nystromformer": ({"landmarks": 64}, 2.4e-3, .9, 0, 2600, 0),
    "local": ({"window": 16, "look_back": 0}, 5e-4, .02, 0, 1060, 0),
}
BASE = {"batch": 1, "heads": 4, "head_dim": 64, "dtype": "float32", "cross": False, "device": "cpu", "threads": 2}


def efficiency(name, options, n, phase, causal):
    _, token, fixed, pair, token_bytes, pair_bytes = MECHANISMS[name]
    axes = {"mechanism": name, "length": n, "pass": phase, "causal": causal,
            "implementation": "composed" if name in ("vanilla_math", "nystromformer") else "fused", **BASE, **options}
    if name == "nystromformer" and causal:
        return cell("efficiency", axes, status="skipped", reason="nystromformer: causal self is refused: landmarks mix future tokens")
    if name == "vanilla_math" and n > 16384:
        return cell("efficiency", axes, status="skipped", reason=f"predicted memory {8 * n * n / GIB:.0f} GiB exceeds 14 GiB available")
    if name == "performer" and n == 65536 and phase == "forward_backward":
        return cell("efficiency", axes, status="timeout", reason="no result after 120 s")
    if phase == "decode":
        ms, memory = fixed + (pair * n * 300 + token), 4096
    else:
        factor = 3.1 if phase == "forward_backward" else 1
        cost = options.get("bases", 64) / 64 * (0.7 + 0.3 * options.get("window", 16) / 16)
        ms, memory = factor * (fixed + token * n * cost + pair * n * n), int(factor * (token_bytes * n + pair_bytes * n * n) + 8192)
    metrics = {"time": timing(ms), "peak_memory": metric(memory, "B"), "time_per_token": metric(ms / n * 1000, "us/token", kind="timing"),
               "flop": metric(n * 200000, "FLOP", "none"), "bytes": metric(n * 4096, "B", "none"),
               "bandwidth_share": metric(min(.9, 4096 * n / ms / 2e7), "1", "higher", "timing"),
               "worst_error": metric(3e-6, "1", kind="bound")}
    if name != "nystromformer":
        metrics["state_bytes"] = metric(2 * n * 256 if name.startswith("vanilla") else 33024, "B")
    cell("efficiency", axes, metrics)


for name, (options, *_) in MECHANISMS.items():
    for n in (256, 1024, 4096, 16384, 65536):
        efficiency(name, options, n, "forward", True)
        efficiency(name, options, n, "forward_backward", True)
        if n in (1024, 65536) and name != "nystromformer":
            efficiency(name, options, n, "decode", True)
    efficiency(name, options, 8192, "forward", True)
    for n in (1024, 8192):
        efficiency(name, options, n, "forward", False)
for bases in (32, 64, 128):
    for window in (8, 16, 32):
        if (bases, window) != (64, 16):
            efficiency("lavo", {**MECHANISMS["lavo"][0], "bases": bases, "window": window}, 8192, "forward", True)

LM = {"context": 512, "layers": 2, "width": 64, "heads": 2, "batch": 2, "accumulate": 1, "steps": 900, "warmup": 50,
      "learning_rate": 5e-3, "weight_decay": .1, "clip": 1, "tokenizer": "bytes", "dtype": "float32", "device": "cpu",
      "threads": 1, "split": "test", "test_bytes": 65536, "test_factor": 8}


def model(name, options, bits, growth, seeds=3, head=1.0):
    for seed in range(seeds):
        b = bits + random.gauss(0, .008)
        contexts = [[512 * k, round(b + growth * math.log2(k), 4)] for k in (1, 2, 4, 8)]
        offsets = [[i, round(b * (1 + .35 * head * math.exp(-i / 3) - .05), 4)] for i in range(options.get("window", 16))]
        positions = [[i, round(b + .9 * math.exp(-i / 20), 4)] for i in range(0, 512, 16)]
        steps = [[k, round(b + 3.5 * math.exp(-k / 120) + random.gauss(0, .02), 4)] for k in range(30, 901, 30)]
        cell("language_model", {"mechanism": name, "seed": seed, **LM, **options}, {
            "bits_per_byte": metric(round(b, 4), "bit/byte", kind="seeded"),
            "perplexity_per_byte": metric(round(2 ** b, 4), "1", kind="seeded"),
            "perplexity_per_word": metric(round(2 ** (b * 5.6), 1), "1", kind="seeded"),
            "extrapolated_bits_per_byte": metric(contexts[-1][1], "bit/byte", kind="seeded"),
            "parameters": metric(132000 + (64 if name == "lavo" else 0), "1", "none"),
            "training_time": metric(20.0 + seed + 9 * options.get("bases", 0) / 32, "s", kind="timing"),
            "tokens_per_second": metric(round(921600 / (20.0 + seed + 9 * options.get("bases", 0) / 32)), "token/s", "higher", "timing"),
            "order1_bits_per_byte": metric(3.351, "bit/byte", "none"), "order2_bits_per_byte": metric(2.802, "bit/byte", "none")},
            {"perplexity": {"x": "context", "unit": "1", "points": [[n, round(2 ** y, 4)] for n, y in contexts]},
             "bits_per_byte": {"x": "context", "unit": "bit/byte", "points": contexts},
             "loss_by_offset": {"x": "offset", "unit": "bit/byte", "points": offsets},
             "loss_by_position": {"x": "position", "unit": "bit/byte", "points": positions},
             "training_loss": {"x": "step", "unit": "bit/byte", "points": steps}}, seed=seed)


lavo = {"bases": 64, "window": 16, "memory": "context", "look_back": 0, "dissect": True, "position": "relative", "mix": .5,
        "bases_init": "orthogonal", "position_encoding": "none"}
model("lavo", lavo, 2.653, 0)
model("lavo", {**lavo, "look_back": 1}, 2.503, 0, head=.1)
model("lavo", {**lavo, "position": "none"}, 3.033, 0)
model("lavo", {**lavo, "dissect": False, "position": "none"}, 3.564, 0)
model("lavo", {**lavo, "bases_init": "gaussian"}, 2.652, 0)
model("lavo", {**lavo, "window": 8}, 2.748, 0)
model("local", {"window": 16, "look_back": 0, "position": "relative", "position_encoding": "none"}, 2.642, 0)
model("local", {"window": 16, "look_back": 1, "position": "relative", "position_encoding": "none"}, 2.550, -.002, head=.1)
model("vanilla", {"position_encoding": "rope"}, 2.461, .33, head=0)
model("vanilla", {"position_encoding": "alibi"}, 2.465, -.003, head=0)
model("linear", {"position_encoding": "rope", "epsilon": 1e-6}, 3.414, .05, head=0)
cell("language_model", {"mechanism": "performer", "seed": 0, **LM, "feature_count": 110, "position_encoding": "rope"},
     status="not_finite", reason="loss is not finite at step 311")

for name, error in (("vanilla", 2e-7), ("lavo", 4e-7), ("linear", 8e-7), ("performer", 5e-6)):
    for dtype, scale in (("float32", 1), ("bfloat16", 6e4)):
        for length in (4096, 1048576):
            points = [[2 ** i, float(f"{error * scale * (1 + .03 * i):.3g}")] for i in range(0, length.bit_length(), 2)]
            cell("numerics", {"measure": "output", "mechanism": name, "dtype": dtype, "length": length, "device": "cpu", "threads": 2},
                 {"worst_error": metric(points[-1][1], "1", kind="bound"), "allowed_error": metric(1e-5 * scale, "1", "none", "bound")},
                 {"error": {"x": "position", "unit": "1", "points": points}})
for seed in range(3):
    for scale in (.5, 1, 2):
        cell("numerics", {"measure": "softmax", "mechanism": "performer", "feature_count": 266, "length": 512, "scale": scale, "seed": seed},
             {"softmax_error": metric(round(.05 * scale ** 3 * random.lognormvariate(0, .1), 4), "1", kind="seeded")}, seed=seed)
for name, accuracy in (("lavo", .04), ("vanilla", .99)):
    for pairs in (8, 16):
        cell("recall", {"mechanism": name, "pairs": pairs, "seed": 0},
             {"accuracy": metric(accuracy, "1", "higher", "seeded"), "chance": metric(.0625, "1", "none")},
             {"accuracy": {"x": "step", "unit": "1", "points": [[100 * i, round(accuracy * i / 7, 3)] for i in range(8)]}})

environment = {
    "machine": {"cpu_model": "Made-up CPU <b>0.0 GHz</b>", "cores": 2, "memory_bytes": 16 * GIB, "gpu_model": None, "gpu_memory_bytes": None, "driver": None},
    "build": {"commit": "0000000", "dirty": False, "compiler": "GNU 12.2.0", "flags": "-O2", "libtorch": "2.11.0", "cuda": None},
    "circumstance": {"load": 0.3}}
lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cells)
text = '{"schema": "lavo.results/1",\n"environments": %s,\n"cells": [\n%s\n]}\n' % (json.dumps({"e1": environment}), lines)
run = pathlib.Path(sys.argv[1])
(run / "plans").mkdir(parents=True, exist_ok=True)
(run / "results.json").write_text(text)
for name, experiment in (("efficiency", "efficiency"), ("ablation", "language_model"), ("numerics", "numerics")):
    plan = {"schema": "lavo.plan/1", "name": name, "file": f"experiments/sweeps/{name}.toml", "experiment": experiment,
            "description": f"Made-up {name} sweep", "profile": "quick", "asked": {"profile": "quick"},
            "cells": [{"id": c["id"]} for c in cells if c["experiment"] == experiment]}
    (run / "plans" / f"{name}.json").write_text(json.dumps(plan) + "\n")
