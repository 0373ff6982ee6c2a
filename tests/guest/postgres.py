"""PostgreSQL: a server that is not made for our tests.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

TIMEOUT = 60


class Postgres:
    """A database without passwords, on the loopback."""

    def __init__(self):
        self._programs = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
        # Not below pytest's own, where another user may not go.
        self._directory = pathlib.Path(
            tempfile.mkdtemp(prefix="stubdomain-postgres-"))
        self._data = self._directory / "data"
        # It refuses to run as root.
        self._wrapper = (["runuser", "-u", "postgres", "--"]
                         if os.geteuid() == 0 else [])
        if self._wrapper:
            shutil.chown(self._directory, "postgres")
        self._run("initdb", "-A", "trust", "-U", "test", "-N", self._data)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._server = subprocess.Popen(
            [*self._wrapper, self._programs / "postgres", "-D", self._data,
             "-p", str(self.port), "-h", "127.0.0.1", "-k", "", "-F"],
            cwd=self._directory, stdin=subprocess.DEVNULL)
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
        shutil.rmtree(self._directory)
