#!/usr/bin/env bash
# Runs one command of overlap on all workers of a TPU VM, and waits for it.
#
#   TPU_ZONE=ZONE launch/tpu_run.sh NAME COMMAND --workdir=gs://... [FLAGS]
#   TPU_ZONE=ZONE launch/tpu_run.sh --stop NAME
#
#   launch/tpu_run.sh t1 study --config=configs/quickstart.py \
#     --workdir=gs://BUCKET/w
#
# The second form ends what is running there. Of two commands on one VM, the
# second waits for the first. Output goes to the terminal, to a file below
# workdir/tpu (or TPU_LOGS), and in the end into WORKDIR/logs.
# TPU_CREATE=TYPE first calls tpu_create.sh and tpu_setup.sh.
#
# Exit status: that of the command; 75 where the VM or the connection was lost,
# and the same command goes on from where it was.
set -euo pipefail

# shellcheck source=launch/tpu.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/tpu.sh"
stop=
if [[ ${1:-} == --stop ]]; then
  stop=1
  shift
fi
begin "${BASH_SOURCE[0]}" "$((stop ? 1 : 2))" "$@"
shift
here="$(dirname -- "${BASH_SOURCE[0]}")"
# Held, in ~/overlap there, by the command that runs, whose number is in it.
lock=.running

if [[ -n $stop ]]; then
  on_workers \
    "cd overlap && { flock -n $lock true || kill \"\$(cat $lock)\"; }"
  exit
fi

workdir=
coordinator=
for word in "$@"; do
  case "$word" in
    --workdir=*) workdir="${word#--workdir=}" ;;
    --coordinator=*) coordinator=1 ;;
  esac
done
[[ $workdir == gs://* ]] ||
  usage_error '--workdir=gs://... must be given, for the disks of a VM go' \
    "with it, got '$workdir'."
# The workers of a TPU find each other.
[[ -n $coordinator ]] || set -- "$@" --coordinator=auto

if [[ -n ${TPU_CREATE:-} ]]; then
  "$here/tpu_create.sh" "$name" "$TPU_CREATE" || exit 75
  "$here/tpu_setup.sh" "$name" || exit 75
fi

logs="${TPU_LOGS:-$root/workdir/tpu}/$name"
mkdir -p -- "$logs"
log="$logs/$(date +%Y%m%d-%H%M%S)-$$.log"
words="$(quoted .venv/bin/overlap "$@")"
# shellcheck disable=SC2016 # For the shell there.
remote='cd overlap || exit 1
flock '"$lock"' bash -c "echo \$\$ >'"$lock"'; exec \"\$@\"" bash '"$words"' 2>&1 |
  sed -u "s/^/[$(hostname)] /"
status=${PIPESTATUS[0]}
echo "[$(hostname)] exit status $status"
exit "$status"'
say "Log: $log"
status=0
on_workers "bash -c $(quoted "$remote")" 2>&1 | tee -- "$log" ||
  status="${PIPESTATUS[0]}"
if ((status == 0)); then
  # Older versions of gcloud forget the exit status of one of several workers.
  failed="$(sed -n 's/^\[[^]]*\] exit status \([1-9][0-9]*\)$/\1/p' "$log")"
  status="${failed%%$'\n'*}"
  : "${status:=0}"
fi
gcloud storage cp "$log" "${workdir%/}/logs/$name-${log##*/}" >/dev/null 2>&1 ||
  say "warning: $log could not be copied to $workdir/logs"
if ((status)); then
  state="$(about tpu-vm state)" || state='out of reach'
  if [[ $state != READY ]]; then
    say "$name is ${state:-gone}: the same command goes on from where it was."
    status=75
  elif ((status == 255)); then
    say "The connection to $name was lost: the same command goes on."
    status=75
  fi
fi
exit "$status"
