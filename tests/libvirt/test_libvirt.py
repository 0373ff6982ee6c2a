"""An ordinary libvirt domain is suspended while it waits, and woken.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import hashlib
import json

import pytest

from peer import noise

REPLY = noise(300_000)
ALL_KINDS = pytest.mark.parametrize("domain", ["bridge", "user"],
                                    indirect=True)


class Waiter:
    """A program in the guest that waits for the peer's reply, and the peer's
    end of its connection. The domain is suspended when it is made."""

    def __init__(self, domain, peer):
        self.domain = domain
        suspends = domain.monitor.seen.count("STUBDOMAIN_SUSPENDED")
        self.program = domain.shell.start(
            f"sdwait-http {domain.host} {peer.port} /slow 2>&1 >/tmp/reply; "
            "sha256sum /tmp/reply")
        self.connection = peer.accept_request()
        domain.monitor.wait("STUBDOMAIN_SUSPENDED", suspends + 1)

    def reply(self):
        self.connection.reply(REPLY)
        self.connection.close()

    def attach(self):
        """To the program in the QEMU that the domain has now."""
        self.domain.connect_shell()
        self.program = self.domain.shell.attach(self.program)

    def check_reply(self):
        status, output = self.program.wait()
        assert status == 0, output
        assert "wait ended: replied" in output
        assert hashlib.sha256(REPLY).hexdigest() in output


@ALL_KINDS
def test_reply_wakes_suspended_domain(domain, peer):
    assert domain.state() == "running"
    if domain.network == "bridge":
        # The way that libvirt makes them: partial checksums, large frames.
        taps = domain.libvirt.run("ip", "-details", "link", "show", "type",
                                  "tun").stdout
        assert "vnet_hdr on" in taps
    before = domain.info()

    waiter = Waiter(domain, peer)
    assert domain.state() == "paused"
    info = domain.info()
    assert info["state"] == "suspended"
    assert info["resident"] < before["resident"] / 100
    assert "State:          paused" in domain.virsh("dominfo")

    waiter.reply()
    waiter.check_reply()
    assert domain.state() == "running"
    info = domain.info()
    assert (info["state"], info["wake-reason"]) == ("running", "reply")


def test_events_come_in_libvirts_order(domain, peer):
    waiter = Waiter(domain, peer)
    waiter.reply()
    domain.monitor.wait("STUBDOMAIN_RESTORED")
    seen = [name for name in domain.monitor.seen
            if name in ("STOP", "RESUME") or name.startswith("STUBDOMAIN_")]
    assert seen == ["RESUME", "STUBDOMAIN_WAIT", "STUBDOMAIN_SUSPENDING",
                    "STOP", "STUBDOMAIN_SUSPENDED", "STUBDOMAIN_REPLY",
                    "RESUME", "STUBDOMAIN_RESTORED"]
    domain.lifecycle.wait("Resumed Unpaused", 2)
    assert domain.lifecycle.seen[-2:] == ["Suspended Paused",
                                          "Resumed Unpaused"]


def test_virsh_resume_restores(domain, peer):
    waiter = Waiter(domain, peer)
    domain.virsh("resume")
    domain.monitor.wait("STUBDOMAIN_RESTORED")
    assert domain.state() == "running"
    assert domain.info()["wake-reason"] == "host"
    # The connection lives, and so does the wait.
    waiter.reply()
    waiter.check_reply()


def test_virsh_suspend_is_not_ours(domain):
    domain.virsh("suspend")
    assert domain.state() == "paused"
    assert domain.info()["state"] == "running"
    domain.virsh("resume")
    assert domain.shell.check("echo alive") == "alive\n"


def test_host_suspends_over_libvirt(domain):
    domain.qmp("stubdomain-suspend")
    domain.monitor.wait("STUBDOMAIN_SUSPENDED")
    assert domain.state() == "paused"
    domain.qmp("stubdomain-restore")
    assert domain.shell.check("echo alive") == "alive\n"
    assert domain.state() == "running"


def test_save_and_restore_of_running_domain(domain, peer):
    """Also of one that was suspended before, and so has its memory in a
    mapped file."""
    waiter = Waiter(domain, peer)
    waiter.reply()
    waiter.check_reply()
    domain.shell.check("echo kept > /tmp/kept")

    save_and_restore(domain)
    assert domain.state() == "running"
    domain.connect_shell()
    assert domain.shell.check("cat /tmp/kept") == "kept\n"
    waiter = Waiter(domain, peer)
    waiter.reply()
    waiter.check_reply()


def test_save_and_restore_of_suspended_domain(domain, peer):
    waiter = Waiter(domain, peer)
    save_and_restore(domain)
    assert domain.state() == "paused"
    assert domain.info()["state"] == "suspended"
    waiter.reply()
    domain.monitor.wait("STUBDOMAIN_RESTORED")
    assert domain.state() == "running"
    waiter.attach()
    waiter.check_reply()


def test_managed_save_of_suspended_domain(domain, peer):
    waiter = Waiter(domain, peer)
    domain.virsh("managedsave")
    assert domain.state() == "shut off"
    assert "Managed save:   yes" in domain.virsh("dominfo")
    domain.virsh("start")
    assert domain.state() == "paused"
    domain.virsh("resume")
    assert domain.state() == "running"
    waiter.attach()
    waiter.reply()
    waiter.check_reply()


def test_destroy_of_suspended_domain_leaves_no_file(domain, peer):
    Waiter(domain, peer)
    directory = domain.libvirt.directory / "lib" / "stubdomain"
    assert ([path.name for path in directory.iterdir()]
            == ["stubdomain-guest-stub0.suspend"])
    domain.virsh("destroy")
    assert domain.state() == "shut off"
    assert list(directory.iterdir()) == []


def test_qemu_is_confined_as_libvirt_does(domain, peer):
    """It suspends with no right to start processes, and as nobody special."""
    Waiter(domain, peer).reply()
    domain.monitor.wait("STUBDOMAIN_RESTORED")
    run = domain.libvirt.run
    words = run("cat", domain.process() + "/cmdline").stdout
    assert "spawn=deny" in words
    status = dict(line.split(":\t", 1) for line in run(
        "cat", domain.process() + "/status").stdout.splitlines() if ":\t" in line)
    assert status["Seccomp"] == "2"
    assert status["NoNewPrivs"] == "1"
    assert "0" not in status["Uid"].split()
    assert int(status["CapEff"], 16) == 0


def test_schema_is_shown(domain):
    schema = json.dumps(domain.qmp("query-qmp-schema"))
    for name in ("query-stubdomain", "stubdomain-suspend", "STUBDOMAIN_WAIT"):
        assert name in schema


def save_and_restore(domain):
    path = "/var/lib/libvirt/images/saved"
    domain.virsh("save", path)
    assert domain.state() == "shut off"
    domain.virsh("restore", path, named=False)
