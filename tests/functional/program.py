"""The program in the guest: it sends a request, tells its agent that it waits
for the reply, and reads the reply from its socket.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import dataclasses
import hashlib
import re

from vm import HOST_OF_GUEST, TIMEOUT


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@dataclasses.dataclass(frozen=True)
class Step:
    """A line that sdwait-http reported, with the guest's clocks then."""

    wall: float
    monotonic: float
    text: str


@dataclasses.dataclass(frozen=True)
class Report:
    """What came of a download."""

    sha256: str
    steps: list

    def step(self, beginning):
        """The one step whose text begins so."""
        (step,) = (s for s in self.steps if s.text.startswith(beginning))
        return step

    @property
    def texts(self):
        return [step.text for step in self.steps]


class Download:
    """sdwait-http in the guest, started."""

    def __init__(self, vm, port, *options, host=HOST_OF_GUEST, name="download"):
        self.vm = vm
        self.log = f"/tmp/{name}.log"
        self.job = vm.shell.start(
            f"sdwait-http {' '.join(options)} {host} {port} / "
            f"2>{self.log} | sha256sum")

    def finish(self, timeout=TIMEOUT):
        digest = self.job.wait(timeout).output.split()[0]
        log = self.vm.shell.check(f"cat {self.log}")
        steps = [
            Step(float(wall), float(monotonic), text)
            for wall, monotonic, text in re.findall(
                r"^wall=(\S+) monotonic=(\S+) (.*)$", log, flags=re.M)]
        # What is not such a line is a complaint.
        steps += [Step(0, 0, line) for line in log.splitlines()
                  if not line.startswith("wall=")]
        return Report(digest, steps)


def suspend_on_wait(vm, peer, *options, **more):
    """
    The usual beginning: the program waits, the VM is suspended. Returns the
    program, the peer's end of its connection, and what the event told.
    """
    program = Download(vm, peer.port, *options, **more)
    connection = peer.accept_request()
    return program, connection, vm.wait_suspended()
