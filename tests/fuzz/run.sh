#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Feeds our readers with made-up files: builds the fuzz targets, starts from the committed corpus, and
# minimises what was gathered into build/fuzz/corpus. Ends with 1 where a reader did anything but
# read or refuse; the input lies in build/fuzz/findings.
#   usage: tests/fuzz/run.sh [SECONDS=600] [TARGET...]     sweep, records, results, safetensors
#   JOBS=2       so many side by side
#   TIMEOUT=25   s for one input, by the clock: more on a machine that is paused meanwhile
#   KEEP=1       copies what minimising left into tests/fuzz/corpus, to be committed
# The next run starts from build/fuzz/corpus too. A finding, once mended, is committed by hand as
# tests/fuzz/corpus/TARGET/regression-WHAT: ctest replays it from then on.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$top"
seconds=600
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
  seconds=$1
  shift
fi
targets=("$@")
if ((!$#)); then targets=(sweep records results safetensors); fi
missing() { echo "run.sh: $1" >&2; exit 2; }
for target in "${targets[@]}"; do
  [[ -f tests/fuzz/$target.cpp && -d tests/fuzz/corpus/$target ]] || missing "no target '$target'"
done
command -v clang++ >/dev/null || missing "needs clang++ with libFuzzer: apt-get install clang libclang-rt-dev"

if [[ ! -f build/fuzz/CMakeCache.txt ]]; then
  # Where CMAKE_PREFIX_PATH names no LibTorch, the one that another build found.
  torch=$(sed -n 's,^LibTorchCPU_INCLUDE_DIR:.*=\(.*\)/include$,\1,p' build/*/CMakeCache.txt 2>/dev/null | head -n 1)
  cmake --preset fuzz --log-level=NOTICE ${torch:+"-DCMAKE_PREFIX_PATH=$torch"}
fi
cmake --build --preset fuzz --target "${targets[@]/#/fuzz_}"

# Files that targets write go where writing costs nothing.
if [[ -w /dev/shm ]]; then export TMPDIR=/dev/shm; fi
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0} # of LibTorch, which keeps what it made
mkdir -p build/fuzz/{findings,logs}

fuzz() { # fuzz TARGET
  local program=build/fuzz/bin/fuzz_$1 seeds=tests/fuzz/corpus/$1 corpus=build/fuzz/corpus/$1 code=0
  mkdir -p "$corpus"
  "$program" -max_total_time="$seconds" -timeout="$TIMEOUT" -rss_limit_mb=3000 -max_len=8192 -use_value_profile=1 \
    -dict=tests/fuzz/words.dict -artifact_prefix="build/fuzz/findings/$1-" -print_final_stats=1 \
    "$corpus" "$seeds" >"build/fuzz/logs/$1" 2>&1 || code=$?
  awk -v target="$1" -v code=$code '
    /number_of_executed_units/ {total = $2} /average_exec_per_sec/ {rate = $2} /cov: / {coverage = $4}
    END {printf "%-12s %10d executions, %6d a second, %5d edges: %s\n", target, total, rate, coverage,
                code ? "FINDING" : "nothing found"}' "build/fuzz/logs/$1"
  if ((code)); then
    grep -m 3 -E 'ERROR|runtime error|broken promise|uncaught|Test unit written' "build/fuzz/logs/$1"
    return 1
  fi
  # One small input for each edge, not for each count of an edge: a corpus to read, not to search in.
  rm -rf "$corpus.least"
  mkdir "$corpus.least"
  "$program" -merge=1 -use_counters=0 -max_len=8192 "$corpus.least" "$seeds" "$corpus" >>"build/fuzz/logs/$1" 2>&1
  if [[ ${KEEP:-} ]]; then
    find "$seeds" -type f ! -name 'regression-*' -delete # past findings stay, whatever they reach
    cp "$corpus.least"/* "$seeds"
  fi
}
export -f fuzz
export seconds KEEP=${KEEP:-} TIMEOUT=${TIMEOUT:-25}
printf '%s\n' "${targets[@]}" | xargs -P "${JOBS:-1}" -I{} bash -c 'fuzz {}' || exit 1
