"""Channels: anyio's words over pipes and socket pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from anyio.abc import ByteReceiveStream, ByteSendStream, ByteStream

import asyncipc
from asyncipc import posix
from asyncipc.runtime.process import current

Run = Callable[..., Any]


def test_channels_are_anyios_streams(run: Run) -> None:
    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        one, other = asyncipc.create_socketpair()
        assert isinstance(receiver, ByteReceiveStream)
        assert isinstance(sender, ByteSendStream)
        assert isinstance(one, ByteStream)
        assert [c.fd for c in (receiver, sender, one, other)] == [3, 4, 5, 6]
        for channel in (receiver, sender, one, other):
            channel.close()

    run(main)


def test_a_stream_ends_when_its_sender_closes(run: Run) -> None:
    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        async with sender:
            await sender.send(b"last words")
        assert [part async for part in receiver] == [b"last words"]
        with pytest.raises(anyio.EndOfStream):
            await receiver.receive()
        await receiver.aclose()

    run(main)


def test_send_returns_when_all_is_in(run: Run) -> None:
    data = bytes(range(256)) * 2000

    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        got: list[bytes] = []

        async def reads() -> None:
            async for part in receiver:
                got.append(part)

        async with anyio.create_task_group() as group:
            group.start_soon(reads)
            await sender.send(data)
            await sender.aclose()
        assert b"".join(got) == data
        await receiver.aclose()

    run(main)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_anything_with_bytes_in_a_row_can_be_sent(run: Run, kind: Callable[[bytes], Any]) -> None:
    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        await sender.send(kind(b"abc"))
        assert await receiver.receive() == b"abc"
        receiver.close()
        sender.close()

    run(main)


def test_a_sent_bytearray_may_be_changed_afterwards(run: Run) -> None:
    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        data = bytearray(b"before")
        await sender.send(data)
        data[:] = b"after!"
        assert await receiver.receive() == b"before"
        receiver.close()
        sender.close()

    run(main)


def test_bad_arguments_are_told_and_change_nothing(run: Run) -> None:
    async def main() -> None:
        one, other = asyncipc.create_socketpair()
        for wrong in ("text", None, 3, [1, 2]):
            with pytest.raises(TypeError):
                await one.send(wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="max_bytes must be int, not str"):
            await one.receive("3")  # type: ignore[arg-type]
        for size in (0, -1):
            with pytest.raises(ValueError, match="max_bytes must be positive"):
                await one.receive(size)
        await other.send(b"intact")
        assert await one.receive() == b"intact"
        one.close()
        other.close()

    run(main)


def test_who_sends_to_nobody_meets_a_broken_resource_with_its_cause(run: Run) -> None:
    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        receiver.close()
        with pytest.raises(anyio.BrokenResourceError) as caught:
            await sender.send(b"x")
        assert isinstance(caught.value.__cause__, BrokenPipeError)
        sender.close()

    run(main)


def test_a_peer_that_closes_with_unread_data_breaks_the_stream_once(run: Run) -> None:
    async def main() -> None:
        one, other = asyncipc.create_socketpair()
        await one.send(b"unread")
        other.close()
        with pytest.raises(anyio.BrokenResourceError) as caught:
            await one.receive()
        assert isinstance(caught.value.__cause__, ConnectionResetError)
        with pytest.raises(anyio.EndOfStream):
            await one.receive()
        one.close()

    run(main)


def test_a_closed_channel_refuses_and_closing_twice_is_closing_once(run: Run) -> None:
    async def main() -> None:
        one, other = asyncipc.create_socketpair()
        await one.aclose()
        await one.aclose()
        one.close()
        assert one.fd == -1
        for call in (one.receive, one.send_eof, lambda: one.send(b"x")):
            with pytest.raises(anyio.ClosedResourceError):
                await call()
        other.close()

    run(main)


def test_closing_a_channel_wakes_who_sleeps_in_it(run: Run) -> None:
    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        one, other = asyncipc.create_socketpair()
        await sender.send(bytes(65536))
        told: list[str] = []

        async def sleeps(call: Callable[[], Any]) -> None:
            try:
                await call()
            except anyio.ClosedResourceError:
                told.append("closed")

        async with anyio.create_task_group() as group:
            group.start_soon(sleeps, lambda: sender.send(b"x"))
            group.start_soon(sleeps, one.receive)
            group.start_soon(sleeps, one.receive)
            await anyio.sleep(1)
            sender.close()
            one.close()
        assert told == ["closed"] * 3
        receiver.close()
        other.close()

    run(main)


def test_closing_a_channel_does_not_wake_who_sleeps_on_a_copy_of_its_descriptor(run: Run) -> None:
    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        copy = posix.dup(receiver.fd)
        got: list[bytes] = []

        async def reads() -> None:
            got.append(await posix.read(copy, 10))

        async with anyio.create_task_group() as group:
            group.start_soon(reads)
            await anyio.sleep(1)
            receiver.close()
            await anyio.sleep(1)
            assert not got
            await sender.send(b"x")
        assert got == [b"x"]
        sender.close()

    run(main)


def test_a_cancelled_aclose_has_closed(run: Run) -> None:
    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await sender.aclose()
        assert scope.cancelled_caught
        assert sender.fd == -1
        with pytest.raises(anyio.EndOfStream):
            await receiver.receive()
        receiver.close()

    run(main)


def test_a_cancelled_send_eof_has_not_sent_it(run: Run) -> None:
    async def main() -> None:
        one, other = asyncipc.create_socketpair()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await one.send_eof()
        assert scope.cancelled_caught
        await one.send(b"still open")
        assert await other.receive() == b"still open"
        one.close()
        other.close()

    run(main)


def test_each_half_of_a_socket_ends_alone(run: Run) -> None:
    async def main() -> None:
        one, other = asyncipc.create_socketpair()
        await one.send(b"question")
        await one.send_eof()
        await one.send_eof()
        assert [part async for part in other] == [b"question"]
        await other.send(b"answer")
        assert await one.receive() == b"answer"
        with pytest.raises(anyio.ClosedResourceError):
            await one.send(b"more")
        one.close()
        other.close()

    run(main)


def test_a_channel_waits_even_on_a_nonblocking_open_file(run: Run) -> None:
    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        posix.set_blocking(receiver.fd, False)

        async def sends() -> None:
            await anyio.sleep(1)
            await sender.send(b"late")

        async with anyio.create_task_group() as group:
            group.start_soon(sends)
            assert await receiver.receive() == b"late"
        receiver.close()
        sender.close()

    run(main)


def test_a_cancelled_long_send_has_sent_a_prefix(run: Run) -> None:
    data = bytes(range(256)) * 1000

    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        with anyio.move_on_after(1) as scope:
            await sender.send(data)
        assert scope.cancelled_caught
        sender.close()
        got = b"".join([part async for part in receiver])
        assert got == data[:65536]
        receiver.close()
        assert len(current().process.table) == 3

    run(main)
