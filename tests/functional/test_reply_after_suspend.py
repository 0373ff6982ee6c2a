"""The main job: a reply that comes to a suspended guest.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import pytest

import memory
from peer import noise
from program import Download, sha256, suspend_on_wait


def test_guest_sleeps_and_reads_the_reply(vm, peer):
    body = noise(300_000)
    program = Download(vm, peer.port)
    connection = peer.accept_request()
    suspended = vm.wait_suspended()

    assert vm.run_state() == "paused"
    assert vm.info()["state"] == "suspended"
    assert suspended["file"] == f"{vm.suspend_dir}/stub0.suspend"

    connection.reply(body)
    connection.close()
    restored = vm.wait_restored()
    assert vm.run_state() == "running"
    assert restored["reason"] == "reply"

    report = program.finish()
    assert report.sha256 == sha256(body)
    assert any(text.startswith("wait ended: replied") for text in report.texts)
    assert vm.info()["state"] == "running"
    assert vm.event_names() == ["WAIT", "SUSPENDING", "STOP", "SUSPENDED",
                                "REPLY", "RESUME", "RESTORED"]


def test_memory_goes_back_to_the_host(vm, peer):
    blocks = memory.ram_blocks(vm)
    # What a guest usually has: a page cache, and a program's data.
    vm.write_data(60)
    before = memory.resident_bytes(vm.get_pid(), blocks)
    told_before = vm.info()["resident"]
    assert before > 60 << 20

    program, connection, suspended = suspend_on_wait(vm, peer)
    after = (memory.resident_bytes(vm.get_pid(), blocks)
             + memory.page_cache_bytes(suspended["file"]))
    assert after <= before // 100
    # QEMU's own figures agree.
    info = vm.info()
    assert info["guest-ram"] >= 256 << 20
    assert told_before == pytest.approx(before, rel=0.1)
    assert info["resident"] <= before // 100

    connection.reply(b"x")
    connection.close()
    assert program.finish().sha256 == sha256(b"x")


def test_reply_in_pieces_goes_on_after_the_wake(vm, peer):
    """A5, A16e: what comes later comes to the guest directly."""
    pieces = [noise(70_000, seed) for seed in range(5)]
    program, connection, _ = suspend_on_wait(vm, peer)
    connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + pieces[0])
    vm.wait_restored()
    for piece in pieces[1:]:
        connection.send(piece)
    connection.close()
    assert program.finish().sha256 == sha256(b"".join(pieces))
    assert vm.info()["kept"] == 0


def test_the_guests_socket_sends_after_the_wake(vm, peer):
    """A4, A16d: the socket works in both directions, as if nothing was."""
    vm.shell.put(b"""
        exec 3<>/dev/tcp/10.0.2.2/$1
        echo question >&3
        stubctl wait --fd 3
        read -r answer <&3
        echo "thanks for $answer" >&3
        cat <&3
    """, "/tmp/talk")
    talk = vm.shell.start(f"bash /tmp/talk {peer.port}")
    connection = peer.accept()
    assert connection.read_line() == "question"
    vm.wait_suspended()
    connection.send(b"answer\n")
    vm.wait_restored()
    assert connection.read_line() == "thanks for answer"
    connection.send(b"goodbye\n")
    connection.close()
    assert talk.wait().output == "replied, 7 bytes\ngoodbye\n"


def test_unmodified_reader_without_a_wait_is_not_disturbed(vm, peer):
    """A running guest's traffic just passes."""
    body = noise(3 << 20)
    job = vm.shell.start(
        f"wget -q -O - http://10.0.2.2:{peer.port}/ | sha256sum")
    connection = peer.accept_request()
    connection.reply(body)
    connection.close()
    assert job.wait().output.split()[0] == sha256(body)
    assert vm.event_names() == []
