#!/usr/bin/env bash
# reproducible.sh SIM ARGS...: runs the same seeds in two processes, whose memory lies elsewhere, and
# compares what happened in each seed.
set -euo pipefail
shopt -s inherit_errexit

hashes() {
    "$@" --hashes | sed -n '/^seed /p' | sort
}

first=$(hashes "$@")
second=$(hashes "$@")
[[ $first == *seed* ]] || { echo "no seed was run"; exit 1; }
diff <(printf '%s\n' "$first") <(printf '%s\n' "$second") || {
    echo "these seeds did not do the same again"
    exit 1
}
