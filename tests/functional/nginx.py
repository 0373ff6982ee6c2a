"""nginx on the host's loopback: a server that is not made for our tests.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import socket
import subprocess
import time

from vm import TIMEOUT


class Nginx:
    """Serves the files of `root`, each connection at `rate` bytes a second."""

    def __init__(self, directory, root, rate):
        # Its own process finds no free port by itself.
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        configuration = directory / "nginx.conf"
        configuration.write_text(f"""
            daemon off;
            {"user root;" if os.geteuid() == 0 else ""}
            pid {directory}/nginx.pid;
            error_log {directory}/nginx-error.log;
            events {{ }}
            http {{
                access_log off;
                limit_rate {rate};
                server {{ listen 127.0.0.1:{self.port}; root {root}; }}
            }}
        """)
        self._process = subprocess.Popen(
            ["nginx", "-p", directory, "-e", directory / "nginx-error.log",
             "-c", configuration], stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + TIMEOUT
        while not self._answers():
            assert self._process.poll() is None, "nginx ended"
            assert time.monotonic() < deadline, "nginx does not answer"
            time.sleep(0.05)

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except ConnectionRefusedError:
            return False

    def close(self):
        self._process.terminate()
        self._process.wait()
