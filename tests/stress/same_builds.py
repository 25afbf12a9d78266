#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whether a build still measures what another one measured.

usage: same_builds.py OLD_BENCH NEW_BENCH DIR [SWEEP...]

Each program reads the sweeps of its own tree (BENCH is TREE/build/PRESET/bin/lavo-bench). Wanted are
the same ids in every profile of every sweep of the old tree, and in the smoke profile, which both
run into DIR (or only these SWEEPs, by name; a second call resumes), equal numbers bit by bit in
every cell that was ok and depends on a seed. Listed for the reader to judge: cells that only the
new one has, statuses, and costs: predicted memory, and what is counted exactly (flop, bytes, peak).
Exit code 1 where a wanted thing is missing. Takes minutes: the smoke profile of each sweep, twice.
"""
import pathlib
import re
import subprocess
import sys
from collections import Counter

from same_results import cells, seeded

PROFILES = ("smoke", "quick", "mid", "paper")
ROW = re.compile(r"([0-9a-f]{16})  (\S+(?: \S+)?) +(\S+) +(\S+)  (.*)")  # id, status, s, MiB, cell


def planned(bench, sweep, profile):
    """{id: (predicted MiB, the cell in words)} in the order of the plan."""
    command = [bench, "plan", sweep, "--profile", profile]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    rows = [ROW.fullmatch(line) for line in lines[1:-1]]
    return {row[1]: (row[4], row[5]) for row in rows}


def show(title, lines, most=12):
    """A list for the reader: how many, and the first of them."""
    lines = list(lines)
    if lines:
        print(f"  {len(lines)} {title}", *lines[:most], sep="\n    ")
        if len(lines) > most:
            print(f"    and {len(lines) - most} more")


def compare_plans(old, new, sweep, profile):
    """Whether every id of before is there, in the same order."""
    before = planned(old, sweeps_of(old) / sweep, profile)
    now = planned(new, sweeps_of(new) / sweep, profile)
    same = [id for id in now if id in before] == list(before)
    print(f"{'same   ' if same else 'DIFFERS'} {sweep} {profile}: {len(before)} ids, now {len(now)}")
    show("ids are gone", (f"{id} {before[id][1]}" for id in before if id not in now))
    show("cells are new", (f"{id} {now[id][1]}" for id in now if id not in before))
    show("predictions of memory (MiB) changed",
         (f"{before[id][0]} -> {now[id][0]}: {id} {before[id][1]}"
          for id in before if id in now and now[id][0] != before[id][0]))
    return same


def compare_runs(old, new, sweep, folder):
    """Whether every cell that was ok is ok and has the same seeded numbers."""
    found = []
    for bench, name in ((old, "old"), (new, "new")):
        output = folder / name / sweep.removesuffix(".toml")
        subprocess.run([bench, "run", sweeps_of(bench) / sweep, "--profile", "smoke", "-o", output],
                       check=True, stdout=subprocess.DEVNULL)
        found.append(cells(output / "results.json"))
    before, now = found
    both = [id for id in before if id in now]
    was_ok = [id for id in both if before[id]["status"] == "ok"]
    lost = [id for id in was_ok if now[id]["status"] != "ok"]
    moved = [f"{id}: {name} {a} -> {seeded(now[id]).get(name)}" for id in was_ok if id not in lost
             for name, a in seeded(before[id]).items() if seeded(now[id]).get(name) != a]
    values = sum(len(seeded(before[id])) for id in was_ok)
    same = not lost and not moved
    print(f"{'same   ' if same else 'DIFFERS'} {sweep}: {len(was_ok)} cells were ok, {values} seeded numbers")
    show("cells were ok", (f"{now[id]['status']} ({now[id]['reason']}): {id}" for id in lost))
    show("seeded numbers changed", moved)
    statuses = Counter((before[id]["status"], before[id]["reason"], now[id]["status"], now[id]["reason"])
                       for id in both if before[id]["status"] != "ok")
    show("other statuses changed", (f"{n} cells: {a} ({why}) -> {b} ({because})"
         for (a, why, b, because), n in statuses.items() if a != b))
    costs = [f"{name} {metric['value']} -> {now[id]['metrics'][name]['value']}: {id}"
             for id in was_ok if id not in lost for name, metric in before[id]["metrics"].items()
             if metric["kind"] == "exact" and now[id]["metrics"].get(name, metric)["value"] != metric["value"]]
    show("exact costs changed", costs)
    return same


def sweeps_of(bench):
    return pathlib.Path(bench).resolve().parents[3] / "experiments/sweeps"


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__.strip())
    old, new, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    sweeps = [f"{name}.toml" for name in sys.argv[4:]] or sorted(path.name for path in sweeps_of(old).glob("*.toml"))
    same = [compare_plans(old, new, sweep, profile) for sweep in sweeps for profile in PROFILES]
    same += [compare_runs(old, new, sweep, folder) for sweep in sweeps]
    sys.exit(0 if all(same) else 1)


if __name__ == "__main__":
    main()
