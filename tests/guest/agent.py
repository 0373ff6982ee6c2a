"""The agent, played by a test: programs of this build talk to it on the host.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import array
import json
import os
import socket


class Agent:
    """Where programs connect; each request and answer is one message."""

    def __init__(self, path):
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(30)

    def accept(self):
        return Client(self._listener.accept()[0])


class Client:
    def __init__(self, connection):
        self._connection = connection
        self._connection.settimeout(60)

    def request(self):
        """(request, number of sockets that came along)"""
        data, ancillary, _, _ = self._connection.recvmsg(
            1 << 16, socket.CMSG_SPACE(64 * 4))
        fds = array.array("i")
        for _, _, content in ancillary:
            fds.frombytes(content)
        for fd in fds:
            os.close(fd)
        return json.loads(data) if data else None, len(fds)

    def answer(self, **members):
        self._connection.send(json.dumps(members).encode())
