#!/usr/bin/env bash
# Measures nodes over one real Redis and one real Cassandra against the embedded form, everything
# on this machine and over loopback alone:
#
#   benches/cluster.sh MODE…    the modes in turn, so many ROUNDS
#
# Modes: embedded; one (a node over Redis and Cassandra, paxos_variant v2); two (two nodes, a
# generator with half of the lines each); v1 (as one, over a Cassandra with paxos_variant v1).
#
# Each measurement has an empty data folder, keyspace and Redis namespace, and a bank of its own: a
# closed loop, after which the read models catch up, then an open loop at a light rate; the journal
# is verified. The servers run for all of them and are warmed up first. Environment:
#
#   ROUNDS=3                      how often each mode is measured
#   SECONDS=15 LIGHT_SECONDS=10   how long the closed loop and the light load last
#   LIGHT=200                     payments a second of the light load
#   CONNECTIONS=16 IN_FLIGHT=32   the acquirer's lines in all, and requests open on each
#   WARM=30                       seconds of load that each Cassandra gets before, discarded
#   HEAP=1024                     MiB of each Cassandra's heap
#   EXTRA=                        TOML that is added to the configuration of every node
#   OUT=target/load               folder of cluster.tsv, a line for each load, and of the logs
#   BIN=                          folder with `cauce`, `cauce-load`, `examples/servers`; empty
#                                 builds them
#   PORT=28683                    the first of 17 ports
#   DATA=target                   where the embedded form's data folder is made
#
# Cassandra's jars: see .ci/cassandra and CASSANDRA_JARS.
# Exit code: 0; 64 a wrong command line; 1 anything else.
set -euo pipefail

# Not $SECONDS: bash itself counts in that.
duration=$(printenv SECONDS || echo 15)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
rounds=${ROUNDS:-3}
light_duration=${LIGHT_SECONDS:-10}
light=${LIGHT:-200}
connections=${CONNECTIONS:-16}
in_flight=${IN_FLIGHT:-32}
warm=${WARM:-30}
heap=${HEAP:-1024}
extra=${EXTRA:-}
out=${OUT:-$target/load}
bin=${BIN:-}
parent=${DATA:-$target}
first_port=${PORT:-28683}
bank=127.0.0.1:$first_port
ticks_a_second=$(getconf CLK_TCK)

# The temporary folder, the processes to be stopped, and what the present measurement is made of.
folder='' nodes='' banker='' servers='' nodes_len=0 config='' seed=1 run=0
# Of the servers in use, and of each Cassandra: its servers' process, addresses and commands.
redis_pid='' cassandra_pid=''
declare -A server_pid server_line server_in server_out

say() { printf '%s\n' "$*" >&2; }
die() { say "cluster.sh: $*"; exit 1; }

usage() {
    sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 64
}

clean() {
    local pid
    for pid in $nodes $banker $servers; do
        kill -TERM "$pid" 2>/dev/null && wait "$pid" || true
    done
    [ -z "$folder" ] || rm -rf "$folder"
}

# wait_for WHAT PID TRIES COMMAND…: until the command succeeds, while the process lives; twenty
# tries a second.
wait_for() {
    local what=$1 pid=$2 tries=$3
    shift 3
    until "$@" >/dev/null 2>&1; do
        kill -0 "$pid" 2>/dev/null || die "$what has ended"
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || die "$what: not in time"
        sleep 0.05
    done
}

build() {
    if [ -z "$bin" ]; then
        cargo build --release --locked --manifest-path "$root/Cargo.toml" -p switch -p loadtest
        cargo build --release --locked --manifest-path "$root/Cargo.toml" -p rig --example servers
        bin=$target/release
    fi
    cauce=$bin/cauce load=$bin/cauce-load
    [ -x "$cauce" ] && [ -x "$load" ] || die "no cauce and cauce-load in $bin"
}

# start_servers PAXOS: a Redis and a Cassandra, once for all measurements.
start_servers() {
    local paxos=$1 in out_of
    [ -z "${server_pid[$paxos]:-}" ] || return 0
    mkfifo "$folder/$paxos.in" "$folder/$paxos.out"
    "$bin/examples/servers" --paxos "$paxos" --heap "$heap" \
        <"$folder/$paxos.in" >"$folder/$paxos.out" 2>"$out/servers-$paxos.log" &
    server_pid[$paxos]=$!
    servers+=" $!"
    exec {in}>"$folder/$paxos.in" {out_of}<"$folder/$paxos.out"
    server_in[$paxos]=$in server_out[$paxos]=$out_of
    read -r -u "${server_out[$paxos]}" "server_line[$paxos]" || die "see $out/servers-$paxos.log"
}

# server KEY: a value of what the servers in use printed.
server() {
    sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" <<<"${server_line[$paxos]}"
}

# cql STATEMENT: executed by the servers in use.
cql() {
    printf '%s\n' "$1" >&"${server_in[$paxos]}"
    read -r -u "${server_out[$paxos]}" || die "see $out/servers-$paxos.log"
}

http_of() { echo "127.0.0.1:$((first_port + 1 + $1 * 4))"; }
lines_of() { echo "127.0.0.1:$((first_port + 2 + $1 * 4))"; }
admin_of() { echo "127.0.0.1:$((first_port + 3 + $1 * 4))"; }
peers_of() { echo "127.0.0.1:$((first_port + 4 + $1 * 4))"; }

# write_config NODE: what all forms have.
write_config() {
    cat <<TOML
[data]
dir = "$folder/data-$run-$1"

[http]
listen = "$(http_of "$1")"

[iso8583]
listen = "$(lines_of "$1")"

[admin]
listen = "$(admin_of "$1")"

[log]
level = "warn,scylla=error"

[seal]
active = "bench"
[seal.keys]
bench = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

[[participants]]
id = "acquirer-1"
acquirer_id = "700001"

[[participants]]
id = "acquirer-2"
acquirer_id = "700002"

[[participants]]
id = "bank"
connect = "$bank"
lines = 4

[[billers]]
id = "isp-ve"
currencies = ["VES"]
time_zone = "America/Caracas"

[[routes]]
rails = ["account"]
to = ["bank"]
TOML
}

# write_cluster NODE: what nodes have.
write_cluster() {
    cat <<TOML
[storage]
mode = "cluster"

[cluster]
node = "node-$1"
listen = "$(peers_of "$1")"
secret = "a-secret-of-the-benches-that-nobody-needs"

[redis]
urls = ["redis://$(server redis)"]
namespace = "bench_$run"

[scylla]
nodes = ["$(server cql)"]
keyspace = "bench_$run"
replication_factor = 1
TOML
}

# start MODE: bank and nodes, until every node is ready and has its lines to the bank.
start() {
    local node
    run=$((run + 1)) nodes='' nodes_len=1 paxos=v2 redis_pid='' cassandra_pid=''
    [ "$1" != two ] || nodes_len=2
    [ "$1" != v1 ] || paxos=v1
    if [ "$1" != embedded ]; then
        start_servers "$paxos"
        redis_pid=$(server redis_pid) cassandra_pid=$(server cassandra_pid)
    fi
    "$load" simulate issuer --listen "$bank" --participant bank --forget \
        >"$out/bank.log" 2>&1 &
    banker=$!
    for node in $(seq "$nodes_len"); do
        config=$folder/node-$node.toml
        write_config "$node" >"$config"
        [ "$1" = embedded ] || write_cluster "$node" >>"$config"
        printf '%s\n' "$extra" >>"$config"
        [ "$1" = embedded ] || [ "$node" -gt 1 ] || "$cauce" schema apply --config "$config" >&2
        "$cauce" serve --config "$config" >>"$out/node-$node.log" 2>&1 &
        nodes+=" $!"
        wait_for "node $node" "$!" 1200 curl -sf "http://$(admin_of "$node")/readyz"
        wait_for "node $node's lines" "$!" 400 has_lines "$node"
    done
}

has_lines() {
    curl -sf "http://$(admin_of "$1")/metrics" | grep -q '^cauce_participant_lines.*bank.* 4$'
}

# Stops what start began; the journal must be whole and the nodes must have left in order.
stop() {
    local pid code=0
    for pid in $nodes; do
        kill -TERM "$pid"
        wait "$pid" || code=$?
    done
    nodes=''
    kill -TERM "$banker" && wait "$banker" || true
    banker=''
    [ "$code" = 0 ] || die "a node ended with $code: see $out"
    if [ -z "$cassandra_pid" ]; then
        "$cauce" journal verify --data "$folder/data-$run-1" >&2
    else
        "$cauce" journal verify --config "$config" >&2
        cql "DROP KEYSPACE bench_$run"
    fi
    rm -rf "$folder/data-$run-"*
}

# look NAME: metrics of all nodes and processor time, in ticks, of everything but generators.
look() {
    local node
    for node in $(seq "$nodes_len"); do
        curl -sf "http://$(admin_of "$node")/metrics"
    done >"$folder/$1.metrics"
    date +%s.%N >"$folder/$1.at"
    {
        # In the order that `join` asks for.
        echo "bank $(ticks "$banker")"
        echo "cassandra $(ticks $cassandra_pid)"
        echo "redis $(ticks $redis_pid)"
        echo "switch $(ticks $nodes)"
    } >"$folder/$1.ticks"
}

# ticks PID…: their processor time; the name in parentheses has no blank.
ticks() {
    local pid
    for pid; do cat "/proc/$pid/stat"; done | awk '{ sum += $14 + $15 } END { print sum + 0 }'
}

# metric NAME METRIC: the sum over nodes and labels.
metric() {
    awk -v name="$2" '$1 == name || index($1, name "{") == 1 { sum += $2 }
        END { printf "%.6f\n", sum }' "$folder/$1.metrics"
}

# Whether the read models are where the journal is.
has_caught_up() {
    look after
    [ "$(metric after cauce_journal_view_lag_records)" = 0.000000 ]
}

# drive RATE DURATION: one load, by as many generators as there are nodes; each is an acquirer of its
# own, for both number their requests from 1.
drive() {
    local node pids='' pid rate=$1
    [ "$rate" = max ] || rate=$((rate / nodes_len))
    for node in $(seq "$nodes_len"); do
        seed=$((seed + 1))
        "$load" run --rate "$rate" --duration "$2" --target "$(lines_of "$node")" \
            --acquirer-id "70000$node" --connections $((connections / nodes_len)) \
            --in-flight "$in_flight" --currency VES --biller isp-ve --seed "$seed" \
            >"$folder/load-$node.txt" 2>"$out/load-$node.log" &
        pids+=" $!"
    done
    for pid in $pids; do
        # 3: some payments ended otherwise than planned, as beyond the knee.
        wait "$pid" || [ $? = 3 ] || die "a generator failed: see $out"
    done
}

# heard WORD: the sum over generators of the number that follows a word.
heard() {
    cat "$folder"/load-*.txt | tr -s ' ' '\n' |
        awk -v word="$1" 'last == word { sum += $1 } { last = $1 } END { print sum + 0 }'
}

# latency QUANTILE: from the planned instant, µs; the worse of the generators.
latency() {
    sed -n "s/^from planned .*[ :]$1 \([0-9]*\).*/\1/p" "$folder"/load-*.txt | sort -n | tail -1
}

# measure MODE RATE DURATION: a line of figures.
measure() {
    rm -f "$folder"/load-*.txt
    look before
    drive "$2" "$3"
    look end
    wait_for "the read models" "${nodes##* }" 2400 has_caught_up
    figures "$1" "$2" | tee -a "$out/cluster.tsv"
}

columns=(mode rate payments_s not_approved p50_us p99_us records_frame cql_payment updates_payment
    records_update redis_trips_payment redis_calls_payment sync_ms lag_end catch_up_s
    switch_ms redis_ms cassandra_ms bank_ms generator_ms journal_bytes_payment)

# figures MODE RATE: differences between the looks; processor time in ms for 1,000 payments, with
# what the read models took afterwards.
figures() {
    local name payments achieved
    payments=$(heard sent) achieved=$(heard achieved)
    {
        echo "mode $1"
        echo "rate $2"
        echo "payments $payments"
        echo "achieved $achieved"
        echo "approved $(heard approved)"
        echo "p50 $(latency p50)"
        echo "p99 $(latency p99)"
        echo "generator $(sed -n 's/^cauce-load .*: \([0-9]*\) ms of processor.*/\1/p' \
            "$folder"/load-*.txt | awk '{ sum += $1 } END { print sum + 0 }')"
        echo "lag $(metric end cauce_journal_view_lag_records)"
        echo "end $(cat "$folder/end.at")"
        echo "after $(cat "$folder/after.at")"
        for name in journal_records_total journal_bytes_total journal_group_records_count \
            journal_sync_seconds_sum cql_statements_total cql_conditional_updates_total \
            gate_round_trips_total gate_calls_total; do
            echo "$name $(metric before "cauce_$name") $(metric after "cauce_$name")"
        done
        join "$folder/before.ticks" "$folder/after.ticks"
    } | awk -v hz="$ticks_a_second" '
        { first[$1] = $2; delta[$1] = $3 - $2 }
        function per(what, by) { return by > 0 ? what / by : 0 }
        function cpu(name) { return per(delta[name] * 1000000 / hz, n) }
        END {
            n = first["payments"]; frames = delta["journal_group_records_count"]
            updates = delta["cql_conditional_updates_total"]
            records = delta["journal_records_total"]
            printf "%s\t%s\t%d\t%d\t%d\t%d", first["mode"], first["rate"], \
                first["achieved"], n - first["approved"], first["p50"], first["p99"]
            printf "\t%.1f\t%.3f\t%.4f\t%.1f", per(records, frames), \
                per(delta["cql_statements_total"], n), per(updates, n), per(records, updates)
            printf "\t%.4f\t%.3f", per(delta["gate_round_trips_total"], n), \
                per(delta["gate_calls_total"], n)
            printf "\t%.2f\t%d\t%.1f", per(delta["journal_sync_seconds_sum"] * 1000, frames), \
                first["lag"], first["after"] - first["end"]
            printf "\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f", cpu("switch"), cpu("redis"), \
                cpu("cassandra"), cpu("bank"), per(first["generator"] * 1000, n)
            printf "\t%d\n", per(delta["journal_bytes_total"], n)
        }'
}

# statements: CQL statements by kind of the last load, the most frequent first.
statements() {
    local kind
    for kind in before after; do
        sed -n "s/^cauce_cql_statements_total.*kind=\"\([a-z_]*\)\".* \([0-9]*\)\$/\1 $kind \2/p" \
            "$folder/$kind.metrics"
    done | awk '{ sum[$1] += $2 == "after" ? $3 : -$3 }
        END { for (kind in sum) if (sum[kind]) print sum[kind], kind }' |
        sort -rn | awk '{ printf "%s %s  ", $2, $1 } END { print "" }' >&2
}

# The disk, as what every durable figure has to be read against.
probe() {
    local began ended
    began=$(date +%s%N)
    dd if=/dev/zero of="$folder/probe" bs=4k count=1000 oflag=dsync status=none
    ended=$(date +%s%N)
    rm "$folder/probe"
    say "4 KiB and fdatasync: $(((ended - began) / 1000000)) µs in the mean; load $(cut -d' ' -f1-3 /proc/loadavg)"
}

warm_up() {
    start "$1"
    say "== warming up for $warm s"
    drive max "$warm"
    stop
}

one_round() {
    local mode
    for mode; do
        probe
        start "$mode"
        measure "$mode" max "$duration"
        statements
        measure "$mode" "$light" "$light_duration"
        stop
    done
}

# The median of every figure, by mode and rate.
medians() {
    for ((column = 3; column <= ${#columns[@]}; column++)); do
        awk -F '\t' -v at="$column" '$3 ~ /^[0-9]/ { print $1 "|" $2, $at }' "$out/cluster.tsv" |
            sort -k1,1 -k2,2g | awk -v name="${columns[column - 1]}" '
                function flush() { if (len) printf "%s %s %s\n", key, name, values[int((len + 1) / 2)] }
                $1 != key { flush(); key = $1; len = 0 }
                { values[++len] = $2 }
                END { flush() }'
    done | sort -s -k1,1 | awk '
        $1 != key { if (key) print ""; key = $1; printf "%s:", key }
        { printf " %s=%s", $2, $3 }
        END { print "" }'
}

[ $# -gt 0 ] || usage
for mode; do
    case $mode in embedded | one | two | v1) ;; *) usage ;; esac
done
command -v curl >/dev/null || die "curl is missing"
build
mkdir -p "$out" "$parent"
trap clean EXIT
trap 'exit 130' INT TERM
folder=$(mktemp -d "$parent/cauce-cluster.XXXXXX")
(IFS=$'\t'; echo "${columns[*]}") >"$out/cluster.tsv"
case " $* " in *' one '* | *' two '*) warm_up one ;; esac
case " $* " in *' v1 '*) warm_up v1 ;; esac
for round in $(seq "$rounds"); do
    say "== round $round"
    one_round "$@"
done
medians
