#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A regression gate for pull requests: two builds, side by side on this machine.
#
#   experiments/ci/gate.sh BASE_BIN NEW_BIN [OUT]
#
# Exit code as of `lavo-bench compare`: 0 pass, 1 regression, 2 bad input, 4 incomparable.
# Writes OUT/comment.md, comparison.json, junit.xml, and what was measured.
#
#   SWEEP=experiments/sweeps/efficiency.toml   ROUNDS=9      PROFILE=smoke
#   POLICY=experiments/ci/gate.toml            EXTRA='--axis length=1024,4096'
set -euo pipefail

if [[ $# -lt 2 || $# -gt 3 ]]; then
  echo "usage: gate.sh BASE_BIN NEW_BIN [OUT]" >&2
  exit 2
fi
base=$1 new=$2 out=${3:-out/gate}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
policy=${POLICY:-$here/gate.toml}
read -ra extra <<<"${EXTRA:-}"
measure=(--sweep "${SWEEP:-$here/../sweeps/efficiency.toml}" --rounds "${ROUNDS:-9}"
  --profile "${PROFILE:-smoke}" "${extra[@]}")

mkdir -p "$out"
cp "$policy" "$out/gate.toml" # beside the noise that it includes

echo "== how noisy is this machine: the base build against itself"
"$new" compare --run "$base" "$base" "${measure[@]}" -o "$out/noise" \
  --calibrate "$out/noise.toml" >"$out/noise.txt"
tail -n 3 "$out/noise.txt"

echo "== base against new"
exec "$new" compare --run "$base" "$new" "${measure[@]}" -o "$out/runs" --policy "$out/gate.toml" \
  --md "$out/comment.md" --json "$out/comparison.json" --junit "$out/junit.xml"
