"""The ways to save and restore a VM that QEMU and libvirt have, timed.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import time
import xml.etree.ElementTree as ElementTree

from domain import IMAGES, Domain
from guest import disk_arguments, fill, make_disk
from vm import Vm

CHANNELS = 2
# Name -> capabilities and parameters of the migration.
MIGRATIONS = {
    "mapped-ram": (["mapped-ram"], {}),
    "mapped-ram, multifd, direct I/O": (
        ["mapped-ram", "multifd"],
        {"multifd-channels": CHANNELS, "direct-io": True}),
}


def sync(path):
    """Write it out, and forget it: seconds that the first of these took."""
    begin = time.monotonic()
    with open(path, "rb") as file:
        os.fdatasync(file.fileno())
        seconds = time.monotonic() - begin
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return seconds


def prepare(vm, capabilities, parameters):
    vm.cmd("migrate-set-capabilities", capabilities=[
        {"capability": name, "state": name in capabilities}
        for name in ("mapped-ram", "multifd")])
    vm.cmd("migrate-set-parameters",
           {"max-bandwidth": 0, "direct-io": False, **parameters})


def migrate(vm, name, logs):
    """Of the VM, stopped: seconds to save it, to the disk, and to restore it in a
    new QEMU."""
    path = logs / "migration"
    # Also out of the state that a former migration left.
    vm.cmd("cont")
    vm.cmd("stop")
    prepare(vm, *MIGRATIONS[name])
    begin = time.monotonic()
    vm.cmd("migrate", {"uri": f"file:{path}"})
    assert vm.migration_ends() == "completed"
    saved = time.monotonic() - begin
    to_disk = saved + sync(path)
    disk = logs / "second.qcow2"
    make_disk(disk, vm.mebibytes)
    second = Vm(logs, "second", memory=("-m", str(vm.mebibytes)),
                arguments=(*disk_arguments(disk), "-incoming", "defer"))
    try:
        begin = time.monotonic()
        second.launch()
        prepare(second, *MIGRATIONS[name])
        second.cmd("migrate-incoming", {"uri": f"file:{path}",
                                        "exit-on-error": False})
        assert second.migration_ends() == "completed"
        second.cmd("cont")
        restored = time.monotonic() - begin
    finally:
        second.close()
        path.unlink()
    return {"save_s": saved, "save_to_disk_s": to_disk, "restore_s": restored}


def snapshot(vm):
    """savevm and loadvm."""
    disk = vm.console.parent / "disk.qcow2"
    vm.cmd("cont")
    vm.cmd("stop")
    prepare(vm, [], {})
    begin = time.monotonic()
    assert vm.hmp("savevm bench") == ""
    saved = time.monotonic() - begin
    to_disk = saved + sync(disk)
    begin = time.monotonic()
    assert vm.hmp("loadvm bench") == ""
    restored = time.monotonic() - begin
    vm.hmp("delvm bench")
    vm.cmd("cont")
    return {"save_s": saved, "save_to_disk_s": to_disk, "restore_s": restored}


class FilledDomain(Domain):
    """The domain of contrib/libvirt, with other memory."""

    def __init__(self, libvirt, mebibytes):
        self.mebibytes = mebibytes
        super().__init__(libvirt, "user")

    def _prepare_files(self, network):
        super()._prepare_files(network)
        path = self._images / "domain.xml"
        tree = ElementTree.parse(path)
        tree.getroot().find("memory").text = str(self.mebibytes)
        tree.write(path)


def virsh(libvirt, mebibytes, filled):
    domain = FilledDomain(libvirt, mebibytes)
    try:
        domain.boot()
        fill(domain.shell, mebibytes, filled)
        file = domain._images / "saved"
        begin = time.monotonic()
        domain.virsh("save", f"{IMAGES}/saved")
        saved = time.monotonic() - begin
        to_disk = saved + sync(file)
        begin = time.monotonic()
        libvirt.virsh("restore", f"{IMAGES}/saved")
        restored = time.monotonic() - begin
        file.unlink()
    finally:
        domain.close()
    return {"save_s": saved, "save_to_disk_s": to_disk, "restore_s": restored}
