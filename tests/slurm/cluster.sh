#!/usr/bin/env bash
# A SLURM cluster of two nodes on this machine, from Debian's packages.
#
#   cluster.sh start     install what is missing, configure, start; 0: ready, 77: cannot be done here (the reason is printed)
#   cluster.sh stop      end what was started
#   cluster.sh node N    start the daemon of node N (scope1, scope2) again
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
state=/var/spool/scopedepth-slurm
conf=/etc/slurm/slurm.conf
mark="for the tests. cluster.sh fills in"

cannot() {
    echo "$1"
    exit 77
}

check() {
    [ "$(id -u)" = 0 ] || cannot "a SLURM cluster of one machine needs root"
    [ -f /etc/debian_version ] || cannot "a SLURM cluster of one machine is set up from Debian's packages only"
    if [ -f "$conf" ] && ! grep -q "$mark" "$conf"; then
        cannot "this machine belongs to a SLURM cluster already ($conf)"
    fi
}

packages() {
    command -v slurmctld slurmd sbatch munged >/dev/null && return
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge; } \
        >/tmp/scopedepth-slurm-install.log 2>&1 ||
        cannot "Debian's SLURM packages could not be installed (/tmp/scopedepth-slurm-install.log)"
}

alive() { [ -f "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

start_munge() {
    [ -f /etc/munge/munge.key ] || mungekey --create
    chown munge: /etc/munge/munge.key
    install -d -o munge -g munge -m 755 /run/munge
    munge -n >/dev/null 2>&1 || setpriv --reuid=munge --regid=munge --clear-groups munged
}

start_node() { alive "$state/$1.pid" || slurmd -N "$1"; }

start() {
    check
    packages
    mkdir -p "$state/state" /etc/slurm
    sed "s/@HOST@/$(hostname)/" "$here/slurm.conf" >"$conf"
    cp "$here/gres.conf" /etc/slurm/gres.conf
    start_munge
    alive "$state/slurmctld.pid" || slurmctld
    for node in scope1 scope2; do start_node $node; done
    for _ in $(seq 100); do
        [ "$(sinfo --noheader --Node --format=%T 2>/dev/null | grep -c idle)" = 2 ] && return
        sleep 0.2
    done
    sinfo --Node --long
    tail -n 20 "$state"/*.log
    cannot "the nodes did not come up"
}

stop() {
    for name in scope1 scope2 slurmctld; do
        ! alive "$state/$name.pid" || kill "$(cat "$state/$name.pid")"
    done
    ! alive /run/munge/munged.pid || kill "$(cat /run/munge/munged.pid)"
    # Without it SLURM's commands fail at once; with it, and no controller, each waits ten seconds for one, and
    # every start of Snakemake asks.
    ! grep -qs "$mark" "$conf" || rm "$conf"
}

case "${1:-}" in
start) start ;;
stop) stop ;;
node) start_node "$2" ;;
*) sed -n '2,6s/^# \{0,1\}//p' "$0" ;;
esac
