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
    "EFD_CLOEXEC": 0x80000,
    "EFD_NONBLOCK": 2048,
    "EFD_SEMAPHORE": 1,
    "EPOLL_CTL_ADD": 1,
    "EPOLL_CTL_DEL": 2,
    "EPOLL_CTL_MOD": 3,
    "F_DUPFD_QUERY": 1027,
    "F_GETSIG": 11,
    "F_OFD_GETLK": 36,
    "F_OFD_SETLK": 37,
    "F_OFD_SETLKW": 38,
    "F_SETSIG": 10,
    "GETALL": 13,
    "GETNCNT": 14,
    "GETPID": 11,
    "GETVAL": 12,
    "GETZCNT": 15,
    "INT_MAX": 2**31 - 1,
    "IPC_CREAT": 512,
    "IPC_EXCL": 1024,
    "IPC_NOWAIT": 2048,
    "IPC_PRIVATE": 0,
    "IPC_RMID": 0,
    "IPC_SET": 1,
    "IPC_STAT": 2,
    "IPV6_RECVERR": 25,
    "IP_MTU_DISCOVER": 10,
    "IP_MULTICAST_ALL": 49,
    "IP_PKTINFO": 8,
    "IP_PMTUDISC_DO": 2,
    "IP_RECVERR": 11,
    "MADV_DONTNEED": 4,
    "MFD_ALLOW_SEALING": 2,
    "MFD_CLOEXEC": 1,
    "MSG_CMSG_CLOEXEC": 0x40000000,
    "MSG_COPY": 0x4000,
    "MSG_ERRQUEUE": 0x2000,
    "MSG_EXCEPT": 0x2000,
    "MSG_FASTOPEN": 0x20000000,
    "MSG_NOERROR": 0x1000,
    "MSG_NOSIGNAL": 0x4000,
    "PIPE_BUF": 4096,
    "PRIO_MAX": 32767,
    "P_PIDFD": 3,
    "RENAME_NOREPLACE": 1,
    "SCM_CREDENTIALS": 2,
    "SEM_UNDO": 0x1000,
    "SEM_VALUE_MAX": 2**31 - 1,
    "SETALL": 17,
    "SETVAL": 16,
    "SFD_NONBLOCK": 2048,
    "SIGRTMAX": 64,
    "SIGRTMIN": 34,
    "SO_COOKIE": 57,
    "SO_INQ": 84,
    "SO_PASSPIDFD": 76,
    "SO_PASSRIGHTS": 83,
    "SO_PEEK_OFF": 42,
    "SO_PEERPIDFD": 77,
    "SO_RCVBUFFORCE": 33,
    "SO_RCVLOWAT": 18,
    "SO_RCVTIMEO": 20,
    "SO_SNDBUFFORCE": 32,
    "SO_SNDLOWAT": 19,
    "SO_SNDTIMEO": 21,
    "SPLICE_F_NONBLOCK": 2,
    "TFD_NONBLOCK": 2048,
    "TFD_TIMER_ABSTIME": 1,
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
