#!/usr/bin/env bash
# How fast merchants pay over the JSON API, at a bank with lines and at a bank with a JSON API:
#
#   benches/http.sh [BUILD]               folder with `cauce` and `cauce-load`; target/release
#
# Each of the two banks in turn: a closed loop, then an open loop at 70 % of what that reached. Prints
# payments a second, p50 and p99 from the planned instant, and the switch's processor time per 1,000
# payments. Generator, switch and bank share this machine. Last, 100,000 payments are left waiting for
# their payers: what the switch takes for each, and its processor time while nothing happens.
# Environment:
#
#   SECONDS=8             how long each load lasts
#   CONNECTIONS=64        connections of the generator, one request open on each
#   WAITING=100000        payments left waiting; 0 leaves that out
#   DATA=target           where the data folder is made
#   PORT=29683            the first of five ports
#
# Exit code: 0, or 1 when a load failed.
set -euo pipefail

duration=$(printenv SECONDS || echo 8) # not $SECONDS: bash itself counts in that
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${1:-$root/target/release}
connections=${CONNECTIONS:-64}
waiting=${WAITING:-100000}
port=${PORT:-29683}
http=127.0.0.1:$port
admin=127.0.0.1:$((port + 1))
lines=127.0.0.1:$((port + 2))
bank=127.0.0.1:$((port + 3))
json=127.0.0.1:$((port + 4))
folder='' switch='' json_bank=''

stop() {
    [ -z "$switch" ] || { kill -TERM "$switch" 2>/dev/null && wait "$switch"; } || true
    [ -z "$json_bank" ] || { kill -TERM "$json_bank" 2>/dev/null && wait "$json_bank"; } || true
    switch='' json_bank=''
    [ -z "$folder" ] || rm -rf "$folder"
}
trap stop EXIT

start() { # start BANK: a switch whose merchants pay there
    folder=$(mktemp -d "${DATA:-$root/target}/http.XXXXXX")
    head -c 32 /dev/urandom >"$folder/bank.secret"
    cat >"$folder/switch.toml" <<TOML
http.listen = "$http"
admin.listen = "$admin"
iso8583.listen = "$lines"
log.level = "error"
[[billers]]
id = "isp-ve"
currencies = ["VES"]
time_zone = "America/Caracas"
[[participants]]
id = "bank-j"
codec = "json"
[participants.json]
url = "http://$json"
dialect = "$root/config/participants/json/example-bank.toml"
constants = { terminal = "TEST0001" }
[participants.json.verify]
kind = "hmac-sha256"
key_file = "$folder/bank.secret"
key_id = "bank"
[[routes]]
rails = ["account"]
to = ["$1"]
[[routes]]
rails = ["c2p"]
to = ["bank-j"]
TOML
    # One that nobody plays would be dialled all the time.
    [ "$1" = bank-j ] || cat >>"$folder/switch.toml" <<TOML
[[participants]]
id = "bank-b"
connect = "$bank"
lines = 4
reconnect_min_ms = 1
reconnect_max_ms = 1
TOML
    LOAD_API_KEY=$("$build/cauce" key create --role biller --owner isp-ve --data "$folder/data" 2>/dev/null)
    export LOAD_API_KEY
    "$build/cauce-load" simulate json-bank --listen "$json" >/dev/null 2>&1 & json_bank=$!
    "$build/cauce" serve --config "$folder/switch.toml" --set "data.dir=$folder/data" & switch=$!
    until curl -sf "http://$admin/livez" >/dev/null || curl -sf "http://$admin/healthz" >/dev/null; do
        kill -0 "$switch" || exit 1
        sleep 0.1
    done
}

cpu_ms() { awk '{print ($14 + $15) * 10}' <(sed 's/([^)]*)/x/' "/proc/$switch/stat"); }

load() { # load RATE NAME OPTIONS…
    local rate=$1 name=$2 before
    shift 2
    before=$(cpu_ms)
    "$build/cauce-load" run --http "http://$http" --rate "$rate" --duration "$duration" \
        --connections "$connections" --report "$folder/report.json" "$@" >"$folder/load.log" 2>&1 ||
        grep 'not to be used' "$folder/load.log" >&2 || { cat "$folder/load.log" >&2; exit 1; }
    value() { sed -n "s/^ *\"$1\": \([0-9.]*\),*$/\1/p" "$folder/report.json" | head -1; }
    approved=$(value approved)
    reached=$(value answered_per_second)
    awk -v name="$name" -v rate="$reached" -v p50="$(value p50_us)" -v p99="$(value p99_us)" \
        -v cpu=$(($(cpu_ms) - before)) -v n="$approved" 'BEGIN {
            printf "%-28s %8d/s  p50 %6.2f ms  p99 %6.2f ms  %5.1f ms of processor per 1,000\n",
                name, rate, p50 / 1000, p99 / 1000, cpu * 1000 / n }'
}

for to in bank-b bank-j; do
    start "$to"
    hosted=()
    [ "$to" = bank-j ] || hosted=(--issuer-listen "$bank" --issuer-participant bank-b)
    load max "$to, closed loop" "${hosted[@]}"
    load $((${reached%.*} * 7 / 10)) "$to, at 70 % of that" "${hosted[@]}"
    stop
done

[ "$waiting" = 0 ] && exit 0
start bank-j
python3 "$root/benches/waiting.py" "$http" "$LOAD_API_KEY" "$waiting" "$switch"
