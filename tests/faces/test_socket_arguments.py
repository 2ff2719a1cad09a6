"""Bad input to the calls on sockets: the errno that Linux raises, and nothing half done."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from asyncipc import posix
from asyncipc.kernel.sockets.options import (
    SO_ERROR,
    SO_LINGER,
    SO_RCVTIMEO,
    SO_SNDBUF,
    SO_TYPE,
    SOL_SOCKET,
)
from asyncipc.kernel.sockets.socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_SEQPACKET,
    SOCK_STREAM,
)
from tests.faces.test_posix_arguments import outcome

Run = Callable[..., Any]
CLOSED = 99
HOST = ("127.0.0.1", 7)
IPPROTO_TCP = 6
TCP_NODELAY = 1

# What each call is made with after its descriptor.
CALLS: dict[str, tuple[Any, ...]] = {
    "accept": (),
    "accept4": (0,),
    "bind": (HOST,),
    "connect": (HOST,),
    "getpeername": (),
    "getsockname": (),
    "getsockopt": (SOL_SOCKET, SO_TYPE),
    "listen": (1,),
    "recv": (10,),
    "recv_fds": (10, 1),
    "recv_into": (bytearray(10),),
    "recvfrom": (10,),
    "recvmmsg": (1, 10),
    "recvmsg": (10,),
    "recvmsg_into": ([bytearray(10)],),
    "send": (b"x",),
    "send_fds": ([b"x"], [0]),
    "sendmmsg": ([([b"x"],)],),
    "sendmsg": ([b"x"],),
    "sendto": (b"x", HOST),
    "setsockopt": (SOL_SOCKET, SO_SNDBUF, 5000),
    "shutdown": (2,),
}


def test_every_call_on_a_socket_is_in_the_table() -> None:
    """So that a new one is asked for its errors, too."""
    rooms = ("ancillary", "messages", "options", "sockets")
    modules = {f"asyncipc.posix.{room}" for room in rooms}
    public = {
        name
        for name in posix.__all__
        if getattr(getattr(posix, name), "__module__", "") in modules
        and next(iter(inspect.signature(getattr(posix, name)).parameters), "") == "fd"
    }
    assert public == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_each_refuses_what_is_no_socket_of_this_process(run: Run, name: str) -> None:
    call, args = getattr(posix, name), CALLS[name]

    async def main() -> None:
        r, w = posix.pipe()
        for closed in (CLOSED, -1, 1 << 40):
            assert await outcome(lambda fd=closed: call(fd, *args)) == "EBADF"  # type: ignore[misc]
        for end in (r, w, 0):
            assert await outcome(lambda fd=end: call(fd, *args)) == "ENOTSOCK"  # type: ignore[misc]
        for wrong in ("3", None, 3.0, [3]):
            assert await outcome(lambda fd=wrong: call(fd, *args)) == "TypeError"  # type: ignore[misc]
        assert await posix.write(w, b"intact") == 6
        assert await posix.read(r, 10) == b"intact"

    run(main)


def each(run: Run, expected: list[tuple[str, Callable[[], Any]]]) -> None:
    """Each call gives its outcome; the number of descriptors stays what it was."""

    async def main() -> None:
        got = [await outcome(call) for _, call in expected]
        assert got == [wanted for wanted, _ in expected]

    run(main)


def test_a_socket_needs_a_family_a_type_and_a_protocol_that_exist(run: Run) -> None:
    each(
        run,
        [
            ("EAFNOSUPPORT", lambda: posix.socket(99)),
            ("EAFNOSUPPORT", lambda: posix.socket(-1)),
            ("EINVAL", lambda: posix.socket(AF_UNIX, 77)),
            ("EINVAL", lambda: posix.socket(AF_INET, SOCK_STREAM | 0x100000)),
            ("ESOCKTNOSUPPORT", lambda: posix.socket(AF_INET, SOCK_SEQPACKET)),
            ("EPROTONOSUPPORT", lambda: posix.socket(AF_UNIX, SOCK_STREAM, 5)),
            ("EPROTONOSUPPORT", lambda: posix.socket(AF_INET, SOCK_STREAM, 17)),
            ("EPROTONOSUPPORT", lambda: posix.socket(AF_INET, SOCK_DGRAM, 6)),
            ("TypeError", lambda: posix.socket("inet")),  # type: ignore[arg-type]
            ("EOPNOTSUPP", lambda: posix.socketpair(AF_INET)),
        ],
    )


@pytest.mark.simulated("raw sockets of the internet are not modelled")
def test_a_raw_socket_of_the_internet_is_refused_by_name(run: Run) -> None:
    each(run, [("Unsupported", lambda: posix.socket(AF_INET, SOCK_RAW, 1))])


STATES: list[tuple[str, int, int, Callable[[int], Any]]] = [
    ("EINVAL", AF_UNIX, SOCK_STREAM, lambda fd: posix.accept(fd)),
    ("EINVAL", AF_INET, SOCK_STREAM, lambda fd: posix.accept(fd)),
    ("EOPNOTSUPP", AF_UNIX, SOCK_DGRAM, lambda fd: posix.accept(fd)),
    ("EOPNOTSUPP", AF_INET, SOCK_DGRAM, lambda fd: posix.accept(fd)),
    ("EOPNOTSUPP", AF_UNIX, SOCK_DGRAM, lambda fd: posix.listen(fd)),
    ("EOPNOTSUPP", AF_INET, SOCK_DGRAM, lambda fd: posix.listen(fd)),
    ("EINVAL", AF_UNIX, SOCK_STREAM, lambda fd: posix.listen(fd)),
    ("EINVAL", AF_INET, SOCK_STREAM, lambda fd: posix.accept4(fd, 1)),
    ("ENOTCONN", AF_UNIX, SOCK_STREAM, lambda fd: posix.send(fd, b"x")),
    ("EPIPE", AF_INET, SOCK_STREAM, lambda fd: posix.send(fd, b"x")),
    ("EDESTADDRREQ", AF_INET, SOCK_DGRAM, lambda fd: posix.send(fd, b"x")),
    ("ENOTCONN", AF_UNIX, SOCK_DGRAM, lambda fd: posix.send(fd, b"x")),
    ("EINVAL", AF_UNIX, SOCK_STREAM, lambda fd: posix.recv(fd, 1)),
    ("ENOTCONN", AF_UNIX, SOCK_SEQPACKET, lambda fd: posix.recv(fd, 1)),
    ("ENOTCONN", AF_INET, SOCK_STREAM, lambda fd: posix.recv(fd, 1)),
    ("ENOTCONN", AF_INET, SOCK_STREAM, lambda fd: posix.getpeername(fd)),
    ("ENOTCONN", AF_UNIX, SOCK_STREAM, lambda fd: posix.getpeername(fd)),
    ("ENOTCONN", AF_INET, SOCK_STREAM, lambda fd: posix.shutdown(fd, 2)),
    ("EINVAL", AF_INET, SOCK_STREAM, lambda fd: posix.shutdown(fd, 3)),
    ("ECONNREFUSED", AF_INET, SOCK_STREAM, lambda fd: posix.connect(fd, HOST)),
    ("ENOENT", AF_UNIX, SOCK_STREAM, lambda fd: posix.connect(fd, "/tmp/nobody")),
    ("ECONNREFUSED", AF_UNIX, SOCK_STREAM, lambda fd: posix.connect(fd, b"\0nobody")),
    ("EINVAL", AF_UNIX, SOCK_STREAM, lambda fd: posix.connect(fd, HOST)),
    ("EINVAL", AF_UNIX, SOCK_STREAM, lambda fd: posix.bind(fd, HOST)),
    ("EINVAL", AF_UNIX, SOCK_STREAM, lambda fd: posix.bind(fd, "/tmp/" + "x" * 104)),
    ("ENOENT", AF_UNIX, SOCK_STREAM, lambda fd: posix.bind(fd, "/nowhere/x")),
    ("ENOTDIR", AF_UNIX, SOCK_STREAM, lambda fd: bind_below_a_socket(fd)),
    ("EADDRINUSE", AF_UNIX, SOCK_STREAM, lambda fd: posix.bind(fd, "/tmp")),
    ("EADDRNOTAVAIL", AF_INET, SOCK_STREAM, lambda fd: posix.bind(fd, ("10.9.8.7", 0))),
    ("EADDRNOTAVAIL", AF_INET, SOCK_DGRAM, lambda fd: posix.bind(fd, ("10.9.8.7", 0))),
    ("EAFNOSUPPORT", AF_INET, SOCK_STREAM, lambda fd: posix.bind(fd, ("::1", 0))),
    ("EINVAL", AF_INET6, SOCK_STREAM, lambda fd: posix.bind(fd, ("127.0.0.1", 0))),
    ("EMSGSIZE", AF_INET, SOCK_DGRAM, lambda fd: posix.sendto(fd, bytes(65508), HOST)),
    ("EINVAL", AF_INET, SOCK_DGRAM, lambda fd: posix.sendto(fd, b"x", ("127.0.0.1", 0))),
    ("EACCES", AF_INET, SOCK_DGRAM, lambda fd: posix.sendto(fd, b"x", ("127.255.255.255", 7))),
    ("ENOPROTOOPT", AF_INET, SOCK_STREAM, lambda fd: posix.getsockopt(fd, SOL_SOCKET, 9999)),
    ("ENOPROTOOPT", AF_UNIX, SOCK_STREAM, lambda fd: posix.setsockopt(fd, SOL_SOCKET, 9999, 1)),
    ("ENOPROTOOPT", AF_UNIX, SOCK_STREAM, lambda fd: posix.setsockopt(fd, SOL_SOCKET, SO_ERROR, 1)),
    ("EOPNOTSUPP", AF_UNIX, SOCK_STREAM, lambda fd: posix.getsockopt(fd, IPPROTO_TCP, TCP_NODELAY)),
    ("EINVAL", AF_UNIX, SOCK_STREAM, lambda fd: posix.setsockopt(fd, SOL_SOCKET, SO_LINGER, b"x")),
    ("EINVAL", AF_INET, SOCK_STREAM, lambda fd: posix.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, b"x")),
    ("EINVAL", AF_INET, SOCK_DGRAM, lambda fd: posix.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, b"")),
    ("EINVAL", AF_INET, SOCK_DGRAM, lambda fd: posix.recv(fd, -1)),
    ("TypeError", AF_INET, SOCK_DGRAM, lambda fd: posix.send(fd, "text")),  # type: ignore[arg-type]
    ("TypeError", AF_UNIX, SOCK_STREAM, lambda fd: posix.bind(fd, 7)),  # type: ignore[arg-type]
    ("ValueError", AF_UNIX, SOCK_DGRAM, lambda fd: posix.recvmsg(fd, 1, -1)),
    ("ValueError", AF_UNIX, SOCK_DGRAM, lambda fd: posix.recv_into(fd, bytearray(3), 4)),
]


def bind_below_a_socket(fd: int) -> None:
    other = posix.socket(AF_UNIX)
    posix.bind(other, "/tmp/socket")
    posix.close(other)
    posix.bind(fd, "/tmp/socket/below")


@pytest.mark.parametrize(
    ("wanted", "family", "kind", "call"),
    STATES,
    ids=[f"{number}-{state[0]}" for number, state in enumerate(STATES)],
)
def test_a_fresh_socket_refuses_and_stays_as_good_as_new(
    run: Run, wanted: str, family: int, kind: int, call: Callable[[int], Any]
) -> None:
    async def main() -> None:
        posix.signal(13, posix.SIG_IGN)
        fd = posix.socket(family, kind)
        assert await outcome(lambda: call(fd)) == wanted
        name: Any = f"/tmp/{fd}" if family == AF_UNIX else ("", 4242)
        sends = wanted != "TypeError" and {"send", "sendto"} & {*call.__code__.co_names}
        if sends and kind == SOCK_DGRAM and family == AF_INET:
            assert posix.getsockname(fd)[1]  # udp_sendmsg has bound a port all the same
        else:
            posix.bind(fd, name)
            told = posix.getsockname(fd)
            assert told == name if family == AF_UNIX else told[1] == 4242
        assert posix.pipe() == (fd + 1, fd + 2)

    run(main)
