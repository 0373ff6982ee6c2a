"""The plans in the documents.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import json
import re

from vm import TOP

PAGE = TOP / "docs" / "interop" / "stubdomain-plan.rst"


def plans():
    """The indented blocks of the page that are JSON objects."""
    blocks = re.findall(r"::\n\n((?:  .*\n|\n)+)", PAGE.read_text())
    return [json.loads(block) for block in blocks
            if block.strip().startswith("{")]


def test_every_plan_of_the_page_is_taken(vm):
    found = plans()
    assert len(found) >= 5
    for plan in found:
        protocol = "udp" if plan.get("format") == "dns" else "tcp"
        flow = {"protocol": protocol, "guest": {"port": 1},
                "peer": {"host": "192.0.2.1", "port": 1}}
        answer = vm.qmp("stubdomain-listen", {"flow": flow, "plan": plan})
        if protocol == "tcp":
            # Nothing is wrong but that there is no such connection.
            assert "no such connection" in answer["error"]["desc"], plan
        else:
            vm.cmd("stubdomain-unlisten", stub=answer["return"]["stub"])
