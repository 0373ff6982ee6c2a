"""nginx: a server that is not made for our tests.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import socket
import subprocess
import time

TIMEOUT = 60


class Nginx:
    """
    Serves the files of `root`, each connection at `rate` bytes a second. With
    a namespace, at an address in there. `options` are more lines of its
    configuration.
    """

    def __init__(self, directory, root, rate, address="127.0.0.1",
                 namespace=None, options=""):
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._address = address
        self._make_socket = (namespace.make_socket if namespace else
                             socket.socket)
        # Its own process finds no free port by itself.
        with self._socket() as free:
            free.bind((address, 0))
            self.port = free.getsockname()[1]
        host = f"[{address}]" if ":" in address else address
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
                {options}
                server {{ listen {host}:{self.port}; root {root}; }}
            }}
        """)
        self._process = subprocess.Popen(
            [*(namespace.wrapper if namespace else []),
             "nginx", "-p", directory, "-e", directory / "nginx-error.log",
             "-c", configuration], stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + TIMEOUT
        while not self._answers():
            assert self._process.poll() is None, "nginx ended"
            assert time.monotonic() < deadline, "nginx does not answer"
            time.sleep(0.05)

    def _socket(self):
        return self._make_socket(self._family, socket.SOCK_STREAM)

    def _answers(self):
        with self._socket() as client:
            try:
                client.connect((self._address, self.port))
                return True
            except ConnectionRefusedError:
                return False

    def close(self):
        self._process.terminate()
        self._process.wait()
