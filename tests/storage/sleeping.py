"""A program that waits for a reply in a suspended VM, step by step.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import time

from program import Download, sha256
from vm import TIMEOUT

BODY = b"x" * 10_000


def sleeping_download(vm, peer):
    """A program that waits for all of BODY, in a suspended VM."""
    program = Download(vm, peer.port, f"--bytes {len(BODY)}")
    connection = peer.accept_request()
    return program, connection, vm.wait_suspended()["file"]


def finish(vm, program, connection):
    connection.reply_and_close(BODY)
    vm.wait_restored()
    assert program.finish().sha256 == sha256(BODY)


def wake_once(vm, peer):
    """So that it is known what a wake touches."""
    program, connection, _ = sleeping_download(vm, peer)
    finish(vm, program, connection)


def send_first_bytes(vm, connection):
    """The beginning of the reply; the VM sleeps on."""
    connection.send(b"HTTP/1.1 200 OK\r\n")
    deadline = time.monotonic() + TIMEOUT
    while not vm.info()["kept"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def finish_after_first_bytes(vm, program, connection):
    connection.send(b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY))
    connection.close()
    vm.wait_restored()
    assert program.finish().sha256 == sha256(BODY)
