"""What a suspended VM's file has in the page cache, and when.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import time

from memory import page_cache_bytes
from sleeping import (finish, finish_after_first_bytes, send_first_bytes,
                      sleeping_download, wake_once)
from vm import TIMEOUT

MIB = 1 << 20


def test_first_byte_of_the_reply_brings_the_working_set(vm, peer):
    wake_once(vm, peer)
    program, connection, file = sleeping_download(vm, peer)
    asleep = page_cache_bytes(file)
    send_first_bytes(vm, connection)
    deadline = time.monotonic() + TIMEOUT
    while page_cache_bytes(file) <= asleep + MIB:
        assert time.monotonic() < deadline, "nothing is read ahead"
        time.sleep(0.01)
    # Not all of it, and the VM sleeps on.
    assert page_cache_bytes(file) < 64 * MIB
    assert vm.run_state() == "paused"
    finish_after_first_bytes(vm, program, connection)


def test_working_set_that_is_switched_off(vm, peer):
    vm.set_policy(working_set=False)
    wake_once(vm, peer)
    program, connection, file = sleeping_download(vm, peer)
    asleep = page_cache_bytes(file)
    send_first_bytes(vm, connection)
    assert vm.sleeps_on(1)
    assert page_cache_bytes(file) <= asleep
    finish_after_first_bytes(vm, program, connection)


def test_what_is_touched_long_after_a_wake_is_not_read_ahead(vm, peer):
    written = vm.write_data(60)
    wake_once(vm, peer)
    time.sleep(1)  # by then it is noted what the wake touched
    assert vm.sum_of() == written
    program, connection, file = sleeping_download(vm, peer)
    finish(vm, program, connection)
    assert MIB < page_cache_bytes(file) < 30 * MIB


def test_full_reclaim_leaves_nothing(vm):
    vm.write_data(30)
    file = vm.suspend()["file"]
    assert page_cache_bytes(file) < MIB
    assert vm.info()["resident"] < MIB


def test_lazy_reclaim_leaves_the_file_in_the_page_cache(make_vm):
    vm = make_vm(device="reclaim=lazy").boot()
    written = vm.write_data(30)
    suspended = vm.suspend()
    assert page_cache_bytes(suspended["file"]) >= 30 * MIB
    # The figures are the true ones.
    assert vm.info()["resident"] >= 30 * MIB
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    # A later suspend goes by what the policy is then.
    vm.set_policy(reclaim="full")
    vm.suspend()
    assert page_cache_bytes(suspended["file"]) < MIB
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    assert vm.sum_of() == written
