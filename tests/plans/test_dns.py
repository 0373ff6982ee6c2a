"""A6, A11: dig asks a slow DNS server.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import socket
import struct

import pytest

from vm import HOST_OF_GUEST, TIMEOUT

PORT = 5353  # of the guest


class SlowServer:
    """A DNS server whose every answer the test sends."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(TIMEOUT)
        self.port = self.socket.getsockname()[1]

    def read_question(self):
        self.question, self.guest = self.socket.recvfrom(4096)
        (self.id,) = struct.unpack(">H", self.question[:2])

    def answer(self, rcode, identifier=None, address="192.0.2.80"):
        # The question, without what EDNS adds behind it.
        end = self.question.index(b"\0", 12) + 5
        found = rcode == 0
        head = struct.pack(">HHHHHH", self.id if identifier is None
                           else identifier, 0x8180 | rcode, 1, found, 0, 0)
        record = (b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) +
                  socket.inet_aton(address))
        self.socket.sendto(head + self.question[12:end] +
                           (record if found else b""), self.guest)


@pytest.fixture
def server():
    made = SlowServer()
    yield made
    made.socket.close()


def ask(vm, server, plan=None, timeout=None):
    """dig waits, and the VM sleeps; returns dig and the number of the stub."""
    job = vm.shell.start(f"dig @{HOST_OF_GUEST} -p {server.port} "
                         f"-b 0.0.0.0#{PORT} +tries=1 +time=60 slow.example A")
    server.read_question()
    arguments = {"flow": {"protocol": "udp", "guest": {"port": PORT},
                          "peer": {"host": HOST_OF_GUEST,
                                   "port": server.port}},
                 "suspend": True}
    if plan is not None:
        if "match" in plan:
            plan["match"] = {"id": server.id}
        arguments["plan"] = plan
    if timeout is not None:
        arguments["timeout"] = timeout
    stub = vm.cmd("stubdomain-listen", arguments)["stub"]
    vm.wait_suspended()
    return job, stub


def claim(vm, stub):
    reply = vm.wait_event("STUBDOMAIN_REPLY")
    assert reply["stub"] == stub
    vm.wait_restored()
    return reply.get("claim", {}).get("handler")


def test_any_answer_wakes_without_a_plan(vm, server):
    job, stub = ask(vm, server)
    server.answer(0)
    assert claim(vm, stub) is None
    assert "192.0.2.80" in job.wait().output


def test_only_the_answer_with_the_id_wakes(vm, server):
    job, stub = ask(vm, server, {
        "format": "dns", "match": {},
        "handlers": [{"name": "found", "when": {"rcode": 0}},
                     {"name": "failed", "when": {"not": {"rcode": 0}}}]})
    server.answer(0, identifier=(server.id + 1) % 65536, address="192.0.2.66")
    assert vm.sleeps_on(0.5)
    server.answer(0)
    assert claim(vm, stub) == "found"
    output = job.wait().output
    assert "192.0.2.80" in output and "192.0.2.66" not in output


def test_any_server_of_a_network_answers(vm, server):
    job = vm.shell.start(f"dig @{HOST_OF_GUEST} -p {server.port} "
                         f"-b 0.0.0.0#{PORT} +tries=1 +time=60 slow.example A")
    server.read_question()
    flow = {"protocol": "udp", "guest": {"port": PORT},
            "peer": {"host": "10.0.2.0/24"}, "nic": 0}
    other = {**flow, "peer": {"host": "192.0.2.0/24"}}
    vm.cmd("stubdomain-listen", flow=other)
    vm.cmd("stubdomain-listen", flow={**flow, "nic": 1})
    stub = vm.cmd("stubdomain-listen", flow=flow, suspend=True,
                  application="dig")["stub"]
    (info,) = [info for info in vm.stubs() if info["stub"] == stub]
    assert info["flow"] == flow
    assert info["application"] == "dig"
    vm.wait_suspended()
    server.answer(0)
    claim(vm, stub)
    assert "192.0.2.80" in job.wait().output


def test_wrong_answer_is_discarded(vm, server):
    job, stub = ask(vm, server, {
        "format": "dns", "match": {}, "handlers": [
            {"name": "refused", "when": {"rcode": 5}, "do": ["discard"]},
            {"name": "found", "when": {"rcode": 0}}]})
    server.answer(5)
    assert vm.sleeps_on(0.5)
    server.answer(0)
    assert claim(vm, stub) == "found"
    output = job.wait().output
    assert "192.0.2.80" in output and "REFUSED" not in output


def test_failure_is_told_apart(vm, server):
    job, stub = ask(vm, server, {
        "format": "dns", "handlers": [
            {"name": "none", "when": {"rcode": 3}}]})
    server.answer(3)
    assert claim(vm, stub) == "none"
    assert "NXDOMAIN" in job.wait().output


def test_timeout_becomes_a_servfail(vm, server):
    job, stub = ask(vm, server, {
        "format": "dns", "late": [{"action": "answer", "rcode": 2}]}, 1000)
    timeout = vm.wait_event("STUBDOMAIN_TIMEOUT")
    assert timeout["stub"] == stub and timeout["answered"]
    vm.wait_restored()
    output = job.wait().output
    assert "status: SERVFAIL" in output and f"id: {server.id}" in output


def test_timeout_refuses_the_datagram(vm, server):
    """The kernel of the guest takes the stub's word for it."""
    job = vm.shell.start(f"""python3 -c '
import socket
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind(("0.0.0.0", {PORT}))
one.connect(("{HOST_OF_GUEST}", {server.port}))
one.send(b"anybody there?")
try:
    one.recv(999)
except ConnectionRefusedError:
    print("refused")'""")
    server.socket.recvfrom(999)
    stub = vm.cmd("stubdomain-listen", {
        "flow": {"protocol": "udp", "guest": {"port": PORT},
                 "peer": {"host": HOST_OF_GUEST, "port": server.port}},
        "plan": {"late": [{"action": "answer", "rst": True}]},
        "timeout": 1000, "suspend": True})["stub"]
    vm.wait_suspended()
    timeout = vm.wait_event("STUBDOMAIN_TIMEOUT")
    assert timeout["stub"] == stub and timeout["answered"]
    vm.wait_restored()
    assert job.wait().output == "refused\n"


def test_lost_question_is_asked_again(vm, server):
    job, stub = ask(vm, server, {
        "format": "dns", "retries": {"times": 3, "after": 300}})
    lost = server.question
    for _ in range(2):
        server.read_question()
        assert server.question == lost
        assert vm.run_state() == "paused"
    server.answer(0)
    assert claim(vm, stub) is None
    assert "192.0.2.80" in job.wait().output


def test_second_answer_is_not_handed_over(vm, server):
    """The question and its repetition are both answered."""
    job = vm.shell.start(f"""python3 -c '
import socket, time
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind(("0.0.0.0", {PORT}))
one.connect(("{HOST_OF_GUEST}", {server.port}))
one.send(b"\\x47\\x11\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\1x\\0\\0\\1\\0\\1")
one.settimeout(2)
try:
    while True: print(len(one.recv(999)))
except TimeoutError:
    print("done")'""")
    server.read_question()
    stub = vm.cmd("stubdomain-listen", {
        "flow": {"protocol": "udp", "guest": {"port": PORT},
                 "peer": {"host": HOST_OF_GUEST, "port": server.port}},
        "plan": {"format": "dns", "retries": {"times": 1, "after": 300}},
        "suspend": True})["stub"]
    vm.wait_suspended()
    server.read_question()
    server.answer(0)
    server.answer(0)
    claim(vm, stub)
    server.answer(0, identifier=0x4712)
    assert job.wait().output == "35\n35\ndone\n"
