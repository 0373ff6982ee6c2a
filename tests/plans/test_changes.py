"""A7, A12, A24: what the guest gets is not what the peer has sent.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import base64
import hashlib

from awaited import Awaited
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
