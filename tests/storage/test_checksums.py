"""page-checksums=on: a page that the disk has changed is noticed wherever all
pages are read.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import hashlib
import os

import pytest

from sleeping import wake

MIB = 1 << 20
SECRET = ("-object", "secret,id=key,data=0123456789")
KINDS = {
    "clear": ("page-checksums=on,restore=eager", ()),
    "encrypted": ("page-checksums=on,restore=eager,encryption-secret=key",
                  SECRET),
}


def some_page(path):
    """The offset of a page of guest RAM that is in the file."""
    with open(path, "rb") as file:
        offset = os.lseek(file.fileno(), 16 * MIB, os.SEEK_DATA)
    return (offset + 4095) // 4096 * 4096


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset + 1000)
        byte = file.read(1)[0]
        file.seek(offset + 1000)
        file.write(bytes([byte ^ 4]))


def refusal(vm, image):
    vm.add_args("-incoming", "defer", "-S")
    vm.launch()
    vm.cmd("migrate-set-capabilities", capabilities=[
        {"capability": "mapped-ram", "state": True}])
    return vm.error_of("migrate-incoming", {"uri": f"file:{image}",
                                            "exit-on-error": False})


@pytest.mark.parametrize("device, arguments", KINDS.values(), ids=KINDS)
def test_flipped_bit_of_a_page(make_vm, tmp_path, device, arguments):
    def make(name):
        return make_vm(name, device=device, arguments=arguments)

    vm = make("first").boot()
    written = vm.write_data(40)
    file = vm.suspend()["file"]
    page = some_page(file)
    flip(file, page)
    for _ in range(2):
        vm.cmd("stubdomain-restore")
        message = vm.wait_event("STUBDOMAIN_ERROR")["message"]
        assert f"page at offset {page:#x} " in message and file in message
        assert vm.run_state() == "paused"

    # Nor is it loaded by another QEMU, and it is left as it is.
    vm.kill_hard()
    image = tmp_path / "image"
    os.rename(file, image)
    before = hashlib.md5(image.read_bytes()).digest()
    message = refusal(make("second"), image)
    assert f"page at offset {page:#x} is damaged" in message
    assert hashlib.md5(image.read_bytes()).digest() == before
    flip(image, page)
    vm = make("third")
    assert vm.launch_incoming(image)
    vm.run_incoming()
    assert vm.sum_of() == written


def test_later_suspends_keep_them_right(make_vm, tmp_path):
    """Lazy, so that a later suspend writes only what changed."""
    def make(name):
        return make_vm(name, device="page-checksums=on")

    vm = make("first").boot()
    written = vm.write_data(60)
    first = vm.suspend()
    wake(vm)
    for _ in range(2):
        vm.write_data(3, "/tmp/more")
        later = vm.suspend()
        assert later["bytes-written"] < first["bytes-written"] // 2
        file = later["file"]
        wake(vm)
    vm.shell.check("rm /tmp/more")
    vm.suspend()
    vm.kill_hard()
    image = tmp_path / "image"
    os.rename(file, image)
    # All of it is compared, before anything is loaded.
    vm = make("second")
    assert vm.launch_incoming(image)
    vm.run_incoming()
    assert vm.sum_of() == written
