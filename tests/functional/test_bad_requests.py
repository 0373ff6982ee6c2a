"""Requests over QMP that are refused, and what is said of them.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import json

import pytest

from vm import Vm


@pytest.fixture(scope="module")
def idle_vm(tmp_path_factory):
    vm = Vm(tmp_path_factory.mktemp("idle"), arguments=["-S"])
    vm.launch()
    yield vm
    vm.close()


# Well-formed; a VM that never ran has no such connection.
GOOD = {"flow": {"guest": {"host": "10.0.2.15", "port": 40000},
                 "peer": {"host": "10.0.2.2", "port": 80}}}


BAD = [
    ({}, ["flow"]),
    ({"flow": {}}, ["connection"]),
    ({"flow": "10.0.2.2:80"}, ["flow"]),
    ({"flow": {"peer": {"host": "10.0.2.2/33", "port": 80}}},
     ["flow.peer.host"]),
    ({"flow": {"peer": {"host": "example", "port": 80}}},
     ["flow.peer.host", "example"]),
    ({"flow": {"peer": {"host": "10.0.2.256", "port": 80}}},
     ["flow.peer.host"]),
    ({"flow": {"peer": {"host": "", "port": 80}}}, ["flow.peer.host"]),
    ({"flow": {"peer": {"host": "10.0.2.2", "port": 0}}}, ["flow.peer.port"]),
    ({"flow": {"peer": {"host": "10.0.2.2", "port": 65536}}}, ["port"]),
    ({"flow": {"peer": {"host": "10.0.2.2", "port": -1}}}, ["port"]),
    ({"flow": {"peer": {"host": "10.0.2.2", "port": "80"}}},
     ["flow.peer.port"]),
    ({"flow": {**GOOD["flow"], "protocol": "sctp"}}, ["protocol", "sctp"]),
    ({"flow": {**GOOD["flow"], "guest": {"host": "fec0::15", "port": 1}}},
     ["flow"]),
    ({**GOOD, "buffer": {"nonce": "00" * 16, "pages": [4096], "length": 9}},
     ["buffer: only for waits of the guest"]),
    ({**GOOD, "buffer": {"nonce": "00" * 16, "pages": 4096, "length": 9}},
     ["buffer.pages"]),
    ({**GOOD, "plan": {"bytes": 0}}, ["plan.bytes"]),
    ({**GOOD, "plan": {"byte": 1}}, ["plan.byte"]),
    ({**GOOD, "plan": 1}, ["plan"]),
    ({**GOOD, "plan": {"format": "ftp"}}, ["format", "ftp"]),
    ({**GOOD, "plan": {"bytes": 5, "otherwise": "ignore", "handlers":
                       [{"when": {"bytes": 1}}]}}, ["plan.bytes"]),
    ({**GOOD, "plan": {"handlers": [{"when": {"bytes": 1}}, {"when": {}}]}},
     ["plan.handlers[1].when: is empty"]),
    ({**GOOD, "plan": {"handlers": [{"do": ["restore"]}]}},
     ["plan.handlers[0].when"]),
    ({**GOOD, "plan": {"handlers": [{"when": {"any": [{"pattern":
                                                       {"regex": "a("}}]}}]}},
     ["plan.handlers[0].when.any[0].pattern.regex: missing )"]),
    ({**GOOD, "plan": {"handlers": [{"when": {"bytes": 1}, "do": [17]}]}},
     ["StubdomainPlanAction"]),
    ({**GOOD, "plan": {"handlers": [{"when": {"bytes": 1},
                                     "do": [{"action": 5}]}]}},
     ["plan.handlers[0].do[0].action"]),
    ({**GOOD, "plan": {"handlers": [{"when": {"icmp": "x"}}]}},
     ["icmp", "'x'"]),
    ({**GOOD, "plan": {"handlers": [{"when": {"icmp": True}}]}},
     ["plan.handlers[0].when.icmp"]),
    ({**GOOD, "plan": {"handlers": [{"when": {"bytes": -1}}]}},
     ["plan.handlers[0].when.bytes"]),
    ({**GOOD, "plan": {"handlers": [
        {"when": {"bytes": 1}, "do": [{"action": "send", "bytes": "0g"}]}]}},
     ["plan.handlers[0].do[0].bytes: must be bytes"]),
    ({**GOOD, "plan": {"format": "http", "handlers": [
        {"when": {"bytes": 1}, "do": [
            "alert", {"action": "script", "source": "return 'restore'"}]}]}},
     ["plan.handlers[0].do[1]: this host allows no scripts"]),
    ({**GOOD, "plan": {"format": "http", "handlers": [
        {"when": {"bytes": 1}, "do": ["restore", "restore"]}]}},
     ["plan.handlers[0].do[1]: not behind restore"]),
    ({"flow": {**GOOD["flow"], "guest": {"port": 5}, "protocol": "udp"},
      "plan": {"handlers": [{"when": {"bytes": 1},
                             "do": ["restore", "alert"]}]}},
     ["nothing can follow restore, for a datagram"]),
    ({**GOOD, "plan": {"late": ["restore"]}}, ["plan.late[0]: only alert"]),
    ({**GOOD, "plan": {"retries": {"times": 3, "after": 100}}},
     ["plan.retries.repeatable"]),
    ({"flow": {**GOOD["flow"], "guest": {"port": 5}, "protocol": "udp"},
      "plan": {"late": [{"action": "answer", "http": {}}]}},
     ["a datagram cannot be"]),
    ({"flow": {"guest": {"port": 80}}, "accept": "answer",
      "plan": {"format": "http"}}, ["plan: only bytes"]),
    ({"flow": {**GOOD["flow"], "protocol": "udp"}, "plan": {"format": "tls"}},
     ["plan.format"]),
    ({**GOOD, "timeout": -1}, ["timeout"]),
    ({**GOOD, "timeout": 1 << 32}, ["timeout"]),
    ({**GOOD, "nonsense": 1}, ["nonsense"]),
    (GOOD, ["connection"]),
]


@pytest.mark.parametrize("arguments, words", BAD,
                         ids=[json.dumps(arguments) for arguments, _ in BAD])
def test_bad_request_names_what_is_wrong(idle_vm, arguments, words):
    message = idle_vm.error_of("stubdomain-listen", arguments)
    for word in words:
        assert word in message
    assert idle_vm.stubs() == []


def test_unknown_stub_is_refused(idle_vm):
    assert "stub" in idle_vm.error_of("stubdomain-unlisten", {"stub": 7})
