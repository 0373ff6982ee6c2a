"""A suspended VM, and a program in it that waits for a reply, step by step.

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


def wait_until(condition):
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wake(vm):
    vm.cmd("stubdomain-restore")
    vm.wait_restored()


def start_before_all_is_read(vm, cycles):
    """An eager restore that "cont" does not wait for: the VM runs on what is
    there and what is not."""
    for cycle in range(cycles):
        written = vm.write_data(20 + cycle)
        vm.suspend()
        vm.cmd("stubdomain-restore")
        time.sleep(cycle * 0.01)
        vm.cmd("cont")
        vm.wait_restored()
        assert vm.sum_of() == written


def wake_once(vm, peer):
    """So that it is known what a wake touches."""
    program, connection, _ = sleeping_download(vm, peer)
    finish(vm, program, connection)


def send_first_bytes(vm, connection):
    """The beginning of the reply; the VM sleeps on."""
    connection.send(b"HTTP/1.1 200 OK\r\n")
    wait_until(lambda: vm.info()["kept"])


def finish_after_first_bytes(vm, program, connection):
    connection.send(b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY))
    connection.close()
    vm.wait_restored()
    assert program.finish().sha256 == sha256(BODY)
