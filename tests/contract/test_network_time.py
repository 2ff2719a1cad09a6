"""Virtual time between hosts: what takes how long, in which order, and what is no progress."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import Deadlock, TimeFrozen, posix
from asyncipc.events import Transit
from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.tcp.options import TCP_SYNCNT
from tests.contract.apart import (
    PORT,
    SERVER,
    THIRD,
    Seat,
    accept,
    datagrams,
    fails_with,
    joined,
    listener,
    network,
    now,
    recv_all,
    seats,
    send_all,
)

Run = Callable[..., Any]

pytestmark = pytest.mark.simulated("there is one real machine")


# -- how long it takes


def test_a_handshake_takes_one_round_trip_and_a_byte_one_way(run: Run) -> None:
    async def main() -> list[int]:
        server, client = seats()
        network().link("client", "server", latency=0.030)
        listening = await server.do(listener)
        fd = await client.call(posix.socket)
        times = [nanoseconds()]
        await client.do(posix.connect, fd, SERVER)
        times.append(nanoseconds())
        accepted = await server.do(accept, listening)
        times.append(nanoseconds())
        await client.do(posix.send, fd, b"x")
        await server.do(posix.recv, accepted, 1)
        times.append(nanoseconds())
        return [after - before for before, after in zip(times, times[1:], strict=False)]

    assert run(main) == [60_000_000, 30_000_000, 30_000_000]


def nanoseconds() -> int:
    return asyncipc.current_simulation().timers.now()


def test_each_way_has_a_latency_of_its_own(run: Run) -> None:
    async def main() -> int:
        server, client = seats()
        network().one_way("client", "server", latency=0.001)
        network().one_way("server", "client", latency=0.250)
        await server.do(listener)
        fd = await client.call(posix.socket)
        await client.do(posix.connect, fd, SERVER)
        return nanoseconds()

    assert run(main) == 251_000_000


def test_time_has_no_tick_a_nanosecond_is_one(run: Run) -> None:
    async def main() -> int:
        server, client = seats()
        network().link("client", "server", latency=1e-9)
        there, here = await server.do(datagrams), await client.do(datagrams)
        await client.do(posix.sendto, here, b"x", SERVER)
        await server.do(posix.recv, there, 1)
        return nanoseconds()

    assert run(main) == 1


@pytest.mark.parametrize(("retries", "seconds"), [(1, 5 + 2), (2, 5 + 2 + 4), (6, 5 + 126)])
def test_connect_gives_up_exactly_when_its_last_retry_has_not_been_answered(
    run: Run, retries: int, seconds: int
) -> None:
    async def main() -> int:
        _, client = seats()
        network().partition("server", "client")
        fd = await client.call(posix.socket)
        await client.call(posix.setsockopt, fd, IPPROTO_TCP, TCP_SYNCNT, retries)
        with fails_with(errno.ETIMEDOUT):
            await client.do(posix.connect, fd, SERVER)
        return nanoseconds()

    assert run(main) == seconds * 10**9


def test_a_sleep_is_never_short_however_much_traffic_there_is_meanwhile(run: Run) -> None:
    slept: list[tuple[int, int]] = []

    async def nap(times: int, seconds: float) -> None:
        for _ in range(times):
            before = nanoseconds()
            await posix.nanosleep(seconds)
            slept.append((nanoseconds() - before, math.floor(seconds * 1e9)))

    async def main() -> None:
        server, client = seats()
        network().links(latency="Uniform(0.000001, 0.01)", keep_order=False)
        async with anyio.create_task_group() as tasks:
            for index, seat in enumerate((server, client, server, client)):
                tasks.start_soon(seat.do, nap, 100, 0.0007 + 0.00031 * index)
            await talk(server, client)

    run(main, seed=1)
    assert len(slept) == 400
    assert all(took >= least for took, least in slept)


async def talk(server: Seat, client: Seat, size: int = 100_000) -> None:
    accepted, dialled = await joined(server, client)

    async def write() -> None:
        await send_all(dialled, bytes(size))
        posix.close(dialled)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.do, write)
        assert await server.do(recv_all, accepted) == bytes(size)


def test_a_year_without_events_passes_at_once_and_connections_outlive_it(run: Run) -> None:
    async def main() -> tuple[bytes, float]:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        await anyio.sleep(365 * 86400)
        await client.do(posix.send, dialled, b"still there?")
        return await server.do(posix.recv, accepted, 99), now()

    got, at = run(main)
    assert got == b"still there?"
    assert at > 365 * 86400


@pytest.mark.parametrize("days", [1, 90, 200, 20_000])
def test_a_sleep_ends_to_the_last_bit_of_a_float_however_late_it_is(run: Run, days: int) -> None:
    async def main() -> float:
        await anyio.sleep(days * 86400 + 0.003)
        begin = anyio.current_time()
        await anyio.sleep(0.001)
        return anyio.current_time() - begin

    last_bit = math.ulp(days * 86400)
    assert run(main, step_limit=1000) == pytest.approx(0.001, rel=0, abs=2 * last_bit + 1e-9)


# -- in which order


def test_what_arrives_in_one_instant_arrives_in_the_order_in_which_it_was_sent(run: Run) -> None:
    async def main() -> list[bytes]:
        server, client = seats()
        third = Seat("third", THIRD[0])
        there = await server.do(datagrams)
        sockets = [(seat, await seat.do(datagrams)) for seat in (client, third)]
        network().link("client", "server", latency=0.010)
        network().link("third", "server", latency=0.006)
        for number in range(8):  # the second's are sent 4 ms later and arrive together with these
            seat, fd = sockets[number % 2]
            await seat.do(posix.sendto, fd, b"%d" % number, SERVER)
            if not number % 2:
                await anyio.sleep(0.004)
        return [await server.do(posix.recv, there, 9) for _ in range(8)]

    for seed in range(4):
        assert run(main, seed=seed) == [b"%d" % number for number in range(8)]


def test_equal_deadlines_of_different_hosts_are_met_in_the_order_of_their_making(
    run: Run,
) -> None:
    fired: list[int] = []

    async def main() -> None:
        timers = asyncipc.current_simulation().timers
        server, client = seats()
        for number, seat in enumerate((client, server, client, server)):
            due = nanoseconds() + 10**9
            seat.host.kernel.timers.arm(due, lambda number=number: fired.append(number))
        await anyio.sleep(1)
        assert timers.now() == 10**9

    run(main)
    assert fired == [0, 1, 2, 3]


# -- no progress


def test_traffic_that_bounces_on_wires_without_latency_cannot_freeze_time_untold(
    run: Run,
) -> None:
    async def bounce(port: int, to: tuple[str, int]) -> None:
        fd = await datagrams(port)
        await posix.sendto(fd, b"x", to)
        while True:
            await posix.sendto(fd, await posix.recv(fd, 9), to)

    async def main() -> None:
        server, client = seats()
        network().links(latency=0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.do, bounce, PORT, ("10.0.0.1", PORT))
            tasks.start_soon(client.do, bounce, PORT, SERVER)
            await anyio.sleep(1)

    with pytest.raises(TimeFrozen, match="step_limit"):
        run(main, step_limit=2000)


def test_the_same_traffic_on_wires_with_a_latency_lets_others_sleep_as_long_as_they_said(
    run: Run,
) -> None:
    async def bounce(port: int, to: tuple[str, int]) -> None:
        fd = await datagrams(port)
        await posix.sendto(fd, b"x", to)
        while True:
            await posix.sendto(fd, await posix.recv(fd, 9), to)

    async def main() -> float:
        server, client = seats()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.do, bounce, PORT, ("10.0.0.1", PORT))
            tasks.start_soon(client.do, bounce, PORT, SERVER)
            await anyio.sleep(1)
            tasks.cancel_scope.cancel()
        return now()

    assert run(main, step_limit=2000) == 1.0


def test_a_deadlock_between_hosts_is_told_with_their_names(run: Run) -> None:
    async def wait_for_the_other(fd: int) -> None:
        await posix.recv(fd, 9)

    async def main() -> None:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.do, wait_for_the_other, accepted)
            tasks.start_soon(client.do, wait_for_the_other, dialled)

    with pytest.raises(Deadlock) as caught:
        run(main)
    told = {(task.host, task.call.partition("(")[0]) for task in caught.value.report.tasks}
    assert {("server", "recv"), ("client", "recv")} <= told
    lines = str(caught.value).splitlines()
    for host in ("server", "client"):
        assert any(line.split()[:1] == [host] and "recv(" in line for line in lines)


def test_a_datagram_that_a_cut_has_swallowed_leaves_a_deadlock(run: Run) -> None:
    async def ask(fd: int) -> bytes:
        await posix.sendto(fd, b"question", SERVER)
        return await posix.recv(fd, 99)

    async def main() -> None:
        server, client = seats()
        there, here = await server.do(datagrams), await client.do(datagrams)
        network().partition("server", "client")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.do, posix.recv, there, 99)
            await client.do(ask, here)

    with pytest.raises(Deadlock, match="client"):
        run(main)


def test_what_is_held_is_no_event_so_a_hold_without_an_end_is_a_deadlock(run: Run) -> None:
    async def main() -> None:
        server, client = seats()
        there, here = await server.do(datagrams), await client.do(datagrams)
        network().partition("server", "client", how="hold")
        await client.do(posix.sendto, here, b"held", SERVER)
        await server.do(posix.recv, there, 99)

    with pytest.raises(Deadlock, match="server"):
        run(main)


# -- the same again


@pytest.mark.parametrize("fault", [{"loss": 0.1}, {"jitter": 0.001}, {"reorder": 0.3}])
def test_one_seed_is_one_history_to_the_nanosecond(run: Run, fault: dict[str, Any]) -> None:
    async def main() -> None:
        server, client = seats()
        network().links(**fault)
        await talk(server, client)

    def history(seed: int) -> list[str]:
        events: list[str] = []
        run(main, seed=seed, observers=[lambda event: events.append(repr(event))])
        return events

    first = history(5)
    assert history(5) == first
    assert history(6) != first
    assert len(first) > 100


def test_a_fault_on_one_link_changes_no_decision_on_another(run: Run) -> None:
    fates: list[tuple[int, str]] = []

    def watch(event: object) -> None:
        if isinstance(event, Transit) and (event.source, event.target) == ("client", "server"):
            fates.append((event.t_ns, event.fate))

    async def main(beside: bool) -> None:
        server, client = seats()
        third = Seat("third", THIRD[0])
        await server.do(datagrams)
        here, other = await client.do(datagrams), await third.do(datagrams)
        network().link("client", "server", loss=0.3, jitter=0.0005)
        if beside:
            network().link("third", "server", loss=0.5, jitter=0.0005, duplicate=0.2)
        for _ in range(200):
            await client.do(posix.sendto, here, b"x", SERVER)
            await third.do(posix.sendto, other, b"y", SERVER)
            await anyio.sleep(0.01)

    histories = []
    for beside in (False, True):
        fates.clear()
        run(main, beside, seed=3, observers=[watch])
        histories.append(list(fates))
    assert histories[0] == histories[1]
    assert {fate for _, fate in histories[0]} == {"sent", "arrived", "dropped: loss"}
