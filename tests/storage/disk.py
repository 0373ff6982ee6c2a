"""A disk of the test's own, which can fail.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import re
import subprocess

import pytest

MIB = 1 << 20


class Disk:
    """An ext4 file system on a loop device, mounted at `path`."""

    def __init__(self, directory, mebibytes):
        self.image = directory / "disk-image"
        self.saved = directory / "disk-image-saved"
        self.path = directory / "disk"
        self.path.mkdir()
        with self.image.open("wb") as file:
            file.truncate(mebibytes * MIB)
        subprocess.run(["mkfs.ext4", "-q", self.image], check=True)
        if subprocess.run(["mount", "-o", "loop", self.image,
                           self.path]).returncode:
            pytest.skip("needs loop devices")

    def fail(self, left=0):
        """From here on, what is not in the page cache, and not in the first
        bytes that are left, cannot be read, as if the disk had lost it."""
        subprocess.run(["sync", "-f", self.path], check=True)
        subprocess.run(["cp", "--sparse=always", self.image, self.saved],
                       check=True)
        os.truncate(self.image, left)

    def fail_part_of(self, file):
        """The same for a part of a file, but not for its first page."""
        text = subprocess.run(["filefrag", "-v", "-b4096", file], check=True,
                              capture_output=True, text=True).stdout
        extents = [(int(logical), int(place), int(length))
                   for logical, place, length in re.findall(
                       r"^ *\d+: *(\d+)\.\. *\d+: *(\d+)\.\. *\d+: *(\d+):",
                       text, re.M)]
        (first,) = (place for logical, place, _ in extents if logical == 0)
        length, place = max((length, place) for _, place, length in extents
                            if place > first)
        self.fail((place + length // 2) * 4096)

    def mend(self):
        with self.image.open("r+b") as image, self.saved.open("rb") as saved:
            end = os.stat(self.saved).st_size
            os.truncate(self.image, end)
            offset = 0
            while offset < end:
                try:
                    offset = os.lseek(saved.fileno(), offset, os.SEEK_DATA)
                except OSError:
                    break
                hole = os.lseek(saved.fileno(), offset, os.SEEK_HOLE)
                image.seek(offset)
                while offset < hole:
                    piece = os.pread(saved.fileno(),
                                     min(MIB, hole - offset), offset)
                    image.write(piece)
                    offset += len(piece)

    def close(self):
        subprocess.run(["umount", self.path], check=True)


@pytest.fixture
def disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a file system")
    disk = Disk(tmp_path, 700)
    yield disk
    disk.close()
