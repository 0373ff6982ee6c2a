"""The suspend file as the VM's second life, and as a file among others.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import stat

import pytest
from qemu.qmp import ExecuteError

from network import HOST, tap_options
from peer import noise
from program import sha256, suspend_on_wait
from vm import TIMEOUT


IDENTITY = "cat /proc/sys/kernel/random/boot_id; md5sum /tmp/data"


def test_guest_runs_on_after_qemu_was_killed(vm, peer, make_vm):
    vm.write_data(20)
    identity = vm.shell.check(IDENTITY)
    uptime = float(vm.shell.check("cat /proc/uptime").split()[0])
    _, _, suspended = suspend_on_wait(vm, peer)
    vm.kill_hard()

    second = make_vm("second")
    assert second.launch_incoming(suspended["file"])
    second.run_incoming()
    assert second.shell.check(IDENTITY) == identity
    assert float(second.shell.check("cat /proc/uptime").split()[0]) > uptime
    # It is a VM like any other: it can be suspended again.
    second.suspend()
    second.cmd("stubdomain-restore")
    second.wait_restored()
    assert second.shell.check(IDENTITY) == identity


def test_connection_survives_that_qemu_was_killed(make_vm, make_peer,
                                                  tap_network):
    """With the host's TCP as the peer: the stub domain's state is in the file,
    the peer sends again what QEMU's death lost."""
    options = tap_options(tap_network)
    peer = make_peer(HOST[4], tap_network.make_socket)
    vm = make_vm(**options).boot()
    program, connection, suspended = suspend_on_wait(vm, peer, host=HOST[4])
    vm.kill_hard()

    second = make_vm("second", **options)
    assert second.launch_incoming(suspended["file"])
    body = noise(50_000)
    connection.reply(body)
    connection.close()
    second.run_incoming()
    status, output = second.shell.attach(program.job).wait(TIMEOUT)
    assert (status, output.split()[0]) == (0, sha256(body))


def expect_refused(vm, path):
    with pytest.raises(ExecuteError, match="its VM runs, or ran on, or the "
                                           "suspend was not finished"):
        vm.launch_incoming(path)
    assert vm.run_state() == "inmigrate"


def test_file_of_a_running_vm_is_refused(vm, peer, make_vm):
    """A stale image must never run."""
    program, connection, suspended = suspend_on_wait(vm, peer)
    connection.reply(b"reply")
    connection.close()
    vm.wait_restored()
    program.finish()
    expect_refused(make_vm("second"), suspended["file"])
    # Killed now, the file is no more than that either.
    vm.kill_hard()
    expect_refused(make_vm("third"), suspended["file"])


def test_cancelled_suspend_leaves_no_image_to_start(vm, make_vm):
    vm.write_data(100)
    vm.cmd("stubdomain-suspend")
    vm.wait_event("STOP")
    vm.cmd("cont")
    vm.wait_event("STUBDOMAIN_SUSPEND_CANCELLED")
    path = vm.info()["file"]
    vm.kill_hard()
    expect_refused(make_vm("second"), path)


def test_quit_while_suspended_keeps_the_vm(vm, make_vm):
    written = vm.write_data(5)
    suspended = vm.suspend()
    vm.shutdown()
    assert vm.exitcode() == 0
    second = make_vm("second")
    assert second.launch_incoming(suspended["file"])
    second.run_incoming()
    assert second.sum_of() == written


def test_quit_while_running_leaves_no_file(vm):
    vm.suspend()
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    vm.shutdown()
    assert vm.exitcode() == 0
    assert list(vm.suspend_dir.iterdir()) == []


def test_file_is_the_owners_only_and_sparse(vm, peer):
    _, _, suspended = suspend_on_wait(vm, peer)
    status = os.stat(suspended["file"])
    assert stat.S_IMODE(status.st_mode) == 0o600
    # Pages that are zero take no space.
    assert status.st_size > 256 << 20
    assert status.st_blocks * 512 < 200 << 20


def test_link_in_the_files_place_is_not_followed(make_vm, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    vm = make_vm()
    (vm.suspend_dir / "stub0.suspend").symlink_to(victim)
    vm.boot()
    assert "stub0.suspend" in vm.error_of("stubdomain-suspend")
    assert victim.read_text() == "precious"
    assert vm.run_state() == "running"


def test_two_vms_do_not_share_a_file(vm, make_vm):
    vm.suspend()
    second = make_vm("second", suspend_dir=vm.suspend_dir).boot()
    assert "stub0.suspend" in second.error_of("stubdomain-suspend")
    assert second.run_state() == "running"
    # The first one's is untouched.
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    assert vm.shell.check("echo there") == "there\n"
