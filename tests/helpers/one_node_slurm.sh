#!/usr/bin/env bash
# Slurm on this one machine, with accounting, without systemd or cgroups: `start DIR` and `stop DIR`, as root.
# SLURM_CONF=DIR/slurm.conf then names it. Accounting is how submitit learns that a job has died.
set -eu
what=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
host=$(hostname -s)

stop() {
    for name in slurmd slurmctld slurmdbd; do
        if [ -f "$dir/run/$name.pid" ]; then kill "$(cat "$dir/run/$name.pid")" 2>/dev/null || true; fi
    done
    sleep 1
    if [ -f "$dir/run/mariadb.pid" ]; then kill "$(cat "$dir/run/mariadb.pid")" 2>/dev/null || true; fi
}

wait_for() { # a command that is tried for half a minute
    for _ in $(seq 60); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.5
    done
    echo "waited in vain for: $*" >&2
    exit 1
}

if [ "$what" = stop ]; then
    stop
    exit 0
fi
mkdir -p "$dir"/{state,spool,run,log,db}
chmod 755 "$dir"
chown mysql "$dir/db" "$dir/run"

if ! pgrep -x munged >/dev/null; then
    if [ ! -f /etc/munge/munge.key ]; then
        dd if=/dev/urandom of=/etc/munge/munge.key bs=1 count=1024 2>/dev/null
        chown munge /etc/munge/munge.key
        chmod 400 /etc/munge/munge.key
    fi
    mkdir -p /run/munge
    chown munge /run/munge
    su -s /bin/sh munge -c /usr/sbin/munged
fi

socket=$(mktemp -d)/s # a path that is short enough for a socket
chown mysql "$(dirname "$socket")"
if [ ! -d "$dir/db/mysql" ]; then
    mariadb-install-db --user=mysql --datadir="$dir/db" --skip-test-db >"$dir/log/install" 2>&1
fi
mariadbd --no-defaults --user=mysql --datadir="$dir/db" --socket="$socket" --port=3399 \
    --bind-address=127.0.0.1 --pid-file="$dir/run/mariadb.pid" --innodb-buffer-pool-size=128M \
    --innodb-lock-wait-timeout=900 >"$dir/log/mariadb" 2>&1 &
wait_for mariadb -S "$socket" -e 'select 1'
mariadb -S "$socket" -e "
    create user if not exists slurm@127.0.0.1 identified by 'x';
    create user if not exists slurm@localhost identified by 'x';
    grant all on slurm_acct.* to slurm@127.0.0.1;
    grant all on slurm_acct.* to slurm@localhost"

cat >"$dir/slurmdbd.conf" <<CONF
AuthType=auth/munge
DbdHost=$host
DbdAddr=127.0.0.1
SlurmUser=root
LogFile=$dir/log/slurmdbd
PidFile=$dir/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=3399
StorageUser=slurm
StoragePass=x
StorageLoc=slurm_acct
CONF
chmod 600 "$dir/slurmdbd.conf"
mkdir -p /etc/slurm
cp -p "$dir/slurmdbd.conf" /etc/slurm/slurmdbd.conf # the only place where slurmdbd looks
cat >"$dir/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$host
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
MpiDefault=none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
ReturnToService=2
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/slurmd.pid
SlurmdSpoolDir=$dir/spool
StateSaveLocation=$dir/state
SlurmctldLogFile=$dir/log/slurmctld
SlurmdLogFile=$dir/log/slurmd
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
JobAcctGatherType=jobacct_gather/linux
NodeName=$host CPUs=$(getconf _NPROCESSORS_ONLN) RealMemory=2000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$dir/slurm.conf
slurmdbd
wait_for sacctmgr -i show cluster
sacctmgr -i add cluster one >/dev/null 2>&1 || true
slurmctld -f "$SLURM_CONF"
slurmd -f "$SLURM_CONF"
wait_for sh -c 'sinfo -h -o %T | grep -q idle'
