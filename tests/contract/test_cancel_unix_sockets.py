"""Every await point of UNIX sockets is cancelled or killed in its sleep: nothing is lost.

As tests/contract/test_cancel_parked.py, for connections, names and messages of
the three types.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.kernel.signals.disposition import SIGKILL
from asyncipc.kernel.sockets.socket import (
    AF_UNIX,
    MSG_DONTWAIT,
    MSG_OOB,
    MSG_WAITALL,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_SEQPACKET,
    SOCK_STREAM,
)
from asyncipc.runtime.process import current
from tests.pace import have_passed

Run = Callable[..., Any]
NAME = "/tmp/server"
CONNECTED = [SOCK_STREAM, SOCK_SEQPACKET]
ALL = [SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM]


@dataclass
class Case:
    """A call that sleeps, and what must hold as if it had never been made."""

    call: Callable[[], Awaitable[object]]
    check: Callable[[], Awaitable[object]]


Maker = Callable[[], Awaitable[Case]]


def listener(kind: int, backlog: int) -> int:
    fd = posix.socket(AF_UNIX, kind)
    posix.bind(fd, NAME)
    posix.listen(fd, backlog)
    return fd


async def client(kind: int) -> int:
    fd = posix.socket(AF_UNIX, kind)
    await posix.connect(fd, NAME)
    return fd


async def accepts_nobody(fd: int) -> None:
    posix.set_blocking(fd, False)
    with pytest.raises(BlockingIOError):
        await posix.accept(fd)


async def fill(fd: int) -> int:
    """Send until nothing more goes in; how many times that was."""
    count = 0
    try:
        while True:
            await posix.send(fd, b"f" * 1000, MSG_DONTWAIT)
            count += 1
    except BlockingIOError:
        return count


async def only_fill_is_there(fd: int, count: int) -> None:
    size = 0
    for _ in range(count):
        size += len(await posix.recv(fd, 1000))
    assert size == count * 1000
    with pytest.raises(BlockingIOError):
        await posix.recv(fd, 1, MSG_DONTWAIT)


def accepting(kind: int) -> Maker:
    async def make() -> Case:
        server = listener(kind, 5)

        async def check() -> None:
            made = await client(kind)
            await posix.send(made, b"mine")
            accepted, _ = await posix.accept(server)
            assert await posix.recv(accepted, 9) == b"mine"

        return Case(lambda: posix.accept(server), check)

    return make


def connecting(kind: int) -> Maker:
    async def make() -> Case:
        server = listener(kind, 0)
        await client(kind)
        late = posix.socket(AF_UNIX, kind)

        async def check() -> None:
            await posix.accept(server)
            await accepts_nobody(server)
            await posix.connect(late, NAME)
            posix.set_blocking(server, True)
            await posix.accept(server)

        return Case(lambda: posix.connect(late, NAME), check)

    return make


Receive = Callable[[int], Awaitable[object]]


def receiving(kind: int, receive: Receive) -> Maker:
    async def make() -> Case:
        a, b = posix.socketpair(AF_UNIX, kind)

        async def check() -> None:
            await posix.send(b, b"kept")
            assert await posix.recv(a, 9) == b"kept"

        return Case(lambda: receive(a), check)

    return make


def sending(kind: int, send: Receive) -> Maker:
    async def make() -> Case:
        a, b = posix.socketpair(AF_UNIX, kind)
        count = await fill(a)
        return Case(lambda: send(a), lambda: only_fill_is_there(b, count))

    return make


def sending_to_a_full_queue(send: Receive) -> Maker:
    async def make() -> Case:
        inbox, sender = posix.socket(AF_UNIX, SOCK_DGRAM), posix.socket(AF_UNIX, SOCK_DGRAM)
        posix.bind(inbox, NAME)
        await posix.connect(sender, NAME)
        assert await fill(sender) == 11
        return Case(lambda: send(sender), lambda: only_fill_is_there(inbox, 11))

    return make


def recv_of_all(fd: int) -> Awaitable[object]:
    return posix.recv(fd, 9, MSG_WAITALL)


CASES: dict[str, Maker] = {
    "sendto a full queue": sending_to_a_full_queue(lambda fd: posix.sendto(fd, b"x", NAME)),
    "send to a full queue": sending_to_a_full_queue(lambda fd: posix.send(fd, b"x")),
    "recv of all": receiving(SOCK_STREAM, recv_of_all),
    "send of an urgent byte": sending(SOCK_STREAM, lambda fd: posix.send(fd, b"xy", MSG_OOB)),
}
for _kind in CONNECTED:
    CASES[f"accept {_kind}"] = accepting(_kind)
    CASES[f"connect {_kind}"] = connecting(_kind)
for _kind in ALL:
    CASES[f"recv {_kind}"] = receiving(_kind, lambda fd: posix.recv(fd, 9))
    CASES[f"recvfrom {_kind}"] = receiving(_kind, lambda fd: posix.recvfrom(fd, 9))
    CASES[f"recvmsg {_kind}"] = receiving(_kind, lambda fd: posix.recvmsg(fd, 9))
    CASES[f"recv_into {_kind}"] = receiving(_kind, lambda fd: posix.recv_into(fd, bytearray(9)))
    CASES[f"send {_kind}"] = sending(_kind, lambda fd: posix.send(fd, b"x"))

each_call = pytest.mark.parametrize("make", CASES.values(), ids=CASES.keys())


@each_call
def test_a_cancelled_sleep_in_a_call_has_had_no_effect(run: Run, make: Maker) -> None:
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
    run: Run, make: Maker
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
def test_asyncio_cancels_a_sleeping_call_without_effect(leftovers: object, make: Maker) -> None:
    async def main() -> None:
        case = await make()
        task = asyncio.ensure_future(case.call())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await case.check()

    asyncipc.run(main, backend="asyncio")


@each_call
def test_a_killed_sleeper_leaves_the_line_and_its_descriptors_at_once(
    run: Run, make: Maker
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
        assert [file.holders for file in files] == [0] * len(files)
        assert await posix.waitpid(pid) == (pid, SIGKILL)
        fresh = posix.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK)
        with pytest.raises(OSError, match=r"refused|No such file"):  # a stale path at most
            await posix.connect(fresh, NAME)

    run(main)


@pytest.mark.parametrize("kind", CONNECTED)
def test_a_woken_acceptor_that_is_cancelled_leaves_the_connection_to_the_next(
    run: Run, kind: int
) -> None:
    async def main() -> None:
        server = listener(kind, 5)
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
            made = await client(kind)  # wakes the first,
            first.cancel()  # which has not run since
            await posix.send(made, b"hello")
            await anyio.sleep(1)
            group.cancel_scope.cancel()
        assert len(accepted) == 1
        assert await posix.recv(accepted[0], 9) == b"hello"

    run(main)


def test_a_woken_sender_that_is_cancelled_leaves_its_place_to_the_next(run: Run) -> None:
    async def main() -> None:
        inbox, sender = posix.socket(AF_UNIX, SOCK_DGRAM), posix.socket(AF_UNIX, SOCK_DGRAM)
        posix.bind(inbox, NAME)
        await posix.connect(sender, NAME)
        await fill(sender)

        async def send(scope: anyio.CancelScope, data: bytes) -> None:
            with scope:
                await posix.send(sender, data)

        async with anyio.create_task_group() as group:
            first = anyio.CancelScope()
            group.start_soon(send, first, b"first")
            await anyio.sleep(1)
            group.start_soon(send, anyio.CancelScope(), b"second")
            await anyio.sleep(1)
            await posix.recv(inbox, 1000)  # wakes the first,
            first.cancel()  # which has not run since
            await anyio.sleep(1)
            group.cancel_scope.cancel()
        rest = [await posix.recv(inbox, 1000, MSG_DONTWAIT) for _ in range(11)]
        assert rest[-1] in {b"first", b"second"}
        with pytest.raises(BlockingIOError):
            await posix.recv(inbox, 1, MSG_DONTWAIT)

    run(main)


@pytest.mark.parametrize("kind", CONNECTED)
def test_a_woken_connector_that_is_killed_leaves_the_room_to_the_next(
    run: Run, backend: str, machine: str, kind: int
) -> None:
    async def connects() -> None:
        await client(kind)
        await anyio.sleep(1000)

    async def main() -> None:
        server = listener(kind, 0)
        await client(kind)
        pids = []
        for _ in range(2):
            pids.append(posix.fork(connects))
            await anyio.sleep(1)
        await posix.accept(server)  # serves the first (trio), or wakes it
        posix.kill(pids[0], SIGKILL)
        if backend == "trio" and machine == "simulated":
            await posix.accept(server)  # the connection of the dead
        await posix.accept(server)
        await anyio.sleep(1)
        if machine == "simulated":  # natively the dead may have been in time
            await accepts_nobody(server)
        for pid in pids:
            posix.kill(pid, SIGKILL)
            assert await posix.waitpid(pid) == (pid, SIGKILL)

    run(main)
