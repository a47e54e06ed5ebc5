#!/bin/sh
# bad.sh [-u] PROTOC PLUGIN PLUGIN_C NAME: checks that bad/NAME.proto is refused with exactly the text
# in bad/NAME.txt, and that nothing is written; -u writes the text instead. bad/NAME.args has more
# arguments for protoc, if there is such a file.
# To update all of them: cmake --build --preset dev --target update_golden, and read the diff.
set -eu

update=no
if [ "$1" = -u ]; then
    update=yes
    shift
fi
protoc=$1 plugin=$2 plugin_c=$3 name=$4
cd "$(dirname "$0")/bad"

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
mkdir "$out/files"
args=
if [ -e "$name.args" ]; then
    args=$(cat "$name.args")
fi

status=0
# shellcheck disable=SC2086 # several arguments
"$protoc" --plugin=protoc-gen-stint="$plugin" --stint_out="$out/files" \
    --plugin=protoc-gen-c="$plugin_c" --c_out="$out/files" $args -I . -I ../../../proto \
    "$name.proto" 2>"$out/stderr" || status=$?
if [ $status -eq 0 ]; then
    echo "$name.proto was not refused" >&2
    exit 1
fi
written=$(find "$out/files" -type f)
if [ -n "$written" ]; then
    echo "written all the same: $written" >&2
    exit 1
fi
if [ $update = yes ]; then
    cp "$out/stderr" "$name.txt"
else
    diff -u "$name.txt" "$out/stderr"
fi
