"""Operations on sockets with names: bind, listen, accept, connect, sendto, recvfrom.

The plain ones do what Python's ``socket`` objects do: they check the form of
an address before they call, and retry as PEP 475 says.  ``sys_`` ones are the
bare call.
"""

from __future__ import annotations

from collections.abc import Mapping
from errno import EINPROGRESS, EINVAL, EISCONN
from select import POLLIN, POLLOUT
from socket import AF_INET, AF_UNIX, MSG_DONTWAIT, SO_DOMAIN, SO_ERROR, SOCK_DGRAM, SOL_SOCKET
from typing import Final

from asyncipc import posix
from asyncipc.errors import fail
from tests.linux.descriptor_ops import FILL_MAX, Operation, retried, until_failure
from tests.linux.oplang import Addressed, Fd, SocketName, Value, error_name
from tests.linux.socket_ops import a_socket, await_readiness, set_timeout

PATH_MAX: Final = 107
"""How long Python lets a path be: the kernel takes one byte more, without a NUL at its end."""
SUN_PATH: Final = 108


def checked(fd: int, address: SocketName) -> SocketName:
    """An address in the form that a socket object of this family takes."""
    family = posix.getsockopt(a_socket(fd), SOL_SOCKET, SO_DOMAIN)
    if isinstance(address, tuple) != (family != AF_UNIX):
        raise TypeError(f"{address!r} is no address of family {family!r}")
    if isinstance(address, str | bytes):
        path = address.encode() if isinstance(address, str) else address
        if len(path) > (SUN_PATH if path.startswith(b"\0") else PATH_MAX):
            raise OSError("AF_UNIX path too long")
    return address


# -- making, naming, connecting


def socket(family: int, kind: int, protocol: int = 0) -> Fd:
    return Fd(posix.socket(family, kind, protocol))


def bind(fd: int, address: SocketName) -> None:
    posix.bind(fd, checked(fd, address))


def bind_autobind(fd: int) -> None:
    posix.bind(fd, "")


def bind_rawlen(fd: int, path: bytes) -> None:
    """The bare call with ``path`` as it is: the kernel ends it at its first NUL."""
    if len(path) > SUN_PATH:
        fail(EINVAL)
    posix.bind(fd, path if path.startswith(b"\0") else path.partition(b"\0")[0])


def listen(fd: int, backlog: int = 128) -> None:
    posix.listen(a_socket(fd), max(backlog, 0))


async def accept(fd: int) -> Value:
    accepted, address = await retried(posix.accept, a_socket(fd))
    return [Fd(accepted), Addressed(address)]


async def accept4(fd: int, flags: int) -> Fd:
    return Fd((await posix.accept4(fd, flags))[0])


async def sys_accept(fd: int) -> Fd:
    return await accept4(fd, 0)


async def connect(fd: int, address: SocketName) -> None:
    """``socket.connect``, which after EINTR waits for the end of what goes on by itself."""
    try:
        await posix.connect(fd, checked(fd, address))
    except InterruptedError:
        await _connected(fd, None)


async def sys_connect(fd: int, address: SocketName) -> None:
    await posix.connect(fd, address)


async def connect_unspec(fd: int) -> None:
    await posix.connect(fd, None)


async def _connected(fd: int, timeout_s: float | None) -> None:
    if not await retried(posix.poll, [(fd, POLLOUT)], timeout_s):
        raise TimeoutError("timed out")
    error = posix.getsockopt(fd, SOL_SOCKET, SO_ERROR)
    assert isinstance(error, int)
    if error and error != EISCONN:
        fail(error)


def getsockname(fd: int) -> Addressed:
    return Addressed(posix.getsockname(a_socket(fd)))


def getpeername(fd: int) -> Addressed:
    return Addressed(posix.getpeername(a_socket(fd)))


# -- datagrams


async def sendto(fd: int, data: bytes, address: SocketName, flags: int = 0) -> int:
    return await retried(posix.sendto, fd, data, checked(fd, address), flags)


async def recvfrom(fd: int, n: int, flags: int = 0) -> Value:
    data, address = await retried(posix.recvfrom, a_socket(fd), n, flags)
    return [data, Addressed(address)]


async def fillto(fd: int, data: bytes, address: SocketName, max: int = FILL_MAX) -> Value:  # noqa: A002
    """Send to an address without blocking until it fails: [sends, bytes, how it ended]."""
    name = checked(fd, address)
    return await until_failure(lambda: posix.sendto(fd, data, name, MSG_DONTWAIT), max)


# -- ports


def portparity(fd: int) -> str:
    name = posix.getsockname(a_socket(fd))
    return "odd" if isinstance(name, tuple) and name[1] % 2 else "even"


def sameport(one: SocketName, other: SocketName) -> int:
    return int(one[1] == other[1])


async def tcp_spread(address: SocketName, one: int, other: int, clients: int) -> Value:
    """Which of two listeners ``clients`` connections reach: [both or one, how many]."""
    made = [socket(AF_INET, 1) for _ in range(clients)]
    for client in made:
        await connect(client, address)
    counts = [await _accept_all(one), await _accept_all(other)]
    for client in made:
        posix.close(client)
    return ["both" if min(counts) else "one", f"total {sum(counts)}"]


async def _accept_all(listener: int) -> int:
    count = 0
    while True:
        try:
            accepted, _ = await retried(posix.accept, listener)
        except BlockingIOError:
            return count
        posix.close(accepted)
        count += 1


async def reuseport_spread(
    address: SocketName, one: int, other: int, senders: int, each: int
) -> Value:
    """Which of two receivers get what ``senders`` send, ``each`` so many datagrams."""
    reached: set[int] = set()
    split = 0
    for _ in range(senders):
        sender = socket(AF_INET, SOCK_DGRAM)
        for _ in range(each):
            await sendto(sender, b"x", address)
        posix.close(sender)
        got = {fd for fd in (one, other) if await _receives(fd)}
        split += len(got) > 1
        reached |= got
    if senders == 1:
        return ["one sender", f"receivers: {len(reached)}"]
    return ["both" if len(reached) == 2 else "one", f"senders split: {split}"]


async def _receives(fd: int) -> bool:
    """Has it datagrams?  They are taken."""
    found = False
    try:
        while await posix.recv(fd, 10, MSG_DONTWAIT):
            found = True
    except BlockingIOError:
        pass
    return found


# -- socket objects with a timeout


async def py_accept(fd: int, timeout_s: float | None) -> Value:
    """An accepted object blocks, whatever its listener does."""
    set_timeout(fd, timeout_s)
    await await_readiness(fd, POLLIN, timeout_s)
    return await accept(fd)


async def py_connect(fd: int, address: SocketName, timeout_s: float | None) -> None:
    set_timeout(fd, timeout_s)
    try:
        await connect(fd, address)
    except BlockingIOError as error:
        if error.errno != EINPROGRESS or not timeout_s:
            raise
        await _connected(fd, timeout_s)


async def py_connect_ex(fd: int, address: SocketName) -> str:
    try:
        await connect(fd, address)
    except OSError as error:
        return error_name(error)
    return error_name(OSError(0, "ok"))


OPERATIONS: Final[Mapping[str, Operation]] = {
    "accept": accept,
    "accept4": accept4,
    "bind": bind,
    "bind_autobind": bind_autobind,
    "bind_rawlen": bind_rawlen,
    "connect": connect,
    "connect_unspec": connect_unspec,
    "fillto": fillto,
    "getpeername": getpeername,
    "getsockname": getsockname,
    "listen": listen,
    "portparity": portparity,
    "py_accept": py_accept,
    "py_connect": py_connect,
    "py_connect_ex": py_connect_ex,
    "recvfrom": recvfrom,
    "reuseport_spread": reuseport_spread,
    "sameport": sameport,
    "sendto": sendto,
    "socket": socket,
    "sys_accept": sys_accept,
    "sys_connect": sys_connect,
    "tcp_spread": tcp_spread,
}
