"""The Debian package for guests; the other tests here run what is in it.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import gzip
import hashlib
import os
import re
import stat
import subprocess

import pytest

from vm import BUILD

EXPECTED = [
    "lib/systemd/system/stubdomain-agent.service",
    "lib/udev/rules.d/60-stubdomain.rules",
    "usr/bin/stubctl",
    "usr/bin/stubrun",
    "usr/include/stubdomain-guest.h",
    "usr/include/stubdomain-guest.hpp",
    "usr/lib/*/libstubdomain-guest.so.0",
    "usr/lib/*/stubdomain/libstubrun.so",
    "usr/lib/modules-load.d/stubdomain.conf",
    "usr/lib/python3/dist-packages/stubdomain_guest.py",
    "usr/sbin/stubdomain-agent",
    "usr/share/doc/stubdomain-guest/changelog.gz",
    "usr/share/doc/stubdomain-guest/copyright",
    "usr/share/man/man1/stubctl.1.gz",
    "usr/share/man/man1/stubrun.1.gz",
    "usr/share/man/man8/stubdomain-agent.8.gz",
]


def output(*command):
    return subprocess.run(command, check=True, text=True,
                          stdout=subprocess.PIPE).stdout


@pytest.fixture(scope="module")
def package():
    (package,) = BUILD.glob("stubdomain-guest_*.deb")
    return package


@pytest.fixture(scope="module")
def control(package, tmp_path_factory):
    """What dpkg reads of it, unpacked."""
    path = tmp_path_factory.mktemp("control")
    subprocess.run(["dpkg-deb", "-e", package, path], check=True)
    return path


@pytest.fixture(scope="module")
def tree(package, tmp_path_factory):
    """Installed into a directory."""
    path = tmp_path_factory.mktemp("tree")
    subprocess.run(["dpkg-deb", "-x", package, path], check=True)
    return path


def files(tree):
    return sorted(path for path in tree.rglob("*")
                  if path.is_file() and not path.is_symlink())


def test_has_its_files_and_no_others(tree):
    matched = [sorted(tree.glob(name)) for name in EXPECTED]
    assert all(len(paths) == 1 for paths in matched)
    assert sorted(path for paths in matched for path in paths) == files(tree)


def test_has_a_place_for_hooks(tree):
    for name in ("pre.d", "post.d"):
        assert (tree / "etc/stubdomain" / name).is_dir()


def test_modes_and_owners(package, tree):
    for path in tree.rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            assert path.exists(), f"{path} leads nowhere"
        elif path.is_dir() or path.parent.name in ("bin", "sbin"):
            assert mode == 0o755, path
        else:
            assert mode == 0o644, path
    owners = {line.split()[1]
              for line in output("dpkg-deb", "-c", package).splitlines()}
    assert owners == {"root/root"}


def test_sums_are_those_of_the_files(control, tree):
    sums = dict(reversed(line.split("  ", 1))
                for line in (control / "md5sums").read_text().splitlines())
    assert sums == {str(path.relative_to(tree)):
                    hashlib.md5(path.read_bytes()).hexdigest()
                    for path in files(tree)}


def test_control_fields(package, tree):
    fields = dict(re.findall(r"^([\w-]+): (.*)$",
                             output("dpkg-deb", "-f", package), flags=re.M))
    assert fields["Package"] == "stubdomain-guest"
    version = output(tree / "usr/bin/stubctl", "--version").split()[1]
    assert fields["Version"] == version
    assert fields["Architecture"] == output("dpkg",
                                            "--print-architecture").strip()
    assert re.fullmatch(r"libc6 \(>= 2\.\d+\)", fields["Depends"])
    size = sum(path.stat().st_size for path in files(tree))
    assert int(fields["Installed-Size"]) == pytest.approx(size >> 10, rel=0.1)


def test_libraries_need_the_c_library_alone(tree):
    for path in tree.rglob("*.so*"):
        needed = re.findall(r"NEEDED +(\S+)", output("objdump", "-p", path))
        assert set(needed) <= {"libc.so.6", "libm.so.6",
                               "ld-linux-x86-64.so.2"}, path


def test_programs_are_stripped_and_run_anywhere(tree):
    for name in ("usr/bin/stubctl", "usr/bin/stubrun",
                 "usr/sbin/stubdomain-agent"):
        headers = output("readelf", "-lS", tree / name)
        assert "INTERP" not in headers
        assert ".symtab" not in headers


def test_pages_and_papers_can_be_read(tree):
    for path in tree.rglob("*.gz"):
        assert gzip.decompress(path.read_bytes())
    copyright_ = (tree / "usr/share/doc/stubdomain-guest/copyright").read_text()
    assert "GPL-2.0-or-later" in copyright_


def test_scripts_do_nothing_where_nothing_runs(control, tmp_path):
    """As in a build of an image, or a container: without systemd."""
    if os.path.exists("/run/systemd/system"):
        pytest.skip("here systemd runs")
    for script, argument in (("postinst", "configure"), ("prerm", "remove"),
                             ("postrm", "purge")):
        subprocess.run(["sh", "-n", control / script], check=True)
        result = subprocess.run([control / script, argument], text=True,
                                cwd=tmp_path, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        assert (result.returncode, result.stdout) == (0, "")


def test_units_name_what_is_installed(tree):
    unit = (tree / EXPECTED[0]).read_text()
    (program,) = re.findall(r"^ExecStart=(\S+)$", unit, flags=re.M)
    assert (tree / program.lstrip("/")).exists()
    rule = (tree / EXPECTED[1]).read_text()
    assert "stubdomain-agent.service" in rule
    from_guest = (BUILD.parent / "include/hw/stubdomain/regs.h").read_text()
    device = re.search(r"DEVICE_ID\s+(0x\w+)", from_guest)
    assert device and f'ATTR{{device}}=="{device[1]}"' in rule
