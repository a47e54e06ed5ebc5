#!/bin/sh
# outside.sh BUILD_DIR [CFLAG...]: installs the build to a prefix, moves that elsewhere, and builds
# and runs the project beside this script against it, as a stranger would: once through
# find_package, once through pkg-config. The flags are those that the build's sanitizers need.
set -eu

build=$1
shift
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cp -R "$(dirname "$0")/project" "$tmp/project"

quietly() { # prints the output of what fails
    "$@" >"$tmp/log" 2>&1 || {
        cat "$tmp/log"
        echo "failed: $*"
        exit 1
    }
}

quietly cmake --install "$build" --prefix "$tmp/installed"
mv "$tmp/installed" "$tmp/prefix" # nothing in it may depend on where it was

echo "find_package:"
quietly cmake -G Ninja -S "$tmp/project" -B "$tmp/cmake" -DCMAKE_PREFIX_PATH="$tmp/prefix" \
    -DCMAKE_C_FLAGS="-Wall -Wextra -Werror $*"
quietly cmake --build "$tmp/cmake"
"$tmp/cmake/greeter"

# Generated again when a .proto has changed, and only then.
quietly cmake --build "$tmp/cmake"
if grep -q Generating "$tmp/log"; then
    echo "generated again for nothing"
    exit 1
fi
touch "$tmp/project/proto/greet/v1/greet.proto"
quietly cmake --build "$tmp/cmake"
if ! grep -q Generating "$tmp/log"; then
    echo "a changed .proto was not noticed"
    exit 1
fi

# Budgets that do not fit stop the build, with the line.
proto=$tmp/project/proto/greet/v1/greet.proto
cp "$proto" "$tmp/greet.proto"
sed -i 's/timeout: "10s"/& minimum: "11s"/' "$proto"
if cmake --build "$tmp/cmake" >"$tmp/log" 2>&1 ||
    ! grep -q 'greet.proto:[0-9]*:[0-9]*: error: .* can never run' "$tmp/log"; then
    cat "$tmp/log"
    echo "a budget that does not fit was not noticed"
    exit 1
fi
cp "$tmp/greet.proto" "$proto"

echo "pkg-config:"
PKG_CONFIG_PATH=$(dirname "$(find "$tmp/prefix" -name stint.pc)")
export PKG_CONFIG_PATH
mkdir "$tmp/plain"
CFLAGS="-Wall -Wextra -Werror $*" quietly "$tmp/project/build.sh" "$tmp/plain"
"$tmp/plain/greeter"
