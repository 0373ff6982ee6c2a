"""Programs that know nothing of us, under stubrun: each is suspended while it
waits, and gets its reply.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import hashlib
import socket
import time

import pytest

from peer import noise
from vm import HOST_OF_GUEST, TIMEOUT

BODY = noise(300_000)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def url(peer):
    return f"http://{HOST_OF_GUEST}:{peer.port}/"


def python(vm, script, *arguments, name="script"):
    vm.shell.put(script.encode(), f"/tmp/{name}.py")
    return vm.shell.start(
        f"stubrun python3 /tmp/{name}.py {' '.join(map(str, arguments))}")


def sleep_then_reply(vm, connection, body=BODY):
    vm.wait_suspended()
    connection.reply_and_close(body)
    assert vm.wait_restored()["reason"] == "reply"


def sleep_when_all_wait(vm, count):
    """So many threads wait, and none proposes a suspend before the others are
    there: a test does not know how long they take to start."""
    deadline = time.monotonic() + TIMEOUT
    while len(vm.stubs()) < count:
        assert time.monotonic() < deadline, f"waits: {vm.stubs()}"
        time.sleep(0.1)
    vm.suspend()


@pytest.mark.parametrize("command", ["curl -s", "curl -s --max-time 100",
                                     "/usr/bin/wget -q -O -"])
def test_downloaders(vm, peer, command):
    job = vm.shell.start(f"stubrun {command} {url(peer)} | sha256sum")
    sleep_then_reply(vm, peer.accept_request())
    assert job.wait().output.split()[0] == sha256(BODY)


def test_curl_sleeps_longer_and_longer(vm, peer):
    """It looks once a second, and each sleep is longer than the one before."""
    job = vm.shell.start(f"stubrun curl -s {url(peer)} | sha256sum")
    connection = peer.accept_request()
    for _ in range(3):
        vm.wait_suspended()
        assert vm.wait_restored()["reason"] == "timeout"
    vm.wait_suspended()
    assert vm.sleeps_on(3)
    connection.reply_and_close(BODY)
    assert vm.wait_restored()["reason"] == "reply"
    assert job.wait().output.split()[0] == sha256(BODY)


@pytest.mark.parametrize("read", [
    "urllib.request.urlopen(URL)",
    "urllib.request.urlopen(URL, timeout=100)",
    "requests.get(URL, stream=True, timeout=(10, 100)).raw"])
def test_python(vm, peer, read):
    job = python(vm, f"""
import hashlib, requests, urllib.request
URL = "{url(peer)}"
print(hashlib.sha256({read}.read()).hexdigest())
""")
    sleep_then_reply(vm, peer.accept_request())
    assert job.wait().output.strip() == sha256(BODY)


def test_python_threads(vm, peer):
    """requests in threads: the replies come in another order."""
    vm.set_policy(suspend_delay=60_000)
    job = python(vm, f"""
import hashlib, requests, threading
def get(i):
    sums[i] = hashlib.sha256(requests.get(f"{url(peer)}{{i}}").content).hexdigest()
sums = {{}}
threads = [threading.Thread(target=get, args=[i]) for i in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
for i in range(4): print(sums[i])
""")
    connections = [peer.accept_request() for _ in range(4)]
    bodies = [noise(100_000, seed) for seed in range(4)]
    sleep_when_all_wait(vm, 4)
    for connection in reversed(connections):
        number = int(connection.request.split()[1].strip("/"))
        connection.reply_and_close(bodies[number])
    assert job.wait().output.split() == [sha256(body) for body in bodies]


# Asks for something, and prints what it gets.
ASKERS = """
import os, requests, sys, threading, time
URL = sys.argv[1]
def ask(name):
    print(name, requests.get(URL + name).text, flush=True)
"""


def ask(vm, peer, script, names):
    """A program whose threads ask: the job, and the connections by name."""
    vm.set_policy(suspend_delay=500)
    job = python(vm, ASKERS + script, url(peer))
    connections = [peer.accept_request() for _ in names]
    return job, {connection.request.split()[1].strip("/"): connection
                 for connection in connections}


def test_thread_that_computes_keeps_it_running(vm, peer):
    job, connections = ask(vm, peer, """
thread = threading.Thread(target=ask, args=["a"])
thread.start()
while not os.path.exists("/tmp/enough"):
    sum(range(1000))
thread.join()
""", "a")
    vm.wait_event("STUBDOMAIN_WAIT")
    assert not vm.sleeps_on(3)
    assert len(vm.info()["threads"]) == 2
    # Then it is blocked, and not by the network.
    touch = vm.shell.start("touch /tmp/enough")
    vm.wait_suspended()
    connections["a"].reply_and_close(b"1")
    assert vm.wait_restored()["reason"] == "reply"
    touch.wait()
    vm.shell.check("rm /tmp/enough")
    assert job.wait().output == "a 1\n"


def test_all_threads_wait_and_wait_again(vm, peer):
    """Each reply wakes, and whoever is left waits on."""
    job, connections = ask(vm, peer, """
def run(name):
    ask(name)
    ask(name + name)
threads = [threading.Thread(target=run, args=[name]) for name in "ab"]
for thread in threads: thread.start()
for thread in threads: thread.join()
""", "ab")
    vm.wait_suspended()
    for name in ("a", "b", "bb", "aa"):
        connections[name].reply_and_close(name.encode())
        assert vm.wait_restored()["reason"] == "reply"
        if len(name) == 1:  # the thread asks again
            connections[2 * name] = peer.accept_request()
        if name != "aa":  # the other waits, or both do
            vm.wait_suspended()
    assert job.wait().output == "a a\nb b\nbb bb\naa aa\n"


@pytest.mark.parametrize("blocked", [
    "threading.Event().wait(100)", "time.sleep(100)", "os.read(os.pipe()[0], 1)"])
def test_thread_that_is_blocked_elsewhere_holds_nothing_up(vm, peer, blocked):
    """The first is done with the network, and does not end."""
    job, connections = ask(vm, peer, f"""
def run(name):
    ask(name)
    {blocked}
for name in "ab":
    threading.Thread(target=run, args=[name], daemon=True).start()
while threading.active_count() < 3 or not os.path.exists("/tmp/enough"):
    time.sleep(0.5)
""", "ab")
    vm.wait_suspended()
    for name in "ab":
        connections[name].reply_and_close(name.encode())
        assert vm.wait_restored()["reason"] == "reply"
        if name == "a":
            vm.wait_suspended()
    vm.shell.check("touch /tmp/enough")
    assert job.wait().output == "a a\nb b\n"
    vm.shell.check("rm /tmp/enough")
    deadline = time.monotonic() + TIMEOUT
    while vm.info()["threads"]:  # it has ended
        assert time.monotonic() < deadline, vm.info()["threads"]
        time.sleep(0.05)


def test_python_asyncio(vm, peer):
    """Two connections in one epoll set, with timers and a self-pipe."""
    job = python(vm, f"""
import asyncio, hashlib
async def get(i):
    reader, writer = await asyncio.open_connection("{HOST_OF_GUEST}", {peer.port})
    writer.write(b"GET /%d HTTP/1.0\\r\\n\\r\\n" % i)
    data = await asyncio.wait_for(reader.read(-1), 100)
    return hashlib.sha256(data.partition(b"\\r\\n\\r\\n")[2]).hexdigest()
async def main():
    print(*await asyncio.gather(get(0), get(1)))
asyncio.run(main())
""")
    connections = {connection.request.split()[1]: connection for connection in
                   [peer.accept_request() for _ in range(2)]}
    vm.wait_suspended()
    connections["/1"].reply_and_close(BODY)
    assert vm.wait_restored()["reason"] == "reply"
    vm.wait_suspended()
    connections["/0"].reply_and_close(b"small")
    assert vm.wait_restored()["reason"] == "reply"
    assert job.wait().output.split() == [sha256(b"small"), sha256(BODY)]


def test_timeout_of_the_program_is_kept(vm, peer):
    """On the host's clock, for the guest's stands still."""
    job = python(vm, f"""
import socket
connection = socket.create_connection(("{HOST_OF_GUEST}", {peer.port}))
connection.sendall(b"question\\n")
connection.settimeout(3)
try:
    connection.recv(1)
except TimeoutError:
    print("timed out")
""")
    connection = peer.accept()
    connection.read_line()
    vm.wait_suspended()
    assert vm.wait_restored()["reason"] == "timeout"
    assert job.wait().output == "timed out\n"


def test_psql(vm, postgres):
    job = vm.shell.start(
        f"stubrun psql -h {HOST_OF_GUEST} -p {postgres.port} -U test -d postgres"
        " -At -c \"select 6 * 7 from pg_sleep(3)\"")
    vm.wait_suspended()
    assert vm.wait_restored()["reason"] == "reply"
    assert job.wait().output == "42\n"


def test_children(vm, peer):
    """What a program starts is helped as well."""
    vm.set_policy(suspend_delay=60_000)
    vm.shell.put(f"""
        /usr/bin/wget -q -O /tmp/first {url(peer)} &
        sh -c 'exec /usr/bin/wget -q -O /tmp/second {url(peer)}' &
        wait
        cat /tmp/first /tmp/second
    """.encode(), "/tmp/parent")
    job = vm.shell.start("stubrun bash /tmp/parent")
    connections = [peer.accept_request() for _ in range(2)]
    sleep_when_all_wait(vm, 2)
    for connection in connections:
        connection.reply_and_close(b"reply\n")
    vm.wait_restored()
    assert job.wait().output == "reply\nreply\n"


def test_server(vm):
    """A server that accepts sleeps until a peer connects (X3)."""
    job = python(vm, """
import socket
server = socket.create_server(("0.0.0.0", 8000))
client, _ = server.accept()
client.sendall(b"hello\\n")
""")
    vm.wait_suspended()
    (stub,) = vm.stubs()
    assert stub["accept"] == "hold"
    assert stub["flow"]["guest"]["port"] == 8000
    vm.hmp("hostfwd_add net0 tcp:127.0.0.1:18000-:8000")
    with socket.create_connection(("127.0.0.1", 18000), 60) as client:
        assert client.recv(100) == b"hello\n"
    assert job.wait().status == 0
    vm.hmp("hostfwd_remove net0 tcp:127.0.0.1:18000")


def test_without_an_agent(vm, peer):
    """Everything is as it would be without us."""
    job = vm.shell.start("stubrun --socket /tmp/nobody "
                         f"curl -s {url(peer)} | sha256sum")
    connection = peer.accept_request()
    connection.reply_and_close(BODY)
    assert job.wait().output.split()[0] == sha256(BODY)
    assert vm.event_names() == []


def test_static_program_is_told(vm):
    output = vm.shell.check("stubrun stubctl --version 2>&1")
    assert "linked statically" in output
    assert "stubctl " in output


def test_module_of_the_package(vm, peer):
    """The package's Python module, without stubrun."""
    vm.shell.put(f"""
import socket, stubdomain_guest
with socket.create_connection(("{HOST_OF_GUEST}", {peer.port})) as connection:
    connection.sendall(b"question\\n")
    print(stubdomain_guest.wait([connection], {{"bytes": 5}}).outcome.name)
    print(connection.recv(100).decode())
""".encode(), "/tmp/module.py")
    job = vm.shell.start("python3 /tmp/module.py")
    connection = peer.accept()
    connection.read_line()
    vm.wait_suspended()
    connection.send(b"reply")
    assert vm.wait_restored()["reason"] == "reply"
    assert job.wait().output == "REPLIED\nreply\n"
