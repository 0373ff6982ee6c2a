"""A network namespace that a test makes for itself.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import concurrent.futures
import ctypes
import os
import socket
import subprocess

CLONE_NEWNET = 0x40000000


def ip(*words):
    subprocess.run(["ip", *map(str, words)], check=True)


class Namespace:
    def __init__(self, name):
        self.name = name
        ip("netns", "add", name)
        self.ip("link", "set", "lo", "up")

    def close(self):
        ip("netns", "delete", self.name)

    @property
    def wrapper(self):
        """What comes before a command that is to run inside."""
        return ["ip", "netns", "exec", self.name]

    def run(self, *words):
        return subprocess.run([*self.wrapper, *map(str, words)], check=True,
                              text=True, stdout=subprocess.PIPE).stdout

    def ip(self, *words):
        ip("-n", self.name, *words)

    def make_socket(self, *args):
        """A socket that lives in the namespace."""
        # The thread that enters the namespace ends with it.
        with concurrent.futures.ThreadPoolExecutor(1) as inside:
            inside.submit(self._enter).result()
            return inside.submit(socket.socket, *args).result()

    def _enter(self):
        with open(f"/run/netns/{self.name}") as namespace:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
