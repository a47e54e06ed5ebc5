#!/bin/sh
# build.sh DIR: builds DIR/greeter without CMake, by what pkg-config says about Stint.
set -eu

out=$1
cd "$(dirname "$0")"
protoc -I proto -I "$(pkg-config --variable=protodir stint)" \
    --plugin=protoc-gen-stint="$(pkg-config --variable=plugin stint)" \
    --stint_out="$out" --c_out="$out" greet/v1/greet.proto
protoc -I proto -I "$(pkg-config --variable=protodir stint)" --include_imports \
    --descriptor_set_out="$out/greet.pb" greet/v1/greet.proto
"$(pkg-config --variable=check stint)" --werror "$out/greet.pb"
# shellcheck disable=SC2046,SC2086 # several words
${CC:-cc} -std=c11 ${CFLAGS:-} -I "$out" $(pkg-config --cflags stint) -o "$out/greeter" \
    main.c "$out/greet/v1/greet.pb-c.c" "$out/greet/v1/greet.stint.c" \
    $(pkg-config --libs stint) -Wl,-rpath,"$(pkg-config --variable=libdir stint)"
