#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# How far the gate can be trusted on this machine, by real measurements:
#
#   experiments/ci/rates.sh LAVO_BENCH [OUT]
#
#   A/A    COMPARISONS times the build against itself, side by side: false "slower" among all cells
#   power  RUNS times with one mechanism made 10 % and 25 % slower: how often it is found
#   exact  one byte more of one exact metric: found in how many of RUNS
#
# The slowdown is put into the results of one side, after both sides were measured: every sample of
# the mechanism's times is multiplied. What the machine did to the measurements stays in them.
#
#   SWEEP=experiments/sweeps/efficiency.toml   ROUNDS=9   COMPARISONS=20   RUNS=10
#   PROFILE=smoke   MECHANISM=lavo             EXTRA='--axis length=512,1024'
set -euo pipefail

if [[ $# -lt 1 || $# -gt 2 ]]; then
  echo "usage: rates.sh LAVO_BENCH [OUT]" >&2
  exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bench=$1 out=${2:-out/rates}
mkdir -p "$out"
read -ra extra <<<"${EXTRA:-}"
measure=(--sweep "${SWEEP:-$here/../sweeps/efficiency.toml}" --rounds "${ROUNDS:-9}"
  --profile "${PROFILE:-smoke}" "${extra[@]}")
comparisons=${COMPARISONS:-20}

for ((i = 1; i <= comparisons; ++i)); do
  code=0
  "$bench" compare --run "$bench" "$bench" "${measure[@]}" -o "$out/$i" --json "$out/$i/a-a.json" \
    >"$out/$i.txt" 2>"$out/$i.log" || code=$?
  if ((code > 1)); then
    cat "$out/$i.log" >&2
    exit "$code"
  fi
  echo "A/A $i/$comparisons: $(tail -n 1 "$out/$i.txt")"
done

exec python3 "$here/rates.py" "$bench" "$out" "${RUNS:-10}" "${MECHANISM:-lavo}"
