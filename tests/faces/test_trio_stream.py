"""trio's own checks of a stream, on ours: strict checkpoints, conflicts, ends, closes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest
import trio
import trio.testing

import asyncipc
from asyncipc import Simulation, trio_stream
from asyncipc.faces.trio_stream import TrioReceiveStream, TrioSendStream, TrioStream
from asyncipc.kernel.waitqueue import WouldBlock
from tests.conftest import Leftovers

pytestmark = pytest.mark.usefixtures("leftovers")

PipePair = tuple[TrioSendStream, TrioReceiveStream]
Maker = Callable[[], Awaitable[tuple[TrioStream, TrioStream]]]
Stapled = trio.StapledStream[TrioSendStream, TrioReceiveStream]


async def make_pipe() -> PipePair:
    receiver, sender = asyncipc.create_pipe()
    return trio_stream(sender), trio_stream(receiver)


async def make_clogged_pipe() -> PipePair:
    sender, receiver = await make_pipe()
    await sender.send_all(bytes(65536))
    return sender, receiver


async def make_socketpair() -> tuple[TrioStream, TrioStream]:
    one, other = asyncipc.create_socketpair()
    return trio_stream(one), trio_stream(other)


async def make_clogged_socketpair() -> tuple[TrioStream, TrioStream]:
    one, other = await make_socketpair()
    for stream in (one, other):
        await stream.send_all(bytes(219264))
    return one, other


async def make_unix() -> tuple[TrioStream, TrioStream]:
    """Through a listener on an abstract name."""
    name = b"\0streams"
    async with await asyncipc.create_unix_listener(name, backlog=0) as listener:
        client = await asyncipc.connect_unix(name)
        return trio_stream(client), trio_stream(await listener.accept())


async def make_tcp() -> tuple[TrioStream, TrioStream]:
    async with await asyncipc.create_tcp_listener(local_host="127.0.0.1") as listener:
        client = await asyncipc.connect_tcp(*listener.name())
        return trio_stream(client), trio_stream(await listener.accept())


def clogged(make: Maker) -> Maker:
    """The same pair with both directions full."""

    async def make_clogged() -> tuple[TrioStream, TrioStream]:
        pair = await make()
        for stream in pair:
            while not isinstance(stream.channel.file.write(bytes(65536)), WouldBlock):
                pass
        return pair

    return make_clogged


async def make_stapled_pipes() -> tuple[Stapled, Stapled]:
    send_there, receive_there = await make_pipe()
    send_back, receive_back = await make_pipe()
    return (
        trio.StapledStream(send_there, receive_back),
        trio.StapledStream(send_back, receive_there),
    )


async def make_clogged_stapled_pipes() -> tuple[Stapled, Stapled]:
    one, other = await make_stapled_pipes()
    for stream in (one, other):
        await stream.send_all(bytes(65536))
    return one, other


def in_a_simulation(check: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with Simulation(quantum=1):
            await check()

    trio.run(main)


def test_a_pipe_passes_check_one_way_stream() -> None:
    in_a_simulation(lambda: trio.testing.check_one_way_stream(make_pipe, make_clogged_pipe))


def test_a_socketpair_passes_check_two_way_stream() -> None:
    in_a_simulation(
        lambda: trio.testing.check_two_way_stream(make_socketpair, make_clogged_socketpair)
    )


def test_a_socketpair_passes_check_half_closeable_stream() -> None:
    in_a_simulation(
        lambda: trio.testing.check_half_closeable_stream(make_socketpair, make_clogged_socketpair)
    )


@pytest.mark.parametrize("make", [make_unix, make_tcp])
def test_a_connected_socket_passes_check_two_way_stream(make: Maker) -> None:
    in_a_simulation(lambda: trio.testing.check_two_way_stream(make, clogged(make)))


@pytest.mark.parametrize("make", [make_unix, make_tcp])
def test_a_connected_socket_passes_check_half_closeable_stream(make: Maker) -> None:
    in_a_simulation(lambda: trio.testing.check_half_closeable_stream(make, clogged(make)))


def test_a_pair_of_pipes_passes_check_two_way_stream() -> None:
    in_a_simulation(
        lambda: trio.testing.check_two_way_stream(make_stapled_pipes, make_clogged_stapled_pipes)
    )


def test_a_pair_of_pipes_passes_check_half_closeable_stream() -> None:
    in_a_simulation(
        lambda: trio.testing.check_half_closeable_stream(
            make_stapled_pipes, make_clogged_stapled_pipes
        )
    )


@pytest.mark.trio
async def test_the_checks_pass_under_pytest_trio_and_its_autojump_clock(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with Simulation(quantum=1):
        await trio.testing.check_half_closeable_stream(make_socketpair, make_clogged_socketpair)


def test_the_checks_pass_on_virtual_time() -> None:
    async def main() -> None:
        await trio.testing.check_one_way_stream(make_pipe, make_clogged_pipe)
        await trio.testing.check_half_closeable_stream(make_socketpair, make_clogged_socketpair)

    asyncipc.run(main, quantum=1)


def test_each_channel_has_the_stream_of_its_kind() -> None:
    async def main() -> None:
        receiver, sender = asyncipc.create_pipe()
        one, other = asyncipc.create_socketpair()
        assert isinstance(trio_stream(receiver), trio.abc.ReceiveStream)
        assert isinstance(trio_stream(sender), trio.abc.SendStream)
        assert isinstance(trio_stream(one), trio.abc.HalfCloseableStream)
        for channel in (receiver, sender, one, other):
            channel.close()
        with pytest.raises(TypeError, match="a channel of asyncipc, not int"):
            trio_stream(3)  # type: ignore[call-overload]

    asyncipc.run(main)


def test_a_stream_speaks_trios_errors_and_keeps_the_cause() -> None:
    async def main() -> None:
        sender, receiver = await make_pipe()
        await receiver.aclose()
        with pytest.raises(trio.BrokenResourceError) as caught:
            await sender.send_all(b"x")
        assert isinstance(caught.value.__cause__, BrokenPipeError)
        await sender.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await sender.send_all(b"x")

    asyncipc.run(main)


def test_two_tasks_in_one_direction_are_told_so() -> None:
    async def main() -> None:
        sender, receiver = await make_pipe()
        async with anyio.create_task_group() as group:
            group.start_soon(receiver.receive_some)
            await anyio.sleep(1)
            with pytest.raises(trio.BusyResourceError):
                await receiver.receive_some()
            await sender.send_all(b"x")
        await sender.aclose()
        await receiver.aclose()

    asyncipc.run(main)


def test_a_stapled_stream_of_a_child_is_a_conversation(leftovers: Leftovers) -> None:
    async def main() -> bytes:
        there_r, there_w = asyncipc.create_pipe()
        back_r, back_w = asyncipc.create_pipe()

        async def child() -> None:
            async with trio_stream(back_w) as sender:
                async for part in trio_stream(there_r):
                    await sender.send_all(bytes(part).upper())

        stream = trio.StapledStream(trio_stream(there_w), trio_stream(back_r))
        async with anyio.create_task_group() as group:
            group.start_soon(child)
            await stream.send_all(b"shout")
            await stream.send_eof()
            answer = bytes(await stream.receive_some())
        await stream.aclose()
        there_r.close()
        return answer

    assert asyncipc.run(main) == b"SHOUT"
