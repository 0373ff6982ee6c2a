"""stubctl, with an agent that the test plays.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import json
import subprocess

import pytest

from vm import BUILD

STUBCTL = BUILD / "core" / "guest" / "stubctl"
STATUS = {"suspends": 3, "restores": 2, "interrupts": "uio", "waits": 0,
          "inhibits": 1, "stubs": [],
          "threads": [{"thread": 7, "name": "worker"}]}


def stubctl(*arguments):
    """(exit status, output)"""
    result = subprocess.run([STUBCTL, *arguments], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return result.returncode, result.stdout


@pytest.mark.parametrize("command, status", [
    (["true"], 0), (["sh", "-c", "exit 42"], 42),
    (["sh", "-c", "kill -9 $$"], 137)])
def test_inhibit_lasts_as_long_as_its_command(agent, thread, command, status):
    running = thread(stubctl, "inhibit", *command)
    client = agent.accept()
    assert client.request() == ({"op": "inhibit"}, 0)
    client.answer(inhibited=True)
    assert running.result(60) == (status, "")
    assert client.request() == (None, 0)


def test_options_behind_the_command_are_its_own(agent, thread):
    running = thread(stubctl, "inhibit", "echo", "--json", "-x", "--", "y")
    client = agent.accept()
    client.request()
    client.answer(inhibited=True)
    assert running.result(60) == (0, "--json -x -- y\n")


def test_refused_inhibit_runs_nothing(agent, thread, tmp_path):
    running = thread(stubctl, "inhibit", "touch", tmp_path / "file")
    client = agent.accept()
    client.request()
    client.answer(error="too many", reason="refused")
    assert running.result(60) == (7, "stubctl: refused: too many\n")
    assert not (tmp_path / "file").exists()


def test_command_that_is_not_there(agent, thread):
    running = thread(stubctl, "inhibit", "/nowhere")
    client = agent.accept()
    client.request()
    client.answer(inhibited=True)
    assert running.result(60) == (
        1, "stubctl: /nowhere: No such file or directory\n")


@pytest.mark.parametrize("arguments, output", [
    (["threads"], "thread 7: worker\n"),
    (["--json", "threads"], json.dumps(STATUS["threads"], sort_keys=True,
                                       separators=(",", ":")) + "\n"),
    (["status"], "suspends:   3\nrestores:   2\ninterrupts: uio\n"
                 "waits:      0 through this agent\n"
                 "inhibits:   1 through this agent\n")])
def test_what_is_shown(agent, thread, arguments, output):
    running = thread(stubctl, *arguments)
    client = agent.accept()
    assert client.request() == ({"op": "status"}, 0)
    client.answer(status=STATUS)
    assert running.result(60) == (0, output)


def test_plan_is_checked_by_the_host(agent, thread, tmp_path):
    plan = tmp_path / "plan"
    plan.write_text('{"bytes": 5}')
    running = thread(stubctl, "plan", "check", plan)
    client = agent.accept()
    assert client.request() == ({"op": "check", "plan": {"bytes": 5}}, 0)
    client.answer(checked=True)
    assert running.result(60) == (0, f"{plan}: ok\n")
    running = thread(stubctl, "--json", "plan", "check", plan)
    client = agent.accept()
    client.request()
    client.answer(error="plan.bytes: too few", reason="refused")
    status, output = running.result(60)
    assert status == 7
    assert "stubctl: refused: plan.bytes: too few\n" in output


@pytest.mark.parametrize("content, words", [
    ("{", "plan"), ("[]", "object"), ("", "plan")])
def test_plan_that_is_no_json(tmp_path, content, words):
    plan = tmp_path / "plan"
    plan.write_text(content)
    status, output = stubctl("plan", "check", plan)
    assert (status, words in output) == (7, True), output


def test_history(agent, thread):
    decision = {"decided": "wake", "why": "replies", "age": 3, "registered": 0,
                "answered": 1, "awaited": 2, "replies": 1}
    for options, output in [
            ([], "3 ms ago: wake, because of replies; 1 of 2 were answered, "
                 "1 had to be\n"),
            (["--json"], json.dumps(decision, sort_keys=True,
                                    separators=(",", ":")) + "\n")]:
        running = thread(stubctl, *options, "history")
        client = agent.accept()
        assert client.request() == ({"op": "history"}, 0)
        client.answer(history=[decision])
        assert running.result(60) == (0, output)


def test_wait_says_all_it_can_and_shows_who_claimed(agent, thread):
    running = thread(stubctl, "wait", "--fd", "0", "--depth", "idle",
                     "--evict-delay", "0", "--expected", "2000",
                     "--class", "search")
    client = agent.accept()
    assert client.request() == ({"op": "wait", "depth": "idle",
                                 "evict-delay": 0, "expected": 2000,
                                 "class": "search"}, 1)
    client.answer(outcome="replied", bytes=3, handler="late")
    assert running.result(60) == (0, "replied, 3 bytes, by late\n")


def test_wait_of_a_thread(agent, thread):
    running = thread(stubctl, "wait", "--fd", "0", "--thread", "7",
                     "--importance", "5")
    client = agent.accept()
    assert client.request() == ({"op": "wait", "thread": 7, "importance": 5}, 1)
    client.answer(outcome="replied", bytes=3)
    assert running.result(60) == (0, "replied, 3 bytes\n")


@pytest.mark.parametrize("arguments", [
    ["inhibit"], ["wait", "--fd", "0", "--importance", "6"], ["thread"],
    ["wait", "--fd", "0", "--depth", "deep"], ["plan"], ["plan", "check"]])
def test_wrong_usage(arguments):
    assert stubctl(*arguments)[0] == 2
