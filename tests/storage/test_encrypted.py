"""Suspend files that are encrypted with a secret.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import pathlib
import re

import pytest

from disk import disk  # noqa: F401
from memory import ram_blocks, resident_bytes
from sleeping import start_before_all_is_read, wake

MIB = 1 << 20
RAM = 256 * MIB
BITMAPS = MIB
DEVICE = "restore=eager,encryption-secret=key"
MARKERS = 200


def secret(data="correct horse battery staple"):
    return "-object", f"secret,id=key,data={data}"


@pytest.fixture
def make_encrypted(make_vm):
    def make(name="vm", *, device=DEVICE, arguments=(), data=None, **options):
        key = secret(data) if data else secret()
        return make_vm(name, device=device, arguments=(*key, *arguments),
                       **options)
    return make


def write_markers(vm):
    vm.shell.check(f"for i in $(seq {MARKERS}); do echo Marker-$((i * 7))-; done"
                   " >/tmp/markers")


def markers_in(path):
    """How many of them are in a file, which may be sparse."""
    found = set(re.findall(rb"Marker-(\d+)-", pathlib.Path(path).read_bytes()))
    return sum(b"%d" % (i * 7) in found for i in range(1, MARKERS + 1))


def test_nothing_is_in_the_clear(make_vm, make_encrypted):
    vm = make_vm("clear").boot()
    write_markers(vm)
    file = vm.suspend()["file"]
    assert markers_in(file) == MARKERS
    assert b"cpu_common" in pathlib.Path(file).read_bytes()

    vm = make_encrypted().boot()
    write_markers(vm)
    for _ in range(2):
        file = vm.suspend()["file"]
        assert markers_in(file) == 0
        # Nor is the state of the devices, or any name of a block but the
        # first.
        data = pathlib.Path(file).read_bytes()
        assert b"cpu_common" not in data and b"pc.rom" not in data[BITMAPS:]
        wake(vm)
        vm.shell.check("md5sum /tmp/markers")


def test_cycles(make_encrypted):
    vm = make_encrypted().boot()
    for size in (60, 30, 50):
        written = vm.write_data(size)
        vm.suspend()
        assert vm.info()["resident"] < MIB
        assert resident_bytes(vm.get_pid(), ram_blocks(vm)) < MIB
        wake(vm)
        assert vm.sum_of() == written


def saved(vm, path):
    vm.cmd("pmemsave", {"val": 0, "size": RAM, "filename": str(path)})
    return path.read_bytes()


def test_memory_is_never_absent(make_encrypted, tmp_path):
    """Whoever reads it while the VM sleeps gets the right bytes."""
    vm = make_encrypted().boot()
    written = vm.write_data(30)
    vm.suspend()
    first = saved(vm, tmp_path / "first")
    assert saved(vm, tmp_path / "again") == first
    vm.cmd("dump-guest-memory",
           {"paging": False, "protocol": f"file:{tmp_path}/core"})
    # The core has the same pages, behind its notes.
    core = (tmp_path / "core").read_bytes()
    assert first[MIB:64 * MIB] in core
    wake(vm)
    assert vm.sum_of() == written


def test_user_who_may_not_wait_for_system_calls(make_encrypted):
    """Only QEMU's own code may wait for memory then. It does so for a dump."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    vm = make_encrypted(wrapper=("setpriv", "--reuid=65534", "--regid=65534",
                                 "--clear-groups"))
    for path in (vm.directory, vm.suspend_dir, vm.console.parent):
        path.chmod(0o777)
    vm.boot()
    written = vm.write_data(30)
    vm.suspend()
    vm.cmd("dump-guest-memory", {
        "paging": False, "protocol": f"file:{vm.suspend_dir}/core"})
    first = saved(vm, vm.suspend_dir / "first")
    assert first[MIB:64 * MIB] in (vm.suspend_dir / "core").read_bytes()
    wake(vm)
    assert vm.sum_of() == written


def test_disk_that_is_gone_while_it_sleeps(disk, make_encrypted,  # noqa: F811
                                           tmp_path):
    vm = make_encrypted(suspend_dir=disk.path).boot()
    written = vm.write_data(30)
    file = vm.suspend()["file"]
    disk.fail()
    saved(vm, tmp_path / "in-vain")
    message = vm.wait_event("STUBDOMAIN_ERROR")["message"]
    assert "cannot be read" in message and file in message
    vm.cmd("stubdomain-restore")
    vm.wait_event("STUBDOMAIN_ERROR")
    assert vm.run_state() == "paused"
    disk.mend()
    vm.cmd("stubdomain-restore")
    vm.wait_event("STUBDOMAIN_RESTORED")
    assert vm.sum_of() == written


def test_started_before_all_is_read(make_encrypted):
    start_before_all_is_read(make_encrypted().boot(), 4)


def test_started_from_the_file(make_encrypted, make_vm, tmp_path):
    vm = make_encrypted("first").boot()
    written = vm.write_data(30)
    file = vm.suspend()["file"]
    vm.kill_hard()
    os.rename(file, tmp_path / "image")

    def refusal(vm):
        vm.add_args("-incoming", "defer", "-S")
        vm.launch()
        vm.cmd("migrate-set-capabilities", capabilities=[
            {"capability": "mapped-ram", "state": True}])
        return vm.error_of("migrate-incoming", {
            "uri": f"file:{tmp_path}/image", "exit-on-error": False})

    assert "encrypted, and no stubdomain-pci" in refusal(make_vm("clear"))
    assert "not the one" in refusal(make_encrypted("wrong", data="tr0ub4dor&3"))
    vm = make_encrypted("right")
    assert vm.launch_incoming(tmp_path / "image")
    vm.run_incoming()
    assert vm.sum_of() == written
    # And it is as good as the first.
    vm.suspend()
    wake(vm)
    assert vm.sum_of() == written


def test_a_flipped_bit_of_the_devices_state(make_encrypted, tmp_path):
    vm = make_encrypted("first").boot()
    file = vm.suspend()["file"]
    vm.kill_hard()
    os.rename(file, tmp_path / "image")
    with open(tmp_path / "image", "r+b") as image:
        image.seek(-3 * 4096, os.SEEK_END)
        byte = image.read(1)[0]
        image.seek(-1, os.SEEK_CUR)
        image.write(bytes([byte ^ 1]))
    vm = make_encrypted("second")
    vm.add_args("-incoming", "defer", "-S")
    vm.launch()
    vm.cmd("migrate-set-capabilities", capabilities=[
        {"capability": "mapped-ram", "state": True}])
    assert "damaged" in vm.error_of("migrate-incoming", {
        "uri": f"file:{tmp_path}/image", "exit-on-error": False})


def test_lazy_is_refused(make_encrypted):
    vm = make_encrypted()
    vm.launch()
    assert "needs restore=eager" in vm.error_of(
        "qom-set", {"path": "/machine/peripheral/stub0",
                    "property": "restore", "value": "lazy"})
