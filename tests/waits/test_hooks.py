"""What the administrator of a guest has run before a suspend.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import decisions
from program import Download, sha256

LOG = "/tmp/hooks.log"


def add_hook(vm, folder, name, script):
    path = f"/etc/stubdomain/{folder}/{name}"
    vm.shell.check(f"mkdir -p /etc/stubdomain/{folder}")
    vm.shell.put(f"#!/bin/sh\n{script}\n".encode(), path)
    vm.shell.check(f"chmod +x {path}")


def restart_agent(vm):
    """It looks for the first hook when it starts."""
    vm.shell.check("killall stubdomain-agent")
    vm.wait_agent(present=False)
    vm.shell.check("stubdomain-agent >/run/agent2.log 2>&1 &")
    vm.wait_agent()


def add_log_hooks(vm):
    for folder in ("pre.d", "post.d"):
        add_hook(vm, folder, "log", f'echo "$1" >>{LOG}')


def sleep_through_a_download(vm, peer):
    program = Download(vm, peer.port)
    connection = peer.accept_request()
    vm.wait_suspended()
    connection.reply(b"x")
    connection.close()
    vm.wait_restored()
    assert program.finish().sha256 == sha256(b"x")


def test_suspend_waits_for_the_hooks(vm, peer):
    add_log_hooks(vm)
    restart_agent(vm)
    sleep_through_a_download(vm, peer)
    assert vm.shell.check(f"cat {LOG}") == "suspending\nrestored\n"

    # The same for the host's own word.
    vm.cmd("stubdomain-suspend")
    vm.wait_suspended()
    vm.cmd("stubdomain-restore")
    vm.wait_restored()
    vm.shell.check(f"until [ $(wc -l <{LOG}) = 4 ]; do sleep 0.1; done")


def test_hook_that_hangs(vm, peer):
    add_hook(vm, "pre.d", "hang", "sleep 1000")
    restart_agent(vm)
    sleep_through_a_download(vm, peer)


def test_reply_meanwhile_ends_the_preparations(vm, peer):
    add_log_hooks(vm)
    # The reply is on its way before the hook is done.
    add_hook(vm, "pre.d", "slow", "touch /tmp/begun; sleep 0.6")
    restart_agent(vm)
    program = Download(vm, peer.port)
    connection = peer.accept_request()
    vm.shell.check("until [ -e /tmp/begun ]; do sleep 0.02; done")
    connection.reply(b"x")
    connection.close()
    assert program.finish().sha256 == sha256(b"x")
    vm.shell.check(f"until [ $(wc -l <{LOG}) = 2 ]; do sleep 0.1; done")
    assert vm.shell.check(f"cat {LOG}") == "suspending\nrestored\n"
    assert vm.info()["state"] == "running"


def test_what_the_host_decided_and_would_take(vm, peer):
    """stubctl history and plan check, with a real host."""
    vm.shell.put(b'{"handlers": [{"when": {"bites": 1}}]}', "/tmp/bad")
    vm.shell.put(b'{"handlers": [{"when": {"pattern": {"regex": "("}}}]}',
                 "/tmp/worse")
    vm.shell.put(b'{"handlers": [{"name": "any", "when": {"bytes": 1}}]}',
                 "/tmp/good")
    assert vm.shell.check("stubctl plan check /tmp/good") == "/tmp/good: ok\n"
    for plan in ("bad", "worse"):
        status, output = vm.shell.run(f"stubctl plan check /tmp/{plan} 2>&1")
        assert (status, "handlers[0]" in output) == (7, True), output
    vm.shell.put(b"""
        exec 3<>/dev/tcp/10.0.2.2/$1
        echo question >&3
        stubctl wait --fd 3 --plan /tmp/good --depth idle
    """, "/tmp/talk")
    talk = vm.shell.start(f"bash /tmp/talk {peer.port}")
    connection = peer.accept()
    connection.read_line()
    vm.wait_event("STOP")
    assert decisions.last(vm) == ("idle", "waits")
    connection.send(b"answer\n")
    vm.wait_restored()
    assert talk.wait().output == "replied, 7 bytes, by any\n"
    lines = vm.shell.check("stubctl history").splitlines()
    assert "idle, because of waits" in lines[-2]
    assert "wake, because of" in lines[-1]
    connection.close()
