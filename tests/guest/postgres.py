"""PostgreSQL: a server that is not made for our tests.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import pathlib
import socket
import subprocess
import time

TIMEOUT = 60


class Postgres:
    """A database without passwords, on the loopback, in `directory`."""

    def __init__(self, directory):
        self._programs = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
        self._data = directory / "data"
        # It refuses to run as root.
        self._wrapper = (["runuser", "-u", "postgres", "--"]
                         if os.geteuid() == 0 else [])
        if self._wrapper:
            for path in [directory, *directory.parents[:3]]:
                path.chmod(0o755)
            subprocess.run(["chown", "postgres", directory], check=True)
        self._run("initdb", "-A", "trust", "-U", "test", "-N", self._data)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._server = subprocess.Popen(
            [*self._wrapper, self._programs / "postgres", "-D", self._data,
             "-p", str(self.port), "-h", "127.0.0.1", "-k", "", "-F"],
            cwd=directory, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + TIMEOUT
        while not self._answers():
            assert time.monotonic() < deadline, "PostgreSQL does not answer"
            time.sleep(0.1)

    def _run(self, program, *arguments):
        subprocess.run([*self._wrapper, self._programs / program, *arguments],
                       check=True, cwd="/", stdout=subprocess.DEVNULL)

    def _answers(self):
        return subprocess.run(
            [self._programs / "pg_isready", "-h", "127.0.0.1", "-p",
             str(self.port)], stdout=subprocess.DEVNULL).returncode == 0

    def close(self):
        self._run("pg_ctl", "stop", "-D", self._data, "-m", "immediate")
        self._server.wait()
