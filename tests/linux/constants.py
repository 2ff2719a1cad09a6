"""The numbers that the op language calls by name, as Linux (x86-64) has them."""

from __future__ import annotations

import fcntl
import mmap
import os
import select
import signal
import socket
import stat
from collections.abc import Mapping
from typing import Final

_MODULES: Final = (socket, os, select, signal, fcntl, mmap, stat)

_NOT_IN_PYTHON: Final = {
    "AF_UNSPEC": 0,
    "CLOSE_RANGE_CLOEXEC": 4,
    "CLOSE_RANGE_UNSHARE": 2,
    "F_GETSIG": 11,
    "F_SETSIG": 10,
    "INT_MAX": 2**31 - 1,
    "IP_MTU_DISCOVER": 10,
    "IP_MULTICAST_ALL": 49,
    "IP_PKTINFO": 8,
    "IP_PMTUDISC_DO": 2,
    "IP_RECVERR": 11,
    "IPV6_RECVERR": 25,
    "MSG_CMSG_CLOEXEC": 0x40000000,
    "MSG_ERRQUEUE": 0x2000,
    "MSG_FASTOPEN": 0x20000000,
    "MSG_NOSIGNAL": 0x4000,
    "PIPE_BUF": 4096,
    "SIGRTMAX": 64,
    "SIGRTMIN": 34,
    "SO_PASSRIGHTS": 83,
    "SO_PEEK_OFF": 42,
    "SO_PEERPIDFD": 77,
    "SO_RCVBUFFORCE": 33,
    "SO_RCVLOWAT": 18,
    "SO_RCVTIMEO": 20,
    "SO_SNDBUFFORCE": 32,
    "SO_SNDLOWAT": 19,
    "SO_SNDTIMEO": 21,
    "U64_MAX": 2**64 - 1,
    "WALL": 0x40000000,
    "WNOTHREAD": 0x20000000,
}


def _constants() -> dict[str, int]:
    found: dict[str, int] = {}
    for module in _MODULES:
        for name, value in vars(module).items():
            if name.isupper() and isinstance(value, int):
                found.setdefault(name, int(value))
    return found | _NOT_IN_PYTHON


CONSTANTS: Final[Mapping[str, int]] = _constants()
