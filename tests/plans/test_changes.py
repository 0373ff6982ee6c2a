"""A7, A12, A24: what the guest gets is not what the peer has sent.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import base64
import gzip
import hashlib
import socket

import pytest

from awaited import Awaited
from harness.nginx import Nginx
from peer import noise
from test_http import head, length

DISCARDING = {"format": "http", "handlers": [
    {"name": "go on", "when": {"status": "1xx"}, "do": ["discard"]},
    {"name": "fine", "when": {"status": "2xx"}, "do": ["buffer", "restore"]}]}
INTERIM = (head("100 Continue"), head("102 Processing", "X-Progress: some"),
           head("103 Early Hints", "Link: </style.css>"))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def serve_ten_more(waiting, bodies):
    for body in bodies:
        waiting.connection.read_request()
        waiting.connection.reply(body)


def test_discarded_message_is_gone_and_the_connection_exact(vm, peer):
    bodies = [noise(10_000 + i, seed=i) for i in range(11)]
    urls = " ".join(f"{{url}}/{i}" for i in range(11))
    waiting = Awaited(vm, peer, "curl -sS -D /tmp/heads -w "
                                "'%{{stderr}}%{{num_connects}}' " + urls +
                                " 2>/tmp/connects | sha256sum; "
                                "cat /tmp/connects /tmp/heads", DISCARDING)
    waiting.send(*INTERIM)
    assert waiting.sleeps_on()
    waiting.send(head("200 OK", length(bodies[0])), bodies[0])
    assert waiting.wait_claim() == "fine"
    serve_ten_more(waiting, bodies[1:])
    output = waiting.output()
    assert output.split()[0] == sha256(b"".join(bodies))
    assert "10000000000" in output  # one connection
    assert "200 OK" in output
    for status in ("100 ", "102 ", "103 "):
        assert f"HTTP/1.1 {status}" not in output


PYTHON = """python3 -c '
import hashlib, http.client, urllib.parse
peer = urllib.parse.urlsplit("{url}")
connection = http.client.HTTPConnection(peer.hostname, peer.port)
connection.set_debuglevel(1)
bodies = hashlib.sha256()
sockets = set()
for i in range(11):
    connection.request("GET", f"/{{i}}")
    sockets.add(connection.sock.getsockname())
    reply = connection.getresponse()
    bodies.update(reply.read())
print("digest", bodies.hexdigest(), len(sockets))'"""


def test_python_goes_on_with_the_connection(vm, peer):
    bodies = [noise(20_000 + i, seed=i) for i in range(11)]
    waiting = Awaited(vm, peer, PYTHON, DISCARDING)
    waiting.send(*INTERIM, head("200 OK", length(bodies[0])), bodies[0])
    assert waiting.wait_claim() == "fine"
    serve_ten_more(waiting, bodies[1:])
    output = waiting.output()
    assert f"digest {sha256(b''.join(bodies))} 1" in output
    assert "reply: 'HTTP/1.1 200 OK" in output
    assert "HTTP/1.1 10" not in output


def test_alert_shows_what_was_matched(vm, peer):
    waiting = Awaited(vm, peer, "curl -sS {url}/", {"handlers": [
        {"name": "go on", "when": {"status": "1xx"}, "do": ["ignore"]},
        {"name": "bad", "when": {"status": "5xx"},
         "do": ["alert", "buffer", "alert", "restore"]}]})
    bad = head("500 Failed", "X-Why: disk", length(b"x" * 2000))
    waiting.send(head("100 Continue"), bad)
    alert = vm.wait_event("STUBDOMAIN_ALERT")
    assert base64.b64decode(alert["data"]) == bad
    assert alert["at"] == len(head("100 Continue"))
    waiting.send(b"x" * 2000)
    alert = vm.wait_event("STUBDOMAIN_ALERT")
    assert base64.b64decode(alert["data"]) == b"x" * 1024
    assert alert["at"] == len(head("100 Continue") + bad) + 2000 - 1024
    assert waiting.wait_claim() == "bad"
    assert waiting.output() == "x" * 2000


COMPRESSING = """
    default_type text/plain;
    gzip on;
    gzip_types text/plain;
"""
TRANSFORMING = {"format": "http", "handlers": [
    {"name": "all", "when": {"status": "2xx"},
     "do": [{"action": "transform", "decode": True, "assemble": True,
             "strip": ["ETag", "Server"]}, "restore"]}]}


@pytest.fixture
def compressed(tmp_path):
    """A text, and the reply that nginx makes of it: gzip, in chunks."""
    root = tmp_path / "root"
    root.mkdir()
    text = b"".join(b"%d bottles of beer\n" % i for i in range(30_000))
    (root / "page.txt").write_bytes(text)
    server = Nginx(tmp_path, root, rate=0, options=COMPRESSING)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /page.txt HTTP/1.1\r\nHost: localhost\r\n"
                       b"Accept-Encoding: gzip\r\n\r\n")
        reply = b""
        while not reply.endswith(b"\r\n0\r\n\r\n"):
            reply += client.recv(65536)
    server.close()
    return text, reply


def test_compressed_chunks_reach_the_program_as_text(vm, peer, compressed):
    text, reply = compressed
    assert b"Content-Encoding: gzip" in reply and b"chunked" in reply
    bodies = [noise(10_000 + i, seed=i) for i in range(10)]
    urls = " ".join(f"{{url}}/{i}" for i in range(11))
    waiting = Awaited(vm, peer, f"curl -sS -D /tmp/heads {urls} | sha256sum; "
                                "cat /tmp/heads", TRANSFORMING)
    waiting.send(reply[:3000], reply[3000:-1])
    assert waiting.sleeps_on()
    waiting.send(reply[-1:])
    assert waiting.wait_claim() == "all"
    serve_ten_more(waiting, bodies)
    output = waiting.output()
    assert output.split()[0] == sha256(text + b"".join(bodies))
    assert f"Content-Length: {len(text)}" in output
    for field in ("Content-Encoding", "Transfer-Encoding", "ETag", "Server"):
        assert field not in output


def test_bomb_stays_as_it_came(vm, peer):
    bomb = gzip.compress(b"\0" * (8 * 1024 * 1024 + 1))
    waiting = Awaited(vm, peer, "curl -sS {url}/ | sha256sum", TRANSFORMING)
    waiting.send(head("200 OK", "Content-Encoding: gzip", length(bomb)) + bomb)
    alert = vm.wait_event("STUBDOMAIN_ALERT")
    assert alert["problem"].startswith("the content is damaged, or too large")
    assert waiting.wait_claim() == "all"
    assert waiting.output().split()[0] == sha256(bomb)
