# shellcheck shell=bash
# Sourced by the other scripts: the virtual environment, made when it is
# needed. `$root` is the project's folder, `$venv` the environment's.

say() {
  printf '%s\n' "$*" >&2
}

die() {
  say "error: $*"
  exit 1
}

# usage SCRIPT: the comment that SCRIPT begins with.
usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$1"
}

# Python keeps what it has compiled, whatever the caller's setting: of what is
# installed a quarter is ever imported, and that by one process after another.
unset PYTHONDONTWRITEBYTECODE

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
venv="${OVERLAP_VENV:-$root/.venv}"
# Kept absolute: the scripts change folders.
[[ $venv == /* ]] || venv="$PWD/$venv"
stamp="$venv/.overlap-installed"

# Prints the first Python that is new enough; those tried before newer ones.
find_python() {
  local limit name
  for limit in 14 99; do
    for name in python3 python3.11 python3.12 python3.13; do
      # Run, not only looked up: a version manager's stand-in may not work.
      if "$name" -c "import sys
sys.exit(not (3, 11) <= sys.version_info < (3, $limit))" 2>/dev/null; then
        printf '%s\n' "$name"
        return
      fi
    done
  done
  die 'Python 3.11 or newer is needed and there is none: install python3.11' \
    'and python3.11-venv, or newer ones (Debian: apt install python3' \
    'python3-venv).'
}

# Prints what an installation depends on, as one word; nothing where the
# environment's Python does not run.
environment_key() {
  local python
  python="$("$venv/bin/python" -c 'import sys; print(sys.version)' \
    2>/dev/null)" || return 0
  { printf '%s\n' "$python" "$root"; cat -- "$root/setup.py"; } |
    sha256sum | cut -c 1-32
}

# Whether one of the named sets of packages is installed as setup.py has it.
is_installed() {
  local key name
  [[ -f $stamp ]] || return 1
  key="$(environment_key)"
  for name in "$@"; do
    grep -qxF -- "$key $name" "$stamp" && return 0
  done
  return 1
}

# Notes that a set is installed; what older notes say of another setup.py,
# Python or project folder is forgotten.
note_installed() {
  local key kept
  key="$(environment_key)"
  kept="$(grep -sF -- "$key " "$stamp" || true)"
  printf '%s\n' ${kept:+"$kept"} "$key $1" >"$stamp.partial"
  mv -- "$stamp.partial" "$stamp"
}

# Makes the environment, or makes it again where an earlier try left half.
make_venv() {
  local python
  if "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    return
  fi
  # `--clear` empties the folder: never one that holds something else.
  if [[ -n ${OVERLAP_VENV:-} && ! -f $venv/pyvenv.cfg ]] &&
    [[ -n $(ls -A -- "$venv") ]]; then
    die "OVERLAP_VENV must name a virtual environment or a new folder," \
      "got: $venv."
  fi
  python="$(find_python)"
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    die "$python makes no virtual environments: install python3-venv" \
      '(Debian: apt install python3-venv).'
  say "Making a virtual environment in $venv"
  "$python" -m venv --clear "$venv" >&2 ||
    die "$python -m venv failed in $venv (see above)."
}

# pip as it is configured on this machine, silent but for errors. To compile
# all that it installs would take as long again; see above.
pip_install() {
  "$venv/bin/python" -m pip install --disable-pip-version-check \
    --no-compile --no-input --progress-bar off -qq "$@"
}

# install EXTRAS: the project in editable mode with the named extras.
install() {
  local before=$SECONDS
  say "Installing overlap and what it needs [$1] in $venv:" \
    'a minute or two and 1.4 GB, 2.5 GB for the tests'
  (cd -- "$root" && pip_install --use-pep517 --editable ".[$1]") ||
    die "pip could not install overlap [$1] (see above); run this again."
  say "Installed in $((SECONDS - before)) s"
}

# lock, unlock: of two scripts started together, one installs at a time.
lock() {
  mkdir -p -- "$venv"
  if command -v flock >/dev/null; then
    exec 9<"$venv"
    if ! flock -n 9; then
      say "Waiting for another script that installs in $venv"
      flock 9
    fi
  fi
}

unlock() {
  exec 9<&-
}

# ensure NAME EXTRAS: installs the extras unless that was done before.
ensure() {
  lock
  # Another script may have done it while this one waited.
  if ! is_installed "$1"; then
    make_venv
    install "$2"
    note_installed "$1"
  fi
  unlock
}
