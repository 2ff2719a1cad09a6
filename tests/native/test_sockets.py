"""Sockets of the operating system, where they need more than a call of it."""

from __future__ import annotations

import errno
import os
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import Native, Unsupported, posix
from asyncipc.kernel.signals.disposition import SIGPIPE
from asyncipc.kernel.sockets.ancillary import MSG_CTRUNC, SCM_CREDENTIALS
from asyncipc.kernel.sockets.options import (
    SO_LINGER,
    SO_PASSCRED,
    SO_PEERCRED,
    SO_RCVTIMEO,
    SOL_SOCKET,
)
from asyncipc.kernel.sockets.socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    MSG_PEEK,
    MSG_WAITALL,
    SHUT_RD,
    SHUT_WR,
    SOCK_DGRAM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
)
from tests.native import programs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's numbers and names")

Run = Callable[..., Any]
LONGEST = 107
TEN_MS = struct.pack("qq", 0, 10_000)


def bound(kind: int, name: str | bytes) -> int:
    fd = posix.socket(AF_UNIX, kind)
    posix.bind(fd, name)
    return fd


async def fill(fd: int) -> None:
    with pytest.raises(BlockingIOError):
        while True:
            await posix.send(fd, bytes(1000), MSG_DONTWAIT)


@pytest.mark.parametrize("kind", [SOCK_STREAM, SOCK_SEQPACKET])
def test_all_who_wait_for_a_full_unix_backlog_get_in(run: Run, kind: int) -> None:
    async def main() -> None:
        server = bound(kind, "/tmp/server")
        posix.listen(server, 0)
        connected: list[int] = []

        async def connect() -> None:
            fd = posix.socket(AF_UNIX, kind)
            await posix.connect(fd, "/tmp/server")
            connected.append(fd)

        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(connect)
            await anyio.sleep(1)
            assert len(connected) == 1
            for _ in range(4):
                await posix.accept(server)
        assert len(connected) == 4

    run(main)


@pytest.mark.parametrize("depth", [1, 40, 80, 120])
@pytest.mark.parametrize("name", ["/tmp/server", "server", "./server", "../tmp/server"])
def test_a_path_comes_back_as_it_was_written_however_long_the_root(
    backend: str, tmp_path: Path, name: str, depth: int
) -> None:
    async def main() -> None:
        server = bound(SOCK_DGRAM, name)
        client = bound(SOCK_DGRAM, "client")
        await posix.connect(client, name)
        await posix.send(client, b"x")
        assert await posix.recvfrom(server, 9) == (b"x", "client")
        written = name if ".." not in name else posix.getsockname(server)
        assert posix.getsockname(server) == posix.getpeername(client) == written
        await posix.connect(posix.socket(AF_UNIX, SOCK_DGRAM), written)
        assert sorted(posix.listdir("/tmp")) == ["client", "server"]

    root = tmp_path / ("r" * depth)
    asyncipc.run(main, machine=Native(root=str(root)), backend=backend)  # type: ignore[arg-type]
    assert (root / "tmp" / "server").is_socket()


def test_a_path_may_be_as_long_as_an_address_has_room_for(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(OSError) as caught:
            bound(SOCK_STREAM, "/tmp/" + "x" * (LONGEST - 3))
        assert caught.value.errno == errno.EINVAL

    run(main)


def test_names_without_a_file_are_the_operating_systems(run: Run) -> None:
    async def main() -> None:
        name = b"\0asyncipc %d" % os.getpid()
        server = bound(SOCK_DGRAM, name)
        client = bound(SOCK_DGRAM, "")
        await posix.sendto(client, b"x", name)
        _, address = await posix.recvfrom(server, 9)
        assert address == posix.getsockname(client)
        assert isinstance(address, bytes)
        assert len(address) == 6

    run(main)


def test_who_waits_for_one_full_receiver_holds_nobody_back_from_another(run: Run) -> None:
    async def main() -> None:
        full, empty = bound(SOCK_DGRAM, "/tmp/full"), bound(SOCK_DGRAM, "/tmp/empty")
        filler, sender = posix.socket(AF_UNIX, SOCK_DGRAM), posix.socket(AF_UNIX, SOCK_DGRAM)
        await posix.connect(filler, "/tmp/full")
        await fill(filler)
        async with anyio.create_task_group() as group:
            group.start_soon(posix.sendto, sender, b"late", "/tmp/full")
            await anyio.sleep(1)
            await posix.sendto(sender, b"at once", "/tmp/empty")
            assert await posix.recv(empty, 9) == b"at once"
            await posix.recv(full, 1000)
        got = b""
        while got != b"late":
            got = await posix.recv(full, 1000, MSG_DONTWAIT)

    run(main)


def test_the_end_is_told_to_who_sleeps_and_eagain_to_who_does_not(run: Run) -> None:
    async def main() -> None:
        server = bound(SOCK_STREAM, "/tmp/server")
        posix.listen(server, 1)
        inbox, _ = posix.socketpair(AF_UNIX, SOCK_DGRAM)
        for fd in (server, inbox):
            posix.shutdown(fd, SHUT_RD)
        assert await posix.recv(inbox, 9) == b""
        with pytest.raises(BlockingIOError):
            await posix.recv(inbox, 9, MSG_DONTWAIT)
        with pytest.raises(OSError, match="Invalid"):
            await posix.accept(server)
        posix.set_blocking(server, False)
        with pytest.raises(BlockingIOError):
            await posix.accept(server)

    run(main)


def test_a_peek_at_everything_waits_for_everything_or_the_end(run: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair()
        got: list[bytes] = []

        async def peek() -> None:
            got.append(await posix.recv(b, 4, MSG_PEEK | MSG_WAITALL))

        async with anyio.create_task_group() as group:
            group.start_soon(peek)
            await posix.send(a, b"ab")
            await anyio.sleep(1)
            assert not got
            await posix.send(a, b"cd")
        posix.shutdown(a, SHUT_WR)
        assert got == [b"abcd"]
        assert await posix.recv(b, 9, MSG_PEEK | MSG_WAITALL) == b"abcd"

    run(main)


@pytest.mark.parametrize(("kind", "signals"), [(SOCK_STREAM, [True, False]), (SOCK_SEQPACKET, [])])
def test_only_streams_send_sigpipe_and_only_if_allowed(
    run: Run, kind: int, signals: list[bool]
) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, kind)
        posix.close(b)
        seen: list[int] = []
        posix.signal(SIGPIPE, lambda *_: seen.append(1))
        for flags in (0, MSG_NOSIGNAL):
            with pytest.raises(BrokenPipeError):
                await posix.send(a, b"x", flags)
        assert len(seen) == signals.count(True)

    run(main)


def test_an_ipv6_socket_sends_to_an_address_of_ipv4(run: Run) -> None:
    async def main() -> None:
        receiver, sender = posix.socket(AF_INET, SOCK_DGRAM), posix.socket(AF_INET6, SOCK_DGRAM)
        posix.bind(receiver, ("127.0.0.1", 0))
        assert await posix.sendto(sender, b"six to four", posix.getsockname(receiver)) == 11
        assert await posix.recv(receiver, 99) == b"six to four"
        with pytest.raises(OSError) as caught:
            posix.bind(sender, ("127.0.0.1", 0))
        assert caught.value.errno == errno.EINVAL

    run(main)


def test_a_close_that_was_to_linger_stops_nobody(run: Run) -> None:
    async def main() -> None:
        server, client = posix.socket(), posix.socket()
        posix.bind(server, ("127.0.0.1", 0))
        posix.listen(server)
        await posix.connect(client, posix.getsockname(server))  # type: ignore[arg-type]
        await fill(client)
        posix.setsockopt(client, SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 3))
        started = time.monotonic()
        posix.close(client)
        assert time.monotonic() - started < 1

    run(main)


def test_an_accepted_tcp_socket_has_its_listeners_time_limit(run: Run) -> None:
    async def main() -> None:
        server, client = posix.socket(), posix.socket()
        posix.bind(server, ("127.0.0.1", 0))
        posix.listen(server)
        posix.setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, TEN_MS)
        await posix.connect(client, posix.getsockname(server))  # type: ignore[arg-type]
        accepted, _ = await posix.accept(server)
        with pytest.raises(BlockingIOError):
            await posix.recv(accepted, 1)

    run(main)


def test_what_tells_pids_is_refused_by_name(run: Run) -> None:
    async def main() -> None:
        a, _ = posix.socketpair()
        with pytest.raises(Unsupported, match="SO_PEERCRED"):
            posix.getsockopt(a, SOL_SOCKET, SO_PEERCRED, 12)
        with pytest.raises(Unsupported, match="SO_PASSCRED"):
            posix.setsockopt(a, SOL_SOCKET, SO_PASSCRED, 1)
        posix.setsockopt(a, SOL_SOCKET, SO_PASSCRED, 0)
        mine = SOL_SOCKET, SCM_CREDENTIALS, struct.pack("3i", posix.getpid(), 0, 0)
        with pytest.raises(Unsupported, match="SCM_CREDENTIALS"):
            await posix.sendmsg(a, [b"x"], [mine])

    run(main)


def test_a_console_cannot_be_sent(run: Run) -> None:
    async def main() -> None:
        a, _ = posix.socketpair()
        with pytest.raises(Unsupported, match="SCM_RIGHTS with console"):
            await posix.send_fds(a, [b"x"], [0])

    run(main)


def test_descriptors_for_which_there_is_no_number_are_closed(run: Run) -> None:
    """The fixture sees that the operating system has none left."""

    async def main() -> None:
        a, b = posix.socketpair()
        r, w = posix.pipe()
        await posix.send_fds(a, [b"x"], [w] * 5)
        posix.setrlimit(posix.RLIMIT_NOFILE, (w + 3, 100))
        _, fds, flags, _ = await posix.recv_fds(b, 9, 5)
        assert fds == [w + 1, w + 2]
        assert flags == MSG_CTRUNC
        await posix.send_fds(a, [b"x"], [w] * 5)
        await posix.recv(b, 9)
        for fd in (w, *fds):
            posix.close(fd)
        assert await posix.read(r, 1) == b""

    run(main)


def test_who_connects_is_told_by_the_operating_system(isolated: Run) -> None:
    async def main() -> None:
        name = b"\0asyncipc-peer-%d" % os.getpid()
        server = bound(SOCK_STREAM, name)
        posix.listen(server)
        pid = posix.fork(programs.connects_and_says_who_it_is, name)
        fd, _ = await posix.accept(server)
        posix.setsockopt(fd, SOL_SOCKET, SO_PASSCRED, 1)
        credentials = struct.pack("iii", pid, os.getuid(), os.getgid())
        assert posix.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, 12) == credentials
        data, control, _, _ = await posix.recvmsg(fd, 9, 64)
        assert data == b"%d" % pid
        assert control == [(SOL_SOCKET, SCM_CREDENTIALS, credentials)]
        posix.close(fd)
        assert await posix.waitpid(pid) == (pid, 0)

    isolated(main)
