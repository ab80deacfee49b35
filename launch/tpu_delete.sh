#!/usr/bin/env bash
# Deletes a TPU VM and its queued resource. What is not there is no fault.
#
#   TPU_ZONE=ZONE launch/tpu_delete.sh NAME
#
# TPU_PROJECT names a project, unless gcloud has one.
set -euo pipefail

# shellcheck source=launch/tpu.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/tpu.sh"
begin "${BASH_SOURCE[0]}" 1 "$@"

state="$(about queued-resources state.state)"
if [[ -n $state ]]; then
  # With it goes its VM.
  gcloud compute tpus queued-resources delete "$name" "${where[@]}" --force \
    --quiet
  say "Deleted the queued resource $name"
fi
state="$(about tpu-vm state)"
if [[ -n $state ]]; then
  gcloud compute tpus tpu-vm delete "$name" "${where[@]}" --quiet
  say "Deleted $name"
else
  say "There is no TPU VM $name"
fi
