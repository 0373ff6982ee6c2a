"""psql asks a real PostgreSQL, and curl and Python a TLS server.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import pathlib
import pwd
import shutil
import socket
import ssl
import subprocess
import tempfile

import pytest

from awaited import Awaited
from peer import Connection, Peer
from vm import HOST_OF_GUEST

PROGRAMS = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))


class Postgres:
    """A server of the machine's PostgreSQL, on the loopback."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="stubdomain-pg-")
        self.data = f"{self.directory}/data"
        # It refuses to be root.
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            os.chown(self.directory, pwd.getpwnam(self.user).pw_uid, -1)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.run("initdb", "-A", "trust", "-U", "tester", "-D", self.data)
        self.run("pg_ctl", "-D", self.data, "-w", "-l",
                 f"{self.directory}/log", "-o",
                 f"-p {self.port} -k {self.directory} -c ssl=off "
                 "-c listen_addresses=127.0.0.1", "start")

    def run(self, program, *arguments):
        subprocess.run([PROGRAMS[-1] / program, *arguments], check=True,
                       user=self.user, cwd=self.directory,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def close(self):
        self.run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")
        shutil.rmtree(self.directory)


@pytest.fixture
def postgres():
    if not PROGRAMS:
        pytest.skip("this machine has no PostgreSQL")
    server = Postgres()
    yield server
    server.close()


@pytest.mark.parametrize("plan", [None, {
    "format": "raw", "handlers": [{"name": "row", "when": {
        "pattern": {"regex": "T.{10,}D.*slept"}}}]}],
    ids=["empty-plan", "pattern"])
def test_psql_sleeps_while_the_database_does(vm, postgres, plan):
    job = vm.shell.start(
        f"psql -h {HOST_OF_GUEST} -p {postgres.port} -U tester -At postgres "
        "-c \"select 'slept' || pg_sleep(8)\"")
    # The connection is there once the query runs.
    while "active" not in subprocess.run(
            [PROGRAMS[-1] / "psql", "-h", "127.0.0.1", "-p",
             str(postgres.port), "-U", "tester", "-At", "postgres", "-c",
             "select state from pg_stat_activity "
             "where query like '%slept%' and pid <> pg_backend_pid()"],
            stdout=subprocess.PIPE, text=True, check=True).stdout:
        pass
    flow = {"peer": {"host": HOST_OF_GUEST, "port": postgres.port}}
    vm.cmd("stubdomain-listen", {"flow": flow, "suspend": True,
                                 **({"plan": plan} if plan else {})})
    vm.wait_suspended()
    reply = vm.wait_event("STUBDOMAIN_REPLY")
    assert reply["outcome"] == "replied"
    assert ("claim" in reply) == (plan is not None)
    vm.wait_restored()
    assert job.wait().output == "slept\n"


class TlsPeer(Peer):
    """A peer whose connections speak TLS once start() has been called."""

    def __init__(self, directory):
        super().__init__()
        certificate = str(directory / "certificate.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048",
                        "-nodes", "-subj", "/CN=slow.example", "-days", "2",
                        "-keyout", certificate + ".key", "-out", certificate],
                       check=True, stderr=subprocess.DEVNULL)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, certificate + ".key")

    def settle(self):
        """Nothing to wait for, unless a test knows better."""

    def accept_request(self):
        plain = self.accept()
        secure = self.context.wrap_socket(plain.socket, server_side=True)
        connection = Connection(secure)
        connection.request = connection.read_request()
        # The session tickets are the guest's by now, and acknowledged.
        self.settle()
        return connection


@pytest.fixture
def tls_peer(tmp_path):
    peer = TlsPeer(tmp_path)
    yield peer
    peer.close()


@pytest.mark.parametrize("plan", [None, {
    "format": "tls", "handlers": [{"name": "much", "when": {"body": 5000}}]}],
    ids=["empty-plan", "amount"])
def test_curl_asks_a_tls_server(vm, tls_peer, plan):
    tls_peer.settle = lambda: vm.shell.check("sleep 0.3")
    url = f"https://{HOST_OF_GUEST}:{tls_peer.port}/"
    waiting = Awaited(vm, tls_peer, f"curl -sS -k {url} | wc -c", plan)
    assert waiting.sleeps_on()
    waiting.connection.reply(b"x" * 8000)
    assert waiting.wait_claim() == ("much" if plan else None)
    waiting.connection.close()
    assert int(waiting.output()) == 8000
