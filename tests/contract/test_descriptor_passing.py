"""Descriptors and credentials between processes, on both event loops: none is lost, none leaks."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.faces.ancillary import descriptors_in
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.signals.disposition import SIGKILL
from asyncipc.kernel.sockets.ancillary import MSG_CMSG_CLOEXEC, SCM_CREDENTIALS
from asyncipc.kernel.sockets.options import SO_PASSCRED, SOL_SOCKET
from asyncipc.kernel.sockets.socket import (
    AF_UNIX,
    MSG_DONTWAIT,
    MSG_WAITALL,
    SOCK_DGRAM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
)
from asyncipc.runtime.process import current

Run = Callable[..., Any]
KINDS = [SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET]
BIG = 300_000

each_kind = pytest.mark.parametrize("kind", KINDS)


def file(fd: int) -> OpenFile:
    return current().process.table[fd].file


async def fill(fd: int) -> None:
    with pytest.raises(BlockingIOError):
        while True:
            await posix.send(fd, bytes(1000), MSG_DONTWAIT)


@each_kind
def test_a_descriptor_outlives_its_sender(run: Run, kind: int) -> None:
    async def child(a: int) -> None:
        r, w = posix.pipe()
        await posix.write(w, b"from the dead")
        await posix.send_fds(a, [b"x"], [r])

    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, kind)
        pid = posix.fork(child, a)
        assert await posix.waitpid(pid) == (pid, 0)
        data, fds, flags, address = await posix.recv_fds(b, 9, 4)
        assert (data, flags, address) == (b"x", 0, None)
        assert await posix.read(fds[0], 99) == b"from the dead"
        assert await posix.read(fds[0], 99) == b""

    run(main)


@each_kind
def test_a_sleeping_receiver_gets_them_and_may_have_them_close_on_exec(run: Run, kind: int) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, kind)
        r, w = posix.pipe()
        got: list[int] = []

        async def receive() -> None:
            _, items, flags, _ = await posix.recvmsg(b, 9, 100, MSG_CMSG_CLOEXEC)
            assert flags == MSG_CMSG_CLOEXEC
            got.extend(descriptors_in(items))

        async with anyio.create_task_group() as group:
            group.start_soon(receive)
            await anyio.sleep(1)
            await posix.send_fds(a, [b"x"], [r, w])
        assert [posix.fstat(fd) for fd in got] == [posix.fstat(r), posix.fstat(w)]
        await posix.write(got[1], b"x")
        assert await posix.read(r, 9) == b"x"
        assert not posix.get_inheritable(got[0])

    run(main)


@pytest.mark.simulated("credentials tell pids, which needs isolation='process'")
@each_kind
def test_credentials_are_the_senders_though_it_was_served_in_its_sleep(run: Run, kind: int) -> None:
    async def child(a: int) -> None:
        await posix.send(a, b"mine")

    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, kind)
        posix.setsockopt(b, SOL_SOCKET, SO_PASSCRED, 1)
        await fill(a)
        pid = posix.fork(child, a)
        await anyio.sleep(1)
        sent = posix.getpid()
        while True:
            data, items, _, _ = await posix.recvmsg(b, 1000, 100)
            assert [item[:2] for item in items] == [(SOL_SOCKET, SCM_CREDENTIALS)]
            assert struct.unpack("iii", items[0][2])[0] == (pid if data == b"mine" else sent)
            if data == b"mine":
                break
        await posix.waitpid(pid)

    run(main)


@each_kind
def test_a_sleeping_sender_holds_what_it_sends_and_killed_it_does_not(run: Run, kind: int) -> None:
    async def child(a: int, w: int) -> None:
        await posix.send_fds(a, [b"x"], [w])
        raise AssertionError("it was to sleep for ever")

    async def main() -> None:
        a, _ = posix.socketpair(AF_UNIX, kind)
        r, w = posix.pipe()
        await fill(a)
        pid = posix.fork(child, a, w)
        posix.close(w)
        await anyio.sleep(1)
        posix.kill(pid, SIGKILL)
        assert await posix.read(r, 1) == b""
        assert await posix.waitpid(pid) == (pid, SIGKILL)

    run(main)


@each_kind
def test_a_cancelled_send_has_sent_nothing(run: Run, kind: int) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, kind)
        r, w = posix.pipe()
        await fill(a)
        for seconds in (0, 1):
            with anyio.move_on_after(seconds) as scope:
                await posix.send_fds(a, [b"x"], [w])
            assert scope.cancelled_caught
        assert file(w).holders == 1
        posix.close(w)
        assert await posix.read(r, 1) == b""
        posix.set_blocking(b, False)
        with pytest.raises(BlockingIOError):
            while True:
                assert await posix.recv(b, 1000) == bytes(1000)

    run(main)


def test_a_long_send_that_is_cut_short_has_sent_them_with_its_first_bytes(run: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, SOCK_STREAM)
        r, _ = posix.pipe()
        with anyio.move_on_after(1):
            moved = await posix.send_fds(a, [bytes(BIG), bytes(BIG)], [r])
        assert 0 < moved < 2 * BIG
        data, fds, _, _ = await posix.recv_fds(b, BIG, 1)
        assert (len(data), len(fds)) == (36544, 1)

    run(main)


@each_kind
def test_a_cancelled_receive_has_taken_nothing(run: Run, kind: int) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, kind)
        for seconds in (0, 1):
            with anyio.move_on_after(seconds) as scope:
                await posix.recv_fds(b, 9, 1)
            assert scope.cancelled_caught
        await posix.send_fds(a, [b"x"], [a])
        assert len((await posix.recv_fds(b, 9, 1))[1]) == 1

    run(main)


@each_kind
def test_a_killed_receiver_leaves_them_to_the_next(run: Run, kind: int) -> None:
    async def child(b: int) -> None:
        await posix.recv_fds(b, 9, 1)

    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, kind)
        pid = posix.fork(child, b)
        await anyio.sleep(1)
        posix.kill(pid, SIGKILL)
        await posix.send_fds(a, [b"x"], [a])
        assert len((await posix.recv_fds(b, 9, 1))[1]) == 1
        await posix.waitpid(pid)

    run(main)


def test_a_receiver_that_waits_for_all_stops_behind_descriptors(run: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, SOCK_STREAM)
        got: list[object] = []

        async def receive() -> None:
            data, items, _, _ = await posix.recvmsg(b, 8, 100, MSG_WAITALL)
            got.append((data, len(descriptors_in(items))))

        async with anyio.create_task_group() as group:
            group.start_soon(receive)
            await anyio.sleep(1)
            await posix.send(a, b"xx")
            await anyio.sleep(1)
            await posix.send_fds(a, [b"ab"], [a])
            await posix.send(a, b"cdef")
        assert got == [(b"xxab", 1)]
        assert await posix.recv(b, 4, MSG_WAITALL) == b"cdef"

    run(main)


@pytest.mark.simulated("who holds an open file is known to the simulated kernel alone")
def test_sockets_that_lie_in_themselves_are_collected_before_the_end(run: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, SOCK_STREAM)
        lost = file(b)
        await posix.send_fds(a, [b"x"], [b])
        posix.close(b)
        assert lost.holders == 1
        posix.close(a)
        assert lost.holders == 0

    run(main)


def test_sockets_that_lie_in_themselves_do_not_outlive_their_process(run: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, SOCK_STREAM)
        await posix.send_fds(a, [b"x"], [b])
        posix.close(a)

    run(main)


class TestChannels:
    def test_send_and_receive_as_anyio_has_it(self, run: Run) -> None:
        async def main() -> None:
            a, b = asyncipc.create_socketpair()
            r, w = posix.pipe()
            async with a, b:
                await a.send_fds(b"here", [r, w])
                data, fds = await b.receive_fds(9, 2)
                assert data == b"here"
                await posix.write(fds[1], b"through")
                assert await posix.read(r, 9) == b"through"
                with pytest.raises(ValueError, match="empty"):
                    await a.send_fds(b"", [r])
                with pytest.raises(ValueError, match="empty"):
                    await a.send_fds(b"x", [])
                with pytest.raises(ValueError, match="maxfds"):
                    await b.receive_fds(1, 0)
                with pytest.raises(OSError, match="Bad file descriptor"):
                    await a.send_fds(b"x", [99])
                await a.send_eof()
                with pytest.raises(anyio.EndOfStream):
                    await b.receive_fds(9, 1)
                with pytest.raises(anyio.ClosedResourceError):
                    await a.send_fds(b"x", [r])
            with pytest.raises(anyio.ClosedResourceError):
                await a.send_fds(b"x", [r])

        run(main)

    def test_both_can_be_cancelled_without_effect(self, run: Run) -> None:
        async def main() -> None:
            a, b = asyncipc.create_socketpair()
            async with a, b:
                await fill(a.fd)
                calls: list[Callable[[], Awaitable[object]]] = [
                    lambda: a.send_fds(b"x", [b.fd]),
                    lambda: a.receive_fds(9, 1),
                ]
                for call in calls:
                    for seconds in (0, 1):
                        with anyio.move_on_after(seconds) as scope:
                            await call()
                        assert scope.cancelled_caught
                assert file(b.fd).holders == 1

        run(main)

    def test_a_closed_channel_wakes_its_receiver(self, run: Run) -> None:
        async def main() -> None:
            a, b = asyncipc.create_socketpair()

            async def receive() -> None:
                with pytest.raises(anyio.ClosedResourceError):
                    await b.receive_fds(9, 1)

            async with a, anyio.create_task_group() as group:
                group.start_soon(receive)
                await anyio.sleep(1)
                b.close()

        run(main)

    def test_over_tcp_they_do_not_travel(self, run: Run) -> None:
        async def main() -> None:
            async with (
                await asyncipc.create_tcp_listener(local_host="127.0.0.1") as listener,
                await asyncipc.connect_tcp("127.0.0.1", listener.name()[1]) as stream,
            ):
                with pytest.raises(asyncipc.Unsupported, match="UNIX"):
                    await stream.send_fds(b"x", [0])

        run(main)
