"""A21: a stub domain can be looked at.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

from program import sha256, suspend_on_wait
from vm import DEVICE, HOST_OF_GUEST


def test_over_qmp(vm, peer):
    info = vm.info()
    assert info["device"] == DEVICE
    assert (info["state"], info["agent"], info["stubs"]) == ("running", True,
                                                            0)
    assert "wake-reason" not in info

    program, connection, suspended = suspend_on_wait(vm, peer, "--bytes 5000",
                                                     "--timeout 600000")
    info = vm.info()
    assert info["state"] == "suspended"
    assert info["file"] == suspended["file"]
    assert info["bytes-written"] == suspended["bytes-written"] > 0
    assert info["suspend-time"] == suspended["time"] > 0
    assert (info["suspends"], info["restores"], info["cancelled"]) == (1, 0, 0)
    assert (info["flows"], info["stubs"], info["kept"]) == (1, 1, 0)
    (stub,) = vm.stubs()
    assert stub["owner"] == "guest"
    assert stub["flow"]["protocol"] == "tcp"
    assert stub["flow"]["guest"]["host"] == "10.0.2.15"
    assert stub["flow"]["peer"] == {"host": HOST_OF_GUEST, "port": peer.port}
    assert (stub["bytes"], stub["wanted"]) == (0, 5000)
    assert 0 < stub["timeout-left"] <= 600_000

    connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000)
    connection.close()
    restored = vm.wait_restored()
    info = vm.info()
    assert info["wake-time"] == restored["wake-time"]
    assert info["wake-reason"] == "reply"
    assert (info["suspends"], info["restores"]) == (1, 1)
    assert program.finish().sha256 == sha256(b"x" * 5000)


def test_over_hmp(vm, peer):
    assert f"{DEVICE}: running, with an agent" in vm.hmp("info stubdomain")
    program, connection, _ = suspend_on_wait(vm, peer)
    text = vm.hmp("info stubdomain")
    assert f"{DEVICE}: suspended" in text
    assert f"[{HOST_OF_GUEST}]:{peer.port}" in text
    connection.reply(b"x")
    connection.close()
    program.finish()


def test_vm_without_a_device(make_vm):
    vm = make_vm(arguments=["-S"])
    device = next(a for a in vm.args if a.startswith("stubdomain-pci"))
    index = vm.args.index(device)
    del vm.args[index - 1:index + 1]
    vm.launch()
    assert vm.cmd("query-stubdomain") == []
    assert "no stubdomain-pci device" in vm.hmp("info stubdomain")
    assert vm.stubs() == []
    for command in ("stubdomain-suspend", "stubdomain-restore"):
        assert "no stubdomain-pci device" in vm.error_of(command)


def test_everything_is_in_the_schema(make_vm):
    vm = make_vm(arguments=["-S"])
    vm.launch()
    names = {entity["name"] for entity in vm.cmd("query-qmp-schema")}
    assert {"stubdomain-listen", "stubdomain-unlisten", "stubdomain-suspend",
            "stubdomain-restore", "query-stubdomain",
            "query-stubdomain-stubs"} <= names
    assert {f"STUBDOMAIN_{event}" for event in (
        "WAIT", "SUSPENDING", "SUSPENDED", "SUSPEND_CANCELLED", "REPLY",
        "UNMATCHED", "TIMEOUT", "RESTORED", "ERROR")} <= names


def test_version_names_the_fork(make_vm):
    vm = make_vm(arguments=["-S"])
    vm.launch()
    version = vm.cmd("query-version")
    assert version["qemu"]["major"] == 10
    assert "stubdomain" in version["package"]
