#!/bin/sh
# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Holds one lab node. Started by lab_node.py inside `unshare --mount`, so every mount made here ends with this process.
# Usage: node.sh NODE_DIR ROOTFS MACHINE HOSTNAME UUID CGROUP      (CGROUP empty: systemd runs this host and gives a scope)
set -eu
dir=$1 rootfs=$2 machine=$3 hostname=$4 uuid=$5 cgroup=$6

# Who we are, written first and in one step: `down` ends this very process and no other that got the same number later.
printf '%s %s %s\n' "$$" "$(cut -d' ' -f22 "/proc/$$/stat")" "$(cat /proc/sys/kernel/random/boot_id)" >"$dir/pid.new"
mv "$dir/pid.new" "$dir/pid"

group=
keep_unit=
if [ -n "$cgroup" ]; then
    # No systemd on this host: give the node a cgroup v2 tree and two groups of its own in it, one for this holder, one for the node.
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    group=/sys/fs/cgroup/$cgroup
    mkdir -p "$group/holder" "$group/node"
    echo $$ >"$group/holder/cgroup.procs"
    keep_unit=--keep-unit
fi
# Overlay options are one comma separated string, so lab.py refuses directories with ':' or ','.
mount -t overlay overlay -o "lowerdir=$rootfs,upperdir=$dir/store/upper,workdir=$dir/store/work" "$dir/root"

while :; do
    rc=0
    (
        # A subshell has the same $$, so the child that becomes systemd-nspawn moves itself by 0 ("the writer").
        [ -z "$group" ] || echo 0 >"$group/node/cgroup.procs"
        # shellcheck disable=SC2086
        exec systemd-nspawn -q --register=no $keep_unit --link-journal=no --uuid="$uuid" --hostname="$hostname" \
            -M "$machine" -D "$dir/root" -b
    ) || rc=$?
    # 133: the node asked for a reboot from the inside
    [ "$rc" -eq 133 ] || exit "$rc"
done
