#!/usr/bin/env bash
# Two builds of the switch on the same load, in turn, and the medians of both:
#
#   benches/compare.sh BEFORE AFTER       folders with `cauce`; the load is AFTER's `cauce-load`
#
# A round drives each build once with each load: as fast as it goes with 16 × 32 payments open, at
# 20,000 payments a second, and one payment at a time. Each has an empty data folder of its own, whose
# journal is verified afterwards. Figures: payments a second, p99 from the planned instant, processor
# time and disk of the switch per payment, its peak memory, and what a sync of the journal took. Builds
# are to be compared within one run only: the machine and its disk differ from hour to hour. Environment:
#
#   ROUNDS=5              rounds, whose median is shown
#   SECONDS=10            how long each load lasts
#   RATE=20000            payments a second of the open loop
#   DATA=target           where the data folders are made: the disk that is measured
#   PORT=29583            the first of four ports
#
# Exit code: 0, or 1 when a load or a verification failed.
set -euo pipefail

duration=$(printenv SECONDS || echo 10) # not $SECONDS: bash itself counts in that
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
rounds=${ROUNDS:-5}
rate=${RATE:-20000}
parent=${DATA:-$root/target}
first_port=${PORT:-29583}
lines=127.0.0.1:$first_port
bank=127.0.0.1:$((first_port + 1))
http=127.0.0.1:$((first_port + 2))
admin=127.0.0.1:$((first_port + 3))
folder='' switch=''

say() { printf '%s\n' "$*" >&2; }
die() { say "compare.sh: $*"; exit 1; }

clean() {
    [ -z "$switch" ] || { kill -TERM "$switch" 2>/dev/null && wait "$switch"; } || true
    [ -z "$folder" ] || rm -rf "$folder"
}

write_config() {
    cat >"$folder/load.toml" <<TOML
[http]
listen = "$http"

[iso8583]
listen = "$lines"

[admin]
listen = "$admin"

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

# start BUILD: a switch with an empty data folder.
start() {
    local tries=400
    rm -rf "$folder/data"
    "$1/cauce" serve --config "$folder/load.toml" --set "data.dir=$folder/data" 2>/dev/null &
    switch=$!
    until curl -sf "http://$admin/readyz" >/dev/null; do
        kill -0 "$switch" 2>/dev/null || die "the switch of $1 has ended"
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || die "the switch of $1 did not come up in time"
        sleep 0.05
    done
}

# Processor time of the switch so far: hundredths of a second, in the program and in the kernel.
processor() { sed 's/.*) //' "/proc/$switch/stat" | cut -d' ' -f12,13 | tr ' ' +; }

metric() { curl -sf "http://$admin/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }

member() { sed -n "s/^ *\"$1\": \([0-9.]*\),*$/\1/p" "$folder/report.json" | head -n "${2:-1}" | tail -n 1; }

# drive BUILD NAME RATE CONNECTIONS IN_FLIGHT: one line of figures into the file of the build and load.
drive() {
    local build=$1 name=$2 before after payments bytes synced peak
    start "$build"
    before=$(processor)
    "$load/cauce-load" run --rate "$3" --duration "$duration" --connections "$4" --in-flight "$5" \
        --target "$lines" --acquirer-id 700001 --currency VES --biller isp-ve \
        --issuer-listen "$bank" --issuer-participant bank --report "$folder/report.json" \
        >/dev/null 2>"$folder/errors" || die "$name: $(cat "$folder/errors")"
    after=$(processor)
    payments=$(member approved)
    synced=$(metric cauce_journal_sync_seconds_sum)/$(metric cauce_journal_sync_seconds_count)
    peak=$(sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$switch/status")
    kill -TERM "$switch"
    wait "$switch" || die "the switch of $build did not leave in order"
    switch=''
    "$build/cauce" journal verify --data "$folder/data" >/dev/null
    bytes=$(du -sb "$folder/data" | cut -f1)
    awk "BEGIN { printf \"%.0f %.2f %.1f %.0f %.0f %.0f\n\", $(member answered_per_second), \
        $(member p99_us) / 1000, ($after - ($before)) * 10000 / $payments, $bytes / $payments, \
        $peak / 1024, $synced * 1000000 }" >>"$folder/$name"
}

# median FILE: of each column.
median() {
    local column
    for column in 1 2 3 4 5 6; do
        cut -d' ' -f"$column" "$1" | sort -g | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'
    done | paste -sd' '
}

[ $# = 2 ] || { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 64; }
for build in "$@"; do
    [ -x "$build/cauce" ] || die "no cauce in $build"
done
load=$2
[ -x "$load/cauce-load" ] || die "no cauce-load in $load"
command -v curl >/dev/null || die "curl is missing"
mkdir -p "$parent"
trap clean EXIT
trap 'exit 130' INT TERM
folder=$(mktemp -d "$parent/cauce-compare.XXXXXX")
write_config
for round in $(seq "$rounds"); do
    say "== round $round of $rounds"
    for side in before after; do
        [ "$side" = before ] && build=$1 || build=$2
        drive "$build" "closed.$side" max 16 32
        drive "$build" "open.$side" "$rate" 16 32
        drive "$build" "one.$side" max 1 1
    done
done
echo "| load | build | payments/s | p99 ms | processor ms per 1,000 | bytes of disk each | peak MiB | sync µs |"
echo "|---|---|---|---|---|---|---|---|"
for name in closed open one; do
    for side in before after; do
        echo "| $name | $side | $(median "$folder/$name.$side" | sed 's/ / | /g') |"
    done
done
