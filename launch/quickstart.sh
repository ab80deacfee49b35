#!/usr/bin/env bash
# The whole study at a small size, from nothing: makes a virtual environment,
# installs the project, trains, predicts, analyses, writes the report.
#
#   launch/quickstart.sh [WORKDIR [further arguments of `overlap study`]]
#
# WORKDIR is workdir/quickstart in the project's folder unless it is named.
# OVERLAP_VENV names another environment than .venv. A second call installs
# nothing, and goes on with the study where the first one stopped.
set -euo pipefail

# shellcheck source=launch/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

case "${1:-}" in
  -h | --help)
    usage "${BASH_SOURCE[0]}"
    exit 0
    ;;
  -*)
    say "error: WORKDIR comes before further arguments, got: $1."
    exit 2
    ;;
esac
workdir="${1:-$root/workdir/quickstart}"
(($# == 0)) || shift

# The tests' packages have the quickstart's among them.
is_installed quickstart test || ensure quickstart quickstart

# The data go into the project's own folder, whatever folder this began in.
case "$workdir" in
  /* | *://*) ;;
  *) workdir="$PWD/$workdir" ;;
esac
cd -- "$root"
exec "$venv/bin/overlap" study --config="$root/configs/quickstart.py" \
  --workdir="$workdir" "$@"
