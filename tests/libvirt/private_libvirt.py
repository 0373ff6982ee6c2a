"""A private libvirt for tests: real daemons, in namespaces of their own.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import pathlib
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent.parent / "build"
START_TIMEOUT = 30  # seconds until libvirtd answers


class LibvirtError(Exception):
    """virsh refused; the text is what it said."""


class PrivateLibvirt:
    """virtlogd and libvirtd, as `daemons.sh` starts them.

    Inside, `build/` is seen as /run/build. What the daemons keep is in
    `state`, on the outside and after the end as well.
    """

    def __init__(self, state):
        self.state = pathlib.Path(state)
        self._daemons = subprocess.Popen(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
             "--mount-proc", "--propagation", "private",
             HERE / "daemons.sh", BUILD, self.state],
            stdin=subprocess.DEVNULL)
        try:
            self._first = self._first_process()
            self._await_daemon()
        except BaseException:
            self.close()
            raise

    def close(self):
        """Ends the daemons and every process that they started."""
        self._daemons.terminate()
        self._daemons.wait()

    def command(self, *words):
        """The words of a command that runs `words` inside."""
        return ["nsenter", f"--target={self._first}", "--mount", "--net",
                "--pid", "--", *map(str, words)]

    def run(self, *words, check=True):
        return subprocess.run(self.command(*words), check=check, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True)

    def virsh(self, *words):
        """What virsh says. Raises LibvirtError with its complaint."""
        result = self.run("virsh", "--connect=qemu:///system", "--quiet",
                          *words, check=False)
        if result.returncode:
            raise LibvirtError(result.stderr.strip())
        return result.stdout.strip()

    def _first_process(self):
        unshare = self._daemons.pid
        children = pathlib.Path(f"/proc/{unshare}/task/{unshare}/children")
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if self._daemons.poll() is not None:
                break
            if pids := children.read_text().split():
                return int(pids[0])
            time.sleep(0.01)
        raise LibvirtError("the namespaces for libvirt could not be made")

    def _await_daemon(self):
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                self.virsh("list")
                return
            except LibvirtError as error:
                if (time.monotonic() > deadline
                        or self._daemons.poll() is not None):
                    raise LibvirtError(
                        f"libvirtd does not answer: {error}; see "
                        f"{self.state}/log") from None
                time.sleep(0.1)


class EventWatch:
    """The stub domain's events of one domain, as libvirt delivers them."""

    def __init__(self, libvirt, domain):
        self._lines = []
        self._new = threading.Condition()
        self._virsh = subprocess.Popen(
            libvirt.command("virsh", "--connect=qemu:///system",
                            "qemu-monitor-event", domain, "--loop"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
