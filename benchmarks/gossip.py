"""Gossip: a host that hears a rumour tells the next of its neighbours, for ever.

Every host waits for a rumour and has begun one, so that as many are on their
way as there are hosts.  Each way has a latency of its own, drawn once; ways,
latencies and the order in which a host goes through its neighbours are the same
for all contenders, and so is what is counted: rumours that a host has heard.

* ours: a process on each host, with a UDP socket, under ``asyncipc.run``;
* SimPy: a process for each host that waits on its store, into which the callback
  of a timeout puts the rumour.  *bare*: the callback tells the next at once, so
  that there is nobody to wake: the floor of any event queue;
* trio: a task for each host that waits on its memory channel, and one for each
  rumour, which sleeps on a ``MockClock``.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Generator, Iterator
from functools import partial
from importlib import import_module
from itertools import cycle
from math import inf
from time import process_time
from typing import Any, Final, NamedTuple, TypeAlias, final

import trio
import trio.testing

import asyncipc
from asyncipc import posix

PORT: Final = 7000
RUMOUR: Final = bytes(64)
NEIGHBOURS: Final = 4
WARM: Final = NEIGHBOURS + 1
"""Rumours that each host hears before time runs: it has told each of its neighbours one."""
SHORTEST_S, LONGEST_S = 0.001, 0.01
PERIOD_S: Final = 0.1


class Way(NamedTuple):
    """To whom, by number, and how long it takes."""

    target: int
    seconds: float


World: TypeAlias = list[list[Way]]
"""Of each host, by number, the ways to its neighbours."""


def world(hosts: int, shortest_s: float = SHORTEST_S, longest_s: float = LONGEST_S) -> World:
    """Always the same for so many hosts; evenly drawn latencies."""
    die = random.Random(hosts)
    ways = []
    for host in range(hosts):
        others = die.sample(range(hosts - 1), min(NEIGHBOURS, hosts - 1))
        targets = [other + (other >= host) for other in others]
        ways.append([Way(target, die.uniform(shortest_s, longest_s)) for target in targets])
    return ways


@final
class Tally:
    """Counts what is heard: after ``warm`` of them time runs, and after ``count`` more it is
    taken, and ``over`` is called.
    """

    def __init__(self, warm: int, count: int) -> None:
        self._left = warm
        self._count = count
        self._started: float | None = None
        self.cost_us = inf
        self.over: Callable[[], object]

    def tick(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._turn()

    def _turn(self) -> None:
        if self._started is None:
            self._started, self._left = process_time(), self._count
            return
        self.cost_us = (process_time() - self._started) / self._count * 1e6
        self.over()


# -- ours


def address_of(host: int) -> str:
    """10.0.0.1 and on, 200 hosts to a /24."""
    return f"10.{host // 40_000}.{host // 200 % 200}.{host % 200 + 1}"


async def member(ways: list[Way], tally: Tally) -> None:
    """The program of one host."""
    neighbours = cycle([(address_of(way.target), PORT) for way in ways])
    channel = await asyncipc.create_udp_socket(local_port=PORT)
    send, receive, tick = channel.send, channel.receive, tally.tick
    await send((RUMOUR, next(neighbours)))
    while True:
        rumour, _ = await receive()
        tick()
        await send((rumour, next(neighbours)))


def build(ways: World) -> list[asyncipc.Host]:
    """Hosts, and links that are as the world says."""
    sim = asyncipc.current_simulation()
    hosts = [sim.host(f"host{number}", address_of(number)) for number in range(len(ways))]
    for host, own in zip(hosts, ways, strict=True):
        for target, seconds in own:
            sim.network.one_way(host, hosts[target], latency=seconds)
    return hosts


async def prompter(ways: list[Way], tally: Tally) -> None:
    """Another program: it tells its neighbours by a timer, ten times a second."""
    channel = await asyncipc.create_udp_socket(local_port=PORT)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_tell_by_a_timer, channel, ways)
        receive, tick = channel.receive, tally.tick
        while True:
            await receive()
            tick()


async def _tell_by_a_timer(channel: asyncipc.UDPChannel, ways: list[Way]) -> None:
    neighbours = cycle([(address_of(way.target), PORT) for way in ways])
    timer = posix.timerfd_create(posix.CLOCK_MONOTONIC)
    posix.timerfd_settime(timer, initial=ways[0].seconds, interval=PERIOD_S)
    while True:
        await posix.read(timer, 8)
        await channel.send((RUMOUR, next(neighbours)))


Program: TypeAlias = Callable[[list[Way], Tally], Awaitable[None]]


async def _gossip(ways: World, tally: Tally, program: Program = member) -> None:
    over = trio.Event()
    tally.over = over.set
    for host, own in zip(build(ways), ways, strict=True):
        host.serve(program, own, tally)
    await over.wait()


def ours(hosts: int, count: int) -> float:
    """Microseconds for each rumour that is heard."""
    return _measured(world(hosts), count, member)


def by_the_second(hosts: int, count: int) -> float:
    """The same where a rumour takes a tenth of a second, so that each host hears ten in one."""
    return _measured(world(hosts, PERIOD_S / 2, PERIOD_S * 3 / 2), count, member)


def by_timers(hosts: int, count: int) -> float:
    """The same where each host tells ten in a second, whatever it hears."""
    return _measured(world(hosts), count, prompter)


def _measured(ways: World, count: int, program: Program) -> float:
    tally = Tally(WARM * len(ways), count)
    asyncipc.run(_gossip, ways, tally, program, wall_limit_s=None)
    return tally.cost_us


# -- peers


def _simpy() -> Any:
    """It is wanted by the benchmarks alone (``pip install 'asyncipc[bench]'``)."""
    return import_module("simpy")


def _simpy_member(
    inbox: Any, ways: Iterator[tuple[float, Callable[[Any], None]]], timeout: Any, tally: Tally
) -> Generator[Any, Any, None]:
    tick = tally.tick
    rumour = RUMOUR
    while True:
        seconds, deliver = next(ways)
        timeout(seconds, rumour).callbacks.append(deliver)
        rumour = yield inbox.get()
        tick()


def by_simpy(hosts: int, count: int) -> float:
    simpy = _simpy()
    environment, tally = simpy.Environment(), Tally(hosts, count)
    over = environment.event()
    tally.over = over.succeed
    inboxes = [simpy.Store(environment) for _ in range(hosts)]

    def deliver(put: Callable[[bytes], object], event: Any) -> None:
        put(event.value)

    doors = [partial(deliver, inbox.put) for inbox in inboxes]
    for inbox, own in zip(inboxes, world(hosts), strict=True):
        ways = cycle([(seconds, doors[target]) for target, seconds in own])
        environment.process(_simpy_member(inbox, ways, environment.timeout, tally))
    environment.run(over)
    return tally.cost_us


def by_bare_simpy(hosts: int, count: int) -> float:
    environment, tally = _simpy().Environment(), Tally(hosts, count)
    over = environment.event()
    tally.over = over.succeed
    tellers: list[Callable[[Any], None]] = []

    def teller(ways: Iterator[Way]) -> Callable[[Any], None]:
        tick, timeout = tally.tick, environment.timeout

        def tell(event: Any) -> None:
            tick()
            target, seconds = next(ways)
            timeout(seconds, event.value).callbacks.append(tellers[target])

        return tell

    tellers.extend(teller(cycle(own)) for own in world(hosts))
    for tell in tellers:
        environment.timeout(0, RUMOUR).callbacks.append(tell)
    environment.run(over)
    return tally.cost_us


async def _trio_gossip(ways: World, tally: Tally) -> None:
    over = trio.Event()
    tally.over = over.set
    channels = [trio.open_memory_channel[bytes](inf) for _ in ways]

    async def carry(rumour: bytes, way: Way) -> None:
        await trio.sleep(way.seconds)
        channels[way.target][0].send_nowait(rumour)

    async def hear(number: int) -> None:
        own = cycle(ways[number])
        receive, tick = channels[number][1].receive, tally.tick
        nursery.start_soon(carry, RUMOUR, next(own))
        while True:
            rumour = await receive()
            tick()
            nursery.start_soon(carry, rumour, next(own))

    async with trio.open_nursery() as nursery:
        for number in range(len(ways)):
            nursery.start_soon(hear, number)
        await over.wait()
        nursery.cancel_scope.cancel()


def by_trio(hosts: int, count: int) -> float:
    tally = Tally(hosts, count)
    clock = trio.testing.MockClock(autojump_threshold=0)
    trio.run(_trio_gossip, world(hosts), tally, clock=clock)
    return tally.cost_us
