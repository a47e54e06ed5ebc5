#!/usr/bin/env bash
# shop_stock.sh DIR CLIENT - the stock service, in DIR, notices an order that is executed twice, also
# when it was killed in between, and finishes what it has begun when it is asked to end.
set -euo pipefail

dir=$1 client=$2
tmp=$(mktemp -d)
url=ipc://$tmp/stock
stock=0
trap '((stock == 0)) || kill -9 "$stock"; rm -rf "$tmp"' EXIT

die() {
    echo "FAILED: $*"
    exit 1
}

# Starts stock; its log can be read from descriptor 3.
start() {
    mkfifo "$tmp/log"
    "$dir/shop_stock" "--listen=$url" "--journal=$tmp/journal" "$@" 2> "$tmp/log" &
    stock=$!
    exec 3< "$tmp/log"
    rm "$tmp/log"
}

# Reads the log up to a line that has this text.
log_has() {
    local line
    while read -r -t 20 line <&3; do
        echo "  $line"
        [[ $line != *"$1"* ]] || return 0
    done
    die "stock's log has no '$1'"
}

# Waits for stock's end: its exit status.
ended() {
    local status=0
    wait "$stock" || status=$?
    stock=0
    return "$status"
}

# expect TEXT ARGUMENT...: what the client prints.
expect() {
    local text=$1 got
    shift
    got=$("$client" "$url" "$@") || true
    [[ $got == "$text" ]] || die "$*: got '$got', expected '$text'"
}

echo "the same order twice is noticed"
start
expect "left 99999" reserve a
expect "orders 1 repeated 0" audit
expect "left 99998" reserve a
log_has "order a was executed 2 times"
expect "orders 1 repeated 1" audit
expect "left 99997" reserve b
expect "orders 2 repeated 1" audit

echo "a kill does not make it forget"
kill -9 "$stock"
ended && die "a killed process left with status 0"
start
expect "orders 2 repeated 1" audit
expect "left 99996" reserve b
expect "orders 2 repeated 2" audit
kill -TERM "$stock"
ended || die "status $? after SIGTERM"

echo "a line of the journal that was cut short counts for nothing"
printf 'x cup 2' >> "$tmp/journal"
start
expect "orders 2 repeated 2" audit
expect "left 99995" reserve c
kill -TERM "$stock"
ended || die "status $? after SIGTERM"
start
expect "orders 3 repeated 2" audit
kill -TERM "$stock"
ended || die "status $? after SIGTERM"

echo "what it has begun it finishes after SIGTERM"
start --work=500ms
"$client" "$url" reserve d > "$tmp/answer" &
answer=$!
log_has "begins"
kill -TERM "$stock"
wait "$answer" || die "the order failed: $(cat "$tmp/answer")"
[[ $(cat "$tmp/answer") == "left 99994" ]] || die "the answer is '$(cat "$tmp/answer")'"
log_has "stopped: executed 1, shed 0, refused 0"
ended || die "status $? after SIGTERM"

echo "what takes too long it does not wait for"
start --work=60s --drain=100ms
"$client" "$url" reserve e > "$tmp/answer" &
answer=$!
log_has "begins"
kill -TERM "$stock"
wait "$answer" && die "the order was filled"
log_has "stopped with calls unfinished"
ended && die "status 0, though a call was not finished"
echo "passed"
