"""TCP over loopback as programs use it, on both event loops and in virtual time."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.kernel.sockets.options import SO_LINGER, SO_REUSEADDR, SO_SNDTIMEO, SOL_SOCKET
from asyncipc.kernel.sockets.socket import AF_INET, AF_INET6, SHUT_WR

Run = Callable[..., Any]
HOSTS = [(AF_INET, "127.0.0.1"), (AF_INET6, "::1"), (AF_INET6, "::ffff:127.0.0.1")]


def listener(family: int = AF_INET, host: str = "127.0.0.1", backlog: int = 5) -> int:
    fd = posix.socket(family)
    posix.bind(fd, (host, 0))
    posix.listen(fd, backlog)
    return fd


async def client(server: int, family: int = AF_INET) -> int:
    fd = posix.socket(family)
    await posix.connect(fd, posix.getsockname(server))  # type: ignore[arg-type]
    return fd


async def read_all(fd: int) -> bytes:
    parts = []
    while part := await posix.recv(fd, 65536):
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(("family", "host"), HOSTS)
def test_echo_server_serves_many_processes(run: Run, family: int, host: str) -> None:
    async def serve(server: int) -> None:
        for _ in range(5):
            fd, _ = await posix.accept(server)
            await posix.send(fd, (await read_all(fd)).upper())
            posix.close(fd)

    async def ask(server: int, word: bytes) -> None:
        fd = await client(server, family)
        await posix.send(fd, word)
        posix.shutdown(fd, SHUT_WR)
        assert await read_all(fd) == word.upper()

    async def main() -> None:
        server = listener(family, host)
        pids = [posix.fork(serve, server)]
        pids += [posix.fork(ask, server, b"word%d" % number) for number in range(5)]
        for pid in pids:
            assert await posix.waitpid(pid) == (pid, 0)

    run(main)


@pytest.mark.parametrize("size", [1, 65_536, 65_537, 9_000_000])
def test_stream_arrives_whole_and_in_order_through_bounded_buffers(run: Run, size: int) -> None:
    data = bytes(number * number % 251 for number in range(1009)) * (size // 1009 + 1)
    data = data[:size]

    async def main() -> None:
        server = listener()
        sender = await client(server)
        receiver, _ = await posix.accept(server)

        async def send() -> None:
            assert await posix.send(sender, data) == size
            posix.close(sender)

        async with anyio.create_task_group() as group:
            group.start_soon(send)
            assert await read_all(receiver) == data

    run(main)


@pytest.mark.simulated("TCP's own timers on virtual time")
def test_syn_that_met_a_full_backlog_is_repeated_after_a_second(run: Run) -> None:
    async def main() -> None:
        server = listener(backlog=0)
        await client(server)
        start = anyio.current_time()

        async def late() -> None:
            await client(server)
            assert anyio.current_time() - start == pytest.approx(2)

        async with anyio.create_task_group() as group:
            group.start_soon(late)
            await anyio.sleep(1.5)
            await posix.accept(server)

    run(main)


@pytest.mark.simulated("TCP's own timers on virtual time")
def test_connect_to_a_backlog_that_stays_full_times_out(run: Run) -> None:
    async def main() -> None:
        server = listener(backlog=0)
        await client(server)
        start = anyio.current_time()
        with pytest.raises(TimeoutError) as caught:
            await client(server)
        assert caught.value.errno == errno.ETIMEDOUT
        assert anyio.current_time() - start == pytest.approx(131)

    run(main)


def test_connect_with_sndtimeo_is_in_progress_then_already(run: Run) -> None:
    async def main() -> None:
        server = listener(backlog=0)
        await client(server)
        fd = posix.socket()
        posix.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, struct.pack("qq", 0, 15_000))
        seen = []
        for _ in range(2):
            with pytest.raises(BlockingIOError) as caught:
                await posix.connect(fd, posix.getsockname(server))  # type: ignore[arg-type]
            seen.append(caught.value.errno)
        assert seen == [errno.EINPROGRESS, errno.EALREADY]

    run(main)


@pytest.mark.simulated("TCP's own timers on virtual time")
def test_time_wait_is_over_after_a_minute(run: Run) -> None:
    async def main() -> None:
        server = listener()
        address = posix.getsockname(server)
        made = await client(server)
        accepted, _ = await posix.accept(server)
        for fd in (accepted, made, server):
            posix.close(fd)
        fresh = posix.socket()
        with pytest.raises(OSError, match="in use"):
            posix.bind(fresh, address)  # type: ignore[arg-type]
        await anyio.sleep(60)
        posix.bind(fresh, address)  # type: ignore[arg-type]

    run(main)


def test_time_wait_does_not_keep_the_run_alive(run: Run) -> None:
    async def main() -> float:
        server = listener()
        made = await client(server)
        accepted, _ = await posix.accept(server)
        posix.close(made)
        posix.close(accepted)
        return anyio.current_time()

    start = run(main)
    assert isinstance(start, float)


def test_sleepers_are_served_in_order(run: Run) -> None:
    async def main() -> None:
        server = listener()
        served: list[tuple[int, int]] = []

        async def accept(number: int) -> None:
            fd, _ = await posix.accept(server)
            served.append((fd, number))

        async with anyio.create_task_group() as group:
            for number in range(4):
                group.start_soon(accept, number)
                await anyio.sleep(0.1)
            for _ in range(4):
                await client(server)
        assert [number for _, number in sorted(served)] == [0, 1, 2, 3]

    run(main)


def test_reset_wakes_every_reader_and_tells_one(run: Run) -> None:
    async def main() -> None:
        server = listener()
        made = await client(server)
        accepted, _ = await posix.accept(server)
        seen: list[object] = []

        async def receive() -> None:
            try:
                seen.append(await posix.recv(accepted, 1))
            except OSError as error:
                seen.append(error.errno)

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(receive)
            await anyio.sleep(1)
            posix.setsockopt(made, SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            posix.close(made)
        assert seen.count(errno.ECONNRESET) == 1
        assert seen.count(b"") == 2

    run(main)


def test_restarted_server_needs_reuseaddr(run: Run) -> None:
    async def main() -> None:
        address = ("127.0.0.1", 0)
        for _ in range(3):
            server = posix.socket()
            posix.setsockopt(server, SOL_SOCKET, SO_REUSEADDR, 1)
            posix.bind(server, address)
            posix.listen(server)
            address = posix.getsockname(server)  # type: ignore[assignment]
            made = await client(server)
            accepted, _ = await posix.accept(server)
            for fd in (accepted, made, server):
                posix.close(fd)

    run(main)


@pytest.mark.simulated("a report of the deadlock")
def test_accept_that_nobody_can_end_is_reported_with_its_socket(run: Run) -> None:
    async def main() -> None:
        await posix.accept(listener())

    with pytest.raises(asyncipc.Deadlock, match=r"accept.*socket:"):
        run(main)


@pytest.mark.simulated("a seed")
def test_same_seed_gives_the_same_ports_and_order(run: Run) -> None:
    async def main() -> list[object]:
        server = listener()
        order: list[object] = []

        async def connect() -> None:
            order.append(posix.getsockname(await client(server)))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(connect)
        return order

    assert run(main, seed=7) == run(main, seed=7)
