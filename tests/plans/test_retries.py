"""A8, A18: the request is sent again while the guest sleeps.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import time

from awaited import Awaited
from peer import noise
from test_http import sha256

AGAIN = {"format": "http", "retries": {"times": 3, "repeatable": True},
         "handlers": [
             {"name": "later", "when": {"status": "503"},
              "do": [{"action": "retry", "after": 200}]},
             {"name": "fine", "when": {"status": "200"},
              "do": ["buffer", "restore"]}]}


def test_busy_server_is_asked_again(vm, peer):
    """Ten more requests show that the connection is exact behind it."""
    bodies = [noise(10_000 + i, seed=i) for i in range(11)]
    urls = " ".join(f"{{url}}/{i}" for i in range(11))
    waiting = Awaited(vm, peer, f"curl -sS {urls} | sha256sum", AGAIN)
    connection = waiting.connection
    first = connection.request
    for _ in range(2):
        asked = time.monotonic()
        connection.reply(b"come back", "503 Later")
        assert connection.read_request() == first
        assert time.monotonic() >= asked + 0.2
        assert vm.run_state() == "paused"
    connection.reply(bodies[0])
    assert waiting.wait_claim() == "fine"
    for number, body in enumerate(bodies[1:], 1):
        assert connection.read_request().startswith(f"GET /{number} ")
        connection.reply(body)
    assert waiting.output().split()[0] == sha256(b"".join(bodies))


def test_after_the_last_try_the_error_is_the_reply(vm, peer):
    plan = {**AGAIN, "retries": {"times": 1, "repeatable": True}}
    waiting = Awaited(vm, peer, "curl -sS -w ' %{{http_code}}' {url}/", plan)
    waiting.connection.reply(b"come back", "503 Later")
    waiting.connection.read_request()
    waiting.connection.reply(b"stay away", "503 Later")
    assert waiting.wait_claim() == "later"
    assert waiting.output() == "stay away 503"


def test_silent_server_is_asked_again_and_then_it_is_late(vm, peer):
    plan = {"retries": {"times": 2, "after": 300, "repeatable": True},
            "late": [{"action": "answer", "http": {}}]}
    waiting = Awaited(vm, peer, "curl -sS -w '%{{http_code}}' {url}/", plan)
    for _ in range(2):
        assert waiting.connection.read_request() == waiting.connection.request
    assert waiting.wait_timeout()
    assert waiting.output() == "504"


def test_connection_is_asked_again_only_if_that_does_no_harm(vm, peer):
    waiting = Awaited(vm, peer, "curl -sS {url}/")
    error = vm.error_of("stubdomain-listen", {
        "flow": {"peer": {"host": "10.0.2.2", "port": peer.port}},
        "plan": {"retries": {"times": 2, "after": 300}}})
    assert "plan.retries.repeatable" in error
    waiting.connection.reply(b"yes")
    waiting.wait_claim()
    assert waiting.output() == "yes"


def test_a_message_can_be_answered_in_the_guests_name(vm, peer):
    """And the guest never knows of either."""
    waiting = Awaited(vm, peer, """python3 -c '
import socket, urllib.parse
peer = urllib.parse.urlsplit("{url}")
one = socket.create_connection((peer.hostname, peer.port))
one.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
while data := one.recv(100):
    print(data.decode())
one.close()'""", {"format": "http", "handlers": [
        {"name": "proof", "when": {"status": "401"},
         "do": ["buffer", {"action": "send", "text": "it is me"}, "discard"]},
        {"name": "fine", "when": {"status": "200"}, "do": ["restore"]}]})
    waiting.connection.reply(b"who is it?", "401 Who")
    assert waiting.connection.read_exactly(8) == b"it is me"
    assert waiting.sleeps_on()
    waiting.connection.reply_and_close(b"welcome")
    assert waiting.wait_claim() == "fine"
    output = waiting.output()
    assert "welcome" in output and "who is it" not in output
