"""Connections of UNIX sockets as programs meet them: servers, names, backlogs, ends."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from asyncipc import Deadlock, posix
from asyncipc.kernel.readiness import HUP, IN, OUT, RDHUP
from asyncipc.kernel.signals.disposition import SIGKILL
from asyncipc.kernel.sockets.options import SO_PEERCRED, SO_RCVTIMEO, SO_SNDTIMEO
from asyncipc.kernel.sockets.options import SOL_SOCKET as LEVEL
from asyncipc.kernel.sockets.socket import (
    AF_UNIX,
    MSG_WAITALL,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SOCK_SEQPACKET,
    SOCK_STREAM,
)
from tests.pace import have_passed

Run = Callable[..., Any]
NAME = "/tmp/server"
TEN_MS = struct.pack("qq", 0, 10_000)
each_connected_type = pytest.mark.parametrize("kind", [SOCK_STREAM, SOCK_SEQPACKET])


def bound(kind: int, name: str | bytes = NAME) -> int:
    fd = posix.socket(AF_UNIX, kind)
    posix.bind(fd, name)
    return fd


def listener(kind: int, backlog: int = 5) -> int:
    fd = bound(kind)
    posix.listen(fd, backlog)
    return fd


async def client(kind: int) -> int:
    fd = posix.socket(AF_UNIX, kind)
    await posix.connect(fd, NAME)
    return fd


@each_connected_type
def test_a_server_in_one_process_serves_clients_in_others(run: Run, kind: int) -> None:
    async def asks(number: int) -> None:
        fd = await client(kind)
        posix.bind(fd, b"\0client-%d of %d" % (number, os.getpid()))
        await posix.send(fd, b"%d" % number)
        assert await posix.recv(fd, 9) == b"%d" % (number * number)
        posix._exit(number)

    async def main() -> None:
        server = listener(kind)
        pids = [posix.fork(asks, number) for number in range(1, 6)]
        for _ in pids:
            fd, _ = await posix.accept(server)
            number = int(await posix.recv(fd, 9))
            assert posix.getpeername(fd) == b"\0client-%d of %d" % (number, os.getpid())
            await posix.send(fd, b"%d" % (number * number))
            posix.close(fd)
        assert [await posix.waitpid(pid) for pid in pids] == [
            (pid, number << 8) for number, pid in enumerate(pids, 1)
        ]

    run(main)


@each_connected_type
def test_a_killed_server_frees_its_abstract_name_and_leaves_a_stale_path(
    run: Run, kind: int
) -> None:
    async def serves(name: str | bytes) -> None:
        fd = bound(kind, name)
        posix.listen(fd, 5)
        await posix.accept(fd)

    async def main() -> None:
        for name in (NAME, b"\0server %d" % os.getpid()):
            pid = posix.fork(serves, name)
            await anyio.sleep(1)
            posix.kill(pid, SIGKILL)
            await posix.waitpid(pid)
            fd = posix.socket(AF_UNIX, kind)
            with pytest.raises(ConnectionRefusedError):
                await posix.connect(fd, name)
            if name == NAME:
                with pytest.raises(OSError, match="in use"):
                    posix.bind(fd, name)
                posix.unlink(NAME)
            posix.bind(fd, name)

    run(main)


@pytest.mark.simulated("an order: who waits for a full UNIX backlog tries again by time")
@each_connected_type
def test_connects_that_sleep_for_a_full_backlog_go_on_in_order(run: Run, kind: int) -> None:
    async def main() -> None:
        server = listener(kind, 0)
        done: list[int] = []

        async def connect(number: int) -> None:
            fd = await client(kind)
            done.append(number)
            await posix.send(fd, b"%d" % number)

        async with anyio.create_task_group() as group:
            for number in range(4):
                group.start_soon(connect, number)
                await anyio.sleep(1)
            assert done == [0]
            for number in range(4):
                fd, _ = await posix.accept(server)
                assert await posix.recv(fd, 9) == b"%d" % number
        assert sorted(done) == [0, 1, 2, 3]

    run(main)


@each_connected_type
def test_a_listener_that_is_closed_ends_sleeping_connects_and_waiting_connections(
    run: Run, kind: int
) -> None:
    async def main() -> None:
        server = listener(kind, 0)
        waiting = await client(kind)
        refused: list[BaseException] = []

        async def connect() -> None:
            try:
                await client(kind)
            except ConnectionRefusedError as error:
                refused.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(connect)
            group.start_soon(connect)
            await anyio.sleep(1)
            posix.close(server)
        assert len(refused) == 2
        with pytest.raises(ConnectionResetError):
            await posix.recv(waiting, 1)
        assert await posix.recv(waiting, 1) == b""

    run(main)


@each_connected_type
def test_a_sleeping_connect_follows_the_name_to_another_listener(run: Run, kind: int) -> None:
    async def main() -> None:
        first = listener(kind, 0)
        await client(kind)
        posix.unlink(NAME)
        second = listener(kind, 0)
        await client(kind)
        posix.rename(NAME, "/tmp/second")
        made: list[int] = []

        async def connect() -> None:
            made.append(await client(kind))

        async with anyio.create_task_group() as group:
            late = bound(kind)
            posix.listen(late, 0)
            await client(kind)
            group.start_soon(connect)  # sleeps at the third listener
            await anyio.sleep(1)
            posix.rename("/tmp/second", NAME)
            await posix.accept(late)  # it looks again, and stands at the second's
            await anyio.sleep(1)
            assert not made
            await posix.accept(second)
        assert made
        await posix.accept(second)
        await posix.accept(first)

    run(main)


@each_connected_type
def test_connect_and_accept_keep_to_their_time_limits(run: Run, kind: int) -> None:
    async def main() -> None:
        server = listener(kind, 0)
        posix.setsockopt(server, LEVEL, SO_RCVTIMEO, TEN_MS)
        start = anyio.current_time()
        with pytest.raises(BlockingIOError):
            await posix.accept(server)
        await client(kind)
        late = posix.socket(AF_UNIX, kind)
        posix.setsockopt(late, LEVEL, SO_SNDTIMEO, TEN_MS)
        with pytest.raises(BlockingIOError):
            await posix.connect(late, NAME)
        assert have_passed(start, 0.02)
        assert await posix.poll([(late, OUT | IN)]) == [(late, OUT | HUP)]

    run(main)


@each_connected_type
def test_closing_the_descriptor_leaves_a_sleeping_acceptor_its_listener(
    run: Run, kind: int
) -> None:
    async def main() -> None:
        server = listener(kind)
        accepted: list[int] = []

        async def accept() -> None:
            accepted.append((await posix.accept(server))[0])

        async with anyio.create_task_group() as group:
            group.start_soon(accept)
            await anyio.sleep(1)
            posix.close(server)
            await anyio.sleep(1)
            await client(kind)
        assert len(accepted) == 1
        with pytest.raises(ConnectionRefusedError):
            await client(kind)

    run(main)


@each_connected_type
def test_shutting_a_listener_wakes_every_acceptor(run: Run, kind: int) -> None:
    async def main() -> None:
        server = listener(kind)
        ends: list[int | None] = []

        async def accept() -> None:
            with pytest.raises(OSError, match="Invalid argument") as caught:
                await posix.accept(server)
            ends.append(caught.value.errno)

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(accept)
            await anyio.sleep(1)
            posix.shutdown(server, SHUT_RD)
        assert ends == [errno.EINVAL] * 3
        assert await posix.poll([(server, IN | RDHUP)]) == [(server, IN | RDHUP)]

    run(main)


@pytest.mark.simulated("credentials tell pids, which needs isolation='process'")
def test_credentials_of_the_peer_are_those_of_who_made_the_connection(run: Run) -> None:
    async def connects() -> None:
        posix._exit(struct.unpack("3i", ask(await client(SOCK_STREAM)))[0])

    def ask(fd: int) -> bytes:
        answer = posix.getsockopt(fd, LEVEL, SO_PEERCRED, 12)
        assert isinstance(answer, bytes)
        return answer

    async def main() -> None:
        me = posix.getpid()
        server = listener(SOCK_STREAM)
        pid = posix.fork(connects)
        accepted, _ = await posix.accept(server)
        assert ask(accepted) == struct.pack("3i", pid, 0, 0)
        assert await posix.waitpid(pid) == (pid, me << 8)
        for fd in posix.socketpair():
            assert ask(fd) == struct.pack("3i", me, 0, 0)
        assert ask(posix.socket(AF_UNIX)) == struct.pack("3i", 0, -1, -1)

    run(main)


def test_a_half_close_by_name_ends_one_direction(run: Run) -> None:
    async def main() -> None:
        server = listener(SOCK_STREAM)
        near = await client(SOCK_STREAM)
        far, _ = await posix.accept(server)
        await posix.send(near, b"question")
        posix.shutdown(near, SHUT_WR)
        assert await posix.recv(far, 99, MSG_WAITALL) == b"question"
        await posix.send(far, b"answer")
        posix.shutdown(far, SHUT_RDWR)
        assert await posix.recv(near, 99, MSG_WAITALL) == b"answer"
        assert await posix.poll([(near, IN)], 0) == [(near, IN | HUP)]

    run(main)


@pytest.mark.simulated("a report of the deadlock")
def test_a_connect_for_which_nobody_accepts_is_a_deadlock_that_names_the_listener(
    run: Run,
) -> None:
    async def main() -> None:
        listener(SOCK_STREAM, 0)
        await client(SOCK_STREAM)
        await client(SOCK_STREAM)

    with pytest.raises(Deadlock, match=r"connect.*"):
        run(main)
