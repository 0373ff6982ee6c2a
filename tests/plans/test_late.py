"""A18: no reply comes in time, and the program is given one all the same.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import contextlib

from awaited import Awaited
from peer import noise

SOON = 1000  # milliseconds
CURL = "curl -sS -w ' %{{http_code}}' {url}/"


def late(**answer):
    return {"late": [{"action": "answer", **answer}]}


def read_end(connection):
    """The guest's end is gone; what it still sent."""
    with contextlib.suppress(ConnectionResetError):
        return connection.read_end()
    return b""


def test_curl_gets_a_504(vm, peer):
    plan = late(http={"body": "nobody answers", "type": "text/plain"})
    waiting = Awaited(vm, peer, CURL, plan, SOON)
    assert waiting.wait_timeout()
    assert waiting.output() == "nobody answers 504"
    assert read_end(waiting.connection) == b""


def test_half_a_reply_is_replaced(vm, peer):
    plan = {"format": "http", **late(http={"status": 503}),
            "handlers": [{"when": {"complete": True}}]}
    waiting = Awaited(vm, peer, CURL, plan, SOON)
    waiting.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" +
                 noise(20000))
    assert waiting.wait_timeout()
    assert waiting.output() == " 503"


def test_what_comes_late_goes_nowhere(vm, peer):
    waiting = Awaited(vm, peer, f"{CURL}; sleep 2", late(http={}), SOON)
    assert waiting.wait_timeout()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        waiting.connection.reply(b"the late reply")
    assert waiting.output() == " 504"


PYTHON = """python3 -c '
import socket, urllib.parse
peer = urllib.parse.urlsplit("{url}")
one = socket.create_connection((peer.hostname, peer.port))
one.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
try:
    while data := one.recv(100):
        print(data.decode())
    print("closed")
except ConnectionResetError:
    print("reset")'"""


def test_python_sees_a_reset(vm, peer):
    waiting = Awaited(vm, peer, PYTHON, late(rst=True), SOON)
    assert waiting.wait_timeout()
    assert waiting.output() == "reset\n"
    assert read_end(waiting.connection) == b""


def test_python_gets_bytes(vm, peer):
    waiting = Awaited(vm, peer, PYTHON, late(text="-ERR too late"), SOON)
    assert waiting.wait_timeout()
    assert waiting.output() == "-ERR too late\nclosed\n"


def test_open_connection_goes_on_behind_the_answer(vm, peer):
    waiting = Awaited(vm, peer, PYTHON,
                      late(bytes="2e2e2e", close=False), SOON)
    assert waiting.wait_timeout()
    waiting.send(b"done")
    waiting.connection.close()
    assert waiting.output() in ("...\ndone\nclosed\n", "...done\nclosed\n")


def test_without_an_answer_the_reply_is_still_awaited(vm, peer):
    waiting = Awaited(vm, peer, CURL, {}, SOON)
    assert not waiting.wait_timeout()
    waiting.connection.reply_and_close(b"late but fine")
    assert waiting.output() == "late but fine 200"


def test_error_of_the_server_is_replaced(vm, peer):
    waiting = Awaited(vm, peer, CURL, {"handlers": [
        {"name": "hidden", "when": {"status": "5xx"},
         "do": [{"action": "answer",
                 "http": {"status": 502, "body": "try the other one"}}]}]})
    waiting.connection.reply(b"Traceback (most recent call last)", "500 Oops")
    assert waiting.wait_claim() == "hidden"
    assert waiting.output() == "try the other one 502"
