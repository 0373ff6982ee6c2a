"""A16f: the reply is in a program's memory when the guest wakes.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import hashlib

import pytest

from peer import noise
from vm import HOST_OF_GUEST, TOP

# Asks for /0 with memory for the reply, and then on the same connection for the
# others; prints how much was in the memory, and the digest of everything.
PROGRAM = b"""
import ctypes, hashlib, socket, sys, threading, time
sys.path.append("/tmp")
import stubdomain_guest as sdg
port, size, spoil = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
connection = socket.create_connection(("%s", port))
digest = hashlib.sha256()

def exactly(reply, more):
    while len(reply) < more:
        reply += connection.recv(more - len(reply))
    return reply

def finish(reply):
    while b"\\r\\n\\r\\n" not in reply:
        reply += connection.recv(1)
    head = reply.index(b"\\r\\n\\r\\n") + 4
    length = int(reply[:head].lower().split(b"content-length:")[1].split()[0])
    digest.update(exactly(reply, head + length)[head:])

with sdg.Buffer(size) as buffer:
    if spoil == "spoil":  # the second page is used for something else
        def change():
            while not any(buffer.data[4064:4084]):
                time.sleep(0.001)
            buffer.data[4064:4066] = b"no"
        threading.Thread(target=change).start()
    for round in range(2):
        connection.sendall(b"GET /%%d HTTP/1.1\\r\\n\\r\\n" %% round)
        end, reply = sdg.wait_into(connection, buffer, {"format": "http",
            "handlers": [{"when": {"complete": True}}]})
        print("buffered", len(reply), end.outcome.name, end.bytes)
        finish(bytes(reply))
        reply.release()
for round in range(2, 12):
    connection.sendall(b"GET /%%d HTTP/1.1\\r\\n\\r\\n" %% round)
    finish(b"")
print("digest", digest.hexdigest())
""" % HOST_OF_GUEST.encode()
HEAD = len(b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n")


@pytest.fixture
def client(vm, peer):
    vm.shell.put((TOP / "guest" / "python" / "stubdomain_guest.py").read_bytes(),
                 "/tmp/stubdomain_guest.py")
    vm.shell.put(PROGRAM, "/tmp/program")

    def start(size, spoil="leave"):
        return vm.shell.start(f"python3 /tmp/program {peer.port} {size} {spoil}")
    return start


def serve(vm, peer):
    """The first two replies come while the guest sleeps."""
    bodies = [noise(20_000 + i, seed=i) for i in range(12)]
    connection = peer.accept_request()
    for i, body in enumerate(bodies):
        if i > 0:
            connection.read_request()
        if i < 2:
            vm.wait_suspended()
        connection.reply(body)
        if i < 2:
            vm.wait_restored()
    return f"digest {hashlib.sha256(b''.join(bodies)).hexdigest()}"


def test_reply_is_in_the_memory_and_the_connection_exact(vm, peer, client):
    job = client(100_000)
    digest = serve(vm, peer)
    assert tuple(job.wait()) == (
        0, f"buffered {20_000 + HEAD} REPLIED {20_000 + HEAD}\n"
           f"buffered {20_001 + HEAD} REPLIED {20_001 + HEAD}\n{digest}\n")


def test_longer_reply_goes_on_in_the_socket(vm, peer, client):
    job = client(5000)
    digest = serve(vm, peer)
    assert tuple(job.wait()) == (
        0, f"buffered 5000 REPLIED {20_000 + HEAD}\n"
           f"buffered 5000 REPLIED {20_001 + HEAD}\n{digest}\n")


def test_memory_that_is_not_what_it_was_is_left_alone(vm, peer, client):
    job = client(100_000, "spoil")
    digest = serve(vm, peer)
    status, output = job.wait()
    assert status == 0, output
    assert output.startswith(f"buffered 0 REPLIED {20_000 + HEAD}\n"), output
    assert output.endswith(f"{digest}\n")
