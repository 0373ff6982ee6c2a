"""A7, A12: curl, wget and Python ask a slow HTTP server.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import hashlib

from awaited import Awaited
from peer import noise

CURL = "curl -sS -N {url}/"


def head(status, *fields):
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode()


def length(body):
    return f"Content-Length: {len(body)}"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_empty_plan_wakes_at_the_head(vm, peer):
    body = b"late but fine"
    waiting = Awaited(vm, peer, CURL)
    reply = head("200 OK", length(body))
    waiting.send(reply[:20], reply[20:-1])
    assert waiting.sleeps_on()
    waiting.send(reply[-1:])
    assert waiting.wait_claim() is None
    waiting.send(body)
    assert waiting.output() == body.decode()


def test_empty_plan_sleeps_through_a_continue(vm, peer):
    waiting = Awaited(vm, peer, "curl -sS -H Expect: -d question {url}/")
    assert waiting.connection.read_exactly(8) == b"question"
    waiting.send(head("100 Continue"))
    assert waiting.sleeps_on()
    waiting.send(head("200 OK", length(b"yes")) + b"yes")
    waiting.wait_claim()
    assert waiting.output() == "yes"


def test_empty_plan_wakes_who_waits_for_a_continue(vm, peer):
    waiting = Awaited(vm, peer, "curl -sS --expect100-timeout 100 "
                                "-H 'Expect: 100-continue' -d question {url}/")
    waiting.send(head("100 Continue"))
    waiting.wait_claim()
    assert waiting.connection.read_exactly(8) == b"question"
    waiting.send(head("200 OK", length(b"yes")) + b"yes")
    assert waiting.output() == "yes"


def test_continue_is_ignored_by_a_plan(vm, peer):
    waiting = Awaited(vm, peer, CURL, {"format": "http", "handlers": [
        {"name": "go on", "when": {"status": "1xx"}, "do": ["ignore"]},
        {"name": "fine", "when": {"status": "2xx"}}]})
    waiting.send(head("100 Continue"), head("103 Early Hints", "Link: </x>"))
    assert waiting.sleeps_on()
    waiting.send(head("200 OK", length(b"yes")) + b"yes")
    assert waiting.wait_claim() == "fine"
    assert waiting.output() == "yes"


def test_slow_body_is_awaited_by_share(vm, peer):
    body = noise(200_000)
    waiting = Awaited(vm, peer, "curl -sS {url}/ | sha256sum", {"handlers": [
        {"name": "half", "when": {"share": 50}}]})
    waiting.send(head("200 OK", length(body)), body[:99_999])
    assert waiting.sleeps_on()
    waiting.send(body[99_999:])
    assert waiting.wait_claim() == "half"
    assert waiting.output().split()[0] == sha256(body)


def test_partial_content_is_buffered_until_it_is_complete(vm, peer):
    body = noise(50_000)
    waiting = Awaited(vm, peer, "curl -sS -r 0-49999 {url}/ | sha256sum",
                      {"handlers": [{"name": "part", "when": {"status": "206"},
                                     "do": ["buffer", "restore"]}]})
    waiting.send(head("206 Partial Content", length(body),
                      "Content-Range: bytes 0-49999/90000"), body[:-1])
    assert waiting.sleeps_on()
    waiting.send(body[-1:])
    assert waiting.wait_claim() == "part"
    assert waiting.output().split()[0] == sha256(body)


def test_chunks_are_searched_for_an_answer(vm, peer):
    waiting = Awaited(vm, peer, CURL, {"handlers": [
        {"name": "decided",
         "when": {"pattern": {"regex": "(approved|denied): [0-9]"}}}]})
    waiting.send(head("200 OK", "Transfer-Encoding: chunked"),
                 b"d\r\nthinking ... \r\n", b"5\r\nappro\r\n")
    assert waiting.sleeps_on()
    waiting.send(b"7\r\nved: 5\n\r\n")
    assert waiting.wait_claim() == "decided"
    waiting.send(b"0\r\n\r\n")
    assert waiting.output() == "thinking ... approved: 5\n"


def test_error_is_alerted_and_handed_over(vm, peer):
    waiting = Awaited(vm, peer, "curl -sS -o /dev/null -w '%{{http_code}}' "
                                "{url}/", {"handlers": [
        {"name": "busy", "when": {"status": "503",
                                  "header": {"name": "Retry-After"}},
         "do": ["alert", "restore"]},
        {"name": "fine", "when": {"status": "200"}}]})
    waiting.send(head("503 Later", "Retry-After: 5", length(b"")))
    alert = vm.wait_event("STUBDOMAIN_ALERT")
    assert (alert["stub"], alert["claim"]["handler"]) == (waiting.stub, "busy")
    assert waiting.wait_claim() == "busy"
    assert waiting.output() == "503"


def test_what_no_handler_claims_can_be_ignored(vm, peer):
    waiting = Awaited(vm, peer, CURL, {"otherwise": "ignore", "handlers": [
        {"name": "fine", "when": {"status": "200"}}]})
    waiting.send(head("302 Found", "Location: /", length(b"")))
    assert waiting.sleeps_on()
    waiting.connection.close()
    assert vm.wait_event("STUBDOMAIN_REPLY")["outcome"] == "closed"
    vm.wait_restored()
    waiting.output()


def test_head_request_is_seen(vm, peer):
    waiting = Awaited(vm, peer, "curl -sS -I {url}/", {"handlers": [
        {"name": "done", "when": {"complete": True}}]})
    waiting.send(head("200 OK", "Content-Length: 5000"))
    assert waiting.wait_claim() == "done"
    assert "Content-Length: 5000" in waiting.output()


def test_the_connection_serves_ten_more_requests(vm, peer):
    bodies = [noise(10_000 + i, seed=i) for i in range(11)]
    urls = " ".join(f"{{url}}/{i}" for i in range(11))
    waiting = Awaited(vm, peer, f"curl -sS {urls} | sha256sum", {"handlers": [
        {"name": "all", "when": {"status": "200"},
         "do": ["buffer", "restore"]}]})
    waiting.send(head("200 OK", length(bodies[0])), bodies[0])
    assert waiting.wait_claim() == "all"
    for body in bodies[1:]:
        waiting.connection.read_request()
        waiting.connection.reply(body)
    assert waiting.output().split()[0] == sha256(b"".join(bodies))


def test_wget_waits_for_a_complete_reply(vm, peer):
    body = noise(30_000)
    waiting = Awaited(vm, peer, "/usr/bin/wget -q -O - {url}/ | sha256sum",
                      {"handlers": [{"name": "all",
                                     "when": {"complete": True}}]})
    waiting.send(head("200 OK", length(body)), body[:10_000])
    assert waiting.sleeps_on()
    waiting.send(body[10_000:])
    assert waiting.wait_claim() == "all"
    assert waiting.output().split()[0] == sha256(body)


def test_python_with_the_empty_plan(vm, peer):
    waiting = Awaited(vm, peer, """python3 -c '
import http.client, urllib.parse
peer = urllib.parse.urlsplit("{url}")
connection = http.client.HTTPConnection(peer.hostname, peer.port)
connection.request("GET", "/")
reply = connection.getresponse()
print(reply.status, reply.read().decode())'""")
    waiting.send(head("404 Not Found", length(b"none")))
    waiting.wait_claim()
    waiting.send(b"none")
    assert waiting.output() == "404 none\n"
