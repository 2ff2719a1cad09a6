"""Every await point is cancelled while a task sleeps in it: nothing is lost, nobody is stranded.

The three ways to be interrupted (an anyio scope, asyncio's own cancellation, SIGKILL)
times every call that may block, on both event loops.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.faces.fifo import open_fifo
from asyncipc.kernel.readiness import IN, OUT
from asyncipc.kernel.signals.disposition import SIGKILL
from asyncipc.kernel.sockets.socket import (
    AF_UNIX,
    MSG_DONTWAIT,
    MSG_WAITALL,
    SOCK_DGRAM,
    SOCK_STREAM,
)
from asyncipc.runtime.process import current
from tests.pace import have_passed

Run = Callable[..., Any]
Call = Callable[[], Awaitable[object]]
Mend = Callable[[], Awaitable[object]]


async def fill(fd: int, size: int = 4096) -> int:
    """Write until nothing more fits; how many bytes that took."""
    posix.set_blocking(fd, False)
    total = 0
    try:
        while True:
            total += await posix.write(fd, b"f" * size)
    except BlockingIOError:
        posix.set_blocking(fd, True)
        return total


async def drain(fd: int) -> bytes:
    """Read what is there now."""
    posix.set_blocking(fd, False)
    parts = []
    try:
        while part := await posix.read(fd, 65536):
            parts.append(part)
    except BlockingIOError:
        pass
    posix.set_blocking(fd, True)
    return b"".join(parts)


class Case:
    """A call that sleeps, and what must hold when it was cancelled: ``check`` sees
    the object as if the call had never been made.
    """

    def __init__(self, call: Call, check: Mend) -> None:
        self.call = call
        self.check = check


async def sleeping_read() -> Case:
    r, w = posix.pipe()

    async def check() -> None:
        await posix.write(w, b"kept")
        assert await posix.read(r, 9) == b"kept"

    return Case(lambda: posix.read(r, 9), check)


async def sleeping_write() -> Case:
    r, w = posix.pipe()
    size = await fill(w)

    async def check() -> None:
        assert await drain(r) == b"f" * size

    return Case(lambda: posix.write(w, b"x" * 100), check)


async def sleeping_recv() -> Case:
    a, b = posix.socketpair()

    async def check() -> None:
        await posix.send(b, b"kept")
        assert await posix.recv(a, 9) == b"kept"

    return Case(lambda: posix.recv(a, 9), check)


async def sleeping_recv_of_all() -> Case:
    a, b = posix.socketpair()

    async def check() -> None:
        await posix.send(b, b"kept")
        assert await posix.recv(a, 9) == b"kept"

    return Case(lambda: posix.recv(a, 9, MSG_WAITALL), check)


async def sleeping_send() -> Case:
    a, b = posix.socketpair()
    size = await fill(a)

    async def check() -> None:
        assert await drain(b) == b"f" * size

    return Case(lambda: posix.send(a, b"x" * 100), check)


async def sleeping_datagram_recv() -> Case:
    a, b = posix.socketpair(AF_UNIX, SOCK_DGRAM)

    async def check() -> None:
        await posix.send(b, b"kept")
        assert await posix.recv(a, 9) == b"kept"

    return Case(lambda: posix.recv(a, 9), check)


async def sleeping_datagram_send() -> Case:
    a, b = posix.socketpair(AF_UNIX, SOCK_DGRAM)
    size = await fill(a)

    async def check() -> None:
        assert await drain(b) == b"f" * size

    return Case(lambda: posix.send(a, b"x" * 100), check)


async def sleeping_poll() -> Case:
    r, w = posix.pipe()

    async def check() -> None:
        await posix.write(w, b"kept")
        assert await posix.poll([(r, IN)]) == [(r, IN)]
        assert await posix.read(r, 9) == b"kept"

    return Case(lambda: posix.poll([(r, IN)]), check)


async def sleeping_select() -> Case:
    r, w = posix.pipe()

    async def check() -> None:
        await posix.write(w, b"kept")
        assert await posix.select([r], [], []) == ([r], [], [])
        assert await posix.read(r, 9) == b"kept"

    return Case(lambda: posix.select([r], [], []), check)


async def sleeping_open_to_read() -> Case:
    posix.mkfifo("f")
    return Case(lambda: posix.open("f", os.O_RDONLY), no_reader_is_half_open)


async def sleeping_open_to_write() -> Case:
    posix.mkfifo("f")
    return Case(lambda: posix.open("f", os.O_WRONLY), no_writer_is_half_open)


async def sleeping_fifo_channel_to_receive() -> Case:
    posix.mkfifo("f")
    return Case(lambda: open_fifo("f", "r"), no_reader_is_half_open)


async def sleeping_fifo_channel_to_send() -> Case:
    posix.mkfifo("f")
    return Case(lambda: open_fifo("f", "w"), no_writer_is_half_open)


async def no_reader_is_half_open() -> None:
    with pytest.raises(OSError, match="No such device or address"):
        await posix.open("f", os.O_WRONLY | os.O_NONBLOCK)
    assert await posix.open("f", os.O_RDWR) == 3


async def no_writer_is_half_open() -> None:
    r = await posix.open("f", os.O_RDONLY | os.O_NONBLOCK)
    assert r == 3
    assert await posix.read(r, 1) == b"", "no EAGAIN: nobody could still write"


async def sleeping_waitpid() -> Case:
    async def child() -> None:
        await anyio.sleep(20)

    pid = posix.fork(child)

    async def check() -> None:
        posix.kill(pid, SIGKILL)
        assert await posix.waitpid(pid) == (pid, SIGKILL)

    return Case(lambda: posix.waitpid(pid), check)


async def sleeping_channel_receive() -> Case:
    receiver, sender = asyncipc.create_pipe()

    async def check() -> None:
        await sender.send(b"kept")
        assert await receiver.receive() == b"kept"
        await receiver.aclose()
        await sender.aclose()

    return Case(receiver.receive, check)


async def sleeping_channel_send() -> Case:
    receiver, sender = asyncipc.create_pipe()
    size = await fill(sender.fd)

    async def check() -> None:
        assert await drain(receiver.fd) == b"f" * size
        await receiver.aclose()
        await sender.aclose()

    return Case(lambda: sender.send(b"x" * 100), check)


async def sleeping_socket_receive() -> Case:
    one, other = asyncipc.create_socketpair()

    async def check() -> None:
        await other.send(b"kept")
        assert await one.receive() == b"kept"
        await one.aclose()
        await other.aclose()

    return Case(one.receive, check)


async def sleeping_socket_send() -> Case:
    one, other = asyncipc.create_socketpair()
    size = await fill(one.fd)

    async def check() -> None:
        assert await drain(other.fd) == b"f" * size
        await one.aclose()
        await other.aclose()

    return Case(lambda: one.send(b"x" * 100), check)


async def sleeping_wait_for_a_child() -> Case:
    async def child() -> None:
        await anyio.sleep(20)

    process = asyncipc.ChildProcess(posix.fork(child), None, None)

    async def check() -> None:
        process.kill()
        assert await process.wait() == -SIGKILL

    return Case(process.wait, check)


MAKERS = [
    sleeping_read,
    sleeping_write,
    sleeping_recv,
    sleeping_recv_of_all,
    sleeping_send,
    sleeping_datagram_recv,
    sleeping_datagram_send,
    sleeping_poll,
    sleeping_select,
    sleeping_open_to_read,
    sleeping_open_to_write,
    sleeping_fifo_channel_to_receive,
    sleeping_fifo_channel_to_send,
    sleeping_waitpid,
    sleeping_channel_receive,
    sleeping_channel_send,
    sleeping_socket_receive,
    sleeping_socket_send,
    sleeping_wait_for_a_child,
]
each_call = pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)


@each_call
def test_a_cancelled_sleep_in_a_call_has_had_no_effect(
    run: Run, make: Callable[[], Awaitable[Case]]
) -> None:
    async def main() -> None:
        case = await make()
        with anyio.move_on_after(1) as scope:
            await case.call()
        assert scope.cancelled_caught
        assert not current().sleepers
        await case.check()

    run(main)


@each_call
def test_a_call_in_a_cancelled_scope_has_no_effect_and_does_not_sleep(
    run: Run, make: Callable[[], Awaitable[Case]]
) -> None:
    async def main() -> None:
        case = await make()
        start = anyio.current_time()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await case.call()
        assert scope.cancelled_caught
        assert have_passed(start, 0)
        await case.check()

    run(main)


@each_call
def test_asyncio_cancels_a_sleeping_call_without_effect(
    leftovers: object, make: Callable[[], Awaitable[Case]]
) -> None:
    async def main() -> None:
        case = await make()
        task = asyncio.ensure_future(case.call())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not current().sleepers
        await case.check()

    asyncipc.run(main, backend="asyncio")


@each_call
def test_an_asyncio_timeout_ends_a_sleeping_call_without_effect(
    leftovers: object, make: Callable[[], Awaitable[Case]]
) -> None:
    async def main() -> None:
        case = await make()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await case.call()
        assert not current().sleepers
        await case.check()

    asyncipc.run(main, backend="asyncio")


@each_call
def test_asyncio_cancels_a_call_before_it_begins(
    leftovers: object, make: Callable[[], Awaitable[Case]]
) -> None:
    async def main() -> None:
        case = await make()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1) as deadline:
                deadline.reschedule(asyncio.get_running_loop().time())
                await asyncio.sleep(1)

        async def cancels_itself() -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await case.call()

        with pytest.raises(asyncio.CancelledError):
            await asyncio.ensure_future(cancels_itself())
        await case.check()

    asyncipc.run(main, backend="asyncio")


@each_call
def test_a_killed_sleeper_leaves_the_line_and_its_descriptors_at_once(
    run: Run, make: Callable[[], Awaitable[Case]]
) -> None:
    async def child() -> None:
        case = await make()
        await case.call()
        raise AssertionError("it was to sleep for ever")

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        process = current().simulation.localhost.kernel.processes[pid]
        files = [entry.file for entry in process.table if entry.fd > 2]
        posix.kill(pid, SIGKILL)
        assert not len(process.table)
        assert [file.holders for file in files] == [0] * len(files)
        assert await posix.waitpid(pid) == (pid, SIGKILL)
        await anyio.sleep(1)
        assert not process.body.sleepers  # type: ignore[union-attr]

    run(main)


@each_call
def test_even_a_shielded_sleeper_dies_of_sigkill(
    run: Run, make: Callable[[], Awaitable[Case]]
) -> None:
    async def child() -> None:
        case = await make()
        with anyio.CancelScope(shield=True):
            await case.call()

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGKILL)
        assert await posix.waitpid(pid) == (pid, SIGKILL)

    run(main)


def test_a_killed_poller_does_not_keep_its_write_end_open(run: Run) -> None:
    async def child(r: int, w: int) -> None:
        posix.close(r)
        await fill(w)
        await posix.poll([(w, OUT)])

    async def main() -> None:
        r, w = posix.pipe()
        pid = posix.fork(child, r, w)
        posix.close(w)
        await anyio.sleep(1)
        posix.kill(pid, SIGKILL)
        posix.set_blocking(r, False)
        while await posix.read(r, 65536):
            pass  # and no EAGAIN at the end of it
        await posix.waitpid(pid)

    run(main)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_the_peer_of_a_killed_reader_meets_a_broken_pipe_at_once(run: Run, kind: str) -> None:
    async def child(mine: int, other: int) -> None:
        posix.close(other)
        await posix.read(mine, 1)

    async def main() -> None:
        mine, other = posix.pipe() if kind == "pipe" else posix.socketpair()
        pid = posix.fork(child, mine, other)
        posix.close(mine)
        await anyio.sleep(1)
        posix.kill(pid, SIGKILL)
        with pytest.raises(BrokenPipeError):
            await posix.write(other, b"x")
        await posix.waitpid(pid)

    run(main)


def test_the_peer_of_a_killed_process_with_unread_data_is_reset_once(run: Run) -> None:
    async def child(mine: int, other: int) -> None:
        posix.close(other)
        await anyio.sleep(1000)

    async def main() -> None:
        mine, other = posix.socketpair()
        pid = posix.fork(child, mine, other)
        posix.close(mine)
        await posix.write(other, b"unread")
        await anyio.sleep(1)
        posix.kill(pid, SIGKILL)
        with pytest.raises(ConnectionResetError):
            await posix.recv(other, 1, MSG_DONTWAIT)
        assert await posix.recv(other, 1, MSG_DONTWAIT) == b""
        await posix.waitpid(pid)

    run(main)


def test_the_peer_of_a_killed_datagram_process_is_refused(run: Run) -> None:
    async def child(mine: int, other: int) -> None:
        posix.close(other)
        await posix.recv(mine, 1)

    async def main() -> None:
        mine, other = posix.socketpair(AF_UNIX, SOCK_DGRAM)
        pid = posix.fork(child, mine, other)
        posix.close(mine)
        await anyio.sleep(1)
        posix.kill(pid, SIGKILL)
        with pytest.raises(ConnectionRefusedError):
            await posix.send(other, b"x")
        with pytest.raises(OSError, match="not connected") as caught:
            await posix.send(other, b"x")
        assert caught.value.errno == errno.ENOTCONN
        await posix.waitpid(pid)

    run(main)


def test_a_long_write_that_is_cancelled_returns_its_short_count_and_the_next_call_raises(
    run: Run,
) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        data = bytes(range(256)) * 400
        with anyio.move_on_after(1) as scope:
            sent = await posix.write(w, data)
            assert sent == 65536
            await posix.write(w, b"not this")
        assert scope.cancelled_caught
        assert await drain(r) == data[:65536]

    run(main)


def test_a_long_send_that_is_cancelled_returns_its_short_count_and_the_next_call_raises(
    run: Run,
) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, SOCK_STREAM)
        data = bytes(range(256)) * 4000
        with anyio.move_on_after(1) as scope:
            assert await posix.send(a, data) == 219264
            await posix.send(a, b"not this")
        assert scope.cancelled_caught
        assert await drain(b) == data[:219264]

    run(main)


def test_a_recv_of_all_that_is_cancelled_returns_what_it_has_and_the_next_call_raises(
    run: Run,
) -> None:
    async def main() -> None:
        a, b = posix.socketpair()
        await posix.send(a, b"half")
        with anyio.move_on_after(1) as scope:
            assert await posix.recv(b, 8, MSG_WAITALL) == b"half"
            await posix.recv(b, 8)
        assert scope.cancelled_caught
        assert await drain(b) == b""

    run(main)


def test_after_a_short_count_a_scope_that_makes_no_other_call_leaves_no_cancellation_behind(
    run: Run,
) -> None:
    async def main() -> None:
        _, w = posix.pipe()
        with anyio.move_on_after(1):
            assert await posix.write(w, b"x" * 100_000) == 65536
        await anyio.sleep(1)

    run(main)


def test_after_a_short_count_an_asyncio_timeout_ends_the_next_call(leftovers: object) -> None:
    async def main() -> None:
        _, w = posix.pipe()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                assert await posix.write(w, b"x" * 100_000) == 65536
                await posix.write(w, b"x")
        await asyncio.sleep(1)

    asyncipc.run(main, backend="asyncio")


def test_after_a_short_count_an_asyncio_timeout_ends_a_foreign_await(leftovers: object) -> None:
    async def main() -> None:
        _, w = posix.pipe()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                assert await posix.write(w, b"x" * 100_000) == 65536
                await asyncio.sleep(1000)
        await asyncio.sleep(1)
        assert asyncio.get_running_loop().time() == 2

    asyncipc.run(main, backend="asyncio")


def test_after_a_short_count_an_asyncio_timeout_that_ends_leaves_no_cancellation_behind(
    leftovers: object,
) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        async with asyncio.timeout(1):
            assert await posix.write(w, b"x" * 100_000) == 65536
        assert len(await posix.read(r, 100_000)) == 65536
        await asyncio.sleep(1)

    asyncipc.run(main, backend="asyncio")


def test_after_a_short_count_a_cancelled_task_ends_in_its_next_await(leftovers: object) -> None:
    async def sends() -> None:
        _, w = posix.pipe()
        assert await posix.write(w, b"x" * 100_000) == 65536
        await asyncio.sleep(1000)

    async def main() -> None:
        task = asyncio.ensure_future(sends())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.get_running_loop().time() == 1

    asyncipc.run(main, backend="asyncio")


def test_a_woken_reader_that_is_cancelled_loses_no_byte(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        got: list[bytes] = []

        async def reader(scope: anyio.CancelScope) -> None:
            with scope:
                got.append(await posix.read(r, 1))

        async with anyio.create_task_group() as group:
            first = anyio.CancelScope()
            group.start_soon(reader, first)
            await anyio.sleep(1)
            group.start_soon(reader, anyio.CancelScope())
            await anyio.sleep(1)
            await posix.write(w, b"a")  # serves the first (trio) or wakes it,
            first.cancel()  # and it has not run since
            await posix.write(w, b"b")
            await anyio.sleep(1)
            group.cancel_scope.cancel()
        assert sorted(b"".join(got) + await drain(r)) == sorted(b"ab")

    run(main)


def test_what_a_killed_process_was_not_served_with_goes_to_the_next(
    run: Run, backend: str, machine: str
) -> None:
    """Simulated trio serves a sleeper as it sleeps: what came before the signal was its own."""

    async def reads(r: int) -> None:
        posix._exit((await posix.read(r, 1))[0])

    async def main() -> None:
        r, w = posix.pipe()
        first = posix.fork(reads, r)
        await anyio.sleep(1)
        second = posix.fork(reads, r)
        await anyio.sleep(1)
        await posix.write(w, b"\x07")
        posix.kill(first, SIGKILL)
        assert await posix.waitpid(first) == (first, SIGKILL)
        await posix.write(w, b"\x08")
        served = 8 if backend == "trio" and machine == "simulated" else 7
        assert await posix.waitpid(second) == (second, served << 8)

    run(main, quantum=32)  # killed before it has its turn
