#!/bin/sh
# Starts Redis or Sentinel from a copy of its settings that it may rewrite, as both do when roles
# change; a copy that is there is used as it is. Used inside the containers alone.
#
# usage: redis-start.sh redis-server|redis-sentinel SETTINGS [LINE…]
set -eu

program="$1"
settings="$2"
shift 2

if [ ! -e /data/settings.conf ]; then
    {
        cat "$settings"
        for line in "$@"; do
            printf '%s\n' "$line"
        done
    } >/data/settings.new
    mv /data/settings.new /data/settings.conf
fi
exec "$program" /data/settings.conf
