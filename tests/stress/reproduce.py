#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the commands that a report prints under its figures, and compares the figures bit by bit.

usage: reproduce.py LAVO_BENCH RESULTS [FIGURE...]

RESULTS is an output directory whose report is made; a FIGURE is an id as in the report's file names.
Without one, a figure of each sweep is taken whose numbers are exact or follow from seeds: peak
memory, losses, errors. Takes as long as the sweeps took. Exit code 1 when a figure differs; a point
that only one of them has may be a cell that was skipped for the time it was predicted to take.
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

NAMES = ("label", "name")  # they leave out what all cells of a report have in common
EXACT = ("peak-memory", "grid-peak-memory", "loss-", "grid-loss", "error-")


def commands(results):
    """The command under each figure, by the figure's id."""
    page = (results / "report/index.html").read_text()
    found = {}
    for figure in re.findall(r'<figure id="([^"]+)">(.*?)</figure>', page, re.S):
        text = re.search(r"<pre class=command>(.*?)</pre>", figure[1], re.S)[1]
        found[figure[0]] = re.sub(r"<[^>]+>", "", text).strip()
    return found


def one_of_each_sweep(found):
    chosen = {}
    for figure, command in found.items():
        sweep = re.search(r"\S+\.toml", command)[0]
        if figure.startswith(EXACT):
            chosen.setdefault(sweep, figure)
    missing = {re.search(r"\S+\.toml", command)[0] for command in found.values()} - set(chosen)
    if missing:
        sys.exit(f"no figure of exact or seeded numbers: {', '.join(sorted(missing))}")
    return list(chosen.values())


def data(results, figure):
    chart = json.loads((results / "report" / f"{figure}.vl.json").read_text())
    rows = [{k: v for k, v in row.items() if k not in NAMES} for row in chart["data"]["values"]]
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def renamed(results, figure):
    """The figure in a report of its own cells alone, where names leave out what is common to all."""
    words = figure.split("-")
    found = [path.name[: -len(".vl.json")] for path in (results / "report").glob("*.vl.json")]
    fitting = [name for name in found if set(name.split("-")) <= set(words)]
    return max(fitting, key=len, default=figure)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__.strip())
    bench, results = sys.argv[1], pathlib.Path(sys.argv[2])
    found = commands(results)
    differing = 0
    for figure in sys.argv[3:] or one_of_each_sweep(found):
        with tempfile.TemporaryDirectory() as folder:
            words = shlex.split(found[figure].replace("-o DIR", f"-o {shlex.quote(folder)}"))
            for command in [[bench, *words[1:]], [bench, "report", folder]]:
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            again = pathlib.Path(folder)
            before, now = data(results, figure), data(again, renamed(again, figure))
        same = before == now
        differing += not same
        print(f"{'same   ' if same else 'differs'}  {figure}: {found[figure]}", flush=True)
        for name, rows, others in (("only there", before, now), ("only here", now, before)):
            for row in [row for row in rows if row not in others][:3]:
                print(f"         {name}: {row}", flush=True)
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
