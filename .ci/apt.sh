# shellcheck shell=bash
# Sourced by the scripts that install things.

say() { printf '   %s\n' "$*"; }
have() { "$@" >/dev/null 2>&1; }

# Runs a command as root, if that can be had without asking anybody.
as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    else
        have sudo -n true && sudo -n "$@"
    fi
}

# Installs Debian packages. The services they bring are not started: tests start servers of their
# own, and a Redis of the system's on its usual port is none of them.
apt_install() {
    local policy=/usr/sbin/policy-rc.d ours=false status=0
    have command -v apt-get && as_root true || return 1
    as_root apt-get update -q || return 1
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null &&
            as_root chmod 755 "$policy" && ours=true
    fi
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "$@" || status=1
    [[ $ours = false ]] || as_root rm -f "$policy"
    return "$status"
}

# Cassandra 5.0 runs on Java 17 and on nothing newer.
java_17() {
    have compgen -G '/usr/lib/jvm/java-17-*/bin/java' || java -version 2>&1 | grep -q '"17\.'
}
