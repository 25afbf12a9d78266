#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Set-up, build, every sweep and the report, or one of these. `./run_all.sh help` explains.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'TEXT'
usage: ./run_all.sh [COMMAND] [OPTIONS]

commands
  all       set-up, build, every sweep, the report (this is what no command means)
  test      set-up, build, every test
  build     set-up, build
  setup     only what the build needs: packages, LibTorch, the pictures' renderer
  clean     removes build/; results and the installed environment stay
  help      prints this

options
  --profile smoke|quick|mid|paper   size of the sweeps; default quick: about 15 minutes on 2 cores
  --only SWEEP[,SWEEP...]           these of experiments/sweeps; default all
  --device cpu|cuda[:i]             where to measure; default cpu; cuda builds the preset `cuda`
  --threads N                       CPU threads of each cell; default: as each sweep says
  --output DIR                      results and report; default out/PROFILE; a second run resumes
  --preset NAME                     release, clang, debug, sanitize, tsan or cuda, of CMakePresets.json

environment
  CMAKE_PREFIX_PATH   a LibTorch 2.11 of your own: then none is installed
  LAVO_ENV_ROOT       where installed environments are kept; default ~/.cache/lavo
  LAVO_WERROR=ON      warnings are errors
  LAVO_CUDA_ARCHITECTURES  of the preset cuda, as CMake names them; default 80, 90 and 100
  JOBS                parallel compile and test jobs; default one for each core
TEXT
}

# ---- Words on the terminal ---------------------------------------------------------------------

fail() { # fail TEXT: a mistake in how the script was called, or something that it needs
  running=''
  echo "run_all.sh: $1" >&2
  exit 2
}

nearest() { # nearest KIND GOT KNOWN...: one line with the known name that looks most like it
  python3 - "$@" <<'PY'
import difflib, sys
kind, got, *known = sys.argv[1:]
close = difflib.get_close_matches(got, known, 1, 0.5)
hint = f", did you mean '{close[0]}'?" if close else ""
print(f"unknown {kind} '{got}'{hint or ';'} known: {', '.join(known)}")
PY
}

one_of() { # one_of KIND GOT KNOWN...
  local kind=$1 got=$2 known
  for known in "${@:3}"; do
    if [[ $got == "$known" ]]; then return; fi
  done
  fail "$(nearest "$kind" "$got" "${@:3}")"
}

step() { # step TITLE COMMAND...: runs it and says how long it took
  running=$1 started=$SECONDS
  printf '\n==> %s\n' "$running"
  "${@:2}" # not under an `if` or `||`: inside those a failing line would not stop it
  printf '==> %s: done in %d s\n' "$running" $((SECONDS - started))
  running=''
}

running=''
say_what_failed() {
  local code=$?
  if [[ $running ]]; then
    printf '==> %s: failed (exit %d) after %d s\n' "$running" $code $((SECONDS - started)) >&2
  fi
}
trap say_what_failed EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- Set-up ------------------------------------------------------------------------------------

missing_packages() { # Debian's names of what is neither a command nor a header here
  local pair
  for pair in cmake:cmake g++:g++ ninja:ninja-build ccache:ccache; do
    command -v "${pair%%:*}" >/dev/null || echo "${pair##*:}"
  done
  python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
  command -v g++ >/dev/null || return 0
  g++ -E -P -x c++ - <<'CPP' | grep . || true
#if !__has_include(<catch2/catch.hpp>) && !__has_include(<catch2/catch_test_macros.hpp>)
catch2
#endif
#if !__has_include(<nlohmann/json.hpp>)
nlohmann-json3-dev
#endif
#if !__has_include(<CLI/CLI.hpp>)
libcli11-dev
#endif
#if !__has_include(<toml++/toml.h>)
libtomlplusplus-dev
#endif
#if !__has_include(<benchmark/benchmark.h>)
libbenchmark-dev
#endif
CPP
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  if ((${#missing[@]} == 0)); then
    echo "packages: all there"
  elif [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    echo "packages: installing ${missing[*]}"
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
      "${missing[@]}" >/dev/null
  elif [[ ${missing[*]} == ccache ]]; then
    echo "packages: all there (ccache would make a second build faster)"
  else
    fail "missing packages; install them and run this again: sudo apt-get install -y ${missing[*]}"
  fi
}

named_libtorch() { # whether one of the folders of CMAKE_PREFIX_PATH is a LibTorch
  local folder home
  while read -r folder; do
    for home in "$folder" "$folder"/{torch,../..,../../..}; do
      if [[ -e $home/lib/libtorch_cpu.so ]]; then return 0; fi
    done
  done < <(tr ';:' '\n' <<<"$CMAKE_PREFIX_PATH")
  return 1
}

# The groups of requirements.txt in an environment outside the clone, named by the hash of its pins.
# It gets its name only when it is whole.
make_environment() {
  local groups=pictures pins key part
  if ! named_libtorch; then groups+='|libtorch'; fi
  if [[ $preset == cuda ]] && ! named_libtorch; then groups+='|cuda|python'; fi
  pins=$(sed -nE "s/ *# ($groups)\b.*//p" requirements.txt)
  key=$(python3 -c 'import hashlib, platform, sys
key = sys.argv[1], platform.machine(), sys.version_info[:2]
print(hashlib.sha256(repr(key).encode()).hexdigest()[:12])' "$pins")
  environment=$environments/env-$key
  if [[ ! -d $environment ]]; then
    echo "environment: installing ${pins//$'\n'/, }"
    part=$environment.part
    rm -rf "$part"
    python3 -m venv "$part"
    "$part/bin/python" -m pip --disable-pip-version-check --quiet install --no-deps \
      -r /dev/stdin <<<"$pins"
    mv -T "$part" "$environment"
  fi
  echo "environment: $environment"
  if ! named_libtorch; then
    CMAKE_PREFIX_PATH=${CMAKE_PREFIX_PATH:+$CMAKE_PREFIX_PATH:}$(
      echo "$environment"/lib/python3*/site-packages/torch
    )
  fi
}

setup() { # one at a time: a second run waits, then finds everything done
  mkdir -p "$environments"
  exec 9>"$environments/lock"
  flock 9
  install_packages
  make_environment
  exec 9>&-
}

# ---- Build, test, measure ----------------------------------------------------------------------

build() { # build [TARGET]: all of it, or what one target needs
  # -U: a LibTorch found by an earlier call may be gone.
  cmake --preset "$preset" -U 'LibTorchCPU_*' -U Torch_DIR --log-level=NOTICE \
    -DCMAKE_PREFIX_PATH="${CMAKE_PREFIX_PATH//:/;}" -DLAVO_PYTHON="$environment/bin/python" \
    -DLAVO_WERROR="${LAVO_WERROR:-OFF}"
  cmake --build --preset "$preset" --parallel "$jobs" ${1:+--target "$1"}
}

measure() { # measure SWEEP
  "$bench" run "experiments/sweeps/$1.toml" -o "$output" --profile "$profile" "${selectors[@]}"
}

report() { "$bench" report "$output"; }

all() {
  local sweep
  step "Set-up" setup
  step "Build ($preset)" build lavo-bench
  for sweep in "${sweeps[@]}"; do step "Sweep $sweep ($profile)" measure "$sweep"; done
  step "Report" report
  printf '\nEverything took %d s. The report: %s\n' $SECONDS "$output/report/index.html"
}

# ---- The command line --------------------------------------------------------------------------

CMAKE_PREFIX_PATH=${CMAKE_PREFIX_PATH:-}
command=all profile=quick only='' device=cpu output='' preset='' selectors=()
if (($#)) && [[ $1 != -* ]]; then
  command=$1
  shift
fi
one_of command "$command" all test build setup clean help
if [[ $command == help ]]; then set --; fi # whatever else is said, and whatever is missing here
while (($#)); do
  case $1 in
    -h | --help) command=help && break ;;
    --profile | --only | --device | --threads | --output | --preset)
      if (($# < 2)); then fail "$1 needs a value"; fi
      case $1 in
        --profile) profile=$2 ;;
        --only) only=$2 ;;
        --device) device=$2 ;;
        --threads) selectors+=(--threads "$2") ;;
        --output) output=$2 ;;
        --preset) preset=$2 ;;
      esac
      shift
      ;;
    *)
      fail "$(nearest option "$1" --profile --only --device --threads --output --preset --help)"
      ;;
  esac
  shift
done

if [[ $command == help ]]; then
  usage
  exit
fi

known_sweeps=(experiments/sweeps/*.toml)
known_sweeps=("${known_sweeps[@]##*/}")
known_sweeps=("${known_sweeps[@]%.toml}")
IFS=, read -ra sweeps <<<"${only:-$(IFS=,; echo "${known_sweeps[*]}")}"
for sweep in "${sweeps[@]}"; do one_of sweep "$sweep" "${known_sweeps[@]}"; done
one_of profile "$profile" smoke quick mid paper
if [[ $device == cpu ]]; then
  preset=${preset:-release}
elif [[ $device =~ ^cuda(:[0-9]+)?$ ]]; then
  preset=${preset:-cuda}
  selectors+=(--device "$device")
else
  fail "--device: got '$device', wanted cpu, cuda or cuda:i"
fi
one_of preset "$preset" release clang debug sanitize tsan cuda
if [[ $preset == clang ]] && ! command -v clang++ >/dev/null; then
  fail "the preset clang needs clang++ 14 or later on PATH, and its libomp (apt-get install clang libomp-dev)"
fi
if [[ $preset == cuda ]] && ! command -v nvcc >/dev/null; then
  fail "the preset cuda needs nvcc 13 on PATH"
fi
output=${output:-out/$profile}
if [[ $command != clean && ! ${LAVO_ENV_ROOT:-}${XDG_CACHE_HOME:-}${HOME:-} ]]; then
  fail "HOME is not set: set LAVO_ENV_ROOT to a folder for what is installed"
fi
environments=${LAVO_ENV_ROOT:-${XDG_CACHE_HOME:-${HOME:-}/.cache}/lavo}
jobs=${JOBS:-$(nproc)}
bench=build/$preset/bin/lavo-bench

case $command in
  clean) rm -rf build ;;
  setup) step "Set-up" setup ;;
  build)
    step "Set-up" setup
    step "Build ($preset)" build
    ;;
  test)
    step "Set-up" setup
    step "Build ($preset)" build
    step "Tests ($preset)" ctest --preset "$preset" --parallel "$jobs"
    ;;
  all) all ;;
esac
