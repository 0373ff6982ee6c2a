"""Two guests on one host, each with a stub domain: the peer of one is the
other (A19).

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import re

import pytest

CLIENT, SERVER = "192.0.2.1", "192.0.2.2"
PORT = 7000
ROUNDS = 5

# Reads a number, thinks for a while, answers with as much noise and its sum.
SERVE = b"""
    read -r size
    sleep 1
    head -c $size /dev/urandom >/tmp/reply
    sha256sum </tmp/reply
    cat /tmp/reply
"""
# Asks, waits for the answer, reads it; prints both sums.
ASK = f"""
    exec 3<>/dev/tcp/{SERVER}/{PORT}
    echo $1 >&3
    stubctl wait --fd 3 >/tmp/wait
    read -r sum dash <&3
    echo $sum
    cat <&3 | sha256sum
""".encode()


@pytest.fixture
def guests(make_vm, tmp_path_factory):
    """(client, server), on a cable of their own."""
    # Paths of sockets have to be short.
    cable = tmp_path_factory.mktemp("c") / "cable"
    address = f"addr.type=unix,addr.path={cable}"
    pair = []
    for name, host, role in (("server", SERVER, "on"), ("client", CLIENT, "off")):
        pair.append(make_vm(
            name, netdev=f"stream,id=net0,server={role},{address}",
            nic=f"virtio-net-pci,mac=52:54:00:00:00:0{len(pair) + 1}",
            append=f"sd.ip={host}/24 sd.gw=off sd.ip6=off sd.gw6=off"))
        pair[-1].launch()
    for vm in pair:
        vm.connect_shell()
        vm.wait_agent()
    server, client = pair
    server.shell.put(SERVE, "/tmp/serve")
    server.shell.check(
        f"nc -ll -p {PORT} -e sh /tmp/serve >/dev/null 2>&1 &")
    client.shell.put(ASK, "/tmp/ask")
    # Each knows the other's address, and its stub domain its own.
    client.shell.check(f"until ping -c 1 -W 1 {SERVER}; do sleep 0.1; done")
    return client, server


def test_running_guest_asks_sleeping_one(guests):
    """Both sleep in turn: the server until it is asked, the client until it is
    answered."""
    client, server = guests
    for i in range(ROUNDS):
        server.suspend()
        asking = client.shell.start(f"bash /tmp/ask {(i + 1) * 200_000}")
        assert server.wait_restored()["reason"] == "unmatched"
        client.wait_suspended()
        assert client.wait_restored()["reason"] == "reply"
        announced, received = re.findall("[0-9a-f]{64}", asking.wait().output)
        assert announced == received
    assert server.info()["suspends"] == client.info()["suspends"] == ROUNDS


def test_both_asleep(guests):
    """The server is put to sleep in the middle of its work, so that nobody is
    awake, and the host brings it back."""
    client, server = guests
    asking = client.shell.start("bash /tmp/ask 1000000")
    client.wait_suspended()
    server.suspend()
    assert client.run_state() == server.run_state() == "paused"
    server.cmd("stubdomain-restore")
    server.wait_restored()
    assert client.wait_restored()["reason"] == "reply"
    announced, received = re.findall("[0-9a-f]{64}", asking.wait().output)
    assert announced == received
