"""A virtual machine under test: QEMU, its QMP, and the Linux inside.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import asyncio
import os
import pathlib
import shutil
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = TOP / "build"
sys.path += [str(BUILD / "qemu-src" / "python"),
             str(TOP / "tests" / "guest-image")]

from guest_shell import (GuestShell, kernel_arguments,  # noqa: E402
                         serial_arguments)
from qemu.machine import QEMUMachine  # noqa: E402

# Where a machine can run guests with KVM, "kvm" tries that.
ACCELERATOR = os.environ.get("STUBDOMAIN_TEST_ACCEL", "tcg,tb-size=64")
IMAGE = "initramfs-bash"
TIMEOUT = 120  # seconds for whatever should happen soon

DEVICE = "stub0"
HOST_OF_GUEST = "10.0.2.2"  # slirp's name for the host's loopback


class Vm(QEMUMachine):
    """
    Made with everything default, it is the VM of the README. Its console and
    QEMU's own output stay in `logs`.

    netdev, nic, device: the guest's first NIC, more of its stub domain
    stub_domain: whether there is one
    append: for the guest's kernel command line, see guest-image/init
    image: the guest's initramfs, see guest-image/build
    arguments: more for QEMU's command line
    """

    def __init__(self, logs, name="vm", *, suspend_dir=None,
                 netdev="user,id=net0",
                 nic="virtio-net-pci", device="", stub_domain=True, append="",
                 image=IMAGE, arguments=(),
                 memory=("-m", "256"), wrapper=(),
                 binary=BUILD / "bin" / "qemu-system-x86_64"):
        logs.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.console = logs / f"{name}-console.log"
        # Paths of sockets have to be short.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="stubdomain-"))
        self.suspend_dir = suspend_dir or logs / f"{name}-suspend"
        if suspend_dir is None:
            self.suspend_dir.mkdir()
        self.events = []  # all that were seen, oldest first
        self.shell = None
        if device:
            device = f",{device}"
        stub_domain_arguments = [
            "-device", f"stubdomain-pci,id={DEVICE},netdev=net0,"
                       f"suspend-dir={self.suspend_dir}{device}"]
        super().__init__(
            str(binary), name=name, log_dir=str(logs),
            base_temp_dir=str(self.directory),
            wrapper=wrapper, qmp_timer=TIMEOUT, args=[
                "-accel", ACCELERATOR, "-machine", "q35", *memory,
                "-nodefaults", "-netdev", netdev,
                "-device", f"{nic},netdev=net0",
                *(stub_domain_arguments if stub_domain else []),
                *serial_arguments(self.console, self.directory / "shell"),
                *kernel_arguments(BUILD, image, append), *arguments])

    # -- life --

    def boot(self):
        """Start it and wait until Linux, and the agent, is up."""
        self.launch()
        self.connect_shell()
        if "sd.agent=off" not in " ".join(self.args):
            self.wait_agent()
        return self

    def launch_incoming(self, path, mapped_ram=True):
        """Start it with the VM in a suspend file; false if that failed."""
        self.add_args("-incoming", "defer")
        self.launch()
        self.cmd("migrate-set-capabilities", capabilities=[
            {"capability": "mapped-ram", "state": mapped_ram}])
        self.cmd("migrate-incoming", {"uri": f"file:{path}",
                                      "exit-on-error": False})
        return self.migration_ends() == "completed"

    def migration_ends(self):
        deadline = time.monotonic() + TIMEOUT
        while True:
            status = self.cmd("query-migrate").get("status")
            if status in ("completed", "failed"):
                return status
            assert time.monotonic() < deadline, f"migration is {status}"
            time.sleep(0.02)

    def run_incoming(self):
        if self.run_state() != "running":
            self.cmd("cont")
        self.connect_shell()

    def connect_shell(self):
        self.shell = GuestShell(self.directory / "shell", TIMEOUT)

    def kill_hard(self):
        """As if the host's kernel had killed QEMU."""
        self._hard_shutdown()

    def close(self):
        if self.shell:
            self.shell.close()
        self.kill()
        shutil.rmtree(self.directory)
        shutil.rmtree(self.suspend_dir, ignore_errors=True)

    def write_data(self, mebibytes, path="/tmp/data"):
        """Fill memory of the guest with a file of its tmpfs; returns what
        sum_of() says of it."""
        # Made of one piece, since random bytes are slow to get. Its length
        # lets no two pages of the file be equal.
        self.shell.check(
            f"head -c 1048579 /dev/urandom >{path}.piece; "
            f"for i in $(seq {mebibytes}); do cat {path}.piece; done >{path}")
        return self.sum_of(path)

    def sum_of(self, path="/tmp/data"):
        return self.shell.check(f"md5sum {path}").split()[0]

    def clock(self):
        """The guest's wall clock."""
        return float(self.shell.check("bash -c 'echo $EPOCHREALTIME'"))

    def wait_agent(self, present=True):
        """Until the agent in the guest has said hello, or bye."""
        deadline = time.monotonic() + TIMEOUT
        while self.info()["agent"] != present:
            assert time.monotonic() < deadline, "the agent is not there"
            time.sleep(0.05)

    def sections(self):
        """(title, text) for the report of a failed test."""
        events = "\n".join(str(event) for event in self.events)
        yield f"{self.name}: QMP events", events
        for path in (self.console, self.console.with_name(f"{self.name}.log")):
            if path.exists():
                yield f"{path.name}", path.read_text(errors="replace")

    # -- QMP --

    def hmp(self, line):
        return self.cmd("human-monitor-command", command_line=line)

    def error_of(self, command, arguments=None):
        """The text of the error by which a QMP command is refused."""
        answer = self.qmp(command, arguments or {})
        assert "error" in answer, f"{command} was not refused: {answer}"
        return answer["error"]["desc"]

    def run_state(self):
        return self.cmd("query-status")["status"]

    def info(self):
        """The stub domain as query-stubdomain tells."""
        (info,) = self.cmd("query-stubdomain")
        return info

    def set_policy(self, **values):
        """Properties of the device, dashes as underlines."""
        for name, value in values.items():
            self.cmd("qom-set", path=f"/machine/peripheral/{DEVICE}",
                     property=name.replace("_", "-"), value=value)

    def stubs(self):
        return self.cmd("query-stubdomain-stubs")

    def wait_event(self, *names, timeout=TIMEOUT):
        """
        Data of the next event with one of the names. STUBDOMAIN_ERROR ends
        the test unless it is waited for.
        """
        while True:
            try:
                # An int would mean: without end.
                event = self.get_qmp_event(wait=float(timeout))
            except asyncio.TimeoutError:
                raise AssertionError(
                    f"no event {' or '.join(names)}; the last were "
                    f"{self.event_names()[-12:]}") from None
            self.events.append(event)
            if event["event"] in names:
                return event.get("data", {})
            assert event["event"] != "STUBDOMAIN_ERROR", event["data"]

    def event_names(self, first=0):
        """
        Names of the events seen so far that are the stub domain's (without
        "STUBDOMAIN_"), or tell that the VM stopped or ran on.
        """
        return [event["event"].removeprefix("STUBDOMAIN_")
                for event in self.events[first:]
                if event["event"].startswith(("STUBDOMAIN_", "STOP",
                                              "RESUME"))]

    def wait_suspended(self):
        return self.wait_event("STUBDOMAIN_SUSPENDED")

    def wait_restored(self):
        return self.wait_event("STUBDOMAIN_RESTORED")

    def sleeps_on(self, seconds):
        """Whether it stays suspended for so long."""
        time.sleep(seconds)
        return self.run_state() == "paused"

    def suspend(self):
        """Suspend from the host, without a wait."""
        self.cmd("stubdomain-suspend")
        return self.wait_suspended()
