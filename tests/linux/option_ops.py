"""Operations on socket options, and what sockets tell by ioctl."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from socket import (
    AF_INET6,
    IP_MULTICAST_IF,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_MULTICAST_IF,
    SO_ERROR,
    SO_LINGER,
    SO_PEERCRED,
    SOL_SOCKET,
    TCP_INFO,
    inet_aton,
    inet_pton,
)
from typing import Final

from asyncipc import posix
from tests.linux.descriptor_ops import Operation, fionread
from tests.linux.oplang import Pid, Value, error_name
from tests.linux.socket_ops import a_socket

SO_RCVTIMEO: Final = 20
SO_MEMINFO: Final = 55
SO_PEERGROUPS: Final = 59
TCP_STATES: Final = (
    "0", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
    "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING",
)  # fmt: skip
INTERFACES: Final = {"lo": 1}


def getsockopt(fd: int, level: int, option: int) -> Value:
    return posix.getsockopt(a_socket(fd), level, option)


def setsockopt(fd: int, level: int, option: int, value: int | bytes) -> None:
    posix.setsockopt(a_socket(fd), level, option, value)


def structure(fd: int, level: int, option: int, size: int) -> bytes:
    """The value of an option that is a struct."""
    value = posix.getsockopt(a_socket(fd), level, option, size)
    assert isinstance(value, bytes)
    return value


def soerror(fd: int) -> Value:
    number = posix.getsockopt(a_socket(fd), SOL_SOCKET, SO_ERROR)
    assert isinstance(number, int)
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
    """[process, user, group]; root, which the cases were measured as, is ``me``."""
    pid, *ids = struct.unpack("iii", structure(fd, SOL_SOCKET, SO_PEERCRED, 12))
    return [Pid(pid), *("me" if pid and number == 0 else number for number in ids)]


def peergroups_len(fd: int) -> int:
    return len(structure(fd, SOL_SOCKET, SO_PEERGROUPS, 4096)) // 4


# -- TCP, multicast


def tcpstate(fd: int) -> str:
    return TCP_STATES[structure(fd, IPPROTO_TCP, TCP_INFO, 1)[0]]


def mcast(fd: int, operation: int, group: str, interface: str) -> None:
    setsockopt(fd, IPPROTO_IP, operation, inet_aton(group) + inet_aton(interface))


def mcast_if(fd: int, interface: str) -> None:
    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, inet_aton(interface))


def mcast6(fd: int, operation: int, group: str, interface: str = "lo") -> None:
    request = inet_pton(AF_INET6, group) + struct.pack("I", INTERFACES[interface])
    setsockopt(fd, IPPROTO_IPV6, operation, request)


def mcast6_if(fd: int, interface: str = "lo") -> None:
    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, INTERFACES[interface])


# -- how much is there


def meminfo(fd: int) -> int:
    """Memory that the receive queue counts."""
    allocated: int = struct.unpack_from("I", structure(fd, SOL_SOCKET, SO_MEMINFO, 36))[0]
    return allocated


def siocoutq(fd: int) -> int:
    return fionread(fd, posix.SIOCOUTQ)


def siocatmark(fd: int) -> int:
    return fionread(fd, posix.SIOCATMARK)


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
