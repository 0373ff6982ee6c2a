"""X8: whoever reads guest RAM while it is suspended gets the right bytes.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import hashlib
import struct

import pytest

import memory
from peer import noise
from vm import HOST_OF_GUEST

PAGE = 4096
DATA = 4 << 20
RAM = 256 << 20
# Where Linux maps all memory, when it does not shuffle its address space.
DIRECT_MAP = 0xffff888000000000


@pytest.fixture
def suspended(make_vm, peer):
    """A suspended VM, and pages that are in its memory."""
    vm = make_vm(append="nokaslr nopti sd.agent=off").boot()
    data = noise(DATA)
    # The page cache of a tmpfs: each page of the file is a page of RAM.
    job = vm.shell.start(
        f"wget -q -O /tmp/data http://{HOST_OF_GUEST}:{peer.port}/")
    connection = peer.accept_request()
    connection.reply(data)
    connection.close()
    assert job.wait().status == 0
    vm.suspend()
    return vm, {data[i:i + PAGE] for i in range(0, DATA, PAGE)}


def pages_of(data):
    """Page -> where it is."""
    return {data[i:i + PAGE]: i for i in range(0, len(data), PAGE)}


def test_pmemsave(suspended, tmp_path):
    vm, pages = suspended
    path = tmp_path / "memory"
    vm.cmd("pmemsave", {"val": 0, "size": RAM, "filename": str(path)})
    assert pages <= pages_of(path.read_bytes()).keys()
    # Reading did not change it: it can be read, and run, again.
    vm.cmd("pmemsave", {"val": 0, "size": RAM, "filename": str(path)})
    assert pages <= pages_of(path.read_bytes()).keys()
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    assert vm.sum_of() == hashlib.md5(noise(DATA)).hexdigest()


def test_dump_guest_memory(suspended, tmp_path):
    vm, pages = suspended
    path = tmp_path / "core"
    vm.cmd("dump-guest-memory", {"paging": False, "protocol": f"file:{path}"})
    core = path.read_bytes()
    assert core[:4] == b"\x7fELF"
    found = set()
    for offset, size in load_segments(core):
        found |= pages_of(core[offset:offset + size]).keys()
    assert pages <= found


def load_segments(core):
    """(offset, size) of an ELF64 core's memory (type PT_LOAD)."""
    table, = struct.unpack_from("<Q", core, 32)
    entry, count = struct.unpack_from("<HH", core, 54)
    for i in range(count):
        kind, _, offset, _, _, size = struct.unpack_from(
            "<IIQQQQ", core, table + i * entry)
        if kind == 1:
            yield offset, size


def test_monitor_reads(suspended, tmp_path):
    vm, pages = suspended
    path = tmp_path / "memory"
    # The whole of it, from QEMU's own process: /proc/PID/mem is a stray read.
    begin, end = memory.ram_blocks(vm)[0]
    with open(f"/proc/{vm.get_pid()}/mem", "rb", buffering=0) as process:
        process.seek(begin)
        ram = process.read(end - begin)
    where = pages_of(ram)
    assert pages <= where.keys()

    page = next(iter(pages))
    address = where[page]
    # By physical address, and by the kernel's.
    text = vm.hmp(f"xp /512xg {address:#x}")
    assert values(text) == page
    text = vm.hmp(f"x /512xg {DIRECT_MAP + address:#x}")
    assert values(text) == page
    vm.cmd("memsave", {"val": DIRECT_MAP + address, "size": PAGE,
                       "filename": str(path)})
    assert path.read_bytes() == page


def values(text):
    """Bytes of what the monitor's x and xp print of 8-byte words."""
    words = [word for line in text.splitlines()
             for word in line.split(":", 1)[1].split()]
    return b"".join(struct.pack("<Q", int(word, 16)) for word in words)


def test_migration_of_a_suspended_vm(suspended, make_vm, tmp_path):
    vm, _ = suspended
    path = tmp_path / "stream"
    identity = "cat /proc/sys/kernel/random/boot_id"
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    boot = vm.shell.check(identity)
    vm.suspend()
    vm.cmd("migrate-set-parameters", {"max-bandwidth": 0})
    vm.cmd("migrate", uri=f"file:{path}")
    assert vm.migration_ends() == "completed"
    vm.shutdown()

    second = make_vm("second", append="nokaslr nopti sd.agent=off")
    assert second.launch_incoming(path, mapped_ram=False)
    second.run_incoming()
    assert second.shell.check(identity) == boot
    assert second.sum_of() == hashlib.md5(noise(DATA)).hexdigest()
