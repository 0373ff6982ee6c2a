"""Suspended at random moments of a conversation, again and again: neither end
notices. The moments come from a seed, which a failed test shows.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import hashlib
import random
import time

import pytest

from network import GUEST, HOST, tap_options
from peer import noise
from program import sha256
from vm import TIMEOUT

SUSPENDS = 20
SEED = 1
MIB = 1 << 20
DOWNLOAD_PART = 52 * MIB  # 20 of them are more than 1 GiB
UPLOAD_PART = 8 * MIB
# A suspend would be cancelled if the buffer became full.
BUFFER = 2 * DOWNLOAD_PART
MOST_LEFT = DOWNLOAD_PART // 2


class Sleeper:
    """Suspends and restores a VM from the host, whatever its guest does."""

    def __init__(self, vm):
        self.vm = vm
        self.random = random.Random(SEED)
        # What comes for the guest is no reason to wake it.
        vm.set_policy(unmatched="ignore")

    def pause(self, longest):
        time.sleep(self.random.uniform(0, longest))

    def sleep(self):
        """Suspend at a random moment, restore at another."""
        self.pause(0.3)
        while self.vm.info()["kept"] > MOST_LEFT:
            time.sleep(0.01)
        self.vm.suspend()
        self.pause(0.3)
        self.vm.cmd("stubdomain-restore")
        self.vm.wait_restored()


@pytest.fixture
def sleeper(make_vm, tap_network):
    vm = make_vm(device=f"flow-buffer={BUFFER}",
                 **tap_options(tap_network)).boot()
    return Sleeper(vm)


def check_all_slept(vm):
    info = vm.info()
    assert (info["suspends"], info["restores"]) == (SUSPENDS, SUSPENDS)
    assert info["kept"] == 0


@pytest.mark.parametrize("family", [4], ids=["ipv4"])
def test_download(sleeper, tap_peer, family):
    """More than 1 GiB, of which some comes while the guest sleeps."""
    job = sleeper.vm.shell.start(
        f"nc {HOST[family]} {tap_peer.port} </dev/null | sha256sum")
    connection = tap_peer.accept()
    digest = hashlib.sha256()
    for i in range(SUSPENDS):
        part = noise(DOWNLOAD_PART, seed=i)
        digest.update(part)
        sending = connection.in_background(connection.send, part)
        sleeper.sleep()
        sending.result(TIMEOUT)
    connection.close()
    assert job.wait(TIMEOUT).output.split()[0] == digest.hexdigest()
    check_all_slept(sleeper.vm)


@pytest.mark.parametrize("family", [6], ids=["ipv6"])
def test_upload(sleeper, tap_peer, family):
    shell = sleeper.vm.shell
    shell.check(f"head -c {UPLOAD_PART} /dev/urandom >/tmp/part")
    parts = f"for i in $(seq {SUSPENDS}); do cat /tmp/part; done"
    sent = shell.check(f"{parts} | sha256sum").split()[0]
    job = shell.start(f"{parts} | nc {HOST[family]} {tap_peer.port}")
    connection = tap_peer.accept()
    received = hashlib.sha256()
    for _ in range(SUSPENDS):
        reading = connection.in_background(connection.read_exactly,
                                           UPLOAD_PART)
        sleeper.sleep()
        received.update(reading.result(TIMEOUT))
    connection.close()
    assert job.wait(TIMEOUT).status == 0
    assert received.hexdigest() == sent
    check_all_slept(sleeper.vm)


def ask(connection, line, delay):
    time.sleep(delay)
    connection.send(line.encode() + b"\n")
    return connection.read_line()


def test_echo(sleeper, tap_peer, family):
    """One line at a time; some are sent to a guest that sleeps."""
    sleeper.vm.shell.start(f"nc {HOST[family]} {tap_peer.port} -e cat")
    connection = tap_peer.accept()
    for i in range(SUSPENDS):
        line = f"line {i} of the conversation"
        answer = connection.in_background(ask, connection, line,
                                          sleeper.random.uniform(0, 0.5))
        sleeper.sleep()
        assert answer.result(TIMEOUT) == line
    connection.close()
    check_all_slept(sleeper.vm)


def test_listening_server(tap_vm, tap_network, family):
    """X3: a connection wakes the guest, which accepts it."""
    vm = tap_vm
    vm.shell.check("nc -ll -p 7000 -e cat >/dev/null 2>&1 &")
    vm.shell.check("until grep ':1B58' /proc/net/tcp /proc/net/tcp6; "
                   "do sleep 0.1; done")
    # The stub domain answers for addresses that the guest has used.
    assert tap_network.ping(family)
    for i in range(SUSPENDS):
        vm.suspend()
        with tap_network.connect(GUEST[family], 7000, TIMEOUT) as client:
            body = noise(100_000, seed=i)
            received = b""
            client.send(body[:1000])
            assert vm.wait_restored()["reason"] == "unmatched"
            client.sendall(body[1000:])
            while len(received) < len(body):
                piece = client.recv(1 << 16)
                assert piece
                received += piece
            assert sha256(received) == sha256(body)
    assert vm.info()["suspends"] == SUSPENDS
