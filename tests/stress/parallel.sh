#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Shards side by side, in shuffled order, by GNU parallel: however a sweep is divided (1, 2 and 5
# shards that share a directory; 5 with a directory each, then merged), it gives the cells and the
# seeded metrics of a run in one piece.
#   usage: parallel.sh [JOBS=2]     LAVO_BENCH: by default build/release/bin/lavo-bench
set -euo pipefail
jobs=${1:-2}
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bench=${LAVO_BENCH:-$top/build/release/bin/lavo-bench}
missing() { echo "parallel.sh: $1" >&2; exit 2; }
[[ -x $bench ]] || missing "$bench is missing: ./run_all.sh build"
parallel --version 2>/dev/null | grep -q '^GNU parallel' || missing "needs GNU parallel: apt-get install parallel"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sweep=(run "$top/experiments/sweeps/ablation.toml" --profile smoke)
same() { python3 "$top/tests/stress/same_results.py" "$work/whole/results.json" "$1/results.json"; }

"$bench" "${sweep[@]}" -o "$work/whole" >"$work/log"
for shards in 1 2 5; do
  seq "$shards" | shuf |
    parallel --will-cite --halt now,fail=1 -j "$jobs" \
      "$bench" "${sweep[@]}" -o "$work/shared-$shards" --shard "{}/$shards" >"$work/log"
  echo "$shards shards, one directory: $(same "$work/shared-$shards")"
  "$bench" merge "$work/shared-$shards" >"$work/log"
  echo "$shards shards, one directory, merged: $(same "$work/shared-$shards")"
done
seq 5 | shuf |
  parallel --will-cite --halt now,fail=1 -j "$jobs" \
    "$bench" "${sweep[@]}" -o "$work/own-{}" --shard "{}/5" >"$work/log"
"$bench" merge "$work"/own-* -o "$work/merged" >"$work/log"
echo "5 shards, 5 directories, merged: $(same "$work/merged")"
"$bench" "${sweep[@]}" -o "$work/merged" >"$work/log" # everything is there: it measures nothing
[[ $(wc -l <"$work/merged/cells.merged.jsonl") == $(cat "$work/merged"/cells*.jsonl | wc -l) ]] ||
  { echo "FAILED: a run in the merged directory measured again"; exit 1; }
echo "passed: 13 shards"
