"""Socket options: what setsockopt(2) may change at the level SOL_SOCKET.

Most sockets never change one, so all start on one shared, unchanged set and
get their own with the first change.  Times are nanoseconds here; the options
of a protocol (IPPROTO_TCP and so on) are the endpoint's own matter.
"""

from __future__ import annotations

import errno
from typing import Final, final

from asyncipc.errors import fail

SOL_SOCKET: Final = 1
SO_DEBUG: Final = 1
SO_REUSEADDR: Final = 2
SO_TYPE: Final = 3
SO_ERROR: Final = 4
SO_DONTROUTE: Final = 5
SO_BROADCAST: Final = 6
SO_SNDBUF: Final = 7
SO_RCVBUF: Final = 8
SO_KEEPALIVE: Final = 9
SO_OOBINLINE: Final = 10
SO_PRIORITY: Final = 12
SO_LINGER: Final = 13
SO_REUSEPORT: Final = 15
SO_PASSCRED: Final = 16
SO_PEERCRED: Final = 17
SO_RCVLOWAT: Final = 18
SO_SNDLOWAT: Final = 19
SO_RCVTIMEO: Final = 20
SO_SNDTIMEO: Final = 21
SO_ACCEPTCONN: Final = 30
SO_PASSSEC: Final = 34
SO_PROTOCOL: Final = 38
SO_DOMAIN: Final = 39
SO_PEEK_OFF: Final = 42
SO_MEMINFO: Final = 55
SO_PASSPIDFD: Final = 76
SO_PEERPIDFD: Final = 77
SO_PASSRIGHTS: Final = 83

SWITCHES: Final = frozenset({
    SO_DEBUG, SO_REUSEADDR, SO_DONTROUTE, SO_BROADCAST, SO_KEEPALIVE, SO_OOBINLINE,
    SO_REUSEPORT, SO_PASSCRED, SO_PASSSEC, SO_PASSPIDFD, SO_PASSRIGHTS,
})  # fmt: skip
"""Options that are on or off, and read back as 1 or 0."""
PASSING: Final = frozenset({SO_PASSCRED, SO_PASSSEC, SO_PASSPIDFD, SO_PASSRIGHTS})
"""Those that say which control messages a UNIX socket takes."""
ON_AT_FIRST: Final = frozenset({SO_PASSRIGHTS})

OPTION_MAX: Final = 1024
"""The most that ``socket.getsockopt`` has room for."""
SNDBUF_DEFAULT: Final = 212992
RCVBUF_DEFAULT: Final = 212992
"""net.core.wmem_default, rmem_default."""
BUFFER_MAX: Final = 4194304
"""net.core.wmem_max, rmem_max: what may be asked for; it is stored doubled."""
SNDBUF_MIN: Final = 4608
RCVBUF_MIN: Final = 2304

MICROSECOND: Final = 1_000
SECOND: Final = 1_000_000_000


@final
class SocketOptions:
    """One socket's set.  ``linger``: seconds, or None for off; times None: no limit."""

    __slots__ = (
        "linger",
        "linger_time",
        "peek_offset",
        "receive_limit",
        "receive_low_water",
        "receive_timeout_ns",
        "send_timeout_ns",
        "switches",
    )

    def __init__(self) -> None:
        self.switches = ON_AT_FIRST
        self.receive_limit = RCVBUF_DEFAULT
        self.receive_low_water = 1
        self.receive_timeout_ns: int | None = None
        self.send_timeout_ns: int | None = None
        self.linger: int | None = None
        self.linger_time = 0
        self.peek_offset = -1

    def copy(self) -> SocketOptions:
        copied = SocketOptions()
        for name in SocketOptions.__slots__:
            setattr(copied, name, getattr(self, name))
        return copied

    def inherit(self, listener: SocketOptions) -> None:
        """What a UNIX listener wants to be told, those want that it accepts."""
        self.switches = (self.switches - PASSING) | (listener.switches & PASSING)

    def is_on(self, switch: int) -> bool:
        return switch in self.switches

    def turn(self, switch: int, on: object) -> None:
        self.switches = self.switches | {switch} if on else self.switches - {switch}


UNCHANGED: Final = SocketOptions()
"""Shared by all sockets that have changed nothing; never written."""


def integer(value: int | bytes) -> int:
    """An option's value as the kernel reads it: the first four bytes.  EINVAL below."""
    if isinstance(value, int):
        return value
    if len(value) < 4:
        fail(errno.EINVAL)
    return int.from_bytes(value[:4], "little", signed=True)


def buffer_size(request: int, least: int) -> int:
    """What SO_SNDBUF and SO_RCVBUF store: doubled, within bounds; a negative is the most."""
    asked = min(request & 0xFFFFFFFF, BUFFER_MAX)
    return max(asked * 2, least)


def duration(value: int | bytes) -> int | None:
    """A struct timeval as nanoseconds: None for 0 (no limit), 0 for negative (no wait).

    EDOM for microseconds out of range, EINVAL for what is no timeval.
    """
    if isinstance(value, int) or len(value) < 16:
        fail(errno.EINVAL)
    seconds = int.from_bytes(value[:8], "little", signed=True)
    micros = int.from_bytes(value[8:16], "little", signed=True)
    if not 0 <= micros < 1_000_000:
        fail(errno.EDOM)
    if seconds < 0:
        return 0
    return seconds * SECOND + micros * MICROSECOND or None


def timeval(duration_ns: int | None) -> bytes:
    """A struct timeval of nanoseconds."""
    seconds, rest = divmod(duration_ns or 0, SECOND)
    return seconds.to_bytes(8, "little") + (rest // MICROSECOND).to_bytes(8, "little")


def linger(value: int | bytes) -> tuple[int, int]:
    """A struct linger: (on, seconds).  EINVAL for what is none."""
    if isinstance(value, int) or len(value) < 8:
        fail(errno.EINVAL)
    return integer(value), int.from_bytes(value[4:8], "little", signed=True)
