#!/usr/bin/env bash
# Start a SLURM of two nodes on this machine: start_slurm.sh FOLDER. Needs root, and Debian's slurm-wlm and munge.
# Configuration, state and logs lie in FOLDER, and every daemon listens on the loopback interface. Stop it with
# stop_slurm.sh FOLDER. Both print what is missing and exit with code 3 where it cannot start.
set -euo pipefail
folder=$(realpath "$1")
for program in munged slurmctld slurmd sbatch; do
    command -v "$program" >/dev/null || { echo "$program is not installed (Debian: slurm-wlm, munge)"; exit 3; }
done
[ "$(id -u)" = 0 ] || { echo "slurmctld and slurmd of two nodes want to be root"; exit 3; }
mkdir -p "$folder"/{state,node1,node2,munge}
host=$(hostname -s)
cores=$(nproc)
free_port() { python3 -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])"; }

# a munge of our own: the system's may not run, and its key is nobody's business
chmod 711 "$folder" "$folder"/munge
( umask 077; head -c 1024 /dev/urandom >"$folder/munge/key" )
munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" \
    --log-file="$folder/munge/log" --seed-file="$folder/munge/seed"

cat >"$folder/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
SlurmctldPort=$(free_port)
StateSaveLocation=$folder/state
SlurmctldPidFile=$folder/slurmctld.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdSpoolDir=$folder/%n/spool
SlurmdPidFile=$folder/%n.pid
SlurmdLogFile=$folder/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_res
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000
ReturnToService=2
JobRequeue=1
KillWait=5
MinJobAge=600
MpiDefault=none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=node1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(free_port) CPUs=$cores RealMemory=1000
NodeName=node2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(free_port) CPUs=$cores RealMemory=1000
PartitionName=low Nodes=node1,node2 Default=YES MaxTime=60 PriorityTier=1 OverSubscribe=NO State=UP
PartitionName=high Nodes=node1,node2 MaxTime=60 PriorityTier=10 OverSubscribe=NO State=UP
CONF
export SLURM_CONF="$folder/slurm.conf"
slurmctld -c
for node in node1 node2; do
    slurmd -N "$node" || { echo "this slurmd cannot be one of two nodes of a machine"; exit 3; }
done
for _ in $(seq 100); do
    if [ "$(sinfo -h -N -p low -o %T 2>/dev/null | grep -c idle)" = 2 ]; then exit 0; fi
    sleep 0.2
done
sinfo -N || true
echo "the nodes did not come up; the logs are in $folder"
exit 3
