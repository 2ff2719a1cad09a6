"""Operations on socket options, and what sockets tell by ioctl."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping
from socket import IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, SO_LINGER, SOL_SOCKET
from typing import Final

from tests.linux.oplang import Pid, Value, error_name
from tests.linux.real.descriptor_ops import TIOCOUTQ, Operation, fionread
from tests.linux.real.socket_ops import borrowed

SO_RCVTIMEO: Final = 20
SO_MEMINFO: Final = 55
SO_PEERGROUPS: Final = 59
SIOCATMARK: Final = 0x8905
TCP_STATES: Final = (
    "0", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
    "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING",
)  # fmt: skip
ME: Final = (os.getuid(), os.getgid())
"""Who runs the cases: written ``me``."""


def shown_credentials(pid: int, user: int, group: int) -> list[Value]:
    owner: list[Value] = [user, group]
    if pid:
        owner = ["me" if told == own else told for told, own in zip((user, group), ME, strict=True)]
    return [Pid(pid), *owner]


def getsockopt(fd: int, level: int, option: int) -> Value:
    with borrowed(fd) as sock:
        return sock.getsockopt(level, option)


def setsockopt(fd: int, level: int, option: int, value: int | bytes) -> None:
    with borrowed(fd) as sock:
        sock.setsockopt(level, option, value)


def structure(fd: int, level: int, option: int, size: int) -> bytes:
    """The value of an option that is a struct."""
    with borrowed(fd) as sock:
        return sock.getsockopt(level, option, size)


def soerror(fd: int) -> Value:
    with borrowed(fd) as sock:
        number = sock.getsockopt(SOL_SOCKET, socket.SO_ERROR)
    return error_name(OSError(number, "pending")) if number else 0


def linger(fd: int, on: int, seconds: int) -> None:
    setsockopt(fd, SOL_SOCKET, SO_LINGER, struct.pack("ii", on, seconds))


def getlinger(fd: int) -> Value:
    return list(struct.unpack("ii", structure(fd, SOL_SOCKET, SO_LINGER, 8)))


def sotimeo(fd: int, option: int, ms: int) -> None:
    setsockopt(fd, SOL_SOCKET, option, struct.pack("ll", ms // 1000, ms % 1000 * 1000))


def rawtimeo(fd: int, seconds: int, microseconds: int) -> None:
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, struct.pack("ll", seconds, microseconds))


def peercred(fd: int) -> Value:
    """[process, user, group]"""
    return shown_credentials(
        *struct.unpack("iii", structure(fd, SOL_SOCKET, socket.SO_PEERCRED, 12))
    )


def peergroups_len(fd: int) -> Value:
    return len(structure(fd, SOL_SOCKET, SO_PEERGROUPS, 1024)) // 4


# -- TCP, multicast


def tcpstate(fd: int) -> Value:
    return TCP_STATES[structure(fd, IPPROTO_TCP, socket.TCP_INFO, 1)[0]]


def mcast(fd: int, operation: int, group: str, interface: str) -> None:
    request = socket.inet_aton(group) + socket.inet_aton(interface)
    setsockopt(fd, IPPROTO_IP, operation, request)


def mcast_if(fd: int, interface: str) -> None:
    setsockopt(fd, IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))


def mcast6(fd: int, operation: int, group: str, interface: str = "lo") -> None:
    index = struct.pack("I", socket.if_nametoindex(interface))
    setsockopt(fd, IPPROTO_IPV6, operation, socket.inet_pton(socket.AF_INET6, group) + index)


def mcast6_if(fd: int, interface: str = "lo") -> None:
    setsockopt(fd, IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex(interface))


# -- how much is there


def meminfo(fd: int) -> Value:
    """Memory that the receive queue counts."""
    return int(struct.unpack_from("I", structure(fd, SOL_SOCKET, SO_MEMINFO, 36))[0])


def siocoutq(fd: int) -> Value:
    return fionread(fd, TIOCOUTQ)


def siocatmark(fd: int) -> Value:
    return fionread(fd, SIOCATMARK)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "getlinger": getlinger,
    "getsockopt": getsockopt,
    "linger": linger,
    "mcast": mcast,
    "mcast6": mcast6,
    "mcast6_if": mcast6_if,
    "mcast_if": mcast_if,
    "meminfo": meminfo,
    "peercred": peercred,
    "peergroups_len": peergroups_len,
    "rawtimeo": rawtimeo,
    "setsockopt": setsockopt,
    "siocatmark": siocatmark,
    "siocinq_seq": fionread,
    "siocoutq": siocoutq,
    "sockatmark": siocatmark,
    "soerror": soerror,
    "sotimeo": sotimeo,
    "tcpstate": tcpstate,
}
