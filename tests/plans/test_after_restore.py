"""A20: what a plan does once the guest runs again.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

from awaited import Awaited
from peer import noise
from test_changes import compressed, serve_ten_more, sha256  # noqa: F401
from test_http import head, length


def plan(*actions):
    return {"format": "http", "handlers": [
        {"name": "fine", "when": {"status": "2xx"}, "do": list(actions)}]}


def order_of(vm, first):
    return [name for name in vm.event_names(first)
            if name in ("ALERT", "RESTORED")]


def test_it_acts_first_and_restores_then(vm, peer):
    first = len(vm.events)
    waiting = Awaited(vm, peer, "curl -sS {url}/", plan("alert", "restore"))
    waiting.connection.reply(b"fine")
    assert waiting.wait_claim() == "fine"
    assert order_of(vm, first) == ["ALERT", "RESTORED"]
    assert waiting.output() == "fine"


def test_it_restores_first_and_acts_then(vm, peer):
    first = len(vm.events)
    waiting = Awaited(vm, peer, "curl -sS {url}/", plan("restore", "alert"))
    waiting.connection.reply(b"fine")
    assert waiting.wait_claim() == "fine"
    vm.wait_event("STUBDOMAIN_ALERT")
    assert order_of(vm, first) == ["RESTORED", "ALERT"]
    assert waiting.output() == "fine"


def test_guest_wakes_while_the_rest_is_prepared(vm, peer, compressed):  # noqa: F811
    """It runs when half of the reply has come, and reads all of it as text."""
    text, reply = compressed
    bodies = [noise(10_000 + i, seed=i) for i in range(10)]
    urls = " ".join(f"{{url}}/{i}" for i in range(11))
    waiting = Awaited(vm, peer, f"curl -sS -D /tmp/heads {urls} | sha256sum; "
                                "cat /tmp/heads", plan(
        "restore", {"action": "transform", "decode": True}))
    half = len(reply) // 2
    waiting.send(reply[:half])
    assert waiting.wait_claim() == "fine"
    # It runs, and the program has nothing yet.
    assert vm.shell.check("wc -c </tmp/heads || echo 0").split()[-1] == "0"
    waiting.send(reply[half:])
    serve_ten_more(waiting, bodies)
    output = waiting.output()
    assert output.split()[0] == sha256(text + b"".join(bodies))
    assert f"Content-Length: {len(text)}" in output
    assert "Content-Encoding" not in output


def test_script_decides_while_the_guest_wakes(vm, peer):
    waiting = Awaited(vm, peer, "curl -sS {url}/", plan("restore", {
        "action": "script",
        "source": "return 'answer', message.bytes:sub(1, -6) .. 'again'"}))
    waiting.send(head("200 OK", length(b"never")))
    assert waiting.wait_claim() == "fine"
    waiting.send(b"never")
    assert waiting.output() == "again"


def test_peer_is_told_before_the_guest_speaks(vm, peer):
    waiting = Awaited(vm, peer, "curl -sS {url}/ {url}/second", plan(
        "restore", {"action": "send", "text": "thanks"}))
    waiting.send(head("200 OK", length(b"fine")) + b"fine")
    assert waiting.wait_claim() == "fine"
    assert waiting.connection.read_exactly(6) == b"thanks"
    assert waiting.connection.read_request().startswith("GET /second")
    waiting.connection.reply(b" and fine")
    assert waiting.output() == "fine and fine"


def test_message_that_does_not_get_complete_is_handed_over(vm, peer):
    """What it is by the end of the longest wait."""
    waiting = Awaited(vm, peer, "curl -sS -N {url}/ 2>&1 || true", plan(
        "restore", {"action": "transform", "strip": ["X-Kind"]}), timeout=3000)
    waiting.send(head("200 OK", "X-Kind: slow", length(b"never")) + b"nev")
    assert waiting.wait_claim() == "fine"
    alert = vm.wait_event("STUBDOMAIN_ALERT")
    assert alert["problem"] == "the message does not get complete"
    waiting.connection.close()
    assert waiting.output().startswith("nev")
