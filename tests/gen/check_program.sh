#!/bin/sh
# check_program.sh PROTOC CHECK: how stint-check is called, and the status that it ends with.
set -eu

protoc=$1 check=$2
cd "$(dirname "$0")/fleets"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

expect() { # STATUS TEXT ARG...: stint-check ends with that status, and its output begins with TEXT
    expected=$1 text=$2
    shift 2
    status=0
    "$check" "$@" >"$tmp/output" 2>&1 <"${input:-/dev/null}" || status=$?
    read -r first <"$tmp/output" || true
    case $first in "$text"*) ;; *) status="$status, with \"$first\"" ;; esac
    if [ "$status" != "$expected" ]; then
        echo "stint-check $*: ended with $status, not $expected, with \"$text\""
        exit 1
    fi
}

for fleet in good/warned bad/cycle; do
    "$protoc" -I "${fleet%/*}" -I ../../../proto --include_imports --include_source_info \
        --descriptor_set_out="$tmp/${fleet#*/}.pb" "$fleet.proto"
done
echo "no set" >"$tmp/text"

expect 0 "stint-check tells" --help
expect 0 "stint-check 0." --version
expect 0 "warned.proto:11:3: warning: " "$tmp/warned.pb"
expect 1 "warned.proto:11:3: error: " --werror "$tmp/warned.pb"
expect 1 "cycle.proto:31:5: error: " --graph "$tmp/cycle.pb"
input=$tmp/cycle.pb
expect 1 "cycle.proto:31:5: error: " -
input=
expect 2 "stint-check: which file?" --graph
expect 2 "stint-check: unknown argument: --grpah" --grpah "$tmp/warned.pb"
expect 2 "stint-check: unknown argument: $tmp/cycle.pb" "$tmp/warned.pb" "$tmp/cycle.pb"
expect 2 "stint-check: $tmp/none: No such file" "$tmp/none"
expect 2 "stint-check: $tmp: Is a directory" "$tmp"
expect 2 "stint-check: $tmp/text: it is no descriptor set" "$tmp/text"
expect 2 "stint-check: -: stint/options.proto is not in it" -
