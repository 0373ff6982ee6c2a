"""A program in the guest that asks, says with stubctl that it waits, and reads.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

from vm import HOST_OF_GUEST

SCRIPT = f"""
exec 3<>/dev/tcp/{HOST_OF_GUEST}/$1
shift
echo question >&3
stubctl wait --fd 3 "$@" >/dev/null
read line <&3
echo "$line"
"""


class Talk:
    """One question, and the server's end of its connection."""

    def __init__(self, vm, peer, options=""):
        vm.shell.put(SCRIPT.encode(), "/tmp/talk")
        self._job = vm.shell.start(f"bash /tmp/talk {peer.port} {options}")
        self._connection = peer.accept()
        assert self._connection.read_line() == "question"

    def answer(self, text="answer"):
        self._connection.send(f"{text}\n".encode())

    def finish(self):
        """What the program has read."""
        output = self._job.wait().output.rstrip("\n")
        self._connection.close()
        return output
