#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Through a real Slurm from end to end: starts a cluster of this one machine in a temporary folder,
# submits what `lavo-bench slurm` prints, has one job asked to stop and requeued while it runs, waits,
# merges, and compares with a run in one piece: the same cells, the same seeded metrics.
#   usage: slurm.sh [SHARDS=4]     as root on Debian, which installs Slurm where it is missing
#   LAVO_BENCH: lavo-bench-faulty (its slow cells are what is interrupted), by default of build/release
set -euo pipefail
shards=${1:-4}
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bench=${LAVO_BENCH:-$top/build/release/bin/lavo-bench-faulty}
missing() { echo "slurm.sh: $1" >&2; exit 2; }
[[ -x $bench ]] || missing "$bench is missing: ./run_all.sh build"
[[ $(id -u) == 0 ]] || missing "needs root: Slurm's daemons start jobs for users"
if ! type slurmctld slurmd munged sbatch >/dev/null 2>&1; then # unlike command -v: all of them
  command -v apt-get >/dev/null || missing "needs slurmctld, slurmd, munged and sbatch"
  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
    --no-install-recommends slurmctld slurmd slurm-client munge; } >/dev/null ||
    missing "slurmctld, slurmd, slurm-client and munge cannot be installed"
fi

# ---- The cluster -------------------------------------------------------------------------------

work=$(mktemp -d /tmp/lavo-slurm.XXXXXX) # munge wants folders above its socket that all may enter
chmod 755 "$work"
daemons=()
clean_up() {
  local code=$?
  scancel --full --user root 2>/dev/null || true
  for daemon in "${daemons[@]}"; do kill "$daemon" 2>/dev/null || true; done
  wait
  if ((code)); then tail -n 5 "$work"/*.log >&2 || true; fi
  rm -rf "$work"
}
trap clean_up EXIT
start() { # start NAME COMMAND...: stays in the foreground of a job of this shell
  "${@:2}" >"$work/$1.log" 2>&1 &
  daemons+=($!)
}
wait_for() { # wait_for SECONDS WHAT COMMAND...
  local end=$((SECONDS + $1))
  until "${@:3}" >/dev/null 2>&1; do
    ((SECONDS < end)) || { echo "slurm.sh: waited $1 s in vain for $2" >&2; exit 1; }
    sleep 0.5
  done
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'; }

export SLURM_CONF=$work/slurm.conf
host=$(hostname -s)
mkdir "$work"/{state,spool}
head -c 1024 /dev/urandom >"$work/munge.key"
chmod 400 "$work/munge.key"
cat >"$SLURM_CONF" <<CONF
ClusterName=lavo
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
# Nothing that a container may forbid: no control groups, no affinity, no accounting.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
KillWait=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=test Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
chown munge "$work/munge.key" 2>/dev/null || true
chown root "$work/munge.key"
start munged munged --foreground --force --key-file="$work/munge.key" --socket="$work/munge.socket" \
  --pid-file="$work/munged.pid" --seed-file="$work/munged.seed" --log-file="$work/munged-own.log"
wait_for 20 "munged" munge --no-input --socket="$work/munge.socket"
start slurmctld slurmctld -D
start slurmd slurmd -D -N "$host"
idle() { [[ $(sinfo --noheader --format=%T) == idle ]]; }
wait_for 60 "a node that takes jobs" idle

# ---- The sweep, whole and as a job array -------------------------------------------------------

cat >"$work/slow.toml" <<'TOML'
experiment = "faulty"
[fixed]
seconds = 0.5
[axes]
seed = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]
[limits]
blocks = 1
TOML
sweeps=("$work/slow.toml" "$top/experiments/sweeps/ablation.toml" --profile smoke)
"$bench" slurm "${sweeps[@]}" -o "$work/out" --shards "$shards" >"$work/job.sh"
mkdir -p "$work/out"
job=$(sbatch --parsable "$work/job.sh")
started() { [[ -s $work/out/cells.1-of-$shards.jsonl ]]; }
wait_for 120 "the first record" started
# What Slurm sends when the time is nearly up. Once: a second signal breaks off what runs. scancel may
# say that the job cannot be altered although the signal arrived, so the job's own log is asked.
scancel --batch --signal=USR1 "${job}_0" 2>"$work/scancel.log" || true
log=$work/out/slurm-${job}_0.log
wait_for 30 "the job to answer SIGUSR1" grep -q '^stopping' "$log"
"$bench" run "${sweeps[@]}" -o "$work/whole" >"$work/whole.log"
done_with() { [[ -z $(squeue --noheader) ]]; }
wait_for 600 "the jobs to end" done_with

"$bench" merge "$work/out" >"$work/merge.log"
outcome=$(python3 "$top/tests/stress/same_results.py" "$work/whole/results.json" "$work/out/results.json")
requeued=$(scontrol show job "$job" | grep -c 'Restarts=[1-9]' || true)
failed=$(scontrol show job "$job" | grep -c 'JobState=\(FAILED\|CANCELLED\|TIMEOUT\|NODE_FAIL\)' || true)
((failed == 0)) || { scontrol show job "$job" >&2; echo "FAILED: $failed jobs did not end well"; exit 1; }
((requeued == 1)) || { echo "FAILED: $requeued jobs were requeued, wanted 1"; exit 1; }
echo "passed: $shards jobs, $requeued of them stopped and requeued; $outcome"
