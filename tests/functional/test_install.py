"""`make install`: what is installed is complete, and works from there.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import subprocess

from vm import BUILD, TOP

FILES = [
    "bin/qemu-system-x86_64",
    "bin/qemu-img",
    "bin/stubctl",
    "bin/stubrun",
    "sbin/stubdomain-agent",
    "lib/**/libstubdomain-guest.so.0",
    "lib/**/stubdomain/libstubrun.so",
    "include/stubdomain-guest.h",
    "include/stubdomain-guest.hpp",
    "lib/python3/dist-packages/stubdomain_guest.py",
    "share/man/man1/stubctl.1",
    "share/man/man1/stubrun.1",
    "share/man/man8/stubdomain-agent.8",
    "share/doc/stubdomain/stubdomain.rst",
    "share/doc/stubdomain/specs/stubdomain-pci.rst",
    "share/doc/stubdomain/interop/stubdomain-suspend-file.rst",
    "share/doc/stubdomain/libvirt/stubdomain-guest.xml",
]


def install(root):
    """The directory below `root` that the build's prefix became."""
    subprocess.run(["make", "-C", TOP, "install", f"DESTDIR={root}"],
                   check=True)
    return root / (BUILD / "prefix").read_text().strip().lstrip("/")


def version_of(program):
    return subprocess.run([program, "--version"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def test_installed_files_are_complete_and_work(tmp_path, make_vm):
    prefix = install(tmp_path)
    for name in FILES:
        assert [path for path in prefix.glob(name) if path.stat().st_size], name
    assert version_of(prefix / "bin/stubctl").startswith("stubctl ")
    assert version_of(prefix / "sbin/stubdomain-agent").startswith(
        "stubdomain-agent ")

    qemu = prefix / "bin" / "qemu-system-x86_64"
    assert "(stubdomain " in version_of(qemu)
    vm = make_vm(binary=qemu).boot()
    vm.suspend()
    assert vm.info()["state"] == "suspended"
    vm.cmd("stubdomain-restore")
    assert vm.shell.check("echo alive") == "alive\n"
