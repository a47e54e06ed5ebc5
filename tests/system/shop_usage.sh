#!/usr/bin/env bash
# shop_usage.sh DIR - each program of the shop, in DIR, explains itself and refuses a wrong command
# line with status 2, in a sentence that names what is wrong.
set -euo pipefail

dir=$1
failed=0

# expect STATUS TEXT PROGRAM ARGUMENT...
expect() {
    local status=$1 text=$2 got=0 output
    shift 2
    output=$("$dir/$1" "${@:2}" 2>&1) || got=$?
    if [[ $got != "$status" || $output != *"$text"* ]]; then
        printf '%s\n  status %s, expected %s\n  said: %s\n  expected: %s\n' \
               "$*" "$got" "$status" "$output" "$text"
        failed=1
    fi
}

listen=--listen=ipc:///tmp/unused

for service in gateway checkout pricing stock; do
    expect 0 "Usage: shop_$service --listen URL" "shop_$service" --help
    expect 0 "shop_$service (Stint) " "shop_$service" --version
    expect 2 "--listen URL is missing" "shop_$service"
done
expect 2 "--peer checkout=URL is missing" shop_gateway "$listen"
expect 2 "--peer stock=URL is missing" shop_checkout "$listen" --peer pricing=ipc:///tmp/p
expect 2 "--peer pricing is given twice" shop_checkout "$listen" --peer pricing=a --peer pricing=b
expect 2 "--peer pricing: its URL is missing" shop_checkout "$listen" --peer pricing=
expect 2 "--peer pricing: its URL is missing" shop_checkout "$listen" --peer pricing
expect 2 "checkout calls no service named 'price'" shop_checkout "$listen" --peer price=a
expect 2 "pricing calls no service named 'stock'" shop_pricing "$listen" --peer stock=a
expect 2 "--journal: pricing keeps none" shop_pricing "$listen" --journal /tmp/j
for time in 20 ms 20m -1s "20 ms" 1.5s 3601s 99999999999999999999s; do
    expect 2 "--work: '$time' is not a time" shop_pricing "$listen" "--work=$time"
done
for workers in 0 -1 1025 many 4x ""; do
    expect 2 "--workers: '$workers' is not a number" shop_pricing "$listen" "--workers=$workers"
done
expect 2 "'extra' is not an option" shop_pricing "$listen" extra
expect 2 "see shop_pricing --help" shop_pricing --no-such-option
expect 1 "cannot start: INVALID_ARGUMENT" shop_pricing --listen=nonsense
expect 1 "cannot start: " shop_stock "$listen" --journal /nowhere/journal
expect 0 "Usage: shop_demo" shop_demo --help
expect 2 "there is no scenario '6'" shop_demo 6
expect 2 "there is no scenario '1x'" shop_demo 1x
exit "$failed"
