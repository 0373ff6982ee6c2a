"""A private libvirt for tests: real daemons, in namespaces of their own.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import concurrent.futures
import ctypes
import pathlib
import socket
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent.parent / "build"
START_TIMEOUT = 30  # seconds until libvirtd answers
CLONE_NEWNET = 0x40000000


class LibvirtError(Exception):
    """virsh refused; the text is what it said."""


class PrivateLibvirt:
    """virtlogd and libvirtd, as `daemons.sh` starts them.

    Inside, `build/` is seen as /run/build, and DIR/lib as /var/lib. What the
    daemons kept stays in DIR after the end.
    """

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self._daemons = subprocess.Popen(
            # None of it outlives the tests, however those end.
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount",
             "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
             "--propagation", "private", HERE / "daemons.sh", BUILD,
             self.directory],
            stdin=subprocess.DEVNULL)
        try:
            self._first = self._first_process()
            self._await_daemon()
        except BaseException:
            self.close()
            raise

    def close(self):
        """Ends the daemons and every process that they started."""
        # unshare(1) heeds no other signal. With it goes the first process,
        # and with that the rest: --kill-child, --pid.
        self._daemons.kill()
        self._daemons.wait()

    def command(self, *words):
        """The words of a command that runs `words` inside."""
        return ["nsenter", f"--target={self._first}", "--mount", "--net",
                "--pid", "--", *map(str, words)]

    def run(self, *words, check=True):
        return subprocess.run(self.command(*words), check=check, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True)

    def virsh_command(self, *words):
        return self.command("virsh", "--connect=qemu:///system", "--quiet",
                            *words)

    def virsh(self, *words):
        """What virsh says. Raises LibvirtError with its complaint."""
        result = subprocess.run(self.virsh_command(*words), text=True,
                                stdin=subprocess.DEVNULL, capture_output=True)
        if result.returncode:
            raise LibvirtError(result.stderr.strip())
        return result.stdout.strip()

    def make_socket(self, *args):
        """A socket that lives in the network inside."""
        # The thread that enters the namespace ends with it.
        with concurrent.futures.ThreadPoolExecutor(1) as inside:
            inside.submit(self._enter_network).result()
            return inside.submit(socket.socket, *args).result()

    def _enter_network(self):
        with open(f"/proc/{self._first}/ns/net") as namespace:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")

    def _first_process(self):
        """The process id of daemons.sh, the first in its namespaces."""
        unshare = self._daemons.pid
        children = pathlib.Path(f"/proc/{unshare}/task/{unshare}/children")
        deadline = time.monotonic() + START_TIMEOUT
        while self._daemons.poll() is None and time.monotonic() < deadline:
            if pids := children.read_text().split():
                return int(pids[0])
            time.sleep(0.01)
        raise LibvirtError("no namespaces could be made for libvirt")

    def _await_daemon(self):
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                self.virsh("list")
                return
            except LibvirtError as error:
                if (self._daemons.poll() is not None
                        or time.monotonic() > deadline):
                    raise LibvirtError(f"libvirtd does not answer: {error}; "
                                       f"see {self.directory}/log") from None
                time.sleep(0.1)
