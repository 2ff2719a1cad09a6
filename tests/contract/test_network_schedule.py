"""Fault schedules, played while programs run: the same as if somebody had done it all by hand."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.network.faults.partitions import flap, rolling
from asyncipc.network.faults.schedule import Schedule, event
from asyncipc.runtime.scenario import from_toml, to_toml
from tests.contract.apart import (
    SERVER,
    Packets,
    Seat,
    datagrams,
    dial,
    fails_with,
    joined,
    listener,
    network,
    now,
    recv_exactly,
    seats,
    send_all,
    waiting,
)

Run = Callable[..., Any]

pytestmark = pytest.mark.simulated("there is one real machine")

SCHEDULE = Schedule(
    [
        event(0.1003, "partition", "client", "server", until_s=0.4004, how="hold"),
        event(0.5005, "cut", "server", "client", until_s=1.1006),
        event(0.8007, "link", "client", "server", latency=0.03, loss=0.1),
        event(2.0008, "pause", "server", until_s=2.6009),
        event(3.0001, "isolate", "client", in_flight=True, until_s=3.5002),
        event(4.0003, "clock_step", "server", seconds=100),
        event(4.5004, "crash", "third", until_s=5.0005),
    ]
)


async def by_hand() -> None:
    net, hosts = network(), asyncipc.current_simulation().hosts
    begin = now()

    async def at(seconds: float) -> None:
        await anyio.sleep(begin + seconds - now())

    await at(0.1003)
    with net.partition("client", "server", how="hold"):
        await at(0.4004)
    await at(0.5005)
    cut = net.cut("server", "client")
    await at(0.8007)
    net.one_way("client", "server", latency=0.03, loss=0.1)
    await at(1.1006)
    cut.heal()
    await at(2.0008)
    hosts["server"].pause()
    await at(2.6009)
    hosts["server"].resume()
    await at(3.0001)
    with net.isolate("client", in_flight=True):
        await at(3.5002)
    await at(4.0003)
    hosts["server"].clock.step(100)
    await at(4.5004)
    hosts["third"].crash()
    await at(5.0005)
    hosts["third"].restart()


async def played() -> None:
    player = network().play(SCHEDULE)
    await anyio.sleep(6)
    assert player.is_over


async def played_from_a_file() -> None:
    network().play(from_toml(to_toml(SCHEDULE)))


async def conversation(trouble: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """A long one, which lives through all of it; when it ended, and what the server's clock says.

    Its data tells how far it is, so that two that go the same way say the same.
    """
    server, client = seats()
    Seat("third")
    network().links(bandwidth=400_000)
    accepted, dialled = await joined(server, client)
    data = bytes(range(256)) * 1000

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(trouble)
        tasks.start_soon(client.do, send_all, dialled, data)
        assert await server.do(recv_exactly, accepted, len(data)) == data
    await anyio.sleep(max(0.0, 10 - now()))
    return now(), await server.call(posix.time)


@pytest.mark.parametrize("other", [played, played_from_a_file])
def test_a_schedule_that_is_played_is_the_same_as_the_calls_by_hand(
    run: Run, other: Callable[[], Awaitable[None]]
) -> None:
    histories = []
    for trouble in (by_hand, other):
        packets = Packets()
        told = run(conversation, trouble, seed=4, observers=[packets])
        assert told[1] == told[0] + 100
        seen = [(e.t_ns, e.source, e.target, e.what, e.fate) for e in packets.all]
        histories.append((told, seen))
    assert len(histories[0][1]) > 500
    assert histories[0] == histories[1]


def test_conditions_that_overlap_lie_on_each_other_and_are_taken_back_one_by_one(
    run: Run,
) -> None:
    schedule = Schedule(
        [
            event(1, "link", "client", "server", latency=0.1, until_s=3),
            event(2, "link", "client", "server", latency=0.2, until_s=4),
        ]
    )

    async def main() -> list[float]:
        server, client = seats()
        there, here = await server.do(datagrams), await client.do(datagrams)
        network().play(schedule)
        took = []
        for moment in (0.5, 1.5, 2.5, 3.5, 4.5):
            await anyio.sleep(moment - now())
            await client.do(posix.sendto, here, b"x", SERVER)
            await server.do(posix.recv, there, 9)
            took.append(round(now() - moment, 9))
        return took

    assert run(main) == [0.001, 0.1, 0.2, 0.2, 0.001]


def test_a_schedule_that_is_stopped_takes_back_what_would_have_ended(run: Run) -> None:
    async def main() -> list[bytes]:
        server, client = seats()
        there, here = await server.do(datagrams), await client.do(datagrams)
        player = network().play(
            [
                event(0, "partition", "client", "server", until_s=100),
                event(5, "crash", "server"),
            ]
        )
        await anyio.sleep(1)
        await client.do(posix.sendto, here, b"lost", SERVER)
        player.stop()
        assert player.is_over
        await client.do(posix.sendto, here, b"found", SERVER)
        await anyio.sleep(10)
        assert server.host.is_up
        return await server.do(waiting, there)

    assert run(main) == [b"found"]


def test_a_schedule_that_crashes_a_host_boots_it_and_runs_its_programs_anew(run: Run) -> None:
    began: list[float] = []

    async def note() -> None:
        began.append(now())
        await anyio.sleep_forever()

    async def main() -> None:
        server, client = seats()
        server.host.serve(note)
        _, dialled = await joined(server, client)
        network().play(rolling(["server"], down_s=2, up_s=1, at_s=5 - now()))
        await anyio.sleep(10)
        await client.do(posix.send, dialled, b"hello")
        with fails_with(errno.ECONNRESET):
            await client.do(posix.recv, dialled, 9)

    run(main)
    assert began == [0.0, 7.0]


def test_a_wire_that_flaps_breaks_no_connection(run: Run) -> None:
    async def main() -> bytes:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        network().play(flap(["client"], ["server"], down_s=0.5, up_s=0.5, count=20))
        got = []
        for number in range(20):
            await client.do(posix.send, dialled, b"%02d" % number)
            await anyio.sleep(0.3)
        for _ in range(20):
            got.append(await server.do(recv_exactly, accepted, 2))
        return b"".join(got)

    assert run(main) == b"".join(b"%02d" % number for number in range(20))


def test_a_schedule_that_names_a_host_that_there_is_not_is_told_by_that_name(run: Run) -> None:
    async def main() -> None:
        server, client = seats()
        await server.do(listener)
        network().play([event(1, "crash", "servre")])
        await anyio.sleep(2)
        await client.do(dial)

    with pytest.raises(ValueError, match="servre"):
        run(main)
