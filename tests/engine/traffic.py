"""What programs do with a connection, both ends in one process.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import concurrent.futures
import contextlib
import fcntl
import functools
import hashlib
import random
import socket
import struct
import termios
import time

SO_MAX_PACING_RATE = 47
STALLED = 60  # seconds without what has to come
PACE = 6 << 20  # bytes a second, so that the processor is not what is tested


@functools.cache
def stock(length):
    """The same bytes each time."""
    return random.Random(length).randbytes(length)


def after_calls(number):
    """True from a number of calls on."""
    calls = iter(range(number))
    return lambda: next(calls, None) is None


class Stream:
    """What went one way: how much, and its hash."""

    def __init__(self):
        self.bytes = 0
        self._hash = hashlib.sha256()

    def add(self, data):
        self.bytes += len(data)
        self._hash.update(data)

    def summary(self):
        return self.bytes, self._hash.hexdigest()


def paced(sock):
    sock.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, PACE)


def prompt(sock):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def receive_exactly(sock, length):
    data = bytearray()
    while len(data) < length:
        more = sock.recv(min(1 << 16, length - len(data)))
        if not more:
            raise EOFError(f"{len(data)} of {length} bytes")
        data += more
    return bytes(data)


def receive_all(sock):
    stream = Stream()
    while data := sock.recv(1 << 16):
        stream.add(data)
    return stream.summary()


def send_until(sock, over, seed, largest=1 << 18, pause=0.0):
    """Sends writes of up to `largest` bytes until `over`, then the FIN."""
    rng = random.Random(seed)
    stock = rng.randbytes(largest * 2)
    stream = Stream()
    while not over():
        start = rng.randrange(largest)
        data = stock[start:start + rng.randint(1, largest)]
        sock.sendall(data)
        stream.add(data)
        if pause:
            time.sleep(rng.random() * pause)
    sock.shutdown(socket.SHUT_WR)
    return stream.summary()


# Each is a conversation over the pair (guest, peer) until `over`, and returns
# when both ends have seen its end. What differs between the ends raises.

def bulk(pool, guest, peer, over, seed):
    for sock in guest, peer:
        paced(sock)
    _both_ways(pool, guest, peer, over, seed)


def small_writes(pool, guest, peer, over, seed):
    prompt(guest)  # each write a segment; the peer's are joined by Nagle
    _both_ways(pool, guest, peer, over, seed, largest=200, pause=0.004)


def slow_reader(pool, guest, peer, over, seed):
    """The guest reads less than comes: its window closes again and again."""
    guest.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sent = pool.submit(send_until, peer, over, seed)
    rng = random.Random(seed)
    stream = Stream()
    while data := guest.recv(rng.randint(1, 1 << 16)):
        stream.add(data)
        if not over():
            time.sleep(rng.random() * 0.03)
    assert stream.summary() == sent.result()
    guest.close()
    assert receive_all(peer)[0] == 0
    peer.close()


def _both_ways(pool, guest, peer, over, seed, **how):
    up = pool.submit(send_until, guest, over, seed, **how)
    down = pool.submit(send_until, peer, over, seed + 1, **how)
    at_peer = pool.submit(receive_all, peer)
    at_guest = pool.submit(receive_all, guest)
    assert at_peer.result() == up.result()
    assert at_guest.result() == down.result()
    guest.close()
    peer.close()


def request_reply(pool, guest, peer, over, seed):
    serving = pool.submit(_serve, peer)
    rng = random.Random(seed)
    while not over():
        request = rng.randbytes(rng.choice([1, 100, 5000, 100_000]))
        wanted = rng.choice([1, 500, 20_000, 300_000])
        delay = rng.choice([0, 0, 50, 300])
        guest.sendall(struct.pack("!III", len(request), wanted, delay) + request)
        reply = receive_exactly(guest, wanted)
        assert reply == _reply(request, wanted)
    guest.shutdown(socket.SHUT_WR)
    assert guest.recv(1) == b""
    guest.close()
    serving.result()


def _reply(request, length):
    return random.Random(hashlib.sha256(request).digest()).randbytes(length)


def _serve(sock):
    with sock:
        while header := sock.recv(12):
            header += receive_exactly(sock, 12 - len(header))
            length, wanted, delay = struct.unpack("!III", header)
            request = receive_exactly(sock, length)
            time.sleep(delay / 1000)
            sock.sendall(_reply(request, wanted))


def half_close(pool, guest, peer, over, seed):
    """One side has said all, the other goes on for long."""
    first, second = random.Random(seed).sample([guest, peer], 2)
    paced(second)
    request = random.Random(seed).randbytes(50_000)
    first.sendall(request)
    first.shutdown(socket.SHUT_WR)
    got = receive_all(second)
    assert got == (len(request), hashlib.sha256(request).hexdigest())
    sent = pool.submit(send_until, second, over, seed)
    assert receive_all(first) == sent.result()
    first.close()
    second.close()


def unacknowledged(sock):
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0]


def expect_acknowledged(sock):
    deadline = time.monotonic() + STALLED
    while unacknowledged(sock):
        assert time.monotonic() < deadline, "not acknowledged"
        time.sleep(0.02)


def expect_reset(sock):
    """The connection is gone, also if the reset itself was lost: then what we
    send is answered with one."""
    try:
        while True:
            sock.sendall(b"?")
            time.sleep(0.05)
    except (ConnectionResetError, BrokenPipeError):
        pass


def reset(sock):
    """Close with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@contextlib.contextmanager
def threads():
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        yield pool
