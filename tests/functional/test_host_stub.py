"""A1, A5, X2: the host lays the stub and suspends; the guest knows nothing.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import pytest

from harness.nginx import Nginx
from peer import noise
from program import sha256
from vm import HOST_OF_GUEST

MIB = 1 << 20


@pytest.fixture
def plain_vm(make_vm):
    """A guest without an agent."""
    return make_vm(append="sd.agent=off").boot()


def start_wget(vm, port, path=""):
    return vm.shell.start(
        f"wget -q -O - http://{HOST_OF_GUEST}:{port}/{path} | sha256sum")


def flow_to(port):
    return {"peer": {"host": HOST_OF_GUEST, "port": port}}


def test_listen_then_suspend(plain_vm, peer):
    vm = plain_vm
    job = start_wget(vm, peer.port)
    connection = peer.accept_request()
    stub = vm.cmd("stubdomain-listen", flow=flow_to(peer.port))["stub"]
    laid = vm.wait_event("STUBDOMAIN_WAIT")
    assert (laid["stub"], laid["owner"]) == (stub, "host")
    assert vm.run_state() == "running"
    vm.suspend()
    assert not vm.info()["agent"]

    body = noise(400_000)
    connection.reply(body)
    connection.close()
    reply = vm.wait_event("STUBDOMAIN_REPLY")
    assert (reply["stub"], reply["outcome"]) == (stub, "replied")
    assert vm.wait_restored()["reason"] == "reply"
    assert job.wait().output.split()[0] == sha256(body)


def test_listen_that_suspends(plain_vm, peer):
    vm = plain_vm
    job = start_wget(vm, peer.port)
    connection = peer.accept_request()
    vm.cmd("stubdomain-listen", flow=flow_to(peer.port), suspend=True,
           plan={"bytes": 100_000}, timeout=600_000)
    vm.wait_suspended()
    (stub,) = vm.stubs()
    assert (stub["owner"], stub["wanted"]) == ("host", 100_000)
    body = noise(400_000)
    connection.reply(body)
    connection.close()
    vm.wait_restored()
    assert job.wait().output.split()[0] == sha256(body)


def test_suspend_in_the_middle_of_a_download(plain_vm, tmp_path):
    """With an ordinary server and an ordinary client, and no stub at all."""
    vm = plain_vm
    body = noise(64 * MIB)
    (tmp_path / "body").write_bytes(body)
    nginx = Nginx(tmp_path, tmp_path, rate="16m")
    try:
        job = start_wget(vm, nginx.port, "body")
        suspends = 0
        while not job.done():
            vm.cmd("stubdomain-suspend")
            vm.wait_event("STUBDOMAIN_SUSPENDED",
                          "STUBDOMAIN_SUSPEND_CANCELLED")
            if vm.run_state() == "paused":
                suspends += 1
                vm.qmp("stubdomain-restore")
                vm.wait_restored()
            vm.shell.run("sleep 0.2")
        assert job.wait().output.split()[0] == sha256(body)
        assert suspends >= 2
    finally:
        nginx.close()


def test_flow_can_be_named_fully(plain_vm, peer):
    vm = plain_vm
    jobs = [start_wget(vm, peer.port) for _ in range(2)]
    connections = [peer.accept_request() for _ in range(2)]
    assert "several" in vm.error_of("stubdomain-listen",
                                    {"flow": flow_to(peer.port)})
    ports = vm.shell.check(
        f"netstat -tn | awk '$5 == \"{HOST_OF_GUEST}:{peer.port}\" "
        "{sub(/.*:/, \"\", $4); print $4}'").split()
    assert len(ports) == 2
    stub = vm.cmd("stubdomain-listen", flow={
        **flow_to(peer.port),
        "guest": {"host": "10.0.2.15", "port": int(ports[1])}})["stub"]
    (shown,) = vm.stubs()
    assert shown["stub"] == stub
    assert shown["flow"]["guest"] == {"host": "10.0.2.15",
                                      "port": int(ports[1])}
    for connection in connections:
        connection.reply(b"x")
        connection.close()
    for job in jobs:
        assert job.wait().output.split()[0] == sha256(b"x")


def test_bound_on_stubs(make_vm, peer):
    vm = make_vm(device="max-stubs=2").boot()
    job = start_wget(vm, peer.port)
    connection = peer.accept_request()
    listen = {"flow": flow_to(peer.port)}
    stubs = [vm.cmd("stubdomain-listen", listen)["stub"] for _ in range(2)]
    assert "too many" in vm.error_of("stubdomain-listen", listen)
    assert [stub["stub"] for stub in vm.stubs()] == stubs
    vm.cmd("stubdomain-unlisten", stub=stubs[0])
    vm.cmd("stubdomain-listen", listen)
    connection.reply(b"x")
    connection.close()
    job.wait()
