"""Two network namespaces with the core between them: one is the guest, the
other its peers. Both ends are the kernel's TCP.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.append(str(TESTS))
from harness.namespace import Namespace

from traffic import expect_acknowledged, receive_exactly

PROXY = TESTS.parent / "build" / "core" / "tests" / "engine" / "engine-proxy"
DEVICE = "tap0"
TIMEOUT = 60  # a stream that takes longer has stalled
GUEST = {4: "192.0.2.2", 6: "2001:db8::2"}    # addresses for documentation
PEER = {4: "192.0.2.1", 6: "2001:db8::1"}
NETWORK = {4: "192.0.2.0/24", 6: "2001:db8::/64"}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}

# From include/net/tcp_states.h, as /proc/net/tcp has them.
LISTEN, TIME_WAIT = 0x0A, 0x06


@dataclasses.dataclass(frozen=True)
class Tcp:
    """How both kernels are set."""
    window_scaling: bool = True
    timestamps: bool = True
    sack: bool = True
    congestion: str = "cubic"
    mtu: int = 1500
    mss: int | None = None
    offload: bool = False

    def sysctls(self):
        return [f"net.ipv4.tcp_window_scaling={int(self.window_scaling)}",
                f"net.ipv4.tcp_timestamps={int(self.timestamps)}",
                f"net.ipv4.tcp_sack={int(self.sack)}"]


@dataclasses.dataclass(frozen=True)
class Faults:
    """Of the wires on both sides of the core; probabilities for a frame."""
    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0


CLEAN = Faults()
BAD = Faults(drop=0.005, duplicate=0.005, reorder=0.01)


class End(Namespace):
    """The guest's or the peers' namespace."""

    def __init__(self, name, addresses, tcp):
        super().__init__(name)
        self.addresses = addresses
        self._tcp = tcp
        try:
            self._set_up(tcp)
        except BaseException:
            self.close()
            raise

    def _set_up(self, tcp):
        self.ip("tuntap", "add", DEVICE, "mode", "tap", "vnet_hdr")
        self.run("sysctl", "-qw", f"net.ipv6.conf.{DEVICE}.accept_dad=0",
                 f"net.ipv6.conf.{DEVICE}.router_solicitations=0",
                 *tcp.sysctls())
        self.ip("link", "set", DEVICE, "mtu", tcp.mtu, "up")
        for family, prefix in (4, 24), (6, 64):
            self.ip("address", "add", f"{self.addresses[family]}/{prefix}",
                    "dev", DEVICE, "noprefixroute",
                    *(["nodad"] if family == 6 else []))
            self.ip(f"-{family}", "route", "add", NETWORK[family],
                    "dev", DEVICE,
                    *(["advmss", tcp.mss] if tcp.mss else []))

    def tcp_socket(self, family):
        made = self.make_socket(family, socket.SOCK_STREAM)
        made.settimeout(TIMEOUT)
        # The namespace's default cannot be any that the host's may be.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION,
                        self._tcp.congestion.encode())
        return made

    def listen(self, family):
        listener = self.tcp_socket(FAMILY[family])
        listener.bind((self.addresses[family], 0))
        listener.listen(64)
        return listener

    def connect(self, address, configure=None):
        client = self.tcp_socket(FAMILY[6 if ":" in address[0] else 4])
        if configure:
            configure(client)
        client.connect(address[:2])
        return client

    def states(self):
        """Of its TCP sockets, without listening ones."""
        lines = [line for name in ("tcp", "tcp6") for line in
                 self.run("cat", f"/proc/net/{name}").splitlines()[1:]]
        states = [int(line.split()[3], 16) for line in lines]
        return [state for state in states if state != LISTEN]

    def counter(self, group, name):
        """From /proc/net/snmp or netstat."""
        file = "snmp" if group == "Tcp" else "netstat"
        names, values = (line.split() for line in
                         self.run("cat", f"/proc/net/{file}").splitlines()
                         if line.startswith(f"{group}:"))
        return int(values[names.index(name)])


class Proxy:
    """The program engine-proxy."""

    def __init__(self, arguments, log):
        self.suspends = 0
        self._log = log
        self._events = []
        self._news = threading.Condition()
        self._over = False
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [str(word) for word in (PROXY, *arguments)], text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.wait("ready")

    def _read(self):
        for line in self._process.stdout:
            event = json.loads(line)
            with self._news:
                self.suspends = event.get("suspends", 0)
                self._events.append(event)
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()

    def command(self, text):
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()

    def wait(self, name):
        """Takes the next event of the name, and forgets those before it."""
        def found():
            return self._over or any(event["event"] == name
                                     for event in self._events)
        with self._news:
            assert self._news.wait_for(found, TIMEOUT), f"no event {name}"
            while self._events:
                event = self._events.pop(0)
                if event["event"] == name:
                    return event
        raise AssertionError(f"engine-proxy ended:\n{self._log.read_text()}")

    def status(self):
        self.command("status")
        return self.wait("status")

    def suspend(self):
        """As often as it takes: some fail."""
        with self._news:
            self._events.clear()
        self.command("suspend")
        while True:
            with self._news:
                assert self._news.wait_for(
                    lambda: self._events or self._over, TIMEOUT)
                assert not self._over, self._log.read_text()
                event = self._events.pop(0)["event"]
            if event == "suspended":
                return
            self.command("suspend")

    def listen(self, how, port, wanted, guest_port=0):
        self.command(f"listen {how} {port} {wanted} {guest_port}")
        self.wait("listening")

    def restore(self):
        self.command("restore")
        self.wait("running")

    def close(self):
        self._process.stdin.close()
        status = self._process.wait(TIMEOUT)
        self._reader.join()
        self._process.stdout.close()
        assert status == 0, self._log.read_text()


class Rig:
    def __init__(self, log, seed, tcp=Tcp(), faults=BAD):
        name = f"stubdomain-engine-{os.getpid()}"
        with contextlib.ExitStack() as made:
            def make(kind, *arguments):
                return made.enter_context(
                    contextlib.closing(kind(*arguments)))

            self.guest = make(End, f"{name}-guest", GUEST, tcp)
            self.peer = make(End, f"{name}-peer", PEER, tcp)
            self.proxy = make(
                Proxy, ["--guest", self.guest.name, "--peer", self.peer.name,
                        "--device", DEVICE, "--seed", seed,
                        "--drop", faults.drop, "--reorder", faults.reorder,
                        "--duplicate", faults.duplicate,
                        *(["--offload"] if tcp.offload else [])], log)
            self._made = made.pop_all()

    def close(self):
        self._made.close()

    def pair(self, family, opener="guest", configure=None):
        """A connection: the guest's socket, the peer's socket."""
        opening, other = ((self.guest, self.peer) if opener == "guest" else
                          (self.peer, self.guest))
        with other.listen(family) as listener:
            opened = opening.connect(listener.getsockname(), configure)
            accepted, _ = listener.accept()
        accepted.settimeout(TIMEOUT)
        return ((opened, accepted) if opener == "guest" else
                (accepted, opened))

    def talked_pair(self, family, opener="guest"):
        """A pair that is not new: both ends know the round trip, even if the
        first SYN was lost."""
        guest, peer = self.pair(family, opener)
        for _ in range(30):
            guest.sendall(b"question")
            assert receive_exactly(peer, 8) == b"question"
            peer.sendall(b"answer")
            assert receive_exactly(guest, 6) == b"answer"
        expect_acknowledged(peer)
        return guest, peer

    def greet(self, family):
        """So that the stub domain knows the guest's address: it answers for
        those that it has heard the guest use."""
        for end in self.pair(family):
            end.close()
        self.expect_no_sockets()

    def expect_no_sockets(self):
        """But for those in TIME-WAIT, which belongs to an orderly end."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            states = self.guest.states() + self.peer.states()
            if all(state == TIME_WAIT for state in states):
                break
            assert time.monotonic() < deadline, f"left over: {states}"
            time.sleep(0.05)

    def expect_all_over(self):
        """Every connection has ended in an orderly way. Returns the proxy's
        status."""
        self.expect_no_sockets()
        for end in self.guest, self.peer:
            assert end.counter("Tcp", "EstabResets") == 0
            assert end.counter("TcpExt", "TCPAbortOnTimeout") == 0
        return self.expect_nothing_kept()

    def expect_nothing_kept(self):
        """Soon: the guest's last acknowledgment may have been lost, and what
        it was for is sent again. Returns the proxy's status."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            status = self.proxy.status()
            assert status["running"], status
            if status["kept"] == 0:
                return status
            assert time.monotonic() < deadline, status
            time.sleep(0.05)
