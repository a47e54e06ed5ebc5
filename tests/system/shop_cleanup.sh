#!/usr/bin/env bash
# shop_cleanup.sh DIR - shop_demo, in DIR, leaves no process and no file behind: neither when it is
# interrupted, nor (processes only) when it is killed, nor when its services cannot be started.
set -euo pipefail

dir=$1
tmp=$(mktemp -d)
export TMPDIR=$tmp
trap 'rm -rf "$tmp"' EXIT

die() {
    echo "FAILED: $*"
    exit 1
}

# The services of the demo that runs: their command lines name its directory.
services() {
    grep -las -- "--listen=ipc:[/]/$tmp" /proc/[0-9]*/cmdline | cut -d/ -f3 || true
}

# Starts the demo and returns when its services run: $demo, $pids.
start() {
    mkfifo "$tmp.out"
    "$dir/shop_demo" 3 > "$tmp.out" 2>&1 &
    demo=$!
    exec 3< "$tmp.out"
    rm "$tmp.out"
    until [[ $(services | wc -l) == 4 ]]; do
        kill -0 "$demo" 2> /dev/null || die "the demo ended before its services ran"
    done
    pids=$(services)
}

# Waits until none of $pids is there any more.
gone() {
    for pid in $pids; do
        timeout 20 tail --pid="$pid" -f /dev/null || die "process $pid is still there"
    done
}

echo "Ctrl-C"
start
kill -INT "$demo"
status=0
wait "$demo" || status=$?
[[ $status == 130 ]] || die "status $status after SIGINT, not 130"
[[ -z $(services) ]] || die "it left processes: $(services)"
[[ -z $(ls -A "$tmp") ]] || die "it left files: $(ls -A "$tmp")"

echo "SIGKILL"
start
kill -KILL "$demo"
wait "$demo" 2> /dev/null && die "status 0 after SIGKILL"
gone
rm -rf "${tmp:?}"/*

echo "services that are not there"
cp "$dir/shop_demo" "$tmp.alone"
status=0
"$tmp.alone" 1 > "$tmp.said" 2>&1 || status=$?
said=$(cat "$tmp.said")
rm -f "$tmp.alone" "$tmp.said"
[[ $status == 1 ]] || die "status $status without services, not 1"
[[ $said == *"cannot be executed"* ]] || die "it does not say why: $said"
[[ -z $(ls -A "$tmp") ]] || die "it left files: $(ls -A "$tmp")"
echo "passed"
