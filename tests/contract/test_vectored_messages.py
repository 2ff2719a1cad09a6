"""Messages of several buffers, and several messages in one call, on both event loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from asyncipc import posix
from asyncipc.kernel.signals.disposition import SIGKILL
from asyncipc.kernel.sockets.several import MSG_WAITFORONE
from asyncipc.kernel.sockets.socket import (
    AF_INET,
    AF_UNIX,
    MSG_DONTWAIT,
    MSG_TRUNC,
    SOCK_DGRAM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
)
from asyncipc.runtime.process import current
from tests.pace import have_passed

Run = Callable[..., Any]
KINDS = [SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET]

each_kind = pytest.mark.parametrize("kind", KINDS)


async def fill(fd: int) -> None:
    with pytest.raises(BlockingIOError):
        while True:
            await posix.send(fd, bytes(1000), MSG_DONTWAIT)


@each_kind
def test_several_buffers_are_one_message_and_are_read_into_several(run: Run, kind: int) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, kind)
        assert await posix.sendmsg(a, [b"ab", b"", bytearray(b"cd"), memoryview(b"e")]) == 5
        rooms = [bytearray(2), bytearray(4)]
        assert await posix.recvmsg_into(b, rooms) == (5, [], 0, None)
        assert rooms == [b"ab", b"cde\0"]

    run(main)


def test_a_datagram_that_is_longer_than_all_buffers_is_cut(run: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, SOCK_DGRAM)
        await posix.sendmsg(a, [b"abc", b"def"])
        rooms = [bytearray(2), bytearray(2)]
        assert await posix.recvmsg_into(b, rooms) == (4, [], MSG_TRUNC, None)
        with pytest.raises(TypeError, match="read-write"):
            await posix.recvmsg_into(b, [b"constant"])  # type: ignore[list-item]

    run(main)


def test_more_than_1024_buffers_are_too_many(run: Run) -> None:
    async def main() -> None:
        a, _ = posix.socketpair(AF_UNIX, SOCK_STREAM)
        assert await posix.sendmsg(a, [b"x"] * 1024) == 1024
        with pytest.raises(OSError, match="Message too long"):
            await posix.sendmsg(a, [b"x"] * 1025)

    run(main)


def test_a_long_message_of_a_stream_sleeps_until_all_is_in(run: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, SOCK_STREAM)
        sent: list[int] = []

        async def send() -> None:
            sent.append(await posix.sendmsg(a, [bytes(200_000), bytes(200_000)]))

        async with anyio.create_task_group() as group:
            group.start_soon(send)
            await anyio.sleep(1)
            assert not sent
            size = 0
            while size < 400_000:
                size += len(await posix.recv(b, 65536))
        assert sent == [400_000]

    run(main)


def test_several_messages_go_in_one_call_and_come_in_one(run: Run) -> None:
    async def main() -> None:
        a, b = posix.socket(AF_INET, SOCK_DGRAM), posix.socket(AF_INET, SOCK_DGRAM)
        posix.bind(a, ("127.0.0.1", 0))
        posix.bind(b, ("127.0.0.1", 0))
        to, name = posix.getsockname(b), posix.getsockname(a)
        messages = [([b"o", b"ne"], (), to), ([b"two"], (), to), ([b""], (), to)]
        assert await posix.sendmmsg(a, messages) == 3
        received = await posix.recvmmsg(b, 3, 2)
        assert received == [
            (b"on", [], MSG_TRUNC, name),
            (b"tw", [], MSG_TRUNC, name),
            (b"", [], 0, name),
        ]

    run(main)


def test_what_fails_after_some_is_not_told_and_the_first_is(run: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, SOCK_DGRAM)
        good, bad = ([b"good"],), ([bytes(500_000)],)
        assert await posix.sendmmsg(a, [good, bad, good]) == 1
        with pytest.raises(OSError, match="Message too long"):
            await posix.sendmmsg(a, [bad, good])
        assert await posix.recv(b, 9) == b"good"
        assert await posix.sendmmsg(a, []) == 0

    run(main)


@each_kind
def test_a_full_socket_takes_what_it_can_of_who_does_not_wait(run: Run, kind: int) -> None:
    async def main() -> None:
        a, _ = posix.socketpair(AF_UNIX, kind)
        sent = await posix.sendmmsg(a, [([bytes(1000)],)] * 500, MSG_DONTWAIT)
        assert 0 < sent < 500
        with pytest.raises(BlockingIOError):
            await posix.sendmmsg(a, [([b"x"],)], MSG_DONTWAIT)

    run(main)


def test_a_receiver_of_many_waits_for_all_or_for_one(run: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, SOCK_DGRAM)
        await posix.sendmmsg(a, [([b"1"],), ([b"2"],)])
        for flags in (MSG_WAITFORONE, MSG_DONTWAIT):
            messages = await posix.recvmmsg(b, 1024, 9, 0, flags)
            assert [data for data, *_ in messages] == [b"1", b"2"]
            await posix.sendmmsg(a, [([b"1"],), ([b"2"],)])
        got: list[bytes] = []

        async def receive() -> None:
            got.extend(data for data, *_ in await posix.recvmmsg(b, 3, 9))

        async with anyio.create_task_group() as group:
            group.start_soon(receive)
            await anyio.sleep(1)
            assert not got
            await posix.send(a, b"3")
        assert got == [b"1", b"2", b"3"]

    run(main)


def test_a_time_limit_is_looked_at_after_each_message_only(run: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, SOCK_DGRAM)
        start = anyio.current_time()

        async def send() -> None:
            await anyio.sleep(3)
            await posix.send(a, b"late")
            await posix.send(a, b"later")

        async with anyio.create_task_group() as group:
            group.start_soon(send)
            messages = await posix.recvmmsg(b, 9, 9, timeout_s=1)
        assert [data for data, *_ in messages] == [b"late"]
        assert have_passed(start, 3)

    run(main)


def test_descriptors_come_with_their_messages(run: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, SOCK_SEQPACKET)
        for data in (b"1", b"2"):
            await posix.send_fds(a, [data], [a])
        messages = await posix.recvmmsg(b, 2, 9, posix.CMSG_SPACE(4))
        assert [len(items) for _, items, _, _ in messages] == [1, 1]

    run(main)


@each_kind
def test_cancelled_with_nothing_done_they_have_done_nothing(run: Run, kind: int) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, kind)
        await fill(a)
        for seconds in (0, 1):
            for call in (
                lambda: posix.sendmmsg(a, [([b"x"],)]),
                lambda: posix.sendmsg(a, [b"x", b"y"]),
                lambda: posix.recvmmsg(a, 2, 9),
                lambda: posix.recvmsg_into(a, [bytearray(9)]),
            ):
                with anyio.move_on_after(seconds) as scope:
                    await call()
                assert scope.cancelled_caught
        assert not current().sleepers
        with pytest.raises(BlockingIOError):
            while True:
                assert await posix.recv(b, 1000, MSG_DONTWAIT) == bytes(1000)

    run(main)


def test_cancelled_with_some_done_they_return_it(run: Run) -> None:
    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, SOCK_SEQPACKET)
        with anyio.move_on_after(1):
            sent = await posix.sendmmsg(a, [([bytes(1000)],)] * 500)
        assert 0 < sent < 500
        with anyio.move_on_after(1):
            received = await posix.recvmmsg(b, 500, 1000)
        assert len(received) == sent

    run(main)


def test_who_is_killed_in_them_leaves_no_line(run: Run) -> None:
    async def sender(a: int) -> None:
        await posix.sendmmsg(a, [([bytes(1000)], [])] * 500)

    async def receiver(a: int) -> None:
        await posix.recvmmsg(a, 5, 9)

    async def main() -> None:
        a, b = posix.socketpair(AF_UNIX, SOCK_STREAM)
        for program in (sender, receiver):
            pid = posix.fork(program, a)
            await anyio.sleep(1)
            posix.kill(pid, SIGKILL)
            assert await posix.waitpid(pid) == (pid, SIGKILL)
        await posix.send(b, b"x")
        assert await posix.recv(a, 9) == b"x"

    run(main)
