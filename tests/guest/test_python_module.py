"""The module stubdomain_guest, with an agent that the test plays.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import select
import socket
import sys

import pytest

from vm import BUILD, TOP

MODULE = TOP / "guest" / "python"


@pytest.fixture(scope="module")
def stubdomain_guest():
    """The module, with the library of this build."""
    # The loader looks for a library where one of its name is loaded already.
    import ctypes
    ctypes.CDLL(str(BUILD / "core" / "guest" / "libstubdomain-guest.so.0"))
    sys.path.append(str(MODULE))
    import stubdomain_guest
    return stubdomain_guest


@pytest.fixture
def connections():
    """Two sockets; the agent that the test plays does not look at them."""
    pairs = [socket.socketpair() for _ in range(2)]
    yield [pair[0] for pair in pairs]
    for pair in pairs:
        for end in pair:
            end.close()


def test_wait_for_any(stubdomain_guest, agent, connections, thread):
    waiting = thread(stubdomain_guest.wait, connections, {"bytes": 5},
                     timeout=2.5, suspend=False)
    client = agent.accept()
    assert client.request() == ({"op": "wait", "plan": {"bytes": 5},
                                 "timeout": 2500, "suspend": False}, 2)
    client.answer(stubs=[7, 8])
    client.answer(stub=8, socket=1, outcome="closed", bytes=3)
    assert waiting.result(60) == (stubdomain_guest.Outcome.CLOSED, 3, 1)


def test_pollable(stubdomain_guest, agent, connections):
    with stubdomain_guest.Wait(connections[0]) as wait:
        client = agent.accept()
        assert client.request() == ({"op": "wait"}, 1)
        assert wait.poll() is None
        client.answer(stub=7, outcome="replied", bytes=1)
        assert select.select([wait], [], [], 60)[0]
        assert wait.poll().outcome == stubdomain_guest.Outcome.REPLIED


def test_wait_says_all_it_can(stubdomain_guest, agent, connections):
    with stubdomain_guest.Wait(connections[0], importance=5, depth="auto",
                               elapsed=1.5, expected=20,
                               request_class="search"):
        client = agent.accept()
        assert client.request() == ({"op": "wait", "importance": 5,
                                     "depth": "auto", "elapsed": 1500,
                                     "expected": 20000, "class": "search"}, 1)


def test_dropped_wait_is_taken_back(stubdomain_guest, agent, connections):
    with stubdomain_guest.Wait(connections[0]):
        client = agent.accept()
        client.request()
    assert client.request() == (None, 0)


def test_wait_is_taken_back_by_another_thread(stubdomain_guest, agent,
                                              connections, thread):
    wait = stubdomain_guest.Wait(connections)
    client = agent.accept()
    client.request()
    waiting = thread(wait.result)
    wait.cancel()
    assert client.request() == ({"op": "cancel"}, 0)
    client.answer(stub=7, outcome="cancelled", bytes=0)
    assert waiting.result(60).outcome == stubdomain_guest.Outcome.CANCELLED


def test_thread_and_inhibit(stubdomain_guest, agent, connections, thread):
    registering = thread(stubdomain_guest.Registration, "worker")
    client = agent.accept()
    assert client.request() == ({"op": "register", "name": "worker"}, 0)
    client.answer(thread=7)
    with registering.result(60) as registration:
        waiting = thread(stubdomain_guest.wait, connections[0],
                         thread=registration, importance=5)
        waiter = agent.accept()
        assert waiter.request() == ({"op": "wait", "thread": 7,
                                     "importance": 5}, 1)
        waiter.answer(outcome="replied", bytes=1)
        waiting.result(60)
    assert client.request() == (None, 0)

    inhibiting = thread(stubdomain_guest.Inhibit)
    client = agent.accept()
    assert client.request() == ({"op": "inhibit"}, 0)
    client.answer(inhibited=True)
    inhibiting.result(60).close()
    assert client.request() == (None, 0)


@pytest.mark.parametrize("reason, error", [
    ("invalid", "Invalid"), ("denied", "Denied"), ("busy", "Busy"),
    ("refused", "Refused"), ("device", "DeviceFailed")])
def test_errors(stubdomain_guest, agent, connections, thread, reason, error):
    waiting = thread(stubdomain_guest.wait, connections[0])
    client = agent.accept()
    client.request()
    client.answer(error="flow: why", reason=reason)
    with pytest.raises(getattr(stubdomain_guest, error), match="^flow: why$"):
        waiting.result(60)


def test_what_the_module_itself_refuses(stubdomain_guest, agent, connections):
    with pytest.raises(stubdomain_guest.Invalid):
        stubdomain_guest.wait([])
    with pytest.raises(stubdomain_guest.Invalid):
        stubdomain_guest.wait(connections[0], [1, 2])
    with pytest.raises(ValueError):
        stubdomain_guest.wait(connections[0], timeout=1 << 32)


def test_status(stubdomain_guest, agent, thread):
    waiting = thread(stubdomain_guest.status)
    shown = {"suspends": 1, "stubs": ["long"] * 2000}
    for _ in range(2):  # once more with a larger buffer
        client = agent.accept()
        assert client.request() == ({"op": "status"}, 0)
        client.answer(status=shown)
    assert waiting.result(60) == shown


def test_no_agent(stubdomain_guest, connections, monkeypatch, tmp_path):
    monkeypatch.setenv("STUBDOMAIN_AGENT_SOCKET", f"{tmp_path}/nobody")
    with pytest.raises(stubdomain_guest.NoAgent):
        stubdomain_guest.wait(connections[0])


def test_documentation_is_complete(stubdomain_guest):
    """Everything that is exported says what it is."""
    for name in stubdomain_guest.__all__:
        assert getattr(stubdomain_guest, name).__doc__, name
