"""Commands in the test guest, over its second serial port.

    shell = GuestShell("/path/of/chardev.sock")
    status, output = shell.run("uname -r")
    job = shell.start("sleep 5; echo done")
    ...
    status, output = job.wait(timeout=30)

Commands run by themselves, so any number can be under way. While the VM
stands still nothing is lost: a job is answered when the guest runs again.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import base64
import dataclasses
import os
import pathlib
import select
import socket
import time

# Until the guest is there, it is asked this often (in seconds).
PROBE_INTERVAL = 0.25


class GuestShellError(Exception):
    pass


class GuestShellTimeout(GuestShellError):
    pass


@dataclasses.dataclass(frozen=True)
class Result:
    """How a command ended; unpacks as (status, output)."""

    status: int
    data: bytes  # standard output and error

    @property
    def output(self):
        return self.data.decode(errors="replace")

    def __iter__(self):
        return iter((self.status, self.output))


class Job:
    """A command that was started."""

    def __init__(self, shell, name, command):
        self.name = name
        self.command = command
        self._shell = shell
        self._result = None

    def wait(self, timeout=60):
        """The Result; GuestShellTimeout if there is none in time."""
        if self._result is None:
            self._result = self._shell._await(self, timeout)
        return self._result

    def done(self):
        """Whether the command has ended, as far as the guest has told."""
        if self._result is None:
            try:
                self.wait(timeout=0)
            except GuestShellTimeout:
                return False
        return True

    def output_so_far(self, timeout=60):
        return self._shell.run(f"cat /run/shell/{self.name}.out",
                               timeout=timeout)[1]


class GuestShell:
    """One connection to the guest's command loop."""

    def __init__(self, path, timeout=60):
        """Connects to QEMU's socket at `path`, and waits for the guest."""
        self._buffer = bytearray()
        self._results = {}
        self._token = os.urandom(4).hex()
        self._count = 0
        deadline = time.monotonic() + timeout
        self._socket = self._connect(str(path), deadline)
        self._await_guest(deadline)

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def start(self, command):
        self._count += 1
        job = Job(self, f"{self._token}-{self._count}", command)
        encoded = base64.b64encode(command.encode()).decode()
        # The newline before ends what an earlier connection may have left.
        self._send(f"\n{job.name} {encoded}\n")
        return job

    def run(self, command, timeout=60):
        """(status, output) of a command."""
        return self.start(command).wait(timeout)

    def check(self, command, timeout=60):
        """Output of a command that must succeed."""
        status, output = self.run(command, timeout)
        if status != 0:
            raise GuestShellError(
                f"'{command}' ended with status {status}: {output}")
        return output

    def attach(self, job):
        """The same job over this connection: for a guest that went on in
        another QEMU."""
        path = f"/run/shell/{job.name}"
        return self.start(f"while [ ! -e {path}.status ]; do sleep 0.1; done; "
                          f"cat {path}.out; exit $(cat {path}.status)")

    def put(self, content, path, timeout=60):
        """Write a file in the guest."""
        encoded = base64.b64encode(content).decode()
        self.check(f"base64 -d > {path} <<'END'\n{encoded}\nEND", timeout)

    @staticmethod
    def _connect(path, deadline):
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(path)
                return connection
            except (FileNotFoundError, ConnectionRefusedError) as error:
                connection.close()
                if time.monotonic() > deadline:
                    raise GuestShellTimeout(f"{path}: {error}") from error
                time.sleep(0.05)

    def _await_guest(self, deadline):
        probes = []
        while time.monotonic() < deadline:
            probes.append(self.start("true"))
            self._receive(PROBE_INTERVAL)
            if any(probe.name in self._results for probe in probes):
                return
        raise GuestShellTimeout("the guest does not answer")

    def _await(self, job, timeout):
        deadline = time.monotonic() + timeout
        while job.name not in self._results:
            left = deadline - time.monotonic()
            self._receive(max(left, 0))
            if left <= 0 and job.name not in self._results:
                raise GuestShellTimeout(
                    f"'{job.command}' has not ended after {timeout} s")
        return self._results.pop(job.name)

    def _send(self, text):
        try:
            self._socket.sendall(text.encode())
        except OSError as error:
            raise GuestShellError(f"the guest is gone: {error}") from error

    def _receive(self, timeout):
        """Takes what comes within `timeout`, until a result is complete."""
        deadline = time.monotonic() + timeout
        while True:
            left = max(deadline - time.monotonic(), 0)
            if not select.select([self._socket], [], [], left)[0]:
                return
            data = self._socket.recv(1 << 16)
            if not data:
                raise GuestShellError("the guest is gone")
            self._buffer += data
            *lines, rest = self._buffer.split(b"\n")
            self._buffer = bytearray(rest)
            for line in lines:
                self._take(line)
            if lines:
                return

    def _take(self, line):
        words = line.decode(errors="replace").split(" ")
        # Anything else is a rest of an earlier connection.
        if len(words) == 3 and words[0].startswith(self._token):
            self._results[words[0]] = Result(int(words[1]),
                                             base64.b64decode(words[2]))


def serial_arguments(console, shell):
    """QEMU's arguments for the guest's serial ports: `console` is a file to
    write, `shell` the socket for GuestShell."""
    return ["-chardev", f"file,id=console,path={console}",
            "-serial", "chardev:console",
            "-chardev", f"socket,id=shell,path={shell},server=on,wait=off",
            "-serial", "chardev:shell"]


def kernel_arguments(build, image="initramfs", append=""):
    """QEMU's arguments to boot the guest in BUILD/guest. `append` adds to the
    kernel command line: see tests/guest-image/init."""
    guest = pathlib.Path(build) / "guest"
    return ["-kernel", str(guest / "vmlinuz"),
            "-initrd", str(guest / f"{image}.cpio.zst"),
            "-append", f"console=ttyS0 quiet panic=-1 {append}".strip()]
