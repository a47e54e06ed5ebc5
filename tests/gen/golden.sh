#!/bin/sh
# golden.sh [-u] PROTOC PLUGIN NAME: compares what the plugin generates for NAME.proto, which lies
# below golden/ or proto/, with golden/NAME.stint.h and golden/NAME.stint.c; -u writes these instead.
# To update all of them: cmake --build --preset dev --target update_golden, and read the diff.
set -eu

update=no
if [ "$1" = -u ]; then
    update=yes
    shift
fi
protoc=$1 plugin=$2 name=$3
here=$(cd "$(dirname "$0")" && pwd)
golden=$here/golden

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$protoc" --plugin=protoc-gen-stint="$plugin" --stint_out="$out" -I "$golden" -I "$here/../../proto" \
    "$name.proto"

status=0
for ending in h c; do
    if [ $update = yes ]; then
        mkdir -p "$(dirname "$golden/$name")"
        cp "$out/$name.stint.$ending" "$golden/$name.stint.$ending"
    else
        diff -u "$golden/$name.stint.$ending" "$out/$name.stint.$ending" || status=1
    fi
done
exit $status
