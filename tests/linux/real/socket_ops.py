"""Operations on sockets: the plain ones by a socket object of Python's, ``sys_`` ones without."""
# ruff: noqa: A002 (the op language names the keywords)

from __future__ import annotations

import ctypes
import errno
import os
import socket as socket_module
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from socket import AF_INET, AF_INET6, AF_UNIX, MSG_DONTWAIT, SOCK_DGRAM, SOCK_STREAM
from typing import Final

from tests.linux.oplang import Addressed, Fd, SocketName, Value
from tests.linux.real.descriptor_ops import FILL_MAX, Operation, until_failure
from tests.linux.real.libc import INT, POINTER, SIZE, TEXT, function

_accept4: Final = function("accept4", INT, POINTER, POINTER, INT)
_accept: Final = function("accept", INT, POINTER, POINTER)
_connect: Final = function("connect", INT, TEXT, INT)
_bind: Final = function("bind", INT, TEXT, INT)
_recv: Final = function("recv", INT, POINTER, SIZE, INT, result=ctypes.c_ssize_t)
_send: Final = function("send", INT, TEXT, SIZE, INT, result=ctypes.c_ssize_t)


@contextmanager
def borrowed(fd: int, *timeout: float | None) -> Iterator[socket_module.socket]:
    """A socket object of a descriptor that stays open."""
    sock = socket_module.socket(fileno=fd)
    try:
        if timeout:
            sock.settimeout(timeout[0])
        yield sock
    finally:
        sock.detach()


def raw_address(name: SocketName) -> bytes:
    """``struct sockaddr`` of a name."""
    if isinstance(name, tuple):
        host, port = name[:2]
        if ":" in host:
            head = struct.pack("=H", AF_INET6) + struct.pack("!HI", port, 0)
            return head + socket_module.inet_pton(AF_INET6, host) + bytes(4)
        head = struct.pack("=H", AF_INET) + struct.pack("!H", port)
        return head + socket_module.inet_aton(host) + bytes(8)
    path = name.encode() + b"\0" if isinstance(name, str) else name
    return struct.pack("=H", AF_UNIX) + path


# -- making, naming, connecting


def socket(family: int, kind: int, protocol: int = 0) -> Value:
    return Fd(socket_module.socket(family, kind, protocol).detach())


def socketpair(family: int, kind: int, protocol: int = 0) -> Value:
    return [Fd(end.detach()) for end in socket_module.socketpair(family, kind, protocol)]


def bind(fd: int, name: SocketName) -> None:
    with borrowed(fd) as sock:
        sock.bind(name)


def bind_autobind(fd: int) -> None:
    _bind(fd, struct.pack("=H", AF_UNIX), 2)


def bind_rawlen(fd: int, path: bytes) -> None:
    _bind(fd, struct.pack("=H", AF_UNIX) + path, 2 + len(path))


def listen(fd: int, backlog: int = 128) -> None:
    with borrowed(fd) as sock:
        sock.listen(backlog)


def accept(fd: int) -> Value:
    with borrowed(fd) as sock:
        accepted, name = sock._accept()  # type: ignore[attr-defined]  # noqa: SLF001, RUF100
        return [Fd(accepted), Addressed(name)]


def accept4(fd: int, flags: int) -> Value:
    return Fd(_accept4(fd, None, None, flags))


def sys_accept(fd: int) -> Value:
    return Fd(_accept(fd, None, None))


def connect(fd: int, name: SocketName) -> None:
    with borrowed(fd) as sock:
        sock.connect(name)


def sys_connect(fd: int, name: SocketName) -> None:
    raw = raw_address(name)
    _connect(fd, raw, len(raw))


def connect_unspec(fd: int) -> None:
    _connect(fd, bytes(16), 16)


def getsockname(fd: int) -> Value:
    with borrowed(fd) as sock:
        return Addressed(sock.getsockname())


def getpeername(fd: int) -> Value:
    with borrowed(fd) as sock:
        return Addressed(sock.getpeername())


def shutdown(fd: int, how: int) -> None:
    with borrowed(fd) as sock:
        sock.shutdown(how)


# -- sending and receiving


def send(fd: int, data: bytes, flags: int = 0) -> Value:
    with borrowed(fd) as sock:
        return sock.send(data, flags)


def recv(fd: int, n: int, flags: int = 0) -> Value:
    with borrowed(fd) as sock:
        return sock.recv(n, flags)


def recvn(fd: int, n: int, flags: int = 0) -> Value:
    """``recv_into`` a buffer of n bytes: MSG_TRUNC tells the whole length."""
    with borrowed(fd) as sock:
        return sock.recv_into(bytearray(n), n, flags)


def sendto(fd: int, data: bytes, name: SocketName, flags: int = 0) -> Value:
    with borrowed(fd) as sock:
        return sock.sendto(data, flags, name)


def recvfrom(fd: int, n: int, flags: int = 0) -> Value:
    with borrowed(fd) as sock:
        data, name = sock.recvfrom(n, flags)
        return [data, Addressed(name)]


def sys_recv(fd: int, n: int, flags: int = 0) -> Value:
    buffer = ctypes.create_string_buffer(max(n, 0))
    got = _recv(fd, buffer, n, flags)
    return buffer.raw[:got]


def sys_send(fd: int, data: bytes, flags: int = 0) -> Value:
    return int(_send(fd, data, len(data), flags))


def fillmsg(fd: int, data: bytes, max: int = FILL_MAX) -> Value:
    """Send without blocking until it fails: [sends, bytes, how it ended]."""
    with borrowed(fd) as sock:
        return until_failure(lambda: sock.send(data, MSG_DONTWAIT), max)


def fillto(fd: int, data: bytes, name: SocketName, max: int = FILL_MAX) -> Value:
    with borrowed(fd) as sock:
        return until_failure(lambda: sock.sendto(data, MSG_DONTWAIT, name), max)


# -- ports


def portparity(fd: int) -> Value:
    with borrowed(fd) as sock:
        return "odd" if sock.getsockname()[1] % 2 else "even"


def sameport(one: SocketName, other: SocketName) -> Value:
    return int(one[1] == other[1])


def tcp_spread(name: SocketName, one: int, other: int, clients: int) -> Value:
    """Which of two listeners ``clients`` connections reach: [both or one, how many]."""
    made = [socket_module.socket(AF_INET, SOCK_STREAM) for _ in range(clients)]
    for client in made:
        client.connect(name)
    counts = [_accept_all(one), _accept_all(other)]
    for client in made:
        client.close()
    return ["both" if min(counts) else "one", f"total {sum(counts)}"]


def _accept_all(listener: int) -> int:
    count = 0
    while True:
        try:
            os.close(_accept4(listener, None, None, 0))
        except BlockingIOError:
            return count
        count += 1


def reuseport_spread(name: SocketName, one: int, other: int, senders: int, each: int) -> Value:
    """Which of two receivers get what ``senders`` send, ``each`` so many datagrams."""
    reached: set[int] = set()
    split = 0
    for _ in range(senders):
        with socket_module.socket(AF_INET, SOCK_DGRAM) as sender:
            for _ in range(each):
                sender.sendto(b"x", name)
        got = {fd for fd in (one, other) if _receives(fd)}
        split += len(got) > 1
        reached |= got
    if senders == 1:
        return ["one sender", f"receivers: {len(reached)}"]
    return ["both" if len(reached) == 2 else "one", f"senders split: {split}"]


def _receives(fd: int) -> bool:
    """Has it datagrams?  They are taken."""
    found = False
    with borrowed(fd) as sock:
        try:
            while sock.recv(10, MSG_DONTWAIT):
                found = True
        except BlockingIOError:
            pass
    return found


# -- socket objects with a timeout


def py_recv(fd: int, n: int, timeout_s: float | None) -> Value:
    with borrowed(fd, timeout_s) as sock:
        return sock.recv(n)


def py_sendall(fd: int, data: bytes, timeout_s: float | None) -> None:
    with borrowed(fd, timeout_s) as sock:
        sock.sendall(data)


def py_accept(fd: int, timeout_s: float | None) -> Value:
    with borrowed(fd, timeout_s) as sock:
        accepted, name = sock.accept()
        return [Fd(accepted.detach()), Addressed(name)]


def py_connect(fd: int, name: SocketName, timeout_s: float | None) -> None:
    with borrowed(fd, timeout_s) as sock:
        sock.connect(name)


def py_connect_ex(fd: int, name: SocketName) -> Value:
    with borrowed(fd) as sock:
        number = sock.connect_ex(name)
        return errno.errorcode.get(number, str(number))


def py_pipe_flags() -> Value:
    """How Python makes pipes and socketpairs: [blocking, inheritable] of each."""
    made = [*os.pipe(), *(end.detach() for end in socket_module.socketpair())]
    answers: list[Value] = []
    for fd in made[::2]:
        answers += [int(os.get_blocking(fd)), int(os.get_inheritable(fd))]
    for fd in made:
        os.close(fd)
    return answers


OPERATIONS: Final[Mapping[str, Operation]] = {
    "accept": accept,
    "accept4": accept4,
    "bind": bind,
    "bind_autobind": bind_autobind,
    "bind_rawlen": bind_rawlen,
    "connect": connect,
    "connect_unspec": connect_unspec,
    "fillmsg": fillmsg,
    "fillto": fillto,
    "getpeername": getpeername,
    "getsockname": getsockname,
    "listen": listen,
    "portparity": portparity,
    "py_accept": py_accept,
    "py_connect": py_connect,
    "py_connect_ex": py_connect_ex,
    "py_pipe_flags": py_pipe_flags,
    "py_recv": py_recv,
    "py_sendall": py_sendall,
    "recv": recv,
    "recvfrom": recvfrom,
    "recvn": recvn,
    "reuseport_spread": reuseport_spread,
    "sameport": sameport,
    "send": send,
    "sendto": sendto,
    "shutdown": shutdown,
    "socket": socket,
    "socketpair": socketpair,
    "sys_accept": sys_accept,
    "sys_connect": sys_connect,
    "sys_recv": sys_recv,
    "sys_send": sys_send,
    "tcp_spread": tcp_spread,
}
