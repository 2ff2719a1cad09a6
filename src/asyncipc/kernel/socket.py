"""What all sockets have in common: the words of socket(7) and send(2).

Constants are Linux's (asm-generic); a socket's shutdown state is the pair of
halves that are shut, as ``sk_shutdown`` in the kernel keeps it.
"""

from __future__ import annotations

import errno
from typing import Final

from asyncipc.errors import fail

AF_UNIX: Final = 1
AF_INET: Final = 2
AF_INET6: Final = 10
SOCK_STREAM: Final = 1
SOCK_DGRAM: Final = 2
SOCK_RAW: Final = 3
SOCK_SEQPACKET: Final = 5
SOCK_TYPES: Final = range(11)
"""Numbers that name a type at all; others are EINVAL."""
SOCK_NONBLOCK: Final = 0o4000
SOCK_CLOEXEC: Final = 0o2000000
SOCK_TYPE_MASK: Final = 0xF

SHUT_RD: Final = 0
SHUT_WR: Final = 1
SHUT_RDWR: Final = 2

RCV_SHUTDOWN: Final = 1
SEND_SHUTDOWN: Final = 2
BOTH_SHUTDOWN: Final = 3

MSG_OOB: Final = 0x1
MSG_PEEK: Final = 0x2
MSG_TRUNC: Final = 0x20
MSG_DONTWAIT: Final = 0x40
MSG_WAITALL: Final = 0x100
MSG_NOSIGNAL: Final = 0x4000

SNDBUF_DEFAULT: Final = 212992
"""net.core.wmem_default."""


def halves(how: int) -> int:
    """The halves that shutdown(2) shuts; EINVAL for another ``how``."""
    if not SHUT_RD <= how <= SHUT_RDWR:
        fail(errno.EINVAL)
    return how + 1


def mirrored(shut: int) -> int:
    """What a peer's shut halves mean for this side: its sending is my receiving."""
    return (shut & RCV_SHUTDOWN) << 1 | (shut & SEND_SHUTDOWN) >> 1
