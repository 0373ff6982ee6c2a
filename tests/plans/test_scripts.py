"""A20: a script decides what becomes of a reply.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import json
import time

import pytest

from awaited import Awaited
from peer import noise
from test_changes import serve_ten_more, sha256


def plan(source, after=(), **more):
    return {"format": "http", **more, "handlers": [
        {"name": "ask", "when": {"status": "2xx"},
         "do": [{"action": "script", "source": source}, *after]}]}


POLLING = """
local reply = json()
if reply.state == "pending" then
  return "retry", 200 << message.tries
end
alert("it is " .. reply.state)
return "restore"
"""


def test_script_asks_again_until_it_is_decided(vm, peer):
    """Ten more requests show that the connection is exact behind it."""
    bodies = [noise(10_000 + i, seed=i) for i in range(10)]
    urls = " ".join(f"{{url}}/{i}" for i in range(11))
    waiting = Awaited(vm, peer, f"curl -sS {urls} | sha256sum", plan(
        POLLING, retries={"times": 5, "repeatable": True}))
    connection = waiting.connection
    first = connection.request
    for delay in (0.2, 0.4):
        asked = time.monotonic()
        connection.reply(json.dumps({"state": "pending"}).encode())
        assert connection.read_request() == first
        assert time.monotonic() >= asked + delay
        assert vm.run_state() == "paused"
    approved = json.dumps({"state": "approved"}).encode()
    connection.reply(approved)
    assert vm.wait_event("STUBDOMAIN_ALERT")["text"] == "it is approved"
    assert waiting.wait_claim() == "ask"
    serve_ten_more(waiting, bodies)
    assert waiting.output().split()[0] == sha256(approved + b"".join(bodies))


REWRITING = """
local secret, rest = match('^([^:]*):(.*)')
local body = rest:upper()
return "answer", "HTTP/1.1 200 OK\\r\\nX-Was: " .. header("Content-Length") ..
  "\\r\\nContent-Length: " .. #body .. "\\r\\n\\r\\n" .. body
"""


def test_script_puts_another_reply_in_its_place(vm, peer):
    bodies = [noise(10_000 + i, seed=i) for i in range(10)]
    urls = " ".join(f"{{url}}/{i}" for i in range(11))
    waiting = Awaited(vm, peer, f"curl -sS -D /tmp/heads {urls} | sha256sum; "
                                "cat /tmp/heads", plan(REWRITING))
    waiting.connection.reply(b"secret:the answer")
    assert waiting.wait_claim() == "ask"
    serve_ten_more(waiting, bodies)
    output = waiting.output()
    assert output.split()[0] == sha256(b"THE ANSWER" + b"".join(bodies))
    assert "X-Was: 17" in output


@pytest.mark.parametrize("source, problem", [
    ("error('no luck')", "script: line 1: no luck"),
    ("while true do end", "script: it takes too many steps")])
def test_failing_script_loses_nothing(vm, peer, source, problem):
    waiting = Awaited(vm, peer, "curl -sS {url}/", plan(source, ["discard"]))
    waiting.connection.reply(b"all of it")
    assert vm.wait_event("STUBDOMAIN_ALERT")["problem"] == problem
    assert waiting.wait_claim() == "ask"
    assert waiting.output() == "all of it"
