"""Every await point of TCP sockets between hosts is cancelled or killed: nothing is lost.

The cases of tests/contract/test_cancel_tcp.py, with a wire between the two ends.
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
from asyncipc.kernel.sockets.socket import MSG_DONTWAIT, MSG_PEEK, MSG_WAITALL
from tests.contract.apart import (
    SERVER,
    Seat,
    accept,
    dial,
    fails_with,
    joined,
    listener,
    network,
    recv_exactly,
    seats,
    waiting,
)

Run = Callable[..., Any]

pytestmark = pytest.mark.simulated("there is one real machine")


@dataclass
class Case:
    """A call that sleeps at ``seat``, and what must hold as if it had never been made."""

    seat: Seat
    call: Callable[[], Awaitable[object]]
    check: Callable[[], Awaitable[object]]


Maker = Callable[[Seat, Seat], Awaitable[Case]]


async def fill(fd: int) -> int:
    """Send until the buffers of both hosts are full; how many bytes that took."""
    total, before = 0, -1
    while total > before:
        before = total
        try:
            while True:
                total += await posix.send(fd, b"f" * 65536, MSG_DONTWAIT)
        except BlockingIOError:
            await anyio.sleep(1)
    return total


async def drain(fd: int) -> int:
    """Receive what is under way; how many bytes that was."""
    total = 0
    while parts := await waiting(fd):
        total += sum(map(len, parts))
        await anyio.sleep(1)
    return total


async def sleeping_accept(server: Seat, client: Seat) -> Case:
    listening = await server.do(listener)

    async def check() -> None:
        dialled = await client.do(dial)
        accepted = await server.do(accept, listening)
        await client.do(posix.send, dialled, b"hello")
        assert await server.do(posix.recv, accepted, 9) == b"hello"

    return Case(server, lambda: posix.accept(listening), check)


async def sleeping_recv(server: Seat, client: Seat) -> Case:
    accepted, dialled = await joined(server, client)

    async def check() -> None:
        await client.do(posix.send, dialled, b"kept")
        assert await server.do(posix.recv, accepted, 9) == b"kept"

    return Case(server, lambda: posix.recv(accepted, 9), check)


async def sleeping_peek_of_everything(server: Seat, client: Seat) -> Case:
    accepted, dialled = await joined(server, client)
    await client.do(posix.send, dialled, b"half")
    await anyio.sleep(1)

    async def check() -> None:
        assert await server.do(posix.recv, accepted, 9) == b"half"

    return Case(server, lambda: posix.recv(accepted, 9, MSG_PEEK | MSG_WAITALL), check)


async def sleeping_send(server: Seat, client: Seat) -> Case:
    accepted, dialled = await joined(server, client)
    filled = await client.do(fill, dialled)

    async def check() -> None:
        assert await server.do(drain, accepted) == filled

    return Case(client, lambda: posix.send(dialled, b"late"), check)


async def sleeping_connect(server: Seat, client: Seat) -> Case:
    listening = await server.do(listener)
    late = await client.call(posix.socket)
    cut = network().partition("server", "client", how="hold")

    async def check() -> None:
        await client.call(posix.set_blocking, late, False)
        with fails_with(errno.EALREADY):
            await client.do(posix.connect, late, SERVER)
        await client.call(posix.set_blocking, late, True)
        cut.heal()
        await client.do(posix.connect, late, SERVER)  # which goes on by itself
        assert await client.call(posix.getpeername, late) == SERVER
        await server.do(accept, listening)

    return Case(client, lambda: posix.connect(late, SERVER), check)


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
        case = await make(*seats())

        async def give_up() -> bool:
            with anyio.move_on_after(0.5) as scope:
                await case.call()
            return scope.cancelled_caught

        assert await case.seat.do(give_up)
        await case.check()

    run(main)


@each_call
def test_call_that_is_cancelled_beforehand_has_no_effect(run: Run, make: Maker) -> None:
    async def main() -> None:
        case = await make(*seats())

        async def give_up() -> bool:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await case.call()
            return scope.cancelled_caught

        assert await case.seat.do(give_up)
        if make is not sleeping_connect:  # it has not begun, so it can't go on
            await case.check()
        else:
            assert network().statistics("client", "server").sent == 0

    run(main)


@each_call
def test_asyncio_cancels_a_sleeping_call_without_effect(leftovers: object, make: Maker) -> None:
    async def main() -> None:
        case = await make(*seats())

        async def give_up() -> None:
            task = asyncio.ensure_future(case.call())
            await asyncio.sleep(0.5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        await case.seat.do(give_up)
        await case.check()

    asyncipc.run(main, backend="asyncio")


@each_call
def test_a_killed_sleeper_leaves_its_descriptors_at_once(run: Run, make: Maker) -> None:
    async def main() -> None:
        case = await make(*seats())

        async def sleep() -> None:
            with pytest.raises(ProcessLookupError):
                await case.seat.do(case.call)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sleep)
            await anyio.sleep(0.5)
            process = case.seat.host.kernel.processes[case.seat.pid]
            files = [entry.file for entry in process.table if entry.fd > 2]
            assert files
            case.seat.host.kill(case.seat.pid)
            assert [file.holders for file in files] == [0] * len(files)

    run(main)


@each_call
def test_a_sleeper_of_a_host_that_crashes_is_gone_and_its_peer_not_told(
    run: Run, make: Maker
) -> None:
    async def main() -> None:
        case = await make(*seats())
        name = case.seat.host.name
        other = "client" if name == "server" else "server"

        async def sleep() -> None:
            with pytest.raises(ProcessLookupError):
                await case.seat.do(case.call)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sleep)
            await anyio.sleep(0.5)
            sent = network().statistics(name, other).sent
            case.seat.host.crash()
            assert list(case.seat.host.kernel.processes) == [1]
            await anyio.sleep(100)
            assert network().statistics(name, other).sent == sent

    run(main)


def test_cancelled_long_send_returns_what_it_has_sent(run: Run) -> None:
    async def main() -> None:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        sent: list[int] = []

        async def send() -> None:
            with anyio.move_on_after(1):
                sent.append(await posix.send(dialled, b"x" * 50_000_000))

        await client.do(send)
        assert [await server.do(drain, accepted)] == sent

    run(main)


def test_a_woken_acceptor_that_is_cancelled_leaves_the_connection_to_the_next(run: Run) -> None:
    async def main() -> tuple[bytes, int]:
        server, client = seats()
        listening = await server.do(listener)
        accepted: list[int] = []

        async def accept_in(scope: anyio.CancelScope) -> None:
            with scope:
                accepted.append(await accept(listening))

        async with anyio.create_task_group() as tasks:
            first, second = anyio.CancelScope(), anyio.CancelScope()
            for scope in (first, second):
                tasks.start_soon(server.do, accept_in, scope)
                await anyio.sleep(1)
            dialled = await client.do(dial)
            await anyio.sleep(0.001)  # in this instant the handshake ends, which wakes the first
            first.cancel()
            await client.do(posix.send, dialled, b"hello")
            await anyio.sleep(1)
            second.cancel()
        return await server.do(recv_exactly, accepted[0], 5), len(accepted)

    for seed in range(8):  # who runs first in that instant
        assert run(main, seed=seed) == (b"hello", 1)
