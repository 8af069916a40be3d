#!/usr/bin/env bash
# A SLURM cluster on 127.0.0.1 for tests: one node of 2 CPUs and one "GPU" (/dev/zero), no accounting, no systemd; a
# second one, which is the same machine and has two of these, is in the partition `both` only.
#
#   tests/slurm/cluster.sh install | start | stop
#
# `start` writes /etc/slurm/slurm.conf, since jobs of Snakemake's executor lose SLURM_CONF, and refuses where another
# cluster's file is. What cannot be done here is said in one line, with exit code 77: the tests are skipped with it.
set -euo pipefail

HOME_FOLDER=/var/tmp/loramake-slurm
CONF=/etc/slurm/slurm.conf
MARK="# loramake's test cluster"

cannot() {
    echo "no SLURM here: $*"
    exit 77
}

install() {
    command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null && return
    [ "$(id -u)" -eq 0 ] || cannot "slurm-wlm and munge are not installed, and only root could install them"
    command -v apt-get >/dev/null || cannot "slurm-wlm and munge are not installed, and this is not Debian"
    { apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge; } \
        >/dev/null 2>&1 || cannot "apt-get cannot install slurm-wlm and munge"
}

configure() {
    local host
    host=$(hostname -s)
    mkdir -p /etc/slurm "$HOME_FOLDER"/{state,spool,munge}
    dd if=/dev/urandom of="$HOME_FOLDER/munge/key" bs=1024 count=1 2>/dev/null
    chmod 400 "$HOME_FOLDER/munge/key"
    chown -R munge: "$HOME_FOLDER/munge"
    printf '%s\n' "NodeName=$host Name=gpu File=/dev/zero" "NodeName=$host-2 Name=gpu File=/dev/zero" \
        "NodeName=$host-2 Name=gpu File=/dev/null" >/etc/slurm/gres.conf
    cat >$CONF <<CONFIGURATION
$MARK
ClusterName=loramake
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthInfo=socket=$HOME_FOLDER/munge/socket
StateSaveLocation=$HOME_FOLDER/state
SlurmdSpoolDir=$HOME_FOLDER/spool/%n
SlurmctldPidFile=$HOME_FOLDER/slurmctld.pid
SlurmdPidFile=$HOME_FOLDER/slurmd-%n.pid
SlurmctldLogFile=$HOME_FOLDER/slurmctld.log
SlurmdLogFile=$HOME_FOLDER/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,bf_interval=5,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
MinJobAge=300
KillWait=30
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 RealMemory=6000 Gres=gpu:1
NodeName=${host}-2 NodeHostname=$host NodeAddr=127.0.0.1 Port=6828 CPUs=2 RealMemory=6000 Gres=gpu:2
PartitionName=gpu Nodes=$host Default=YES MaxTime=08:00:00 State=UP PriorityTier=1
PartitionName=urgent Nodes=$host MaxTime=01:00:00 State=UP PriorityTier=10
PartitionName=both Nodes=$host,${host}-2 MaxTime=01:00:00 State=UP PriorityTier=1
CONFIGURATION
}

start() {
    command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null ||
        cannot "slurm-wlm and munge are not installed (tests/slurm/cluster.sh install)"
    [ "$(id -u)" -eq 0 ] || cannot "the daemons of a test cluster are started by root only"
    if [ -e $CONF ] && ! grep -q "$MARK" $CONF; then cannot "$CONF is another cluster's"; fi
    stop
    configure
    su -s /bin/sh munge -c "cd $HOME_FOLDER/munge && munged --key-file=\$PWD/key --socket=\$PWD/socket \
        --pid-file=\$PWD/pid --log-file=\$PWD/log --seed-file=\$PWD/seed" || cannot "munged does not start"
    slurmctld || cannot "slurmctld does not start ($HOME_FOLDER/slurmctld.log says why)"
    local node
    for node in "$(hostname -s)" "$(hostname -s)-2"; do
        slurmd -N "$node" || cannot "slurmd does not start ($HOME_FOLDER/slurmd-$node.log says why)"
    done
    for _ in $(seq 50); do
        if [ "$(sinfo --noheader --format=%T 2>/dev/null | sort -u)" = idle ]; then return; fi
        sleep 0.2
    done
    cannot "the nodes do not become idle ($HOME_FOLDER/slurmd-*.log say why)"
}

stop() {
    local pid
    grep -qs "$MARK" $CONF || return 0
    scancel --user="$(id -un)" >/dev/null 2>&1 || true
    for pid in "$HOME_FOLDER"/{slurmd-*.pid,slurmctld.pid,munge/pid}; do
        [ ! -s "$pid" ] || kill "$(cat "$pid")" 2>/dev/null || true
    done
    sleep 1
    rm -rf "$HOME_FOLDER" $CONF /etc/slurm/gres.conf
}

case "${1:-}" in
    install | start | stop) "$1" ;;
    *) echo "usage: $0 install | start | stop" >&2 && exit 2 ;;
esac
