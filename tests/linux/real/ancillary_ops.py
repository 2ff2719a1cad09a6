"""Operations that send and receive control messages: descriptors and credentials."""

from __future__ import annotations

import array
import os
import struct
from collections.abc import Mapping, Sequence
from socket import CMSG_LEN, IPPROTO_IP, IPPROTO_IPV6, SCM_RIGHTS, SOL_SOCKET
from typing import Final, TypeAlias

from tests.linux.oplang import Addressed, Fd, SocketName, Value, mask_text
from tests.linux.real.descriptor_ops import Operation
from tests.linux.real.option_ops import shown_credentials
from tests.linux.real.socket_ops import borrowed

SCM_CREDENTIALS: Final = 2
CREDENTIALS: Final = struct.Struct("iii")
INT_SIZE: Final = 4
MSG_BITS: Final = {
    "OOB": 0x1, "PEEK": 0x2, "CTRUNC": 0x8, "TRUNC": 0x20, "DONTWAIT": 0x40, "EOR": 0x80,
    "ERRQUEUE": 0x2000,
}  # fmt: skip
MSG_CMSG_CLOEXEC: Final = 0x40000000

Item: TypeAlias = "tuple[int, int, bytes]"


def rights(descriptors: Sequence[int]) -> Item:
    return SOL_SOCKET, SCM_RIGHTS, array.array("i", descriptors).tobytes()


def sendmsg(
    fd: int,
    data: bytes | list[bytes],
    fds: Sequence[int] | None = None,
    creds: Sequence[int] | str | None = None,
    flags: int = 0,
    addr: SocketName | None = None,
) -> Value:
    items = [] if fds is None else [rights(fds)]
    if creds is not None:
        if isinstance(creds, str):  # "self"
            creds = (os.getpid(), os.getuid(), os.getgid())
        items.append((SOL_SOCKET, SCM_CREDENTIALS, CREDENTIALS.pack(*creds)))
    return _send(fd, data, items, flags, addr)


def _send(
    fd: int,
    data: bytes | list[bytes],
    items: list[Item],
    flags: int = 0,
    name: SocketName | None = None,
) -> int:
    buffers = data if isinstance(data, list) else [data]
    with borrowed(fd) as sock:
        if name is None:
            return sock.sendmsg(buffers, items, flags)
        return sock.sendmsg(buffers, items, flags, name)


def sendmany_rights(fd: int, passed: int, count: int) -> Value:
    return _send(fd, b"x", [rights([passed] * count)])


def sendmsg_items(fd: int, data: bytes, items: Sequence[int | Sequence[int | None]]) -> Value:
    """Each item is what one SCM_RIGHTS has: a descriptor, or several."""
    several = [item if isinstance(item, Sequence) else [item] for item in items]
    return _send(fd, data, [rights([f for f in fds if f is not None]) for fds in several])


def sendmsg_oddrights(fd: int, data: bytes, passed: int, extra: int) -> Value:
    level, kind, content = rights([passed])
    return _send(fd, data, [(level, kind, content + bytes(extra))])


def recvmsg(fd: int, n: int, anc: int = 256, flags: int = 0) -> Value:
    """[data, ancillary items, flags, address]"""
    with borrowed(fd) as sock:
        data, items, told, name = sock.recvmsg(n, anc, flags)
    shown: list[Value] = [_shown(*item) for item in items]
    return [data, shown, mask_text(told & ~MSG_CMSG_CLOEXEC, MSG_BITS), Addressed(name)]


def _shown(level: int, kind: int, content: bytes) -> Value:
    if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
        return ["rights", *_descriptors(content)]
    if (level, kind) == (SOL_SOCKET, SCM_CREDENTIALS):
        if len(content) < CREDENTIALS.size:
            return ["creds-cut", len(content)]
        return ["creds", *shown_credentials(*CREDENTIALS.unpack(content))]
    if level in {IPPROTO_IP, IPPROTO_IPV6}:
        return ["ip", kind, len(content)]
    return [level, kind, len(content)]


def _descriptors(content: bytes) -> list[Fd]:
    received = array.array("i")
    received.frombytes(content[: len(content) - len(content) % INT_SIZE])
    return [Fd(fd) for fd in received]


def recvfds(fd: int, n: int, count: int, flags: int = 0) -> Value:
    """The descriptors alone, with room for ``count``."""
    with borrowed(fd) as sock:
        _, items, _, _ = sock.recvmsg(n, CMSG_LEN(INT_SIZE * count), flags)
    return [received for _, _, content in items for received in _descriptors(content)]


OPERATIONS: Final[Mapping[str, Operation]] = {
    "recvfds": recvfds,
    "recvmsg": recvmsg,
    "sendmany_rights": sendmany_rights,
    "sendmsg": sendmsg,
    "sendmsg_items": sendmsg_items,
    "sendmsg_oddrights": sendmsg_oddrights,
}
