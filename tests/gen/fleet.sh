#!/bin/sh
# fleet.sh [-u] PROTOC CHECK good|bad NAME: checks the fleet of NAME.proto and, if there is such a
# folder, NAME/*.proto, below fleets/good or fleets/bad, with stint-check. It must find of a good one
# that it fits, of a bad one that it does not, and print exactly the text in NAME.txt: warnings and
# errors, and for a good one the graph. -u writes the text instead. NAME.args has more arguments for
# stint-check, if there is such a file.
# To update all of them: cmake --build --preset dev --target update_golden, and read the diff.
set -eu

update=no
if [ "$1" = -u ]; then
    update=yes
    shift
fi
protoc=$1 check=$2 kind=$3 name=$4
cd "$(dirname "$0")/fleets/$kind"

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# shellcheck disable=SC2046 # several files
"$protoc" -I . -I ../../../../proto --include_imports --include_source_info \
    --descriptor_set_out="$out/fleet.pb" "$name.proto" $(find . -path "./$name/*.proto" | sort)

expected=1
args=
if [ "$kind" = good ]; then
    expected=0
    args=--graph
fi
if [ -e "$name.args" ]; then
    args="$args $(cat "$name.args")"
fi
status=0
# shellcheck disable=SC2086 # several arguments
"$check" $args "$out/fleet.pb" >"$out/text" 2>&1 || status=$?
if [ $status -ne $expected ]; then
    cat "$out/text"
    echo "$name: stint-check ended with $status, not $expected" >&2
    exit 1
fi
if [ $update = yes ]; then
    cp "$out/text" "$name.txt"
else
    diff -u "$name.txt" "$out/text"
fi
