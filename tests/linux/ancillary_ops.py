"""Operations that send and receive control messages: descriptors and credentials."""

from __future__ import annotations

import array
import struct
from collections.abc import Mapping, Sequence
from socket import CMSG_LEN, IPPROTO_IP, IPPROTO_IPV6, SCM_RIGHTS, SOL_SOCKET
from typing import Final, TypeAlias

from asyncipc import posix
from tests.linux.descriptor_ops import Operation, retried
from tests.linux.oplang import Addressed, Fd, Pid, SocketName, Value, mask_text
from tests.linux.socket_ops import a_socket

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


async def _send(
    fd: int,
    data: bytes | list[bytes],
    items: list[Item],
    flags: int = 0,
    address: SocketName | None = None,
) -> int:
    buffers = data if isinstance(data, list) else [data]
    return await retried(posix.sendmsg, a_socket(fd), buffers, items, flags, address)


async def sendmsg(
    fd: int,
    data: bytes | list[bytes],
    fds: Sequence[int] | None = None,
    creds: Sequence[int] | str | None = None,
    flags: int = 0,
    addr: SocketName | None = None,
) -> int:
    items = [] if fds is None else [rights(fds)]
    if creds is not None:
        if isinstance(creds, str):  # "self"
            creds = (posix.getpid(), posix.getuid(), posix.getgid())
        items.append((SOL_SOCKET, SCM_CREDENTIALS, CREDENTIALS.pack(*creds)))
    return await _send(fd, data, items, flags, addr)


async def sendmany_rights(fd: int, passed: int, count: int) -> int:
    return await _send(fd, b"x", [rights([passed] * count)])


async def sendmsg_items(fd: int, data: bytes, items: Sequence[int | Sequence[int | None]]) -> int:
    """Each item is what one SCM_RIGHTS has: a descriptor, or several."""
    several = [item if isinstance(item, Sequence) else [item] for item in items]
    return await _send(fd, data, [rights([f for f in fds if f is not None]) for fds in several])


async def sendmsg_oddrights(fd: int, data: bytes, passed: int, extra: int) -> int:
    level, kind, content = rights([passed])
    return await _send(fd, data, [(level, kind, content + bytes(extra))])


async def recvmsg(fd: int, n: int, anc: int = 256, flags: int = 0) -> Value:
    """[data, ancillary items, flags, address]"""
    data, items, told, address = await retried(posix.recvmsg, a_socket(fd), n, anc, flags)
    shown = [_shown(*item) for item in items]
    return [data, shown, mask_text(told & ~MSG_CMSG_CLOEXEC, MSG_BITS), Addressed(address)]


def _shown(level: int, kind: int, content: bytes) -> Value:
    if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
        return ["rights", *_descriptors(content)]
    if (level, kind) == (SOL_SOCKET, SCM_CREDENTIALS):
        if len(content) < CREDENTIALS.size:
            return ["creds-cut", len(content)]
        pid, *ids = CREDENTIALS.unpack(content)
        return ["creds", Pid(pid), *("me" if pid and number == 0 else number for number in ids)]
    if level in {IPPROTO_IP, IPPROTO_IPV6}:
        return ["ip", kind, len(content)]
    return [level, kind, len(content)]


def _descriptors(content: bytes) -> list[Fd]:
    received = array.array("i")
    received.frombytes(content[: len(content) - len(content) % INT_SIZE])
    return [Fd(fd) for fd in received]


async def recvfds(fd: int, n: int, count: int, flags: int = 0) -> Value:
    """The descriptors alone, with room for ``count``."""
    room = CMSG_LEN(INT_SIZE * count)
    _, items, _, _ = await retried(posix.recvmsg, a_socket(fd), n, room, flags)
    return [received for _, _, content in items for received in _descriptors(content)]


OPERATIONS: Final[Mapping[str, Operation]] = {
    "recvfds": recvfds,
    "recvmsg": recvmsg,
    "sendmany_rights": sendmany_rights,
    "sendmsg": sendmsg,
    "sendmsg_items": sendmsg_items,
    "sendmsg_oddrights": sendmsg_oddrights,
}
