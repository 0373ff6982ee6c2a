"""What the host's policy makes of waits, in a real guest: how long they must be,
and how many replies wake.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import time

import pytest

import decisions
from talk import Talk
from vm import TIMEOUT

NEVER = 3_600_000  # ms: beyond the end of any test


def sleeps_until_answered(vm, talk, text):
    vm.wait_suspended()
    talk.answer(text)
    vm.wait_restored()
    assert talk.finish() == text


def stays(vm, talk, why):
    """It runs on with this wait; the decision."""
    vm.wait_event("STUBDOMAIN_WAIT")
    decisions.await_last(vm, "stay", why)
    decision = vm.info()["decisions"][-1]
    assert not vm.sleeps_on(1)
    assert vm.run_state() == "running"
    talk.answer("soon")
    assert talk.finish() == "soon"
    return decision


def test_wait_must_be_longer_than_the_threshold(vm, peer):
    vm.set_policy(threshold=60_000)
    decision = stays(vm, Talk(vm, peer, "--expected 30000"), "short")
    assert decision["least"] == 60_000
    assert 20_000 < decision["expected"] <= 30_000
    # The end of a longest wait wakes as well.
    stays(vm, Talk(vm, peer, "--timeout 30000"), "short")
    sleeps_until_answered(vm, Talk(vm, peer, "--expected 90000"), "a")
    assert ("suspend", "waits") in decisions.all_of(vm)
    # What nothing is known of is long.
    sleeps_until_answered(vm, Talk(vm, peer), "b")


def test_suspend_must_be_worth_what_it_costs(vm, peer):
    """By what the first one cost."""
    sleeps_until_answered(vm, Talk(vm, peer, "--expected 5000"), "a")
    vm.set_policy(vm_value=100_000_000)
    decision = stays(vm, Talk(vm, peer, "--expected 20000"), "short")
    assert decision["least"] > 20_000
    costs = decision["costs"]
    assert costs["suspend"] > 0 and costs["wake"] > 0
    assert 0 < costs["given-back"] <= costs["guest-ram"]
    # A VM that costs nothing while it does not run.
    vm.set_policy(vm_value=1)
    sleeps_until_answered(vm, Talk(vm, peer, "--expected 20000"), "b")


def test_scarce_memory_makes_it_worth_more(make_vm, peer, tmp_path):
    """The host's pressure is what a file says that lies over the kernel's."""
    pressure = tmp_path / "memory"

    def press(some, full):
        pressure.write_text("".join(
            f"{name} avg10={value:.2f} avg60=0.00 avg300=0.00 total=1\n"
            for name, value in (("some", some), ("full", full))))

    press(0, 0)
    vm = make_vm(wrapper=(
        "unshare", "--mount", "sh", "-c",
        f'mount --bind {pressure} /proc/pressure/memory && exec "$@"', "sh"),
        device="threshold=60000,pressure=on").boot()
    decision = stays(vm, Talk(vm, peer, "--expected 15000"), "short")
    assert decision["least"] == 60_000
    press(20.5, 3.1)  # 1, 1 for each 10 % of the one and 1 % of the other
    sleeps_until_answered(vm, Talk(vm, peer, "--expected 15000"), "a")
    (suspend,) = [d for d in vm.info()["decisions"]
                  if d["decided"] == "suspend"]
    assert suspend["least"] == 10_000
    assert suspend["pressure"] == {"some": 20, "full": 3}
    # It is none of the guest's business.
    history = vm.shell.check("stubctl --json history")
    assert "costs" in history and "pressure" not in history
    # It does not count without the property.
    vm.set_policy(pressure=False)
    stays(vm, Talk(vm, peer, "--expected 15000"), "short")


def test_reply_times_are_learned_by_class(vm, peer):
    vm.set_policy(threshold=60_000, learned_quantile=50, suspend_delay=NEVER)
    for _ in range(4):
        talk = Talk(vm, peer, "--class quick")
        vm.wait_event("STUBDOMAIN_WAIT")
        time.sleep(3)
        talk.answer()
        assert talk.finish() == "answer"
    assert vm.info()["learned"] == 1
    vm.set_policy(suspend_delay=100)
    # Nothing is known of this one.
    sleeps_until_answered(vm, Talk(vm, peer, "--class slow"), "a")
    assert ("stay", "short") not in decisions.all_of(vm)
    # This one takes as long as the others, and then longer.
    talk = Talk(vm, peer, "--class quick")
    vm.wait_event("STUBDOMAIN_WAIT")
    (stub,) = vm.stubs()
    assert 2000 <= stub["expected"] <= 8000
    sleeps_until_answered(vm, talk, "b")
    assert ("stay", "short") in decisions.all_of(vm)


def asleep(vm, peer, *options):
    """Programs that wait with these options, while the VM sleeps."""
    vm.set_policy(suspend_delay=NEVER)
    talks = [Talk(vm, peer, option) for option in options]
    deadline = time.monotonic() + TIMEOUT
    while len(vm.stubs()) < len(talks):
        assert time.monotonic() < deadline, vm.stubs()
        time.sleep(0.05)
    vm.suspend()
    return talks


def end(vm, talks):
    for talk in talks:
        talk.answer()
    assert [talk.finish() for talk in talks] == ["answer"] * len(talks)


@pytest.mark.parametrize("policy", [{"wake_replies": 2}, {"wake_share": 60}])
def test_replies_are_kept_until_enough_have_come(vm, peer, policy):
    vm.set_policy(wake_importance=6, **policy)
    talks = asleep(vm, peer, "", "", "")
    talks[1].answer()
    assert vm.wait_event("STUBDOMAIN_REPLY")["outcome"] == "replied"
    assert vm.sleeps_on(1)
    info = vm.info()
    assert info["kept"] == len("answer\n")
    decision = info["decisions"][-1]
    assert (decision["decided"], decision["why"]) == ("sleep", "replies")
    assert (decision["awaited"], decision["answered"],
            decision["replies"]) == (3, 1, 2)
    talks[2].answer()
    assert vm.wait_restored()["reason"] == "reply"
    assert [talks[i].finish() for i in (1, 2)] == ["answer"] * 2
    end(vm, talks[:1])


def test_earliest_longest_wait_wakes(vm, peer):
    vm.set_policy(wake_importance=6, wake_share=100)
    talks = asleep(vm, peer, "", "--timeout 10000", f"--timeout {NEVER}")
    talks[2].answer()
    vm.wait_event("STUBDOMAIN_REPLY")
    assert vm.wait_restored()["reason"] == "timeout"
    assert talks[2].finish() == "answer"
    end(vm, talks[:2])


def test_plan_says_how_important_a_reply_is(vm, peer):
    vm.set_policy(wake_importance=4, wake_replies=3)
    vm.shell.put(b"""{"handlers": [
        {"name": "urgent", "when": {"pattern": {"regex": "now"}},
         "do": [{"action": "importance", "value": 4}, "restore"]},
        {"name": "some", "when": {"body": 3}}]}""", "/tmp/plan")
    talks = asleep(vm, peer, *["--plan /tmp/plan"] * 3)
    talks[0].answer("later")
    assert vm.wait_event("STUBDOMAIN_REPLY")["outcome"] == "replied"
    assert vm.sleeps_on(1)
    talks[1].answer("now")
    vm.wait_restored()
    assert ("wake", "importance") in decisions.all_of(vm)
    assert [talk.finish() for talk in talks[:2]] == ["later", "now"]
    end(vm, talks[2:])


def test_delay_counts_from_the_call(make_python_vm, peer):
    """A program says late that it has waited for long already."""
    vm = make_python_vm(device=f"suspend-delay={NEVER}")
    vm.shell.put(b"""
import socket, sys, stubdomain_guest
with socket.create_connection(("10.0.2.2", int(sys.argv[1]))) as connection:
    connection.sendall(b"question\\n")
    stubdomain_guest.wait(connection, elapsed=int(sys.argv[2]))
    print(connection.recv(100).decode().strip())
""", "/tmp/late.py")

    def ask(elapsed):
        job = vm.shell.start(f"python3 /tmp/late.py {peer.port} {elapsed}")
        connection = peer.accept()
        connection.read_line()
        vm.wait_event("STUBDOMAIN_WAIT")
        return job, connection

    job, connection = ask(1)
    decisions.await_last(vm, "stay", "delay")
    connection.send(b"a\n")
    assert job.wait().output == "a\n"
    job, connection = ask(NEVER // 1000 + 1)
    vm.wait_suspended()
    connection.send(b"b\n")
    vm.wait_restored()
    assert job.wait().output == "b\n"
