"""A network namespace with a tap device, whose other end is the guest: the
host kernel's TCP is the peer.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import contextlib
import os
import pathlib
import socket
import struct
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))
from harness.namespace import Namespace

TAP = "tap0"
PREFIXES = {4: 24, 6: 64}
HOST = {4: "192.0.2.1", 6: "2001:db8::1"}    # addresses for documentation
GUEST = {4: "192.0.2.2", 6: "2001:db8::2"}


class TapNetwork(Namespace):
    def __init__(self, name=f"stubdomain-test-{os.getpid()}"):
        super().__init__(name)
        self.ip("tuntap", "add", TAP, "mode", "tap", "vnet_hdr")
        # No other IPv6 traffic than the test's.
        self.run("sysctl", "-qw", f"net.ipv6.conf.{TAP}.accept_dad=0",
                 f"net.ipv6.conf.{TAP}.router_solicitations=0")
        for family in (4, 6):
            self.ip("address", "add", f"{HOST[family]}/{PREFIXES[family]}",
                    "dev", TAP)
        self.ip("link", "set", TAP, "up")

    def connect(self, host, port, timeout):
        """A connection from the namespace to a listening guest."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        client = self.make_socket(family, socket.SOCK_STREAM)
        client.settimeout(timeout)
        client.connect((host, port))
        return client

    @contextlib.contextmanager
    def loss(self, family):
        """All TCP from the guest is lost for a while."""
        command = "iptables" if family == 4 else "ip6tables"
        rule = ["INPUT", "-i", TAP, "-p", "tcp", "-j", "DROP"]
        self.run(command, "-A", *rule)
        yield
        self.run(command, "-D", *rule)

    @contextlib.contextmanager
    def rejection(self, family):
        """To all TCP from the guest an ICMP error is the answer for a while."""
        command = "iptables" if family == 4 else "ip6tables"
        error = ("icmp-host-unreachable" if family == 4
                 else "icmp6-addr-unreachable")
        rule = ["INPUT", "-i", TAP, "-p", "tcp", "-j", "REJECT",
                "--reject-with", error]
        self.run(command, "-A", *rule)
        yield
        self.run(command, "-D", *rule)

    @contextlib.contextmanager
    def no_resets(self, family):
        """The namespace's kernel sends no RST for a while."""
        command = "iptables" if family == 4 else "ip6tables"
        rule = ["OUTPUT", "-o", TAP, "-p", "tcp", "--tcp-flags", "RST", "RST",
                "-j", "DROP"]
        self.run(command, "-A", *rule)
        yield
        self.run(command, "-D", *rule)

    def received_segments(self):
        """TCP segments that the host's kernel received in here."""
        lines = self.run("cat", "/proc/net/snmp").splitlines()
        names, values = (line.split() for line in lines
                         if line.startswith("Tcp:"))
        return int(values[names.index("InSegs")])

    def forget_neighbours(self):
        self.ip("neighbour", "flush", "dev", TAP)

    def knows_guest(self, family):
        """Whether ARP, or neighbour discovery, found the guest."""
        return "lladdr" in self.run("ip", "neighbour", "show", GUEST[family],
                                    "dev", TAP)

    def ping(self, family, timeout=10):
        """Whether the guest's address answers an echo request."""
        payload = struct.pack("!HH", 0x5742, 1) + os.urandom(56)
        if family == 4:
            raw = self.make_socket(socket.AF_INET, socket.SOCK_RAW,
                                   socket.IPPROTO_ICMP)
            request, reply_type = b"\x08\x00", 0
        else:
            raw = self.make_socket(socket.AF_INET6, socket.SOCK_RAW,
                                   socket.IPPROTO_ICMPV6)
            request, reply_type = b"\x80\x00", 129
        checksum = internet_checksum(request + b"\x00\x00" + payload)
        deadline = time.monotonic() + timeout
        with raw, contextlib.suppress(TimeoutError):
            raw.sendto(request + struct.pack("!H", checksum) + payload,
                       (GUEST[family], 0))
            while True:
                raw.settimeout(max(0.001, deadline - time.monotonic()))
                answer, sender = raw.recvfrom(2048)
                icmp = answer[20:] if family == 4 else answer
                if (sender[0] == GUEST[family] and icmp[0] == reply_type
                        and icmp[4:] == payload):
                    return True
        return False


def tap_options(network):
    """Options of class Vm for a guest at the other end."""
    return {
        "netdev": f"tap,id=net0,ifname={TAP},script=no,downscript=no,"
                  "vnet_hdr=on",
        "append": f"sd.ip={GUEST[4]}/{PREFIXES[4]} sd.gw={HOST[4]} "
                  f"sd.ip6={GUEST[6]}/{PREFIXES[6]} sd.gw6={HOST[6]}",
        "wrapper": network.wrapper,
    }


def internet_checksum(data):
    # The kernel writes ICMPv6's own, which covers a pseudo header.
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff
