"""X7: after a restore the wall clock is right and monotonic time has not
jumped.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import time

from program import suspend_on_wait
from vm import TIMEOUT

SLEEP = 5  # seconds
SLACK = 1  # of a busy machine


def wall_clock_error(vm):
    """Seconds between the guest's and the host's wall clock."""
    return abs(vm.clock() - time.time())


def uptime(vm):
    return float(vm.shell.check("cat /proc/uptime").split()[0])


def test_clocks_around_a_suspend(vm, peer):
    program, connection, _ = suspend_on_wait(vm, peer)
    time.sleep(SLEEP)
    replied = time.time()
    connection.reply(b"reply")
    connection.close()
    vm.wait_restored()
    report = program.finish()
    sent, ended = report.step("request sent"), report.step("wait ended")
    assert ended.monotonic - sent.monotonic < SLEEP - SLACK
    assert ended.wall - sent.wall > SLEEP - SLACK
    # The clock was right before the waiting program went on.
    assert ended.wall > replied - SLACK
    assert wall_clock_error(vm) < SLACK


def test_wall_clock_of_a_guest_that_was_wrong_before(vm):
    """It is stepped to the host's time, not by the time of the suspend."""
    vm.shell.check("date -s '2001-01-01 00:00:00'")
    vm.suspend()
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    deadline = time.monotonic() + TIMEOUT
    while wall_clock_error(vm) > SLACK:
        assert time.monotonic() < deadline


def test_monotonic_time_of_an_idle_guest_stands_still(vm):
    before = uptime(vm)
    began = time.monotonic()
    vm.suspend()
    time.sleep(SLEEP)
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    assert uptime(vm) - before < time.monotonic() - began - SLEEP + SLACK
