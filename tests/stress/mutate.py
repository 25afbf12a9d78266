#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Small faults planted into the forward of mechanisms: does a test turn red for each?

usage: mutate.py BUILD RESULTS.jsonl [MECHANISM...] [--most 20] [--seed 1]

A mutant changes one place in the sources of a mechanism, or in the parts that they use: x to x + 1,
+ to -, < to <=. BUILD is a folder with lavo_tests in it, of this tree as it stands. Its own object
files stay: the mutated source alone is compiled, and linked before them, so that its definitions are
taken (code compiled with -fPIC calls through symbols). Then the conformance tests run for this
mechanism, its golden files, and the tests of that source and of the mechanism:

  killed       a test is red, or it crashes or does not end
  equivalent   no test is, and outputs and gradients of a probe set have the same bits, or the
               number only says how much is worked on at a time
  survived     anything else: a test is missing
  invalid      it does not compile; another takes its place

RESULTS keeps a line for each and is what a second call resumes from; the last lines printed are a
table and the survivors. Exit code 1 where fewer than 95 % of those that are not equivalent are killed.
"""
import argparse
import hashlib
import json
import os
import random
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIME_LIMIT_S = 900  # of all tests of one mutant; a loop that does not end is noticed
# Functions whose numbers no output depends on, or that judge the forward.
NOT_FORWARD = re.compile(r"cost|_rows|reference|supported|patterns|inputs\(|not_fused|validate|resolve|visit|named\(|assign\(")
SIZES = re.compile(r"tile|chunk|kBlock", re.I)  # how much is worked on at a time
TEXT = re.compile(r'//[^\n]*|"(?:\\.|[^"\\\n])*"')
PLACES = [
    ("+ to -", re.compile(r"(?<= )\+(?= )"), "-"),
    ("< to <=", re.compile(r"(?<= )<(?= )"), "<="),
    # An operand: a number or a name between brackets, commas and operators; not a call, not a type.
    ("x to x + 1", re.compile(r"(?:(?<=[(,{=*/+\-] )|(?<=[({])|(?<=return ))"
                              r"(?!true\b|false\b|const\b|torch\b|auto\b)[A-Za-z_]\w*(?=[,);]| [*/+\-<>] )"
                              r"|(?<![\w.])\d+(?:\.\d+)?(?![\w.'])"), None),
]


def sources_of(mechanism):
    """The .cpp files of a mechanism: its own first, then the parts that they include."""
    if mechanism == "lavo":
        own = [path for path in sorted((ROOT / "lavo").glob("*.cpp")) if "options" not in path.stem]
    else:
        header = next(path for path in sorted((ROOT / "baselines").glob("*.h"))
                      if f'kName = "{mechanism}"' in path.read_text())
        own = [header.with_suffix(".cpp")]
    found = []
    todo = [path for path in own if not path.stem.endswith("_reference")]
    for path in todo:
        found.append(path)
        for text in [source.read_text() for source in (path, path.with_suffix(".h")) if source.exists()]:
            for header in re.findall(r'#include "(lavo/parts/\w+)\.h"', text):
                part = ROOT / f"{header}.cpp"
                if part.exists() and part not in todo:
                    todo.append(part)
    return found


def forward_only(text):
    """The text with everything blanked that is not code of a forward: comments, strings, other functions."""
    text = TEXT.sub(lambda match: " " * len(match[0]), text)
    lines, keep = text.split("\n"), False
    for i, line in enumerate(lines):
        if re.match(r"[A-Za-z].*", line):  # clang-format: what begins a function or a constant is not indented
            head = " ".join(lines[i:i + 4]).split("{")[0]
            keep = not NOT_FORWARD.search(head) and not line.startswith(("namespace", "using", "#"))
            # Parameters are no operands.
            if keep and not line.startswith("constexpr"):
                lines[i] = " " * len(line)
        if not keep or re.match(r"[#}/]", line):
            lines[i] = " " * len(line)
    return "\n".join(lines)


def mutants_of(mechanism, seed):
    """Every mutant there is, in an order drawn by the seed: kinds in turn, its own source and parts in turn."""
    found = []
    for path in sources_of(mechanism):
        text = path.read_text()
        code = forward_only(text)
        for kind, pattern, other in PLACES:
            for match in pattern.finditer(code):
                line = text.count("\n", 0, match.start())
                found.append({"mechanism": mechanism, "file": path.relative_to(ROOT).as_posix(), "line": line + 1,
                              "kind": kind, "at": match.start(), "old": match[0],
                              "new": other or f"({match[0]} + 1)", "text": text.split("\n")[line].strip()})
    random.Random(f"{seed} {mechanism}").shuffle(found)
    queues = [[m for m in found if m["kind"] == kind and ("/parts/" in m["file"]) == part]
              for part in (False, True) for kind, _, _ in PLACES]
    while any(queues):
        for queue in queues:
            if queue:
                yield queue.pop()


class Program:
    """lavo_tests with one source replaced."""

    def __init__(self, build):
        self.build = build
        self.commands = json.loads((build / "compile_commands.json").read_text())
        ninja = subprocess.run(["ninja", "-C", build, "-t", "commands", "-s", "bin/lavo_tests"],
                               check=True, capture_output=True, text=True).stdout
        self.link = next(line for line in ninja.splitlines() if " -o bin/lavo_tests " in line)
        self.tests = build / "bin/lavo_tests"

    def compile_command(self, path):
        """That of the target which the file belongs to; precompiled header and all."""
        for command in self.commands:
            source = Path(command["directory"], command["file"])
            if source == path or ("Unity" in source.parts and f'"{path}"' in source.read_text()):
                words = shlex.split(command["command"])
                return words[next(i for i, word in enumerate(words) if re.search(r"[gc]\+\+$", word)):]
        sys.exit(f"mutate.py: no target compiles {path}")

    def make(self, path, text, folder):
        """Whether it compiles; then folder/lavo_tests is there."""
        source, target = folder / path.name, folder / "mutant.o"
        source.write_text(text)
        words = self.compile_command(path)
        words[words.index("-o") + 1], words[words.index("-c") + 1] = str(target), str(source)
        words = [word for word in words if word != "-Werror"]
        if subprocess.run(words, cwd=self.build, capture_output=True).returncode:
            return False
        link = self.link.split(" && ")[1] if self.link.startswith(":") else self.link
        link = shlex.split(link)
        link[link.index("-o") + 1] = str(folder / "lavo_tests")
        subprocess.run([*link[:1], str(target), "-Wl,-z,muldefs", *link[1:]], cwd=self.build, check=True,
                       capture_output=True)
        return True


def run(program, mechanism, *selection, **more):
    environment = dict(os.environ, LAVO_TEST_MECHANISM=mechanism, OMP_NUM_THREADS="1")
    return subprocess.run([program, "--filenames-as-tags", *selection], env=environment, timeout=TIME_LIMIT_S,
                          capture_output=True, text=True, **more)


def tests_of(mutant):
    """The files of tests that matter, by the tag of their name; quick ones first."""
    stems = {Path(mutant["file"]).stem, mutant["mechanism"]}
    own = [path.stem for path in sorted((ROOT / "tests").rglob("*_test.cpp"))
           if any(path.stem.startswith(stem) for stem in stems)]
    return [*own, "golden_test", *sorted(path.stem for path in (ROOT / "tests/conformance").glob("*_test.cpp"))]


def killer(program, mutant):
    """The first file of tests that is red; None where all are green."""
    for test in tests_of(mutant):
        try:
            if run(program, mutant["mechanism"], f"[#{test}]", "--abort").returncode not in (0, 77):
                return test
        except subprocess.TimeoutExpired:
            return f"{test} (does not end)"
    return None


def digest(program, mechanism):
    """Of what it computes; None where it does not get as far."""
    lines = re.findall(r"^digest .*\n", run(program, mechanism, "[digest]").stdout, re.M)
    return hashlib.sha256("".join(lines).encode()).hexdigest() if lines else None


def judge(program, mutant, bits):
    """status and reason of one mutant."""
    path = ROOT / mutant["file"]
    text = path.read_text()
    changed = text[:mutant["at"]] + mutant["new"] + text[mutant["at"] + len(mutant["old"]):]
    with tempfile.TemporaryDirectory(prefix="lavo-mutant.") as folder:
        folder = Path(folder)
        if not program.make(path, changed, folder):
            return "invalid", "does not compile"
        test = killer(folder / "lavo_tests", mutant)
        if test:
            return "killed", test
        if digest(folder / "lavo_tests", mutant["mechanism"]) == bits:
            return "equivalent", "the same bits on the probe set"
    if SIZES.search(mutant["text"]):
        return "equivalent", "says how much is worked on at a time"
    return "survived", ""


def show(results):
    total = Counter()
    for mechanism in dict.fromkeys(r["mechanism"] for r in results):
        counts = Counter(r["status"] for r in results if r["mechanism"] == mechanism)
        total += counts
        print(f"{mechanism:16} {counts['killed']:3} killed {counts['survived']:3} survived {counts['equivalent']:3} equivalent")
    for r in results:
        if r["status"] in ("survived", "equivalent"):
            print(f"{r['status']}: {r['file']}:{r['line']}: {r['old']} -> {r['new']}: {r['text']}  ({r['reason'] or r['mechanism']})")
    judged = total["killed"] + total["survived"]
    share = total["killed"] / judged if judged else 0
    print(f"{judged} that are not equivalent, {share:.1%} killed")
    return share


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("mechanisms", nargs="*")
    parser.add_argument("--most", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    program = Program(given.build.resolve())
    listed = subprocess.run([given.build / "bin/lavo-bench", "list", "mechanisms", "--json"], check=True,
                            capture_output=True, text=True).stdout
    mechanisms = given.mechanisms or [m["name"] for m in json.loads(listed)["mechanisms"]]
    results = [json.loads(line) for line in given.results.read_text().splitlines()] if given.results.exists() else []
    known = {(r["mechanism"], r["file"], r["at"], r["kind"]): r for r in results}
    for mechanism in mechanisms:
        bits, judged = None, 0
        for mutant in mutants_of(mechanism, given.seed):
            if judged == given.most:
                break
            key = (mechanism, mutant["file"], mutant["at"], mutant["kind"])
            if key not in known:
                bits = bits or digest(program.tests, mechanism) or sys.exit(f"{mechanism}: no digest")
                mutant["status"], mutant["reason"] = judge(program, mutant, bits)
                known[key] = mutant
                results.append(mutant)
                with given.results.open("a") as file:
                    print(json.dumps(mutant), file=file)
                print(f"{mutant['status']:10} {mutant['file']}:{mutant['line']}: {mutant['old']} -> {mutant['new']}  {mutant['reason']}", flush=True)
            judged += known[key]["status"] != "invalid"
    sys.exit(0 if show([r for r in results if r["mechanism"] in mechanisms]) >= 0.95 else 1)


if __name__ == "__main__":
    main()
