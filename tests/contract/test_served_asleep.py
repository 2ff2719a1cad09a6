"""Sleepers that are served, closed, stopped or killed at an awkward moment."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGUSR1
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import events, posix
from asyncipc.kernel.sockets.socket import AF_UNIX, SOCK_DGRAM

Run = Callable[..., Any]
ADDRESS = ("127.0.0.1", 5000)


@pytest.mark.simulated("a sleeper is served within the call of another")
def test_a_killed_process_takes_no_connection_into_its_dead_table(run: Run) -> None:
    async def two_acceptors(listener: int) -> None:
        posix.signal(SIGUSR1, lambda *_: None, posix.SA_RESTART)
        async with anyio.create_task_group() as group:
            group.start_soon(posix.accept, listener)
            group.start_soon(posix.accept, listener)

    async def main() -> None:
        listener = posix.socket()
        posix.bind(listener, ADDRESS)
        posix.listen(listener)
        pid = posix.fork(two_acceptors, listener)
        await anyio.sleep(1)
        client = posix.socket()
        posix.kill(pid, SIGUSR1)
        await posix.connect(client, ADDRESS)
        posix.kill(pid, SIGKILL)
        posix.set_blocking(listener, False)
        await posix.accept(listener)
        await posix.waitpid(pid)

    run(main)


def test_the_end_of_a_process_serves_none_of_its_own_sleepers(run: Run) -> None:
    told: list[bytes] = []

    async def reads_its_own_pair() -> None:
        one, _ = posix.socketpair()
        told.append(await posix.recv(one, 1))

    async def main() -> None:
        pid = posix.fork(reads_its_own_pair)
        await anyio.sleep(1)
        posix.kill(pid, SIGKILL)
        await posix.waitpid(pid)

    run(main)
    assert not told


@pytest.mark.simulated("SIGIO needs isolation='process'")
def test_an_end_that_ends_the_parent_tells_init(run: Run) -> None:
    """The last close of a socket sends its owner, the parent, a SIGIO that kills it."""

    async def parent() -> None:
        one, other = posix.socketpair()
        posix.fcntl(one, fcntl.F_SETOWN, posix.getpid())
        posix.fcntl(one, fcntl.F_SETFL, os.O_ASYNC)
        posix.fork(child)
        posix.close(other)
        await anyio.sleep(1000)

    async def child() -> None:
        await anyio.sleep(1)

    async def main() -> int:
        return (await posix.waitpid(posix.fork(parent)))[1]

    assert run(main) == 29  # SIGIO


def test_a_channel_that_is_closed_while_its_process_is_stopped_wakes_its_sleeper(run: Run) -> None:
    told: list[str] = []

    async def child() -> None:
        receiver, sender = asyncipc.create_pipe()

        async def receives() -> None:
            with pytest.raises(anyio.ClosedResourceError):
                await receiver.receive()
            told.append("closed")

        async with anyio.create_task_group() as group:
            group.start_soon(receives)
            await anyio.sleep(1)
            receiver.close()
        sender.close()

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(0.5)
        posix.kill(pid, SIGSTOP)
        await anyio.sleep(1)
        posix.kill(pid, SIGCONT)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)
    assert told == ["closed"]


@pytest.mark.parametrize("flags", [0, posix.SA_RESTART])
def test_a_handler_may_close_the_channel_that_it_found_asleep(run: Run, flags: int) -> None:
    async def child() -> None:
        receiver, sender = asyncipc.create_pipe()
        posix.signal(SIGUSR1, lambda *_: receiver.close(), flags)
        with pytest.raises(anyio.ClosedResourceError):
            await receiver.receive()
        sender.close()

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGUSR1)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_a_signal_passes_on_when_its_task_leaves_because_its_channel_was_closed(run: Run) -> None:
    handled: list[float] = []
    started: list[float] = []

    async def child() -> None:
        posix.signal(SIGUSR1, lambda *_: handled.append(anyio.current_time()), posix.SA_RESTART)
        (one, w1), (other, w2) = asyncipc.create_pipe(), asyncipc.create_pipe()

        async def closed() -> None:
            with pytest.raises(anyio.ClosedResourceError):
                await one.receive()
            await anyio.sleep(50)

        async with anyio.create_task_group() as group:
            group.start_soon(closed)
            group.start_soon(other.receive)
            await anyio.sleep(1)
            posix.kill(posix.getppid(), 0)  # a call: both sleep by now
            one.close()
            await anyio.sleep(60)
            await w2.send(b"x")
        for channel in (other, w1, w2):
            channel.close()

    async def main() -> None:
        started.append(anyio.current_time())
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGUSR1)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)
    assert [time - started[0] for time in handled] == [pytest.approx(1, abs=0.9)]


def test_a_handler_that_closes_a_channel_and_reuses_its_number_loses_nothing(run: Run) -> None:
    async def child() -> None:
        receiver, sender = asyncipc.create_pipe()
        made: list[int] = []

        def handler(*_: object) -> None:
            receiver.close()
            made.extend(posix.pipe())

        posix.signal(SIGUSR1, handler)
        await anyio.sleep(2)  # a foreign await: the handler runs in the next call
        receiver.close()
        assert await posix.write(made[1], b"still open") == 10
        assert await posix.read(made[0], 10) == b"still open"
        sender.close()

    async def main() -> None:
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGUSR1)
        assert await posix.waitpid(pid) == (pid, 0)

    run(main)


def test_two_channels_of_one_descriptor_close_together(run: Run) -> None:
    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        twin = asyncipc.open_channel(receiver.fd)
        assert isinstance(twin, asyncipc.PipeReceiveChannel)

        async def receives() -> None:
            with pytest.raises(anyio.ClosedResourceError):
                await twin.receive()

        async with anyio.create_task_group() as group:
            group.start_soon(receives)
            await anyio.sleep(1)
            receiver.close()
        sender.close()

    run(main)


@pytest.mark.simulated("bytes on the wire are seen by the simulated kernel alone")
def test_bytes_on_the_wire_are_the_senders_whoever_lets_it_go_on(run: Run) -> None:
    seen: list[events.Wire] = []

    def observer(event: object) -> None:
        if isinstance(event, events.Wire):
            seen.append(event)

    async def writes(w: int) -> None:
        await posix.write(w, b"x" * 70_000)

    async def main() -> None:
        r, w = posix.pipe()
        pid = posix.fork(writes, w)
        await anyio.sleep(1)
        left = 70_000
        while left:
            left -= len(await posix.read(r, left))
        await posix.waitpid(pid)

    run(main, observers=[observer])
    assert {event.pid for event in seen} == {3}


def test_a_peer_that_leaves_tells_the_sender_that_sleeps_and_drops_nothing_it_accepts(
    run: Run,
) -> None:
    async def main() -> None:
        one, other = posix.socket(AF_UNIX, SOCK_DGRAM), posix.socket(AF_UNIX, SOCK_DGRAM)
        posix.bind(one, b"\0one")
        posix.bind(other, b"\0other")
        await posix.connect(one, b"\0other")
        await posix.connect(other, b"\0one")
        outcomes: list[object] = []

        async def sends() -> None:
            try:
                for _ in range(1000):
                    await posix.send(other, bytes(1000))
            except OSError as error:
                outcomes.append(type(error))

        async with anyio.create_task_group() as group:
            group.start_soon(sends)
            await anyio.sleep(1)
            await posix.connect(one, None)
        assert outcomes == [ConnectionResetError]

    run(main)


def test_a_listener_with_a_bad_backlog_takes_no_port(run: Run) -> None:
    async def main() -> None:
        async with await asyncipc.create_tcp_listener() as free:
            port = free.name()[1]
        with pytest.raises(TypeError):
            await asyncipc.create_tcp_listener(local_port=port, backlog=None)  # type: ignore[arg-type]
        async with await asyncipc.create_tcp_listener(local_port=port) as listener:
            assert listener.fd == 3

    run(main)


def test_a_listener_whose_option_fails_leaves_no_descriptor(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(OSError, match="allocate"):
            await asyncipc.create_tcp_listener(local_port=5000)
        assert posix.pipe() == (3, 4)

    run(main, faults=[asyncipc.Fault(nth=1, call="setsockopt", error=12)])
