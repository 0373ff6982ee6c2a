"""How much host memory a VM's RAM takes, found without asking QEMU's stub
domain: from /proc/PID/smaps and mincore().

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import ctypes
import mmap
import os
import pathlib
import re

libc = ctypes.CDLL(None, use_errno=True)


def ram_blocks(vm):
    """[(first address, end)] in QEMU of the VM's RAM blocks, without ROMs."""
    blocks = []
    for total, address in re.findall(r"(0x\w+) +(0x\w+) +rw\s*$",
                                     vm.hmp("info ramblock"), re.M):
        blocks.append((int(address, 16), int(address, 16) + int(total, 16)))
    return blocks


def resident_bytes(pid, blocks):
    """Resident bytes of all mappings that touch one of the blocks. What is
    mapped from a suspend file is page cache, and not counted here."""
    resident, counts = 0, None
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        header = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
        if header:
            begin, end = (int(address, 16) for address in header.groups())
            counts = None
            if any(begin < block_end and block_begin < end
                   for block_begin, block_end in blocks):
                counts = "Anonymous:" if line.endswith(".suspend") else "Rss:"
        elif counts and line.startswith(counts):
            resident += int(line.split()[1]) * 1024
    return resident


def page_cache_bytes(path):
    """Bytes of a file that the host's page cache holds."""
    size = os.path.getsize(path)
    pages = (size + mmap.PAGESIZE - 1) // mmap.PAGESIZE
    present = (ctypes.c_ubyte * pages)()
    with open(path, "rb") as file:
        mapping = libc_mmap(file.fileno(), size)
        try:
            if libc.mincore(ctypes.c_void_p(mapping), ctypes.c_size_t(size),
                            present):
                raise OSError(ctypes.get_errno(), "mincore")
        finally:
            libc.munmap(ctypes.c_void_p(mapping), ctypes.c_size_t(size))
    return sum(page & 1 for page in present) * mmap.PAGESIZE


def libc_mmap(fd, size):
    # Python's own mmap does not tell the address of a read-only mapping.
    libc.mmap.restype = ctypes.c_void_p
    address = libc.mmap(None, ctypes.c_size_t(size), mmap.PROT_READ,
                        mmap.MAP_SHARED, fd, ctypes.c_long(0))
    if address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")
    return address
