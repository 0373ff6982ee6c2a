"""The guest is suspended while more comes than it can take.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import contextlib
import socket
import threading

from network import GUEST, HOST
from peer import noise
from program import sha256, suspend_on_wait

CYCLES = 5
BODY = noise(300_000)


@contextlib.contextmanager
def flood(network):
    """UDP that nobody in the guest waits for, as much as goes."""
    enough = threading.Event()

    def send():
        with network.make_socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            while not enough.is_set():
                # The guest's "port unreachable" comes back as an error.
                with contextlib.suppress(OSError):
                    udp.sendto(b"x" * 1000, (GUEST[4], 9))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def test_reply_is_heard_whatever_waits_in_the_nics_queue(
        tap_vm, tap_network, make_peer):
    """A tap device is read no further while a frame waits in a NIC's queue,
    and the queue of a stopped VM stands still."""
    tap_vm.set_policy(unmatched="ignore")
    peer = make_peer(HOST[4], tap_network.make_socket)
    for _ in range(CYCLES):
        with flood(tap_network):
            program, connection, _ = suspend_on_wait(tap_vm, peer,
                                                     host=HOST[4])
        connection.reply(BODY)
        connection.close()
        assert tap_vm.wait_restored()["reason"] == "reply"
        assert program.finish().sha256 == sha256(BODY)
