#!/usr/bin/env bash
# Makes a TPU VM, and returns when it is ready. One that is ready is left as it
# is, one that was preempted is made anew.
#
#   TPU_ZONE=ZONE launch/tpu_create.sh NAME TYPE [further flags of gcloud]
#   TPU_ZONE=us-central1-a launch/tpu_create.sh t1 v5litepod-16 --spot
#
# TPU_QUEUED=1 asks by a queued resource of the same name, and waits for it.
# TPU_VERSION names the software of the VM, by default one that fits TYPE.
# TPU_PROJECT names a project, unless gcloud has one.
set -euo pipefail

# shellcheck source=launch/tpu.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/tpu.sh"
begin "${BASH_SOURCE[0]}" 2 "$@"
kind="$2"
shift 2
[[ $kind =~ ^[a-z0-9-]+$ ]] ||
  usage_error "TYPE must be a type of accelerator, such as v4-8, got '$kind'."

version() {
  case "$kind" in
    v5litepod-*) echo v2-alpha-tpuv5-lite ;;
    v5p-*) echo v2-alpha-tpuv5 ;;
    v6e-*) echo v2-alpha-tpuv6e ;;
    *) echo tpu-ubuntu2204-base ;;
  esac
}

# How long between two looks, and the most looks: two days.
every="${TPU_POLL_SECONDS:-30}"
looks="${TPU_LOOKS:-5760}"

create() {
  say "Making $name ($kind) in $TPU_ZONE"
  gcloud compute tpus tpu-vm create "$name" "${where[@]}" \
    "--accelerator-type=$kind" "--version=${TPU_VERSION:-$(version)}" "$@"
}

enqueue() {
  say "Asking for $name ($kind) in $TPU_ZONE"
  gcloud compute tpus queued-resources create "$name" "${where[@]}" \
    "--node-id=$name" "--accelerator-type=$kind" \
    "--runtime-version=${TPU_VERSION:-$(version)}" "$@"
}

drop() {
  say "$name is $1 and is made anew"
  "$(dirname -- "${BASH_SOURCE[0]}")/tpu_delete.sh" "$name"
}

# Whether the queued resource is there or under way; one that has lost its VM
# is deleted.
queued() {
  local state
  state="$(about queued-resources state.state)" || exit 1
  case "$state" in
    '') return 1 ;;
    SUSPEND* | FAILED)
      drop "$state"
      return 1
      ;;
  esac
}

for ((look = 0; look < looks; look++)); do
  said="$(about tpu-vm 'state,acceleratorType')"
  IFS=$'\t' read -r state type <<<"$said"
  if [[ -n $state && ${type##*/} != "$kind" ]]; then
    die "$name must be of type $kind, and is ${type##*/}: choose another" \
      'name, or delete it (launch/tpu_delete.sh).'
  fi
  case "$state" in
    READY)
      say "$name is ready"
      exit 0
      ;;
    PREEMPTED | TERMINATED | FAILED) drop "$state" ;;
    STOPPED) gcloud compute tpus tpu-vm start "$name" "${where[@]}" ;;
    '')
      if [[ -z ${TPU_QUEUED:-} ]]; then
        create "$@"
        continue
      fi
      queued || enqueue "$@"
      sleep "$every"
      ;;
    *) sleep "$every" ;;
  esac
done
die "$name was not ready after $looks looks: it is ${state:-not there}."
