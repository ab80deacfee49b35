# shellcheck shell=bash
# Sourced by the tpu_*.sh scripts: which TPU VM, and how it is reached.
#
# TPU_ZONE must say its zone; TPU_PROJECT its project, unless gcloud has one.

# shellcheck source=launch/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

usage_error() {
  say "error: $*"
  exit 2
}

# begin SCRIPT FEWEST NAME ...: shows the help that opens a script, or checks
# that there are arguments enough, and sets `$name` and `$where`.
begin() {
  local script="$1" fewest="$2"
  shift 2
  case "${1:-}" in
    -h | --help)
      usage "$script"
      exit 0
      ;;
  esac
  (($# >= fewest)) ||
    usage_error "${script##*/} needs $fewest arguments or more, got $#:" \
      'see --help.'
  # Whatever a name is, it is one word of gcloud's.
  [[ $1 =~ ^[a-z]([a-z0-9-]{0,60}[a-z0-9])?$ ]] ||
    usage_error 'NAME must be of small letters, digits and dashes, and begin' \
      "with a letter, got '$1'."
  [[ -n ${TPU_ZONE:-} ]] ||
    usage_error 'TPU_ZONE must name a zone, as in TPU_ZONE=us-central1-a.'
  command -v gcloud >/dev/null ||
    die 'gcloud is needed and is not there: install the Google Cloud CLI.'
  name="$1"
  where=("--zone=$TPU_ZONE" ${TPU_PROJECT:+"--project=$TPU_PROJECT"})
}

# about KIND FIELDS: what gcloud says of the tpu-vm or queued-resources
# `$name`, fields of a line set apart by tabs; nothing where there is none.
about() {
  local said
  local ask=(gcloud compute tpus "$1" describe "$name" "${where[@]}"
    "--format=value($2)")
  # What it says beside is of no interest, unless it fails.
  if said="$("${ask[@]}" 2>/dev/null)"; then
    printf '%s\n' "$said"
  elif said="$("${ask[@]}" 2>&1 >/dev/null)"; then
    about "$@"
  elif [[ $said != *NOT_FOUND* ]]; then
    die "gcloud could not describe $name: ${said##*$'\n'}"
  fi
}

# on_workers COMMAND: on every worker at once, by its shell.
on_workers() {
  gcloud compute tpus tpu-vm ssh "$name" "${where[@]}" --worker=all \
    "--command=$1" </dev/null
}

# One word of a shell for each argument, whatever is in it.
quoted() {
  python3 -c 'import shlex, sys; print(shlex.join(sys.argv[1:]))' "$@"
}
