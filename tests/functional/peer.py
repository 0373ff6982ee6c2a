"""The peer: a real TCP server of the host whose every byte the test releases.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import concurrent.futures
import contextlib
import fcntl
import queue
import random
import socket
import struct
import termios
import threading
import time

TIMEOUT = 120  # seconds for the guest's next step


def noise(size, seed=1):
    """Bytes that no one could have got right by chance."""
    return random.Random(seed).randbytes(size)


def unsent_and_unacknowledged(sock):
    """Bytes in the socket's send queue (tcp(7): SIOCOUTQ)."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0]


class Connection:
    """One accepted connection of the guest."""

    def __init__(self, sock):
        self.socket = sock
        self._sender = concurrent.futures.ThreadPoolExecutor(1)
        sock.settimeout(TIMEOUT)

    def read_request(self):
        """The next HTTP request's head, as text."""
        return self._read_until(b"\r\n\r\n")

    def read_line(self):
        return self._read_until(b"\n").rstrip("\n")

    def _read_until(self, end):
        data = b""
        while not data.endswith(end):
            piece = self.socket.recv(1)
            if not piece:
                raise EOFError(f"the guest closed after {data!r}")
            data += piece
        return data.decode()

    def send(self, data):
        self.socket.sendall(data)

    def reply(self, body, status="200 OK"):
        """A whole HTTP reply."""
        self.send(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s"
                  % (status.encode(), len(body), body))

    def reply_and_close(self, body):
        self.reply(body)
        self.close()

    def in_background(self, function, *args):
        """A future; for what may take until the guest reads."""
        return self._sender.submit(function, *args)

    def read_end(self):
        """What the guest still sends, until it closes."""
        data = b""
        while piece := self.socket.recv(65536):
            data += piece
        return data

    def read_exactly(self, size):
        data = bytearray()
        while len(data) < size:
            piece = self.socket.recv(min(size - len(data), 1 << 20))
            if not piece:
                raise EOFError(f"the guest closed after {len(data)} bytes")
            data += piece
        return bytes(data)

    def probe_every_second(self, probes):
        """TCP keep-alives, and how many may remain without an answer."""
        for option, value in ((socket.TCP_KEEPIDLE, 1),
                              (socket.TCP_KEEPINTVL, 1),
                              (socket.TCP_KEEPCNT, probes)):
            self.socket.setsockopt(socket.IPPROTO_TCP, option, value)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
        self.socket.close()

    def wait_acknowledged(self):
        """Until the other side has acknowledged all that was sent."""
        deadline = time.monotonic() + TIMEOUT
        while unsent_and_unacknowledged(self.socket):
            assert time.monotonic() < deadline, "nothing is acknowledged"
            time.sleep(0.01)


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
