"""UDP: replies that come while the guest sleeps, in order, and what ICMP says.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import socket

import pytest

from network import HOST
from vm import TIMEOUT

# Sends a question, prints as many answers as it is told; its own port goes
# into a file.
CLIENT = b"""
    exec 3<>/dev/udp/$1/$2
    echo question >&3
    for i in $(seq $3); do dd bs=2048 count=1 status=none <&3; done
    echo "status $?"
"""


@pytest.fixture
def asked(tap_vm, tap_network, family):
    """(job, server's socket, guest's address): the guest has asked."""
    tap_vm.set_policy(unmatched="ignore")
    tap_vm.shell.put(CLIENT, "/tmp/client")
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    with tap_network.make_socket(kind, socket.SOCK_DGRAM) as server:
        server.bind((HOST[family], 0))
        server.settimeout(TIMEOUT)
        job = tap_vm.shell.start(
            f"bash /tmp/client {HOST[family]} {server.getsockname()[1]} 3")
        question, guest = server.recvfrom(2048)
        assert question == b"question\n"
        yield job, server, guest


def wait_for_datagram(vm, server, guest, **more):
    host, port = server.getsockname()[:2]
    return vm.cmd("stubdomain-listen", {
        "flow": {"protocol": "udp", "peer": {"host": host, "port": port},
                 "guest": {"port": guest[1]}}, **more})["stub"]


def test_reply_wakes(asked, tap_vm):
    job, server, guest = asked
    stub = wait_for_datagram(tap_vm, server, guest)
    tap_vm.suspend()
    for i in range(3):
        server.sendto(b"answer %d\n" % i, guest)
    assert tap_vm.wait_event("STUBDOMAIN_REPLY")["stub"] == stub
    assert tap_vm.wait_restored()["reason"] == "reply"
    assert job.wait(TIMEOUT).output == (
        "answer 0\nanswer 1\nanswer 2\nstatus 0\n")


def test_reply_of_somebody_else_does_not_wake(asked, tap_vm, tap_network,
                                              family):
    job, server, guest = asked
    wait_for_datagram(tap_vm, server, guest)
    tap_vm.suspend()
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    with tap_network.make_socket(kind, socket.SOCK_DGRAM) as other:
        other.sendto(b"not an answer\n", guest)
        assert tap_vm.sleeps_on(1)
    for i in range(3):
        server.sendto(b"answer %d\n" % i, guest)
    tap_vm.wait_restored()
    assert job.wait(TIMEOUT).output.endswith("answer 2\nstatus 0\n")


def test_port_that_is_closed(asked, tap_vm, family):
    """ICMP's "port unreachable" ends the wait, and reaches the program."""
    job, server, guest = asked
    tap_vm.shell.put(b"""
        exec 3<>/dev/udp/$1/$2
        while [ ! -e /tmp/go ]; do sleep 0.1; done
        echo question >&3
        stubctl wait --fd 3
        dd bs=2048 count=1 status=none <&3 2>&1
    """, "/tmp/waiter")
    port = server.getsockname()[1]
    waiter = tap_vm.shell.start(f"bash /tmp/waiter {HOST[family]} {port}")
    for i in range(3):
        server.sendto(b"answer %d\n" % i, guest)
    job.wait(TIMEOUT)
    server.close()
    tap_vm.shell.check("touch /tmp/go")
    output = waiter.wait(TIMEOUT).output
    assert output.startswith("reset")
    assert "refused" in output


def test_refused_question_is_asked_again(asked, tap_vm, tap_network, family):
    """The server restarts; the program never hears "connection refused"."""
    job, server, guest = asked
    stub = wait_for_datagram(tap_vm, server, guest, plan={
        "format": "raw",
        "retries": {"times": 100, "after": 300, "repeatable": True},
        "handlers": [{"name": "away", "when": {"icmp": "port-unreachable"},
                      "do": ["alert", {"action": "retry", "after": 300}]}]})
    tap_vm.suspend()
    address = server.getsockname()
    server.close()
    for _ in range(2):
        alert = tap_vm.wait_event("STUBDOMAIN_ALERT")
        assert alert["stub"] == stub and alert["claim"]["handler"] == "away"
    assert tap_vm.run_state() == "paused"
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    with tap_network.make_socket(kind, socket.SOCK_DGRAM) as restarted:
        restarted.bind(address)
        restarted.settimeout(TIMEOUT)
        assert restarted.recvfrom(2048)[0] == b"question\n"
        for i in range(3):
            restarted.sendto(b"answer %d\n" % i, guest)
        assert tap_vm.wait_restored()["reason"] == "reply"
        assert job.wait(TIMEOUT).output == (
            "answer 0\nanswer 1\nanswer 2\nstatus 0\n")
