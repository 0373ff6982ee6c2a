"""Tell the host that this program waits for a reply, so that the virtual machine
may be suspended until it comes.

    connection.sendall(request)
    stubdomain_guest.wait(connection)
    connection.recv(...)

A wait is advice. When it fails (no agent, not a virtual machine with a stub
domain, refused), that is an Error, and the socket is as it was. Nothing is ever
read from or written to a socket.

Copyright (c) 2026 The Stubdomain authors
SPDX-License-Identifier: GPL-2.0-or-later
"""

import ctypes
import enum
import json
import os
import select
import typing

__all__ = ["Buffer", "Busy", "Denied", "DeviceFailed", "End", "Error", "Inhibit",
           "Invalid", "NoAgent", "Outcome", "Refused", "Registration",
           "SystemFailed", "Wait", "status", "wait", "wait_into"]

_LIBRARY = "libstubdomain-guest.so.0"
_PENDING = -1
_NO_SUSPEND = 1


class Error(Exception):
    """A wait could not be laid, or was lost."""


class NoAgent(Error):
    """No agent serves, or it went away."""


class Invalid(Error):
    """A socket or the plan is not usable."""


class Denied(Error):
    """The connection is not the caller's."""


class Busy(Error):
    """Not now."""


class Refused(Error):
    """The stub domain refused the wait."""


class DeviceFailed(Error):
    """The device, or the agent, made no sense."""


class SystemFailed(Error):
    """A system call failed."""


_ERRORS = {-2: NoAgent, -3: Invalid, -4: Denied, -5: Busy, -6: Refused,
           -7: DeviceFailed, -8: SystemFailed}


class Outcome(enum.Enum):
    """How a wait ended."""

    REPLIED = 0    # what the plan asks for can be read
    CLOSED = 1     # the peer closed before that
    RESET = 2      # the connection was reset
    TIMEOUT = 3    # the longest wait is over
    CANCELLED = 4  # taken back


class End(typing.NamedTuple):
    """The end of a wait: of the reply, `bytes` had come, on the socket with
    this index."""

    outcome: Outcome
    bytes: int
    socket: int


_DEPTHS = (None, "idle", "evict", "auto")


class _Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("plan_json", ctypes.c_char_p),
                ("timeout_ms", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("thread", ctypes.c_uint32), ("importance", ctypes.c_uint32),
                ("elapsed_ms", ctypes.c_uint32), ("depth", ctypes.c_uint32),
                ("evict_delay_ms", ctypes.c_uint32),
                ("expected_ms", ctypes.c_uint32),
                ("request_class", ctypes.c_char_p)]


class _End(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("outcome", ctypes.c_int),
                ("bytes", ctypes.c_uint64), ("socket", ctypes.c_size_t),
                ("buffered", ctypes.c_uint64)]

    def __init__(self):
        super().__init__(ctypes.sizeof(_End))

    def value(self):
        return End(Outcome(self.outcome), self.bytes, self.socket)


class _Buffer(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t),
                ("memory", ctypes.c_int)]


_library = ctypes.CDLL(_LIBRARY)
_library.sdg_buffer_make.argtypes = [ctypes.c_size_t, ctypes.POINTER(_Buffer)]
_library.sdg_wait_into.argtypes = [
    ctypes.c_int, ctypes.POINTER(_Buffer), ctypes.POINTER(_Options),
    ctypes.POINTER(_End)]
_library.sdg_error_text.restype = ctypes.c_char_p
for _name in ("sdg_wait_begin", "sdg_wait_any"):
    getattr(_library, _name).argtypes = [
        ctypes.POINTER(ctypes.c_int), ctypes.c_size_t,
        ctypes.POINTER(_Options),
        *([ctypes.POINTER(_End)] if _name == "sdg_wait_any" else [])]
_library.sdg_wait_poll.argtypes = [ctypes.c_int, ctypes.POINTER(_End)]
_library.sdg_register.argtypes = [ctypes.c_char_p,
                                  ctypes.POINTER(ctypes.c_uint32)]
_library.sdg_status.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def _check(result):
    if result < 0:
        text = _library.sdg_error_text().decode(errors="replace")
        raise _ERRORS.get(result, Error)(text)
    return result


def _descriptors(sockets):
    """The C array, of a socket (or its number), or of several."""
    if isinstance(sockets, int) or hasattr(sockets, "fileno"):
        sockets = [sockets]
    fds = [s if isinstance(s, int) else s.fileno() for s in sockets]
    return (ctypes.c_int * len(fds))(*fds), len(fds)


def _milliseconds(name, seconds):
    """0 for None; what is shorter than a millisecond counts as one."""
    milliseconds = 0 if seconds is None else max(1, round(seconds * 1000))
    if not 0 <= milliseconds < 1 << 32:
        raise ValueError(f"{name}: {seconds} seconds is out of range")
    return milliseconds


def _options(plan, timeout, suspend, thread, importance, depth, elapsed,
             expected, request_class):
    """Times are in seconds; None: no limit, now, or not known."""
    return _Options(ctypes.sizeof(_Options),
                    None if plan is None else json.dumps(plan).encode(),
                    _milliseconds("timeout", timeout),
                    0 if suspend else _NO_SUSPEND,
                    thread.number if thread else 0, importance,
                    _milliseconds("elapsed", elapsed),
                    _DEPTHS.index(depth), 0,
                    _milliseconds("expected", expected),
                    request_class.encode())


def wait(sockets, plan=None, *, timeout=None, suspend=True, thread=None,
         importance=0, depth=None, elapsed=None, expected=None,
         request_class=""):
    """Wait for the reply on a socket, or on the first of several; returns the End.

    `plan`: handling plan, such as {"bytes": 1000}; None: the first byte.
    `timeout`: longest wait in seconds, on the host's clock.
    `suspend`: whether to propose that the machine be suspended.
    `thread`: the Registration of the thread that waits.
    `importance`: of the reply, 0 to 5.
    `depth`: how deep the machine may sleep, "idle", "evict" or "auto"; None: as
    the host says.
    `elapsed`: since the program began to wait, in seconds; None: it does now.
    `expected`: from then to the reply, in seconds; None: it is not known.
    `request_class`: kind of request, by which the host learns reply times.
    """
    end = _End()
    options = _options(plan, timeout, suspend, thread, importance, depth,
                       elapsed, expected, request_class)
    _check(_library.sdg_wait_any(*_descriptors(sockets), options, end))
    return end.value()


class Buffer:
    """Memory that a reply may be written into while the machine sleeps; `data`
    is a memoryview of it. Let go of all views before close()."""

    def __init__(self, size):
        self._buffer = _Buffer(None, 0, -1)
        _check(_library.sdg_buffer_make(size, self._buffer))
        content = ctypes.c_char * size
        self.data = memoryview(
            content.from_address(self._buffer.data)).cast("B")

    def close(self):
        """Give the memory back, after the wait."""
        if self._buffer.data is not None:
            self.data.release()
            _library.sdg_buffer_free(ctypes.byref(self._buffer))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def wait_into(socket, buffer, plan=None, *, timeout=None, suspend=True,
              thread=None, importance=0, depth=None, elapsed=None,
              expected=None, request_class=""):
    """Wait for the reply on one TCP connection, with memory for it; returns the
    End, and a memoryview of what of the reply is in the buffer. What follows is
    in the socket; that is all of it if the machine did not sleep.
    """
    end = _End()
    options = _options(plan, timeout, suspend, thread, importance, depth,
                       elapsed, expected, request_class)
    descriptor = socket if isinstance(socket, int) else socket.fileno()
    _check(_library.sdg_wait_into(descriptor, buffer._buffer, options, end))
    return end.value(), buffer.data[:end.buffered]


class Wait:
    """The same in steps: for an event loop, or to be taken back.

    Its fileno() can be polled for reading; then ask poll(). Poll UDP and
    listening sockets as well. As a context manager, it is taken back at the end.
    """

    def __init__(self, sockets, plan=None, *, timeout=None, suspend=True,
                 thread=None, importance=0, depth=None, elapsed=None,
                 expected=None, request_class=""):
        self._wait = -1
        options = _options(plan, timeout, suspend, thread, importance, depth,
                           elapsed, expected, request_class)
        self._wait = _check(
            _library.sdg_wait_begin(*_descriptors(sockets), options))

    def fileno(self):
        return self._wait

    def poll(self):
        """The End, or None while the wait goes on."""
        end = _End()
        error = _library.sdg_wait_poll(self._wait, end)
        if error == _PENDING:
            return None
        self._wait = -1
        _check(error)
        return end.value()

    def result(self):
        """The End, when it comes."""
        while (end := self.poll()) is None:
            poller = select.poll()
            poller.register(self._wait, select.POLLIN)
            poller.poll()
        return end

    def cancel(self):
        """From any thread, while another is in result(): it ends there as
        CANCELLED."""
        _check(_library.sdg_wait_cancel(self._wait))

    def close(self):
        """Take the wait back, if it goes on."""
        if self._wait >= 0:
            os.close(self._wait)
            self._wait = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        self.close()


class _Hold:
    """What holds as long as a descriptor is open."""

    _fd = -1

    def close(self):
        """Let go."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        self.close()


class Registration(_Hold):
    """A thread on the list of those that count when it is asked whether enough
    of the machine waits, until close()."""

    def __init__(self, name=""):
        number = ctypes.c_uint32()
        self._fd = _check(_library.sdg_register(name.encode(), number))
        self.number = number.value


class Inhibit(_Hold):
    """No wait suspends the machine, until close()."""

    def __init__(self):
        self._fd = _check(_library.sdg_inhibit())


def status():
    """The status of this machine's stub domain, as a dict."""
    size = 4096
    while True:
        buffer = ctypes.create_string_buffer(size)
        length = _check(_library.sdg_status(buffer, size))
        if length < size:
            return json.loads(buffer.value)
        size = length + 1
