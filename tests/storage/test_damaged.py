"""A suspend file that is damaged, incomplete, in use, or not this VM's is never
loaded, and the error says why.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import struct
import subprocess
import zlib

import pytest

UUID = "6c33f0f1-31a4-4b1c-a0ea-6b2cd1d71f66"
OTHER_UUID = "00000000-31a4-4b1c-a0ea-6b2cd1d71f66"
HEADER = 0xff000
HEADER_SIZE = 4096
BITMAPS = 0x100000
VERSION_AT = HEADER + 8


def loads(make_vm, path, name, uuid=UUID):
    """None if a VM can be loaded from the file, or the error."""
    vm = make_vm(name, arguments=("-uuid", uuid))
    vm.add_args("-incoming", "defer", "-S")
    vm.launch()
    vm.cmd("migrate-set-capabilities", capabilities=[
        {"capability": "mapped-ram", "state": True}])
    answer = vm.qmp("migrate-incoming", {"uri": f"file:{path}",
                                         "exit-on-error": False})
    if "error" in answer:
        assert vm.run_state() == "inmigrate"
        return answer["error"]["desc"]
    assert vm.migration_ends() == "completed"
    return None


@pytest.fixture
def image(make_vm, tmp_path):
    """What a QEMU that was killed while its VM was suspended has left."""
    vm = make_vm("first", arguments=("-uuid", UUID, "-name", "sandbox"))
    vm.boot()
    suspended = vm.suspend()
    vm.kill_hard()
    os.rename(suspended["file"], tmp_path / "image")
    return tmp_path / "image"


def copy_of(image):
    copy = image.with_name("copy")
    subprocess.run(["cp", "--sparse=always", image, copy], check=True)
    return copy


def flip(path, offset):
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def cut(path, length):
    os.truncate(path, os.stat(path).st_size - length)


def set_version(path, version):
    """With a checksum that is right."""
    with path.open("r+b") as file:
        file.seek(HEADER)
        header = bytearray(file.read(HEADER_SIZE))
        struct.pack_into("<I", header, VERSION_AT - HEADER, version)
        struct.pack_into("<I", header, HEADER_SIZE - 4,
                         zlib.crc32(header[:-4]))
        file.seek(HEADER)
        file.write(header)


def set_mark(path):
    with path.open("r+b") as file:
        file.write(b"LIVE")


def file_end(path):
    return os.stat(path).st_size


DAMAGES = [
    (lambda path: flip(path, 0x20), "damaged, somewhere from offset 0x4 "),
    (lambda path: flip(path, HEADER + 100), "header is damaged"),
    (lambda path: flip(path, BITMAPS + 5),
     "damaged, somewhere from offset 0x100000 "),
    (lambda path: flip(path, file_end(path) - 3000), "damaged"),
    (lambda path: flip(path, file_end(path) - 1), "index is damaged"),
    (lambda path: cut(path, 1), "end is missing"),
    (lambda path: cut(path, 50 << 20), "end is missing"),
    (lambda path: set_version(path, 99), "made by a later version"),
    (set_mark, "its VM runs, or ran on, or the suspend was not finished"),
]


def test_each_damage_is_told(image, make_vm):
    for number, (damage, error) in enumerate(DAMAGES):
        path = copy_of(image)
        damage(path)
        message = loads(make_vm, path, f"vm{number}")
        assert message and error in message, (number, message)
        assert str(path) in message
    # None of it is the copy's fault.
    assert loads(make_vm, copy_of(image), "good") is None


def test_file_of_another_vm(image, make_vm):
    message = loads(make_vm, image, "other", OTHER_UUID)
    assert "another VM, called sandbox" in message


def test_file_of_a_vm_that_only_sleeps(make_vm):
    vm = make_vm("first", arguments=("-uuid", UUID)).boot()
    file = vm.suspend()["file"]
    assert "still has it" in loads(make_vm, file, "second")
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    assert vm.shell.check("echo there") == "there\n"


def test_file_of_another_kind_is_left_to_qemu(make_vm, tmp_path):
    """Any migration to a file can be loaded."""
    vm = make_vm("first")
    vm.launch()
    vm.cmd("stop")
    vm.cmd("migrate-set-capabilities", capabilities=[
        {"capability": "mapped-ram", "state": True}])
    vm.cmd("migrate", {"uri": f"file:{tmp_path}/migration"})
    assert vm.migration_ends() == "completed"
    assert loads(make_vm, tmp_path / "migration", "second") is None
