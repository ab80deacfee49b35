#!/usr/bin/env bash
# Checks and tests, from nothing: makes a virtual environment, installs the
# project, then runs ruff, mypy and pytest (two processes).
#
#   launch/test.sh [arguments of pytest]
#   launch/test.sh                       all but the slow tests
#   launch/test.sh -m slow               those alone
#   launch/test.sh tests                 all there are
#   launch/test.sh tests/test_files.py   paths count from the project's folder
#
# OVERLAP_VENV names another environment than .venv.
# Exit status: pytest's; 1 where the tests pass and another check fails.
set -euo pipefail

# shellcheck source=launch/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

# Before anything is installed; pytest's own is `python -m pytest --help`.
case "${1:-}" in
  -h | --help)
    usage "${BASH_SOURCE[0]}"
    exit 0
    ;;
esac

# PyTorch is here to compare with. A plain `torch` may draw gigabytes of CUDA,
# so its CPU build is asked for by name; where pip's configuration offers none,
# the tests that need it skip. torchvision and timm work beside this torch, but
# declare others (or bring them along): they come without their dependencies.
install_torch() {
  lock
  say 'Installing the CPU build of PyTorch, and timm, for parity tests'
  if pip_install --retries 1 'torch==2.13.0+cpu' 2>/dev/null &&
    pip_install --no-deps torchvision==0.15.2 timm==1.0.31; then
    note_installed torch
  else
    say 'No CPU build of torch 2.13.0 with torchvision 0.15.2 can be had' \
      "here: tests that compare with PyTorch skip (put one into $venv)"
  fi
  unlock
}

is_installed test || ensure test test,transformers
# Beside the checks, which read none of it and leave one core idle.
torch=
is_installed torch || { install_torch & torch=$!; }

cd -- "$root"
export PATH="$venv/bin:$PATH"
failed=()
check() {
  say "\$ $*"
  "$@" >&2 || failed+=("$*")
}
check ruff check --output-format=concise
check ruff format --check
check mypy
[[ -z $torch ]] || wait "$torch"

# A file's tests stay together, for some share a study that takes a minute.
# All is run before anything is judged: one call shows everything there is.
status=0
# A worker that dies is not replaced: with --dist=loadfile pytest-xdist then
# 3.8 may wait for ever, for results that no one works on. Its own order puts
# files of few tests last, which are the longest: one process would wait.
pytest=(
  pytest -n 2 --dist=loadfile --no-loadscope-reorder --max-worker-restart=0
)
# The fast part spends most of its time in compiling programs that run once on
# a few numbers: there XLA leaves out its costly optimisations, which all that
# is asked for by arguments is compiled with.
if (($# == 0)); then
  set -- -m 'not slow'
  export JAX_DISABLE_MOST_OPTIMIZATIONS=1
fi
say "\$ ${pytest[*]} $*"
python -m "${pytest[@]}" "$@" || status=$?
if ((${#failed[@]})); then
  say "error: failed before the tests: $(printf '%s; ' "${failed[@]}")"
  ((status)) || status=1
fi
exit "$status"
