"""All kinds of guest memory: each is suspended, or refused by its name before
the VM is stopped.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import pathlib
import re
import subprocess

import pytest

from memory import ram_blocks
from vm import BUILD

MIB = 1 << 20

WORKS = {
    "numa": ("-m", "512", "-smp", "2",
             "-object", "memory-backend-ram,id=near,size=256M",
             "-object", "memory-backend-ram,id=far,size=256M,merge=off",
             "-numa", "node,memdev=near,cpus=0",
             "-numa", "node,memdev=far,cpus=1"),
    "plain": ("-m", "256", "-machine", "mem-merge=off"),
    "vram": ("-m", "256", "-device", "VGA,vgamem_mb=32"),
    "balloon": ("-m", "256", "-device", "virtio-balloon-pci"),
    "preallocated": ("-m", "256", "-object",
                     "memory-backend-ram,id=all,size=256M,prealloc=on",
                     "-machine", "memory-backend=all"),
    "flash": ("-m", "256", "-drive",
              "if=pflash,format=raw,unit=0,file=FLASH"),
    "nvdimm": ("-m", "256,slots=1,maxmem=1G", "-machine", "nvdimm=on",
               "-object", "memory-backend-ram,id=module,size=64M",
               "-device", "nvdimm,memdev=module"),
}

ADVISED = (
    "-m", "512", "-smp", "2", "-machine", "mem-merge=off",
    "-object", "memory-backend-ram,id=near,size=256M,merge=on",
    "-object", "memory-backend-ram,id=far,size=256M,merge=off,dump=off",
    "-numa", "node,memdev=near,cpus=0", "-numa", "node,memdev=far,cpus=1")

NUMA_BOUND = (
    "-m", "512", "-smp", "2",
    "-object", "memory-backend-ram,id=near,size=256M,host-nodes=0,policy=bind",
    "-object", "memory-backend-ram,id=far,size=256M,host-nodes=0,policy=bind",
    "-numa", "node,memdev=near,cpus=0", "-numa", "node,memdev=far,cpus=1")

# The memory's name, what is said of it.
REFUSED = {
    "shared-memfd": ("common", "shared", (
        "-m", "256", "-object",
        "memory-backend-memfd,id=common,size=256M,share=on",
        "-machine", "memory-backend=common")),
    "private-memfd": ("common", "is a file", (
        "-m", "256", "-object",
        "memory-backend-memfd,id=common,size=256M,share=off",
        "-machine", "memory-backend=common")),
    "shared-file": ("common", "shared", (
        "-m", "256", "-object",
        "memory-backend-file,id=common,size=256M,share=on,mem-path=FILE",
        "-machine", "memory-backend=common")),
    "private-file": ("common", "is a file", (
        "-m", "256", "-object",
        "memory-backend-file,id=common,size=256M,share=off,mem-path=FILE",
        "-machine", "memory-backend=common")),
    "virtio-mem": ("vmem", "virtio-mem", (
        "-m", "256,maxmem=1G", "-object",
        "memory-backend-ram,id=vmem,size=256M", "-device",
        "virtio-mem-pci,memdev=vmem,requested-size=128M")),
    "shared-memory-object": ("common", "shared", (
        "-m", "256", "-object",
        "memory-backend-shm,id=common,size=256M",
        "-machine", "memory-backend=common")),
    "shared-video-memory": ("vga.vram", "shared", (
        "-m", "256", "-machine", "aux-ram-share=on", "-device", "VGA")),
    "nvdimm-file": ("module", "shared", (
        "-m", "256,slots=1,maxmem=1G", "-machine", "nvdimm=on", "-object",
        "memory-backend-file,id=module,size=64M,share=on,mem-path=FILE",
        "-device", "nvdimm,memdev=module")),
    "memory-between-vms": ("ivshmem", "peer", (
        "-m", "256", "-object",
        "memory-backend-ram,id=common,size=4M,share=on",
        "-device", "ivshmem-plain,memdev=common")),
    "locked": ("guest RAM", "locked", (
        "-m", "256", "-overcommit", "mem-lock=on")),
}

HUGE_PAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")
FIRMWARE = pathlib.Path("/usr/share/seabios/bios-256k.bin")


def number_of_huge_pages(kind):
    text = pathlib.Path("/proc/meminfo").read_text()
    return int(re.search(rf"^HugePages_{kind}: +(\d+)", text, re.M)[1])


def cycle(vm, written):
    suspended = vm.suspend()
    info = vm.info()
    assert info["resident"] < MIB
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    assert vm.sum_of() == written
    return suspended


def real(memory, directory):
    """With FLASH and FILE replaced by such files."""
    flash, file = directory / "flash", directory / "memory"
    firmware = FIRMWARE.read_bytes()
    flash.write_bytes(b"\xff" * (2 * MIB - len(firmware)) + firmware)
    return [word.replace("FLASH", str(flash)).replace("FILE", str(file))
            for word in memory]


@pytest.mark.parametrize("memory", WORKS.values(), ids=WORKS)
def test_works(make_vm, tmp_path, memory):
    vm = make_vm(memory=real(memory, tmp_path)).boot()
    written = vm.write_data(60)
    first = cycle(vm, written)
    assert cycle(vm, written)["bytes-written"] < first["bytes-written"] // 2


@pytest.mark.parametrize("memory", WORKS.values(), ids=WORKS)
def test_works_eagerly(make_vm, tmp_path, memory):
    vm = make_vm(memory=real(memory, tmp_path), device="restore=eager").boot()
    written = vm.write_data(60)
    for _ in range(2):
        cycle(vm, written)


def policies(vm):
    """Of the VM's RAM, as Linux tells: [(policy, mapped from)]."""
    starts = {f"{begin:x}" for begin, _ in ram_blocks(vm)}
    text = pathlib.Path(f"/proc/{vm.get_pid()}/numa_maps").read_text()
    return [tuple(line.split()[1:3]) for line in text.splitlines()
            if line.split()[0] in starts]


@pytest.mark.parametrize("restore", ["lazy", "eager"])
def test_numa_policy_stays(make_vm, restore):
    vm = make_vm(memory=NUMA_BOUND, device=f"restore={restore}").boot()
    written = vm.write_data(60)
    bound = [policy for policy, _ in policies(vm)].count("bind:0")
    assert bound == 2
    for _ in range(2):
        vm.suspend()
        assert [policy for policy, file in policies(vm)
                if file.endswith(".suspend")].count("bind:0") == bound
        vm.cmd("stubdomain-restore")
        vm.wait_restored()
        assert vm.sum_of() == written
        assert [policy for policy, _ in policies(vm)].count("bind:0") == bound


def advice(vm):
    """What the kernel was told of the VM's RAM: merge, dump, fork."""
    starts = {f"{begin:x}" for begin, _ in ram_blocks(vm)}
    found, start = {}, None
    for line in pathlib.Path(
            f"/proc/{vm.get_pid()}/smaps").read_text().splitlines():
        header = re.match(r"([0-9a-f]+)-[0-9a-f]+ ", line)
        if header:
            start = header[1]
        elif line.startswith("VmFlags:") and start in starts:
            found[start] = {"mg", "dd", "dc"} & set(line.split()[1:])
    return found


def test_kernels_advice_stays(make_vm):
    vm = make_vm(memory=ADVISED).boot()
    before = advice(vm)
    assert {"mg", "dc"} in before.values()
    assert {"dd", "dc"} in before.values()
    vm.suspend()
    assert advice(vm) == before
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    assert advice(vm) == before


def test_dimm_that_is_plugged_and_unplugged(make_vm):
    """Other memory needs another file, and all of it is written anew."""
    vm = make_vm(memory=("-m", "256,slots=2,maxmem=1G")).boot()
    written = vm.write_data(60)
    first = cycle(vm, written)
    vm.cmd("object-add", {"qom-type": "memory-backend-ram", "id": "more",
                          "size": 128 * MIB})
    vm.cmd("device_add", {"driver": "pc-dimm", "id": "dimm", "memdev": "more"})
    ram = vm.info()["guest-ram"]
    second = cycle(vm, written)
    assert ram == vm.info()["guest-ram"]
    assert second["bytes-written"] > first["bytes-written"] // 2
    assert cycle(vm, written)["bytes-written"] < first["bytes-written"] // 2


def check_refused(vm, name, reason):
    vm.launch()
    message = vm.error_of("stubdomain-suspend")
    assert name in message and reason in message
    assert vm.run_state() == "running"
    vm.cmd("query-status")
    assert "STOP" not in [event["event"] for event in vm.get_qmp_events()]


@pytest.mark.parametrize("name, reason, memory", REFUSED.values(),
                         ids=REFUSED)
def test_refused(make_vm, tmp_path, name, reason, memory):
    check_refused(make_vm(memory=real(memory, tmp_path)), name, reason)


@pytest.fixture
def huge_pages():
    """128 of them that are free, and as many as before afterwards."""
    before = number_of_huge_pages("Total")
    if os.access(HUGE_PAGES, os.W_OK):
        HUGE_PAGES.write_text(str(before + 128))
    if number_of_huge_pages("Free") < 128:
        HUGE_PAGES.write_text(str(before))
        pytest.skip("needs 128 huge pages")
    yield
    if os.access(HUGE_PAGES, os.W_OK):
        HUGE_PAGES.write_text(str(before))


@pytest.mark.parametrize("backend, reason", [
    ("memory-backend-memfd,hugetlb=on,share=off", "is a file"),
    ("memory-backend-memfd,hugetlb=on,share=on", "is shared"),
    ("memory-backend-file,share=off,mem-path=HUGETLBFS", "is a file"),
], ids=["private", "shared", "hugetlbfs"])
def test_huge_pages_are_refused(huge_pages, make_vm, tmp_path, backend, reason):
    mounted = "HUGETLBFS" in backend and subprocess.run(
        ["mount", "-t", "hugetlbfs", "none", tmp_path]).returncode == 0
    if "HUGETLBFS" in backend and not mounted:
        pytest.skip("needs root, to mount hugetlbfs")
    backend = backend.replace("HUGETLBFS", f"{tmp_path}/memory")
    vm = make_vm(memory=("-m", "256", "-object",
                         f"{backend},id=common,size=256M",
                         "-machine", "memory-backend=common"))
    try:
        check_refused(vm, "common", reason)
    finally:
        if mounted:
            subprocess.run(["umount", "-l", tmp_path], check=True)


def test_after_savevm_and_loadvm(make_vm, tmp_path):
    """QEMU's own snapshots and suspends do not disturb each other."""
    disk = tmp_path / "disk.qcow2"
    subprocess.run([BUILD / "bin" / "qemu-img", "create", "-q", "-f", "qcow2",
                    disk, "1G"], check=True)
    vm = make_vm(arguments=("-drive", f"if=none,id=disk,file={disk}",
                            "-device", "virtio-blk-pci,drive=disk")).boot()
    written = vm.write_data(20)
    assert vm.hmp("savevm one") == ""
    cycle(vm, written)
    vm.shell.check("rm /tmp/data")
    assert vm.hmp("loadvm one") == ""
    # What it was before: memory that is mapped from a file was overwritten.
    assert vm.sum_of() == written
    cycle(vm, written)
