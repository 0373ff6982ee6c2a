"""X2: a guest that knows nothing. The host lays stubs, and the VM is suspended
when its vCPUs have nothing to do.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import http.server
import threading
import urllib.request

import pytest

import decisions
from peer import noise
from program import sha256
from vm import HOST_OF_GUEST, TIMEOUT

BODY = noise(200_000)


class SlowServer:
    """A web server that answers when the test says so."""

    def __init__(self):
        self.asked, self.answers = threading.Semaphore(0), threading.Semaphore(0)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.release()
                assert outer.answers.acquire(timeout=TIMEOUT)
                self.send_response(200)
                self.send_header("Content-Length", str(len(BODY)))
                self.end_headers()
                self.wfile.write(BODY)

            def log_message(self, *_):
                """Nobody reads it."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self.answers.release(100)
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def make_server():
    made = []

    def make():
        made.append(SlowServer())
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def server(make_server):
    return make_server()


@pytest.fixture
def bare_vm(make_vm):
    """Neither agent nor driver for the device."""
    return make_vm(append="sd.agent=off sd.uio=off",
                   device="suspend-when-idle=400").boot()


def ask(vm, server):
    job = vm.shell.start(f"wget -q -O - http://{HOST_OF_GUEST}:{server.port}/"
                         " | sha256sum")
    assert server.asked.acquire(timeout=TIMEOUT)
    return job


def flow_to(port):
    return {"peer": {"host": HOST_OF_GUEST, "port": port}}


def test_suspended_when_idle(bare_vm, make_server):
    vm = bare_vm
    for _ in range(2):
        server = make_server()
        job = ask(vm, server)
        vm.cmd("stubdomain-listen", flow=flow_to(server.port))
        vm.wait_suspended()
        assert decisions.last(vm) == ("suspend", "idle")
        assert not vm.info()["agent"]
        server.answers.release()
        assert vm.wait_restored()["reason"] == "reply"
        assert job.wait().output.split()[0] == sha256(BODY)
        assert vm.info()["kept"] == 0


def test_without_a_stub_it_runs_on(bare_vm, server, peer):
    """A connection that nobody awaits keeps it running."""
    vm = bare_vm
    job = ask(vm, server)
    other = vm.shell.start(f"wget -q -O /dev/null "
                           f"http://{HOST_OF_GUEST}:{peer.port}/")
    connection = peer.accept_request()
    vm.cmd("stubdomain-listen", flow=flow_to(server.port))
    decisions.await_last(vm, "stay", "connections")
    assert vm.run_state() == "running"
    # It is closed, and was the last.
    connection.reply(b"x")
    connection.close()
    vm.wait_suspended()
    server.answers.release()
    vm.wait_restored()
    other.wait()
    assert job.wait().output.split()[0] == sha256(BODY)


def test_busy_guest_runs_on(bare_vm, server):
    vm = bare_vm
    job = ask(vm, server)
    busy = vm.shell.start(
        "sh -c 'while [ ! -e /tmp/enough ]; do :; done'")
    vm.cmd("stubdomain-listen", flow=flow_to(server.port))
    vm.wait_event("STUBDOMAIN_WAIT")
    assert not vm.sleeps_on(3)
    assert "SUSPENDING" not in vm.event_names()
    touch = vm.shell.start("touch /tmp/enough")
    vm.wait_suspended()
    server.answers.release()
    vm.wait_restored()
    touch.wait()
    busy.wait()
    assert job.wait().output.split()[0] == sha256(BODY)


def test_server_in_the_guest_sleeps_until_somebody_connects(make_vm):
    vm = make_vm(append="sd.agent=off sd.uio=off",
                 netdev="user,id=net0,hostfwd=tcp:127.0.0.1:0-:8000",
                 device="suspend-when-idle=400").boot()
    port = int(next(line.split()[3] for line in
                    vm.hmp("info usernet").splitlines() if "HOST_FORWARD" in line))
    vm.shell.check("mkdir /tmp/www; echo hello >/tmp/www/index.html; "
                   "httpd -p 8000 -h /tmp/www; "
                   # Who was never heard of is not there while it sleeps.
                   f"ping -c 1 {HOST_OF_GUEST}")
    vm.cmd("stubdomain-listen", flow={"guest": {"port": 8000}}, accept="hold")
    vm.wait_suspended()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/",
                                timeout=TIMEOUT) as reply:
        assert reply.read() == b"hello\n"
    assert vm.wait_restored()["reason"] == "reply"
