"""Runs in the guest: threads that register, ask a server each, and wait.

    asker.py PORT IMPORTANCE [PORT IMPORTANCE ...]

Prints "N: what it read" as each thread ends, in that order. With IMPORTANCE
"busy", the thread registers and waits for nothing, until there is a file
/tmp/enough.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import os
import socket
import sys
import threading
import time

import stubdomain_guest


def run(number, port, importance, registered):
    with stubdomain_guest.Registration(f"asker {number}") as thread:
        registered.wait()
        if importance == "busy":
            while not os.path.exists("/tmp/enough"):
                time.sleep(0.05)
            print(f"{number}: busy", flush=True)
            return
        with socket.create_connection(("10.0.2.2", int(port))) as connection:
            connection.sendall(f"question {number}\n".encode())
            end = stubdomain_guest.wait(connection, thread=thread,
                                        importance=int(importance))
            assert end.outcome == stubdomain_guest.Outcome.REPLIED, end
            answer = connection.makefile().readline().rstrip("\n")
            print(f"{number}: {answer}", flush=True)


def main():
    pairs = list(zip(sys.argv[1::2], sys.argv[2::2]))
    registered = threading.Barrier(len(pairs))
    threads = [threading.Thread(target=run, args=(i, *pair, registered))
               for i, pair in enumerate(pairs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
