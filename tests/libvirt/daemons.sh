#!/bin/sh
# The first process of a private libvirt: its own mounts, network and
# processes. Nothing of the machine's own libvirt, if there is one, is seen or
# touched. When this process ends, all that it started ends.
#
#   daemons.sh BUILD-DIR STATE-DIR
#
# Copyright (c) 2026 The Stubdomain authors
# SPDX-License-Identifier: GPL-2.0-or-later
set -eu
build=$1
state=$2

rm -rf "$state"
mkdir -p "$state/etc" "$state/cache" "$state/log/libvirt/qemu" \
    "$state/lib/libvirt/images" "$state/lib/stubdomain"
cp /etc/passwd /etc/group "$state"
# The one thing that the daemons need of Debian's libvirt-daemon-system.
grep -q ^libvirt-qemu: /etc/passwd || {
    echo libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin >>"$state/passwd"
    echo libvirt-qemu:x:64055: >>"$state/group"
}
chown 64055:64055 "$state/lib/stubdomain"

# /var/lib stays on a disk: memory given back must not move to a tmpfs.
mount --bind "$state/lib" /var/lib
mount --bind "$state/cache" /var/cache
mount --bind "$state/log" /var/log
mount --bind "$state/etc" /etc/libvirt
mount --bind "$state/passwd" /etc/passwd
mount --bind "$state/group" /etc/group
mount -t tmpfs -o mode=755 tmpfs /run
# Where libvirt's unprivileged user gets at QEMU, wherever the checkout is.
mkdir /run/build
mount --bind "$build" /run/build

cat >/etc/libvirt/libvirtd.conf <<END
auth_unix_rw = "none"
END
# No systemd, no udev, no AppArmor: what remains is libvirt's default, and
# that QEMU is in a sandbox is said aloud.
cat >/etc/libvirt/qemu.conf <<END
cgroup_controllers = [ ]
namespaces = [ ]
security_driver = "none"
seccomp_sandbox = 1
END

# As this network namespace sees it: bridges and taps.
mount -t sysfs sysfs /sys
ip link set lo up
virtlogd >"$state/log/virtlogd.log" 2>&1 &
libvirtd >"$state/log/libvirtd.log" 2>&1 &
wait
