"""UDP through the calls of a program, on both loops."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.kernel.readiness import ERR, IN, OUT
from asyncipc.kernel.signals.disposition import SIGKILL
from asyncipc.kernel.sockets.options import SO_RCVBUF, SO_RCVTIMEO, SOL_SOCKET
from asyncipc.kernel.sockets.socket import (
    AF_INET,
    AF_INET6,
    MSG_DONTWAIT,
    MSG_TRUNC,
    SHUT_RD,
    SOCK_DGRAM,
)
from tests.pace import have_passed

Run = Callable[..., Any]
LOOPBACK = "127.0.0.1"


def new_receiver(host: str = LOOPBACK) -> tuple[int, Any]:
    fd = posix.socket(AF_INET6 if ":" in host else AF_INET, SOCK_DGRAM)
    posix.bind(fd, (host, 0))
    return fd, posix.getsockname(fd)


async def new_connected(address: Any) -> int:
    fd = posix.socket(AF_INET, SOCK_DGRAM)
    await posix.connect(fd, address)
    return fd


async def drained(fd: int) -> list[bytes]:
    found = []
    try:
        while True:
            found.append(await posix.recv(fd, 65536, MSG_DONTWAIT))
    except BlockingIOError:
        return found


def test_a_datagram_and_its_answer(run: Run) -> None:
    async def server(fd: int) -> None:
        data, address = await posix.recvfrom(fd, 100)
        assert address is not None
        await posix.sendto(fd, data.upper(), address)

    async def main() -> None:
        fd, address = new_receiver()
        child = posix.fork(server, fd)
        posix.close(fd)
        client = await new_connected(address)
        assert await posix.send(client, b"hello") == 5
        assert await posix.recvfrom(client, 100) == (b"HELLO", address)
        assert await posix.waitpid(child) == (child, 0)

    run(main)


def test_an_ipv6_program_talks_to_itself(run: Run) -> None:
    async def main() -> None:
        fd, address = new_receiver("::1")
        sender = posix.socket(AF_INET6, SOCK_DGRAM)
        await posix.sendto(sender, b"x", address)
        data, source = await posix.recvfrom(fd, 9)
        assert data == b"x"
        assert source == ("::1", posix.getsockname(sender)[1], 0, 0)

    run(main)


@pytest.mark.parametrize("receive", [posix.recv, posix.recvfrom, posix.recvmsg])
def test_a_receive_cancelled_before_it_began_takes_nothing(run: Run, receive: Any) -> None:
    async def main() -> None:
        fd, address = new_receiver()
        sender = await new_connected(address)
        await posix.send(sender, b"kept")
        with anyio.CancelScope() as scope:
            scope.cancel()
            await receive(fd, 9)
        assert scope.cancelled_caught
        assert await drained(fd) == [b"kept"]

    run(main)


def test_a_send_cancelled_before_it_began_sends_nothing(run: Run) -> None:
    async def main() -> None:
        fd, address = new_receiver()
        sender = await new_connected(address)
        for call in (lambda: posix.send(sender, b"x"), lambda: posix.sendto(sender, b"x", address)):
            with anyio.CancelScope() as scope:
                scope.cancel()
                await call()
            assert scope.cancelled_caught
        assert await drained(fd) == []

    run(main)


@pytest.mark.parametrize("receive", [posix.recv, posix.recvfrom, posix.recvmsg])
def test_a_receive_cancelled_in_its_sleep_takes_nothing(run: Run, receive: Any) -> None:
    async def main() -> None:
        fd, address = new_receiver()
        sender = await new_connected(address)
        with anyio.move_on_after(1) as scope:
            await receive(fd, 9)
        assert scope.cancelled_caught
        await posix.send(sender, b"kept")
        assert await drained(fd) == [b"kept"]

    run(main)


def test_a_receive_cancelled_in_the_turn_of_its_wake_passes_the_datagram_on(run: Run) -> None:
    async def main() -> None:
        fd, address = new_receiver()
        sender = await new_connected(address)
        got: list[bytes] = []

        async def sleeper() -> None:
            got.append(await posix.recv(fd, 9))

        async with anyio.create_task_group() as tasks:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as first:
                    first.start_soon(sleeper)
                    await anyio.sleep(1)
                    tasks.start_soon(sleeper)
                    await anyio.sleep(1)
                    await posix.send(sender, b"once")
                    scope.cancel()
            await anyio.sleep(1)
            if not got:
                raise AssertionError("the datagram is nobody's")
            await posix.send(sender, b"done")
            await anyio.sleep(1)
            tasks.cancel_scope.cancel()
        assert got + await drained(fd) == [b"once", b"done"]

    run(main)


def test_asyncios_own_cancellation_takes_nothing() -> None:
    async def main() -> None:
        fd, address = new_receiver()
        sender = await new_connected(address)
        task = asyncio.create_task(posix.recv(fd, 9))
        await asyncio.sleep(1)
        await posix.send(sender, b"kept")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await drained(fd) == [b"kept"]

    asyncipc.run(main, backend="asyncio")


def test_a_reader_that_is_killed_leaves_the_datagrams_to_others(run: Run) -> None:
    async def main() -> None:
        fd, address = new_receiver()
        sender = await new_connected(address)

        async def reader() -> None:
            await posix.recv(fd, 9)

        child = posix.fork(reader)
        await anyio.sleep(1)
        posix.kill(child, SIGKILL)
        await posix.send(sender, b"kept")
        assert await posix.waitpid(child) == (child, SIGKILL)
        assert await drained(fd) == [b"kept"]

    run(main)


def test_a_full_receiver_drops_the_newest_and_the_sender_never_waits(run: Run) -> None:
    async def main() -> None:
        fd, address = new_receiver()
        posix.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, 1)
        sender = await new_connected(address)
        for data in (b"one", b"two", b"three"):
            assert await posix.send(sender, data) == len(data)
        assert await drained(fd) == [b"one", b"two"]

    run(main)


def test_a_refusal_wakes_a_sleeper_and_a_poller(run: Run) -> None:
    async def main() -> None:
        fd, address = new_receiver()
        posix.close(fd)
        sender = await new_connected(address)
        told: list[object] = []

        async def reader() -> None:
            with pytest.raises(ConnectionRefusedError):
                await posix.recv(sender, 9)
            told.append("reader")

        async def poller() -> None:
            told.append(await posix.poll([(sender, IN)]))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(poller)
            await anyio.sleep(1)
            await posix.send(sender, b"x")
        assert told == [[(sender, ERR)]]
        with pytest.raises(ConnectionRefusedError):
            await posix.send(sender, b"y")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reader)
            await anyio.sleep(1)
            await posix.send(sender, b"z")
        assert told[1:] == ["reader"]

    run(main)


def test_a_shutdown_wakes_every_reader_with_nothing(run: Run) -> None:
    async def main() -> None:
        fd, _ = new_receiver()
        got: list[bytes] = []

        async def reader() -> None:
            got.append(await posix.recv(fd, 9))

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(reader)
            await anyio.sleep(1)
            with pytest.raises(OSError) as caught:
                posix.shutdown(fd, SHUT_RD)
        assert caught.value.errno == errno.ENOTCONN
        assert got == [b""] * 3

    run(main)


def test_closing_the_descriptor_wakes_nobody_and_keeps_the_port(run: Run) -> None:
    async def main() -> None:
        fd, address = new_receiver()
        sender = await new_connected(address)
        got: list[bytes] = []

        async def reader() -> None:
            got.append(await posix.recv(fd, 9))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reader)
            await anyio.sleep(1)
            posix.close(fd)
            await anyio.sleep(1)
            assert not got
            await posix.send(sender, b"still here")
        assert got == [b"still her"]

    run(main)


def test_a_receive_with_a_time_limit_gives_up(run: Run) -> None:
    async def main() -> None:
        fd, _ = new_receiver()
        posix.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, (2).to_bytes(8, "little") + bytes(8))
        started = anyio.current_time()
        with pytest.raises(BlockingIOError):
            await posix.recv(fd, 9)
        assert have_passed(started, 2)

    run(main)


def test_a_short_buffer_is_told_the_real_length(run: Run) -> None:
    async def main() -> None:
        fd, address = new_receiver()
        sender = await new_connected(address)
        name = posix.getsockname(sender)
        for _ in range(2):
            await posix.send(sender, b"abcdef")
        buffer = bytearray(3)
        assert await posix.recv_into(fd, buffer, 0, MSG_TRUNC) == 6
        assert buffer == b"abc"
        assert await posix.recvmsg(fd, 3) == (b"abc", [], MSG_TRUNC, name)

    run(main)


def test_a_poller_is_woken_by_a_datagram(run: Run) -> None:
    async def main() -> None:
        fd, address = new_receiver()
        sender = await new_connected(address)
        async with anyio.create_task_group() as tasks:

            async def later() -> None:
                await anyio.sleep(1)
                await posix.send(sender, b"x")

            tasks.start_soon(later)
            assert await posix.poll([(fd, IN)]) == [(fd, IN)]
        assert await posix.poll([(fd, IN | OUT)]) == [(fd, IN | OUT)]

    run(main)


@pytest.mark.simulated("a report of the deadlock")
def test_a_deadlock_report_names_the_sockets(run: Run) -> None:
    async def main() -> None:
        fd, _ = new_receiver()
        await posix.recv(fd, 9)

    with pytest.raises(asyncipc.Deadlock, match=r"udp 127\.0\.0\.1:32768"):
        run(main)
