#!/usr/bin/env bash
# Stop the SLURM that start_slurm.sh started in FOLDER.
folder=$(realpath "$1")
export SLURM_CONF="$folder/slurm.conf"
scancel --state=RUNNING --full -u root 2>/dev/null
scancel -u root 2>/dev/null
for name in node1 node2 slurmctld munge/pid; do
    file="$folder/$name"
    [ -f "$file.pid" ] && file="$file.pid"
    [ -f "$file" ] && kill "$(cat "$file")" 2>/dev/null
done
exit 0
