# SPDX-License-Identifier: MIT
"""Times other people's Python packages beside ours, into a results.json that lavo-bench reads.

  python3 -m venv ~/.cache/lavo/peers
  ~/.cache/lavo/peers/bin/pip install -r experiments/peers/requirements.txt
  ~/.cache/lavo/peers/bin/python experiments/peers/run.py -o out/peers
  lavo-bench targets out/peers     # each baseline over its peer, with intervals
  lavo-bench report out/peers

In each round one process of lavo-bench measures a block of each of our cells, and this process a
block of each peer; rounds alternate who comes first. Same shapes, same number of threads, inputs
made before the clock starts. A peer that differs from lavo-bench's float64 result (outputs and
gradients, 512 tokens) is recorded as wrong and not timed; one that is not installed is skipped. A
peer's time holds Python's own, a few hundredths of a millisecond of calls that take many.
"""
import argparse
import contextlib
import hashlib
import io
import json
import statistics
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import torch

from adapters import HEADS, MAKERS, WIDTH
from safetensors_file import write_safetensors

HERE = Path(__file__).parent
LENGTH, CHECKED_LENGTH = 4096, 512
PASSES = ("forward", "forward_backward")
BLOCK_SECONDS, FEWEST_SAMPLES = 0.3, 5
RELATIVE, ABSOLUTE = 1e-3, 1e-4  # float32 over 512 terms, exponentials among them


def inputs(length):
    torch.manual_seed(1)
    return [torch.randn(1, HEADS, length, WIDTH) for _ in range(3)]


def check(peer, bench, directory):
    """The first lines of what lavo-bench says where it disagrees, else None."""
    qkv = inputs(CHECKED_LENGTH)
    leaves = [x.detach().requires_grad_() for x in peer.prepare(*qkv)]
    output = peer.attend(*leaves)
    output.sum().backward()
    gradients = [peer.shape(x.grad) for x in leaves]
    gradients = gradients[0] if len(leaves) == 1 else gradients
    names = ("query", "key", "value")
    tensors = dict(zip(names, qkv)) | dict(peer.tensors)
    tensors["expected_output"] = peer.shape(output.detach())
    tensors |= {f"expected_grad_{name}": x for name, x in zip(names, gradients)}
    given, result = directory / "check.safetensors", directory / "check-out.safetensors"
    write_safetensors(given, tensors)
    command = [bench, "apply", "--mechanism", peer.mechanism, "--options", json.dumps(peer.options)]
    command += ["--input", given, "--output", result, "--dtype", "float64", "--grad", "--check"]
    command += ["--rtol", str(RELATIVE), "--atol", str(ABSOLUTE)]
    command += ["--causal"] if peer.causal else []
    finished = subprocess.run(command, capture_output=True, text=True)
    given.unlink()
    result.unlink(missing_ok=True)
    if finished.returncode == 0:
        return None
    return (finished.stdout + finished.stderr).strip().replace("\n", "; ")[:500]


def timed_block(peer, which):
    """Samples in ms, as lavo-bench takes them: warm, one call each, about BLOCK_SECONDS of them."""
    leaves = [x.detach() for x in peer.prepare(*inputs(LENGTH))]
    with_gradients = which == "forward_backward"
    for x in leaves:
        x.requires_grad_(with_gradients)
    with torch.set_grad_enabled(with_gradients):
        ones = torch.ones_like(peer.attend(*leaves))
        samples = []
        while len(samples) < FEWEST_SAMPLES + 1 or sum(samples) < BLOCK_SECONDS * 1e3:
            for x in leaves:
                x.grad = None
            start = time.perf_counter()
            output = peer.attend(*leaves)
            if with_gradients:
                output.backward(ones)
            samples.append((time.perf_counter() - start) * 1e3)
            del output
    return samples[1:]  # the first one warms up


def own_block(bench, directory, number):
    """results.json of one block of each of our cells."""
    directory = directory / f"round-{number}"
    command = [bench, "run", HERE / "peers.toml", "-o", directory, "--fresh"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads((directory / "results.json").read_text())


def time_metric(blocks):
    samples = [sample for block in blocks for sample in block]
    return {
        "value": statistics.median(samples),
        "unit": "ms",
        "better": "lower",
        "kind": "timing",
        "samples": samples,
        "blocks": [len(block) for block in blocks],
    }


def own_records(rounds):
    """The cells of the first round with the blocks of all."""
    records = {cell["id"]: cell for cell in rounds[0]["cells"]}
    for key, record in records.items():
        cells = [cell for each in rounds for cell in each["cells"] if cell["id"] == key]
        failed = next((cell for cell in cells if cell["status"] != "ok"), None)
        if failed:
            records[key] = failed
            continue
        record["metrics"]["time"] = time_metric([c["metrics"]["time"]["samples"] for c in cells])
        record["elapsed_s"] = sum(cell["elapsed_s"] for cell in cells)
    return list(records.values())


def peer_record(name, which, beside, blocks, peer=None, status="ok", reason=None):
    """`beside`: the record of our vanilla cell of this pass, whose setting it shares."""
    setting = ("pass", "length", "cross", "dtype", "batch", "heads", "head_dim", "device", "threads")
    axes = {axis: beside["axes"][axis] for axis in setting}
    axes |= {"mechanism": name, "implementation": "composed", "causal": not peer or peer.causal}
    axes |= peer.axes if peer else {}
    identity = json.dumps(["efficiency", beside["spec_version"], axes], sort_keys=True)
    metrics = {"time": time_metric(blocks)} if status == "ok" else {}
    notes = {"package": f"{peer.package} {peer.version}"} if peer else {}
    notes |= {"python": sys.version.split()[0], "checked_tokens": CHECKED_LENGTH}
    return beside | {
        "id": hashlib.sha256(identity.encode()).hexdigest()[:16],
        "attempt": 1,
        "status": status,
        "reason": reason,
        "axes": axes,
        "metrics": metrics,
        "series": {},
        "notes": notes,
        "started": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "elapsed_s": sum(sum(block) for block in blocks) / 1e3,
    }


def find_peers(bench, directory):
    """{name: peer} of those that are right; {name: (peer or None, status, reason)} of the others."""
    right, others = {}, {}
    for name, make in MAKERS.items():
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # one announces what it cannot import
                peer = make()
        except ImportError as error:
            others[name] = (None, "skipped", f"not installed: {error}")
            continue
        reason = check(peer, bench, directory)
        if reason:
            others[name] = (peer, "wrong", f"differs from lavo-bench apply: {reason}")
        else:
            right[name] = peer
    for name, (_, status, reason) in others.items():
        print(f"{name}: {status}: {reason}")
    return right, others


def measure(bench, directory, rounds):
    right, others = find_peers(bench, directory)
    blocks = {(name, which): [] for name in right for which in PASSES}
    own = []
    for number in range(rounds):
        for ours in (True, False) if number % 2 == 0 else (False, True):
            if ours:
                own.append(own_block(bench, directory, number))
                continue
            for name, which in blocks:
                blocks[name, which].append(timed_block(right[name], which))
        print(f"round {number + 1} of {rounds}", flush=True)
    cells = own_records(own)
    beside = {c["axes"]["pass"]: c for c in cells if c["axes"]["mechanism"] == "vanilla"}
    for (name, which), each in blocks.items():
        cells.append(peer_record(name, which, beside[which], each, right[name]))
    for name, (peer, status, reason) in others.items():
        for which in PASSES:
            cells.append(peer_record(name, which, beside[which], [], peer, status, reason))
    environments = {key: value for each in own for key, value in each["environments"].items()}
    used = {cell["environment"] for cell in cells}
    return {
        "schema": "lavo.results/1",
        "environments": {key: environments[key] for key in used},
        "cells": cells,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True, help="directory of the results")
    parser.add_argument("--bench", default="build/release/bin/lavo-bench", help="the program")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(2)  # as peers.toml says
    given.output.mkdir(parents=True, exist_ok=True)
    results = measure(given.bench, given.output, given.rounds)
    file = given.output / "results.json"
    file.write_text(json.dumps(results, indent=1) + "\n")
    subprocess.run([given.bench, "validate", file], check=True)


if __name__ == "__main__":
    main()
