#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Bad inputs: each must exit with 2 and say so in exactly one line on stderr.
#   tests/stress/bad_inputs.sh build/release/bin/lavo-bench [-v]
# -v prints every line. Exits with 1 when one fails. Takes about two minutes.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${1:?usage: bad_inputs.sh BINARY [-v]}"
binary=$(readlink -f "$1") verbose=${2:-}
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2034  # the cases use them
T=$work/t O=$work/out.safetensors GOODDIR=$work/good GOOD=$work/good/results.json
cd "$work" || exit 1
count=0 failed=0
bad() {
  local rc lines
  timeout 60 "$binary" "$@" >stdout 2>stderr </dev/null; rc=$?
  lines=$(wc -l <stderr); count=$((count + 1))
  if [ $rc -ne 2 ] || [ "$lines" -ne 1 ] || [ ! -s stderr ]; then
    failed=$((failed + 1)); printf 'FAIL rc=%s lines=%s: %q' "$rc" "$lines" "$1"; printf ' %q' "${@:2}"; echo
    head -c 300 stderr
  elif [ "$verbose" = -v ]; then
    printf 'ok  '; printf ' %q' "$@"; echo; cut -c1-200 stderr
  fi
}
# says WORD ARGS: as bad, and the line must contain WORD (the option or place to blame).
says() {
  local word=$1; shift
  bad "$@"
  grep -qF -- "$word" stderr || { failed=$((failed + 1)); echo "FAIL wanted '$word' in: $(head -c 300 stderr)"; }
}
python3 "$here/bad_files.py" "$T" || exit 1
"$binary" run "$T/s_ok.toml" -o "$GOODDIR" --threads 1 --profile smoke >/dev/null || exit 1
for cases in "$here"/bad_inputs/*.sh; do
  # shellcheck source=/dev/null
  source "$cases"
done

echo "$count bad inputs, $failed failures"
[ $failed -eq 0 ]
