"""Message queues as channels: what a program sees of them through anyio's names."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from anyio.abc import ObjectReceiveStream, ObjectSendStream

from asyncipc import posix
from asyncipc.faces.message_queue import MessageQueueChannel, open_message_queue
from asyncipc.kernel.signals.disposition import SIGTERM
from asyncipc.runtime.process import current
from tests.contract.queues import NAME, nothing_stays

__all__ = ["nothing_stays"]
pytestmark = pytest.mark.usefixtures("nothing_stays")

Run = Callable[..., Any]


async def closing(channel: MessageQueueChannel) -> None:
    await channel.aclose()
    posix.mq_unlink(NAME)


def test_messages_come_by_priority_then_in_order(run: Run) -> None:
    async def main() -> None:
        queue = open_message_queue(NAME, create=True)
        assert isinstance(queue, ObjectSendStream | ObjectReceiveStream)
        await queue.send(b"low")
        await queue.send(bytearray(b"high"), 7)
        await queue.send(b"low too")
        assert queue.attributes == (0, 10, 8192, 3)
        assert await queue.receive_with_priority() == (b"high", 7)
        assert [await queue.receive(), await queue.receive()] == [b"low", b"low too"]
        await closing(queue)

    run(main)


def test_an_empty_message_is_a_message_and_no_end(run: Run) -> None:
    async def main() -> None:
        queue = open_message_queue(NAME, create=True)
        await queue.send(b"")
        assert await queue.receive() == b""
        await closing(queue)

    run(main)


def test_processes_meet_at_the_name(run: Run) -> None:
    async def child() -> None:
        with_name = open_message_queue(NAME, "w")
        await with_name.send(b"from the child")
        await with_name.aclose()

    async def main() -> None:
        queue = open_message_queue(NAME, "r", create=True, maxmsg=1, msgsize=16)
        pid = posix.fork(child)
        assert await queue.receive() == b"from the child"
        assert await posix.waitpid(pid) == (pid, 0)
        await closing(queue)

    run(main)


def test_what_is_the_callers_doing_keeps_its_errno(run: Run) -> None:
    async def main() -> None:
        queue = open_message_queue(NAME, "w", create=True, maxmsg=1, msgsize=4)
        for call, expected in (
            (lambda: queue.send(b"12345"), errno.EMSGSIZE),
            (lambda: queue.send(b"1", 32768), errno.EINVAL),
            (lambda: queue.receive(), errno.EBADF),
        ):
            with pytest.raises(OSError, match=r".") as caught:
                await call()
            assert caught.value.errno == expected
        with pytest.raises(FileExistsError):
            open_message_queue(NAME, exclusive=True)
        with pytest.raises(ValueError, match="mode"):
            open_message_queue(NAME, "a")  # type: ignore[arg-type]
        await closing(queue)
        with pytest.raises(FileNotFoundError):
            open_message_queue(NAME)

    run(main)


@pytest.mark.parametrize("sends", [False, True])
def test_closing_it_wakes_its_own_sleepers(run: Run, sends: bool) -> None:
    async def main() -> None:
        queue = open_message_queue(NAME, create=True, maxmsg=1)
        if sends:
            await queue.send(b"full")

        async def sleep() -> None:
            with pytest.raises(anyio.ClosedResourceError):
                await (queue.send(b"x") if sends else queue.receive())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sleep)
            await anyio.sleep(1)
            await queue.aclose()
        for call in (lambda: queue.send(b"x"), queue.receive):
            with pytest.raises(anyio.ClosedResourceError):
                await call()
        with pytest.raises(anyio.ClosedResourceError):
            _ = queue.attributes
        posix.mq_unlink(NAME)
        assert not current().sleepers

    run(main)


@pytest.mark.parametrize("sends", [False, True])
def test_a_handled_signal_does_not_end_a_call(run: Run, sends: bool) -> None:
    async def child() -> None:
        handled: list[int] = []
        posix.signal(SIGTERM, lambda sig, info: handled.append(sig))
        queue = open_message_queue(NAME)
        if sends:
            await queue.send(b"second")
        else:
            assert await queue.receive() == b"late"
        assert handled == [SIGTERM]
        await queue.aclose()

    async def main() -> None:
        queue = open_message_queue(NAME, create=True, maxmsg=1)
        if sends:
            await queue.send(b"first")
        pid = posix.fork(child)
        await anyio.sleep(1)
        posix.kill(pid, SIGTERM)
        await anyio.sleep(1)
        if sends:
            assert [await queue.receive(), await queue.receive()] == [b"first", b"second"]
        else:
            await queue.send(b"late")
        assert await posix.waitpid(pid) == (pid, 0)
        await closing(queue)

    run(main)


def test_one_that_is_dropped_unclosed_warns_with_the_place_of_its_making(run: Run) -> None:
    async def main() -> None:
        queue = open_message_queue(NAME, create=True)
        with pytest.warns(
            ResourceWarning, match=rf"MessageQueueChannel fd=3 {NAME}.*test_message_queue"
        ):
            del queue
        posix.mq_unlink(NAME)

    run(main)


@pytest.mark.simulated("a sleeper is served within the call of another")
def test_a_channel_that_is_closed_once_its_message_is_in_has_sent_it(run: Run) -> None:
    async def main() -> None:
        channel = open_message_queue(NAME, create=True, maxmsg=1)
        other = open_message_queue(NAME)
        await channel.send(b"full")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(channel.send, b"late")
            await anyio.sleep(1)
            for call in (other.receive(), channel.aclose()):
                with pytest.raises(StopIteration):  # at once, before the sender runs
                    call.send(None)
        assert await other.receive() == b"late"
        await closing(other)

    run(main, quantum=32)
