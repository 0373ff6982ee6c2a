"""The domain of contrib/libvirt/stubdomain-guest.xml, with a test guest in it.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree

from private_libvirt import BUILD

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path += [str(TESTS / "guest-image"), str(TESTS / "functional")]

from guest_shell import GuestShell, kernel_arguments  # noqa: E402
from vm import IMAGE  # noqa: E402

XML = TESTS.parent / "contrib" / "libvirt" / "stubdomain-guest.xml"
IMAGES = "/var/lib/libvirt/images"
KVM = os.environ.get("STUBDOMAIN_TEST_ACCEL", "tcg").startswith("kvm")
TIMEOUT = 60  # seconds for whatever should happen soon

BRIDGE = "br0"
HOST = "192.0.2.1"  # addresses for documentation
GUEST = "192.0.2.2"
HOST_OF_SLIRP = "10.0.2.2"


class Domain:
    """Defined and started with libvirt; closed, it is gone from it.

    network: "bridge" as the XML has it, or "user"
    """

    def __init__(self, libvirt, network="bridge"):
        self.libvirt = libvirt
        self.name = "stubdomain-guest"
        self.network = network
        self.host = HOST if network == "bridge" else HOST_OF_SLIRP
        self.address = HOST if network == "bridge" else "127.0.0.1"
        self._images = libvirt.directory / "lib" / "libvirt" / "images"
        self._prepare_files(network)
        self.virsh("define", "--validate", f"{IMAGES}/domain.xml", named=False)
        self.shell = None

    def boot(self):
        self.virsh("start")
        self.connect_shell()
        return self

    def connect_shell(self):
        if self.shell:
            self.shell.close()
        path = self._images / "shell"
        self.shell = GuestShell(os.path.relpath(path), TIMEOUT)

    def close(self):
        if self.shell:
            self.shell.close()
        if self.virsh("domstate") != "shut off":
            self.virsh("destroy")
        self.virsh("undefine", "--managed-save")

    def virsh(self, command, *words, named=True):
        return self.libvirt.virsh(command, *[self.name] * named, *words)

    def state(self):
        return self.virsh("domstate")

    def qmp(self, command, **arguments):
        """What a QMP command returns, through libvirt."""
        answer = json.loads(self.virsh("qemu-monitor-command", json.dumps(
            {"execute": command, "arguments": arguments})))
        assert "return" in answer, answer
        return answer["return"]

    def info(self):
        (info,) = self.qmp("query-stubdomain")
        return info

    def process(self):
        """The /proc directory of its QEMU, as seen inside."""
        path = f"/run/libvirt/qemu/{self.name}.pid"
        return "/proc/" + self.libvirt.run("cat", path).stdout.strip()

    def _prepare_files(self, network):
        for name in ("vmlinuz", f"{IMAGE}.cpio.zst"):
            shutil.copy(BUILD / "guest" / name, self._images)
        subprocess.run(
            [BUILD / "bin" / "qemu-img", "create", "-q", "-f", "qcow2",
             self._images / "stubdomain-guest.qcow2", "64M"], check=True)
        tree = ElementTree.parse(XML)
        adapt(tree.getroot(), network)
        tree.write(self._images / "domain.xml")


def adapt(domain, network):
    """What the tests change in the XML: TCG, QEMU's path, and how it boots."""
    if not KVM:
        domain.set("type", "qemu")
    emulator = domain.find("devices/emulator")
    emulator.text = "/run/build/bin/qemu-system-x86_64"
    addresses = (f"sd.ip={GUEST}/24 sd.gw=off sd.ip6=off sd.gw6=off"
                 if network == "bridge" else "")
    words = kernel_arguments(BUILD, append=addresses)
    boot = domain.find("os")
    for tag, text in (("kernel", f"{IMAGES}/vmlinuz"),
                      ("initrd", f"{IMAGES}/{IMAGE}.cpio.zst"),
                      ("cmdline", words[words.index("-append") + 1])):
        ElementTree.SubElement(boot, tag).text = text
    devices = domain.find("devices")
    shell = ElementTree.SubElement(devices, "serial", type="unix")
    ElementTree.SubElement(shell, "source", mode="bind", path=f"{IMAGES}/shell")
    ElementTree.SubElement(shell, "target", port="1")
    console = devices.find("serial[@type='pty']")
    ElementTree.SubElement(console, "log", file="/var/log/libvirt/console.log")
    if network == "user":
        interface = devices.find("interface")
        interface.set("type", "user")
        interface.remove(interface.find("source"))


class Watch:
    """What a virsh command that goes on tells, line by line.

    `seen` has the first group of `pattern` of each line that matches.
    """

    def __init__(self, libvirt, *words, pattern):
        self.seen = []
        self._pattern = re.compile(pattern)
        self._arrived = threading.Condition()
        self._virsh = subprocess.Popen(
            libvirt.virsh_command(*words), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        threading.Thread(target=self._read, daemon=True).start()

    def close(self):
        self._virsh.terminate()
        self._virsh.wait()

    def wait(self, text, count=1):
        """Until `text` was seen `count` times."""
        with self._arrived:
            assert self._arrived.wait_for(
                lambda: self.seen.count(text) >= count, TIMEOUT), (
                    f"no '{text}' in {self.seen}")

    def _read(self):
        for line in self._virsh.stdout:
            if match := self._pattern.search(line):
                with self._arrived:
                    self.seen.append(match[1])
                    self._arrived.notify_all()


def watch_lifecycle(domain):
    """Such as "Suspended Paused"."""
    return Watch(domain.libvirt, "event", "--domain", domain.name,
                 "--event", "lifecycle", "--loop",
                 pattern=r"event 'lifecycle' for domain \S+ (.*)$")


def watch_monitor(domain):
    """QEMU's events, such as "STOP" and "STUBDOMAIN_SUSPENDED"."""
    return Watch(domain.libvirt, "qemu-monitor-event", domain.name, "--loop",
                 pattern=r"^event (\w+) at ")
