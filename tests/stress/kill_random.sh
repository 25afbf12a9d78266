#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Kills a sweep at random moments (kill -9) and resumes it, again and again. Every cell that had a
# record must keep it, the files must parse, and the end must be the set that a sweep without
# interruptions gives.
#   usage: kill_random.sh [KILLS=100]     LAVO_BENCH: lavo-bench-faulty, by default of build/release
set -euo pipefail
kills=${1:-100}
bench=${LAVO_BENCH:-$(dirname "$0")/../../build/release/bin/lavo-bench-faulty}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
seeds=$(seq -s, 0 399)
cat > "$work/sweep.toml" <<TOML
experiment = "faulty"
[fixed]
seconds = 0.05
[axes]
seed = [$seeds]
behaviour = ["ok", "wrong"]
[limits]
blocks = 1
TOML
run() { "$bench" run "$work/sweep.toml" -o "$work/$1" >> "$work/log" 2>&1 || { tail -1 "$work/log"; exit 1; }; }
summary() {  # what must not depend on when cells ran
  python3 - "$work/$1" <<'PY'
import json, pathlib, sys
cells = {}
for line in (pathlib.Path(sys.argv[1]) / "cells.jsonl").read_text().splitlines():
    try:
        record = json.loads(line)
    except ValueError:
        continue  # a torn tail: the program reports and drops it
    assert record["id"] not in cells, "a cell ran twice"
    cells[record["id"]] = (record["status"], record["metrics"].get("score"))
print(json.dumps(sorted(cells.items())))
PY
}
touch "$work/log"
had='[]'
for _ in $(seq "$kills"); do
  "$bench" run "$work/sweep.toml" -o "$work/killed" >> "$work/log" 2>&1 & driver=$!
  sleep "$((RANDOM % 2)).$((RANDOM % 10))$((RANDOM % 10))"
  kill -9 "$driver" 2>/dev/null || true
  wait "$driver" 2>/dev/null || true
  [ -f "$work/killed/cells.jsonl" ] || continue
  now=$(summary killed)
  python3 -c 'import json,sys; a, b = map(json.loads, sys.argv[1:]); assert all(x in b for x in a), "lost"' "$had" "$now"
  had=$now
done
run killed
run whole
[ "$(summary killed)" = "$(summary whole)" ] || { echo "FAILED: the sets differ"; exit 1; }
python3 -m json.tool "$work/killed/results.json" > /dev/null
echo "passed: $kills kills, $(wc -l < "$work/killed/cells.jsonl") cells"
