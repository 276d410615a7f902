#!/usr/bin/env bash
# Loads the whole switch on this machine, over loopback alone:
#
#   benches/run.sh             finds the greatest rate served well, then an audited run at 70 % of it
#   benches/run.sh run RATE    one audited run at RATE payments a second
#
# The harness plays the acquirer and hosts the bank. Each step has a switch with an empty data
# folder of its own, which is stopped with SIGTERM and whose journal is verified. Environment:
#
#   CONNECTIONS=16 IN_FLIGHT=32   the acquirer's lines, and requests open on each
#   SECONDS=30                    how long the audited run lasts
#   HOLD=10 FROM=2000             how long each rate of the search is held, and the first of them
#   NOTICES=0                     1: the biller has an endpoint at a simulated merchant
#   OUT=target/load               folder of the reports
#   BIN=                          folder with `cauce` and `cauce-load`; empty builds them
#   PORT=28583                    the first of five ports
#   DATA=target                   where the data folders are made: the disk that is measured
#
# Exit code: 0; 2 when the audit found a mismatch; 3 when more than 1 % of the payments ended
# otherwise than planned; 64 a wrong command line; 1 anything else.
set -euo pipefail

# Not $SECONDS: bash itself counts in that.
duration=$(printenv SECONDS || echo 30)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
connections=${CONNECTIONS:-16}
in_flight=${IN_FLIGHT:-32}
hold=${HOLD:-10}
from=${FROM:-2000}
notices=${NOTICES:-0}
out=${OUT:-$target/load}
bin=${BIN:-}
parent=${DATA:-$target}
first_port=${PORT:-28583}
lines=127.0.0.1:$first_port
bank=127.0.0.1:$((first_port + 1))
http=127.0.0.1:$((first_port + 2))
admin=127.0.0.1:$((first_port + 3))
merchant=127.0.0.1:$((first_port + 4))

# The temporary folder, the data folder in use, and the processes to be stopped.
folder='' data='' switch='' shop=''

say() { printf '%s\n' "$*" >&2; }
die() { say "run.sh: $*"; exit 1; }

usage() {
    sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 64
}

clean() {
    local pid
    for pid in $switch $shop; do
        kill -TERM "$pid" 2>/dev/null && wait "$pid" || true
    done
    [ -z "$folder" ] || rm -rf "$folder"
}

# wait_for WHAT PID COMMAND…: until the command succeeds, while the process lives; ten seconds.
wait_for() {
    local what=$1 pid=$2 tries=200
    shift 2
    until "$@" >/dev/null 2>&1; do
        kill -0 "$pid" 2>/dev/null || die "$what has ended"
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || die "$what did not come up in time"
        sleep 0.05
    done
}

build() {
    if [ -z "$bin" ]; then
        cargo build --release --locked --manifest-path "$root/Cargo.toml" -p switch -p loadtest
        bin=$target/release
    fi
    cauce=$bin/cauce load=$bin/cauce-load
    [ -x "$cauce" ] && [ -x "$load" ] || die "no cauce and cauce-load in $bin"
}

# The bank starts after the switch, together with the load, which waits for the switch's line to it:
# it is looked for every millisecond.
write_config() {
    local is_private=false
    [ "$notices" = 0 ] || is_private=true # the merchant is on this machine
    cat >"$folder/load.toml" <<TOML
[http]
listen = "$http"

[iso8583]
listen = "$lines"

[admin]
listen = "$admin"

[notices]
dangerous_allow_private_addresses = $is_private

[log]
level = "error"

[[participants]]
id = "acquirer"
acquirer_id = "700001"

[[participants]]
id = "bank"
connect = "$bank"
lines = 4
reconnect_min_ms = 1
reconnect_max_ms = 1

[[billers]]
id = "isp-ve"
currencies = ["VES"]
time_zone = "America/Caracas"

[[routes]]
rails = ["account"]
to = ["bank"]
TOML
}

# start NAME: a switch with an empty data folder; with notices, a merchant that hears them.
start() {
    data=$folder/$1
    "$cauce" serve --config "$folder/load.toml" --set "data.dir=$data" &
    switch=$!
    wait_for "the switch" "$switch" curl -sf "http://$admin/readyz"
    [ "$notices" = 0 ] || start_merchant
}

start_merchant() {
    local key secret
    key=$("$cauce" key create --role biller --owner isp-ve --data "$data" \
        --config "$folder/load.toml")
    # The key goes in by the standard input: a command line is there for everybody to read.
    secret=$(printf 'header = "Authorization: Bearer %s"\n' "$key" |
        curl -sS --fail-with-body -K - -H 'Content-Type: application/json' \
            -d "{\"url\":\"http://$merchant/isp-ve\"}" "http://$http/v1/endpoints" |
        sed -n 's/.*"secret":"\([^"]*\)".*/\1/p')
    [ -n "$secret" ] || die "the endpoint has no secret"
    "$load" simulate merchant --listen "$merchant" --log "$data.notices.jsonl" \
        --biller "/isp-ve=$secret" &
    shop=$!
    wait_for "the merchant" "$shop" curl -s "http://$merchant/"
}

# Stops everything; the journal must be whole and the switch must have left in order.
stop() {
    local code=0
    kill -TERM "$switch"
    wait "$switch" || code=$?
    switch=''
    if [ -n "$shop" ]; then
        kill -TERM "$shop"
        wait "$shop" || code=$?
        shop=''
    fi
    [ "$code" = 0 ] || die "the switch or the merchant ended with $code"
    "$cauce" journal verify --data "$data"
    rm -rf "$data"
}

# What every load says of where it goes, as the words of an array.
load_options() {
    options=(--target "$lines" --acquirer-id 700001 --connections "$connections"
        --in-flight "$in_flight" --currency VES --biller isp-ve
        --issuer-listen "$bank" --issuer-participant bank --pid "$switch")
}

# Finds the greatest rate served well; puts it into `knee`.
find_knee() {
    start knee
    load_options
    say "== the greatest rate that is served well"
    "$load" capacity --from "$from" --hold "$hold" "${options[@]}" \
        --report "$out/capacity.json" --html "$out/capacity.html" | tee "$folder/knee.txt" || [ $? = 3 ]
    knee=$(sed -n 's/^\(knee\|ceiling\) \([0-9]*\)\/s.*/\2/p' "$folder/knee.txt")
    stop
}

# audited_run RATE: everything the client, the journal, the bank and the merchant tell must agree.
audited_run() {
    local code=0
    start run
    load_options
    [ "$notices" = 0 ] || options+=(--merchant-log "$data.notices.jsonl")
    say "== $1 payments a second for $duration s, audited"
    "$load" run --rate "$1" --duration "$duration" "${options[@]}" \
        --data "$data" --cauce "$cauce" --settle 30 \
        --report "$out/run.json" --html "$out/run.html" || code=$?
    stop
    say "reports are in $out"
    return "$code"
}

case "${1:-} $#" in
' 0') rate='' ;;
'run 2') rate=$2 ;;
*) usage ;;
esac
command -v curl >/dev/null || die "curl is missing"
build
mkdir -p "$out" "$parent"
trap clean EXIT
trap 'exit 130' INT TERM
folder=$(mktemp -d "$parent/cauce-load.XXXXXX")
write_config
"$cauce" check --config "$folder/load.toml"
if [ -z "$rate" ]; then
    find_knee
    rate=$((knee * 7 / 10))
fi
audited_run "$rate"
