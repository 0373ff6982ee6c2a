"""The peer: a real TCP server of the host whose every byte the test releases.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import concurrent.futures
import contextlib
import queue
import random
import socket
import struct
import threading

TIMEOUT = 60  # for the guest's next step


def noise(size, seed=1):
    """Bytes that no one could have got right by chance."""
    return random.Random(seed).randbytes(size)


class Connection:
    """One accepted connection of the guest."""

    def __init__(self, sock):
        self.socket = sock
        self._sender = concurrent.futures.ThreadPoolExecutor(1)
        sock.settimeout(TIMEOUT)

    def read_request(self):
        """The next HTTP request's head, as text."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = self.socket.recv(1)
            if not piece:
                raise EOFError(f"the guest closed after {head!r}")
            head += piece
        return head.decode()

    def send(self, data):
        self.socket.sendall(data)

    def reply(self, body, status="200 OK"):
        """A whole HTTP reply."""
        self.send(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s"
                  % (status.encode(), len(body), body))

    def in_background(self, function, *args):
        """A future; for what may take until the guest reads."""
        return self._sender.submit(function, *args)

    def read_end(self):
        """What the guest still sends, until it closes."""
        data = b""
        while piece := self.socket.recv(65536):
            data += piece
        return data

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
        self.socket.close()

    def tcp_info(self):
        """The first bytes of Linux's struct tcp_info."""
        return self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)


class Peer:
    """Accepts connections and hands them to the test.

    `make_socket` makes the listening socket: in a network namespace, say.
    """

    def __init__(self, address="127.0.0.1", make_socket=socket.socket):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = make_socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((address, 0))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        self._connections = []
        self._accepted = queue.Queue()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):  # closed
            while True:
                connection = Connection(self._listener.accept()[0])
                self._connections.append(connection)
                self._accepted.put(connection)

    def accept(self):
        """The guest's next connection."""
        return self._accepted.get(timeout=TIMEOUT)

    def accept_request(self):
        """The guest's next connection, its request already read."""
        connection = self.accept()
        connection.request = connection.read_request()
        return connection

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
            connection.close()
