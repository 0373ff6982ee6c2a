"""A program of the guest that waits for a reply, with a plan.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

from vm import HOST_OF_GUEST


def flow_to(port):
    return {"peer": {"host": HOST_OF_GUEST, "port": port}}


class Awaited:
    """`command` runs in the guest; {url} in it is the peer's. Its request has
    come, the plan is laid (none: the empty one), and the VM suspended."""

    def __init__(self, vm, peer, command, plan=None, timeout=None):
        self.vm = vm
        self.job = vm.shell.start(command.format(
            url=f"http://{HOST_OF_GUEST}:{peer.port}"))
        self.connection = peer.accept_request()
        self.sleep(peer.port, plan, timeout)

    def sleep(self, port, plan=None, timeout=None):
        """Lays a plan for the connection to the port; the VM is suspended."""
        arguments = {"flow": flow_to(port), "suspend": True}
        if plan is not None:
            arguments["plan"] = plan
        if timeout is not None:
            arguments["timeout"] = timeout
        self.stub = self.vm.cmd("stubdomain-listen", arguments)["stub"]
        self.vm.wait_suspended()

    def send(self, *pieces):
        """Each of them becomes a segment of its own."""
        for piece in pieces:
            self.connection.send(piece)
            self.connection.wait_acknowledged()

    def sleeps_on(self):
        return self.vm.sleeps_on(0.3)

    def wait_claim(self):
        """Which handler woke it; nothing if none did."""
        reply = self.vm.wait_event("STUBDOMAIN_REPLY")
        assert reply["stub"] == self.stub
        self.vm.wait_restored()
        return reply.get("claim", {}).get("handler")

    def wait_timeout(self):
        """Whether the plan has answered in the peer's place."""
        event = self.vm.wait_event("STUBDOMAIN_TIMEOUT")
        assert event["stub"] == self.stub
        self.vm.wait_restored()
        return event["answered"]

    def output(self):
        status, output = self.job.wait()
        assert status == 0, output
        return output
