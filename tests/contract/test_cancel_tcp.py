"""Every await point of TCP sockets is cancelled or killed in its sleep: nothing is lost.

As tests/contract/test_cancel_parked.py.  A cancelled connect is the exception
that tcp(7) makes: it goes on.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.kernel.signals.disposition import SIGKILL
from asyncipc.kernel.sockets.socket import (
    AF_INET,
    MSG_DONTWAIT,
    MSG_PEEK,
    MSG_WAITALL,
    SOCK_NONBLOCK,
)
from asyncipc.runtime.process import current

Run = Callable[..., Any]
ADDRESS = ("127.0.0.1", 4000)


@dataclass
class Case:
    """A call that sleeps, and what must hold as if it had never been made."""

    call: Callable[[], Awaitable[object]]
    check: Callable[[], Awaitable[object]]


Maker = Callable[[], Awaitable[Case]]


def listener(backlog: int = 5) -> int:
    fd = posix.socket()
    posix.bind(fd, ADDRESS)
    posix.listen(fd, backlog)
    return fd


async def client() -> int:
    fd = posix.socket()
    await posix.connect(fd, ADDRESS)
    return fd


async def connection() -> tuple[int, int]:
    """The client's end and the server's."""
    server = listener()
    made = await client()
    return made, (await posix.accept(server))[0]


async def fill(fd: int) -> int:
    """Send until nothing more fits; how many bytes that took."""
    total = 0
    try:
        while True:
            total += await posix.send(fd, b"f" * 65536, MSG_DONTWAIT)
    except BlockingIOError:
        return total


async def drain(fd: int) -> int:
    """Receive what is there now; how many bytes that was."""
    total = 0
    try:
        while part := await posix.recv(fd, 65536, MSG_DONTWAIT):
            total += len(part)
    except BlockingIOError:
        pass
    return total


async def sleeping_accept() -> Case:
    server = listener()

    async def check() -> None:
        made = await client()
        accepted, _ = await posix.accept(server)
        await posix.send(made, b"hello")
        assert await posix.recv(accepted, 9) == b"hello"

    return Case(lambda: posix.accept(server), check)


async def sleeping_recv() -> Case:
    a, b = await connection()

    async def check() -> None:
        await posix.send(a, b"kept")
        assert await posix.recv(b, 9) == b"kept"

    return Case(lambda: posix.recv(b, 9), check)


async def sleeping_peek_of_everything() -> Case:
    a, b = await connection()
    await posix.send(a, b"half")

    async def check() -> None:
        assert await posix.recv(b, 9) == b"half"

    return Case(lambda: posix.recv(b, 9, MSG_PEEK | MSG_WAITALL), check)


async def sleeping_send() -> Case:
    a, b = await connection()
    filled = await fill(a)

    async def check() -> None:
        assert await drain(b) == filled

    return Case(lambda: posix.send(a, b"late"), check)


async def sleeping_connect() -> Case:
    server = listener(0)
    await client()
    late = posix.socket()

    async def check() -> None:
        posix.set_blocking(late, False)
        with pytest.raises(OSError) as caught:
            await posix.connect(late, ADDRESS)
        assert caught.value.errno == errno.EALREADY
        posix.set_blocking(late, True)
        await posix.accept(server)
        await posix.connect(late, ADDRESS)  # which goes on by itself
        assert posix.getpeername(late) == ADDRESS

    return Case(lambda: posix.connect(late, ADDRESS), check)


each_call = pytest.mark.parametrize(
    "make",
    [
        sleeping_accept,
        sleeping_recv,
        sleeping_peek_of_everything,
        sleeping_send,
        sleeping_connect,
    ],
)


@each_call
def test_scope_cancels_a_sleeping_call_without_effect(run: Run, make: Maker) -> None:
    async def main() -> None:
        case = await make()
        with anyio.move_on_after(0.5) as scope:
            await case.call()
        assert scope.cancelled_caught
        await case.check()

    run(main)


@each_call
def test_call_that_is_cancelled_beforehand_has_no_effect(run: Run, make: Maker) -> None:
    async def main() -> None:
        case = await make()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await case.call()
        assert scope.cancelled_caught
        if make is not sleeping_connect:  # it has not begun, so it can't go on
            await case.check()

    run(main)


@each_call
def test_asyncio_cancels_a_sleeping_call_without_effect(leftovers: object, make: Maker) -> None:
    async def main() -> None:
        case = await make()
        task = asyncio.ensure_future(case.call())
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await case.check()

    asyncipc.run(main, backend="asyncio")


@each_call
def test_a_killed_sleeper_leaves_its_descriptors_at_once(run: Run, make: Maker) -> None:
    async def child() -> None:
        case = await make()
        await case.call()
        raise AssertionError("it was to sleep")

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(0.5)
        process = current().simulation.localhost.kernel.processes[pid]
        files = [entry.file for entry in process.table if entry.fd > 2]
        posix.kill(pid, SIGKILL)
        assert [file.holders for file in files] == [0] * len(files)
        assert await posix.waitpid(pid) == (pid, SIGKILL)
        with pytest.raises(ConnectionRefusedError):
            await posix.connect(posix.socket(), ADDRESS)

    run(main)


def test_connect_that_was_cancelled_beforehand_has_not_begun(run: Run) -> None:
    async def main() -> None:
        server = listener()
        made = posix.socket()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await posix.connect(made, ADDRESS)
        assert await posix.poll([(server, 1)], 0) == []
        await posix.connect(made, ADDRESS)

    run(main)


def test_cancelled_long_send_returns_what_it_has_sent(run: Run) -> None:
    async def main() -> None:
        a, b = await connection()
        sent: list[int] = []
        with anyio.move_on_after(1):
            sent.append(await posix.send(a, b"x" * 50_000_000))
        assert [await drain(b)] == sent

    run(main)


def test_a_woken_acceptor_that_is_cancelled_leaves_the_connection_to_the_next(run: Run) -> None:
    async def main() -> None:
        server = listener()
        accepted: list[int] = []

        async def accept(scope: anyio.CancelScope) -> None:
            with scope:
                accepted.append((await posix.accept(server))[0])

        async with anyio.create_task_group() as group:
            first = anyio.CancelScope()
            group.start_soon(accept, first)
            await anyio.sleep(1)
            group.start_soon(accept, anyio.CancelScope())
            await anyio.sleep(1)
            made = await client()  # wakes the first,
            first.cancel()  # which has not run since
            await posix.send(made, b"hello")
            await anyio.sleep(1)
            group.cancel_scope.cancel()
        assert len(accepted) == 1
        assert await posix.recv(accepted[0], 9) == b"hello"

    run(main)


def test_killed_process_resets_whom_it_had_not_read(run: Run) -> None:
    async def child(server: int) -> None:
        await posix.accept(server)
        await anyio.sleep(1000)

    async def main() -> None:
        server = listener()
        pid = posix.fork(child, server)
        made = await client()
        await anyio.sleep(1)
        await posix.send(made, b"unread")
        posix.kill(pid, SIGKILL)
        with pytest.raises(ConnectionResetError):
            await posix.recv(made, 1)
        await posix.waitpid(pid)

    run(main)


def test_nonblocking_clients_see_each_step(run: Run) -> None:
    async def main() -> None:
        server = listener()
        made = posix.socket(AF_INET, 1 | SOCK_NONBLOCK)
        with pytest.raises(BlockingIOError) as caught:
            await posix.connect(made, ADDRESS)
        assert caught.value.errno == errno.EINPROGRESS
        assert await posix.poll([(made, 4)], 1) == [(made, 4)]
        assert posix.getsockopt(made, 1, 4) == 0
        await posix.accept(server)

    run(main)
