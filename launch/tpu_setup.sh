#!/usr/bin/env bash
# Brings the project to every worker of a TPU VM, and installs it there with
# JAX for TPUs. Called again, it brings what has changed.
#
#   TPU_ZONE=ZONE launch/tpu_setup.sh NAME
#
# What git knows of is brought, uncommitted changes included, to ~/overlap.
# TPU_EXTRAS names the extras of setup.py, by default tpu,quickstart.
# TPU_PROJECT names a project, unless gcloud has one.
set -euo pipefail

# shellcheck source=launch/tpu.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/tpu.sh"
begin "${BASH_SOURCE[0]}" 1 "$@"
extras="${TPU_EXTRAS:-tpu,quickstart}"
[[ $extras =~ ^[a-z0-9,_-]+$ ]] ||
  usage_error "TPU_EXTRAS must be extras of setup.py, got '$extras'."

aside="$(mktemp -d)"
trap 'rm -rf -- "$aside"' EXIT
# A commit of the files as they are, which belongs to no branch.
as_is=(-c user.name=overlap -c user.email=overlap@localhost stash create)
revision="$(git -C "$root" "${as_is[@]}")" ||
  die "$root must be a git repository."
git -C "$root" archive --format=tar.gz \
  --output="$aside/overlap.tar.gz" "${revision:-HEAD}"

say "Copying the project to every worker of $name"
gcloud compute tpus tpu-vm scp "$aside/overlap.tar.gz" "$name:" \
  "${where[@]}" --worker=all --quiet

# Files of an older copy go; data and the environment stay.
# shellcheck disable=SC2016 # For the shell there.
remote='set -euo pipefail
mkdir -p overlap
cd overlap
rm -rf overlap configs launch tests
tar -xzf ../overlap.tar.gz
source launch/environment.sh
python="$(find_python 2>/dev/null)" || true
if [[ -z $python ]] || ! "$python" -c "import ensurepip" 2>/dev/null; then
  sudo apt-get -qq update
  sudo DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
    "${python:-python3.11}-venv" >/dev/null
fi
is_installed "tpu-$extras" || ensure "tpu-$extras" "$extras"
.venv/bin/overlap --help >/dev/null
echo "$(hostname): overlap is installed"'
on_workers "bash -c $(quoted "extras=$extras; $remote")"
