"""Frames that wait in the queue of the guest's NIC when it is suspended.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

from network import HOST


def test_stub_domain_hears_whatever_waits_for_the_guest(tap_vm, tap_network):
    """A tap device is read no further while a frame waits in a NIC's queue,
    and the queue of a stopped VM stands still."""
    tap_vm.shell.check(f"ping -c 1 {HOST[4]}")
    # A NIC without a driver takes nothing.
    tap_vm.shell.check("cd /sys/bus/virtio/drivers/virtio_net && "
                       "echo virtio[0-9]* > unbind")
    assert not tap_network.ping(4, timeout=1)
    tap_vm.suspend()
    assert tap_network.ping(4)
