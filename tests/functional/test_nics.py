"""More than one NIC, and other kinds of network backend.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import pytest

from network import TAP
from peer import noise
from program import Download, sha256, suspend_on_wait
from vm import DEVICE

SECOND_NIC = {
    "append": "sd.ip1=10.0.3.15/24",
    "arguments": [
        "-netdev", "user,id=net1,net=10.0.3.0/24",
        "-device", "virtio-net-pci,netdev=net1",
        "-object", f"filter-stubdomain,id=filter1,netdev=net1,device={DEVICE}",
    ],
}


def test_reply_on_the_second_nic(make_vm, peer):
    vm = make_vm(**SECOND_NIC).boot()
    body = noise(50_000)
    program, connection, _ = suspend_on_wait(vm, peer, host="10.0.3.2")
    assert vm.stubs()[0]["flow"]["guest"]["host"] == "10.0.3.15"
    connection.reply(body)
    connection.close()
    vm.wait_restored()
    assert program.finish().sha256 == sha256(body)


def test_one_nic_wakes_and_the_others_bytes_are_kept(make_vm, peer):
    """A13: the stub domain keeps what comes to all NICs."""
    vm = make_vm(**SECOND_NIC).boot()
    bodies = [noise(50_000, seed=1), noise(60_000, seed=2)]
    vm.set_policy(suspend_delay=2000)
    programs = [Download(vm, peer.port, "--bytes 1000000", name="one"),
                Download(vm, peer.port, name="two", host="10.0.3.2")]
    by_guest = {}
    for _ in programs:
        connection = peer.accept_request()
        by_guest[connection.request.split("Host: ")[1][:6]] = connection
    vm.wait_suspended()
    by_guest["10.0.2"].reply(bodies[0])
    while vm.info()["kept"] < len(bodies[0]):
        assert vm.run_state() == "paused"
    by_guest["10.0.3"].reply(bodies[1])
    vm.wait_restored()
    for connection in by_guest.values():
        connection.close()
    for program, body in zip(programs, bodies):
        assert program.finish().sha256 == sha256(body)


NO_OFFLOADS = ",".join(f"{feature}=off" for feature in (
    "csum", "gso", "guest_csum", "guest_tso4", "guest_tso6", "guest_ecn",
    "guest_ufo", "guest_uso4", "guest_uso6", "host_tso4", "host_tso6",
    "host_ecn", "host_ufo", "host_uso"))


def test_nic_without_offloads(make_vm, peer):
    """Every frame with its checksum, and no longer than the MTU."""
    vm = make_vm(nic=f"virtio-net-pci,{NO_OFFLOADS}").boot()
    body = noise(200_000)
    program, connection, _ = suspend_on_wait(vm, peer)
    connection.reply(body)
    connection.close()
    vm.wait_restored()
    assert program.finish().sha256 == sha256(body)


def test_vhost_and_multiqueue_are_refused(make_vm, tap_network):
    for option, word in (("queues=2", "queue"), ("vhost=on", "vhost")):
        vm = make_vm(option.split("=")[0], wrapper=tap_network.wrapper,
                     netdev=f"tap,id=net0,ifname={TAP},script=no,"
                            f"downscript=no,vnet_hdr=on,{option}")
        with pytest.raises(Exception) as error:
            vm.launch()
        assert word in str(error.value)
        assert "net0" in str(error.value)
