"""The network as programs handle it: links, cuts, rules and schedules, by hosts.

What happens to a packet is the fabric's (:mod:`asyncipc.network`), which is
pure; here its time and its dice are those of the simulation.  Wherever a host
is meant, a :class:`~asyncipc.runtime.host.Host` or its name will do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final, TypeAlias, Unpack, final

from asyncipc.kernel.timers import NoTimers
from asyncipc.network.fabric import Fabric
from asyncipc.network.faults.cuts import Cut, Cuts, Manner
from asyncipc.network.faults.player import Changes, Player
from asyncipc.network.faults.rules import Installed, Rule
from asyncipc.network.faults.schedule import Event, Value
from asyncipc.network.internet.stack import Stack
from asyncipc.network.links.conditions import (
    PERFECT,
    Conditions,
    Spelling,
    conditions,
    host_port,
)
from asyncipc.runtime.host import Host

if TYPE_CHECKING:
    from asyncipc.kernel.openfile import Home
    from asyncipc.kernel.timers import Timers
    from asyncipc.network.counts import LinkStatistics
    from asyncipc.network.dice import Dice
    from asyncipc.network.links.queueing import Queue
    from asyncipc.runtime.tap import Tap

AnyHost: TypeAlias = Host | str
Group: TypeAlias = AnyHost | Iterable[AnyHost]

FIRST: Final = IPv4Address("10.0.0.1")
SHOWN: Final = 10
ENDS: Final = frozenset({"0", "255"})
"""Last parts that look like a network's address, and like its broadcast address."""


def _some(names: Iterable[str]) -> str:
    """All of a few; of many nobody reads more."""
    shown = list(names)
    more = len(shown) - SHOWN
    return ", ".join(shown[:SHOWN]) + (f" and {more} more" if more > 0 else "")


@final
class Network:
    """``sim.network``.  ``fabric``: packet by packet.  ``cuts``: those in force."""

    def __init__(self, dice: Dice, hosts: Mapping[str, Host]) -> None:
        self.fabric = Fabric(dice)
        self.fabric.timers = NoTimers()
        self.cuts = Cuts(self.fabric)
        self._changes = Changes(self.fabric)
        self._dice = dice
        self._hosts = hosts
        self._given = int(FIRST) - 1

    def begin(self, timers: Timers) -> None:
        self.fabric.timers = timers

    def watch(self, tap: Tap | None) -> None:
        """Tell ``tap`` of every packet."""
        self.fabric.tap = None if tap is None else tap.travelled

    # -- hosts

    def stack(self, name: str, kernel: Home) -> Stack:
        """The internet layer of a host that joins."""
        return Stack(name, kernel, self.fabric, partial(self._dice, f"stack {name}"))

    def next_address(self) -> str:
        """One that nobody has."""
        while True:
            self._given += 1
            address = str(IPv4Address(self._given))
            if address not in self.fabric.stations and address.rpartition(".")[2] not in ENDS:
                return address

    # -- links

    def link(
        self,
        one: AnyHost,
        other: AnyHost,
        base: Conditions | None = None,
        **keywords: Unpack[Spelling],
    ) -> None:
        """Both ways between two hosts, from now on.

        ``base``: conditions to begin with, such as a preset (None: those that each way has);
        ``keywords``: what is to be otherwise, as in :func:`asyncipc.network.links.conditions`.
        ValueError and TypeError by name; then neither way has changed.
        """
        ends = self._ends(one, other)
        made = [self._made(*way, base, keywords) for way in (ends, ends[::-1])]
        self._changes.set_base(*ends, made[0])
        self._changes.set_base(*ends[::-1], made[1])

    def one_way(
        self,
        source: AnyHost,
        target: AnyHost,
        base: Conditions | None = None,
        **keywords: Unpack[Spelling],
    ) -> None:
        """``link``, but from ``source`` to ``target`` only."""
        ends = self._ends(source, target)
        self._changes.set_base(*ends, self._made(*ends, base, keywords))

    def _ends(self, source: AnyHost, target: AnyHost) -> tuple[str, str]:
        ends = self._name(source), self._name(target)
        if ends[0] == ends[1]:
            raise ValueError(f"a link is between two hosts: {ends[0]} reaches itself without")
        return ends

    def _made(
        self, source: str, target: str, base: Conditions | None, keywords: Spelling
    ) -> Conditions:
        """What the link is to have beneath what a schedule lays upon it for a while."""
        return conditions(self._changes.base(source, target) if base is None else base, **keywords)

    def rates(
        self,
        host: AnyHost,
        *,
        up: float | None = None,
        down: float | None = None,
        up_queue: int | Queue | None = None,
        down_queue: int | Queue | None = None,
    ) -> None:
        """What all links of a host share, from now on: bits per second out and in; None: no limit.

        ``up_queue``, ``down_queue``: how many packets may wait, or a policy of
        :mod:`asyncipc.network.links.queueing`; None: all.  ValueError by name.
        """
        name = self._name(host)
        self.fabric.set_ports(
            name,
            host_port("up", up, up_queue, self._dice(f"host {name}: up")),
            host_port("down", down, down_queue, self._dice(f"host {name}: down")),
        )

    def links(self, base: Conditions = PERFECT, **keywords: Unpack[Spelling]) -> None:
        """All ways that have been given no conditions of their own, now and later."""
        former, made = self.fabric.conditions, conditions(base, **keywords)
        self.fabric.conditions = made
        for lane in self.fabric.lanes():
            if lane.link.conditions is former:
                lane.link.conditions = made

    def statistics(self, source: AnyHost, target: AnyHost) -> LinkStatistics:
        """What became of all packets from one host to another."""
        return self.fabric.statistics(self._name(source), self._name(target))

    def check_conservation(self) -> None:
        """AssertionError if a link has lost packets without a cause, or made some."""
        self.fabric.check_conservation()

    # -- faults

    def partition(self, *groups: Group, how: Manner = "drop", in_flight: bool = False) -> Cut:
        """Hosts of different groups do not reach each other, until the cut is healed.

        ``how``: packets are lost ("drop"), wait for the end ("hold"), or break TCP connections
        ("reset").  ``in_flight``: those on their way are meant, too.  A context manager.
        """
        named = [self._names(group) for group in groups]
        return self.cuts.partition(*named, how=how, in_flight=in_flight)

    def cut(
        self, source: Group, target: Group, *, how: Manner = "drop", in_flight: bool = False
    ) -> Cut:
        """One way: what ``target`` sends still arrives."""
        ends = self._names(source), self._names(target)
        return self.cuts.cut(*ends, how=how, in_flight=in_flight)

    def isolate(
        self,
        *hosts: AnyHost,
        how: Manner = "drop",
        in_flight: bool = False,
        incoming: bool = True,
        outgoing: bool = True,
    ) -> Cut:
        """From everybody else; or only what comes to them, or what leaves them."""
        return self.cuts.isolate(
            *map(self._name, hosts),
            how=how,
            in_flight=in_flight,
            incoming=incoming,
            outgoing=outgoing,
        )

    def heal(self, one: Group | None = None, other: Group | None = None) -> None:
        """All cuts, or those between two hosts or groups: what is held goes on.

        ValueError: between one and whom?
        """
        if one is None and other is None:
            self.cuts.heal()
        elif one is None or other is None:
            raise ValueError("heal all cuts, or those between two hosts: one is named")
        else:
            self.cuts.heal(self._names(one), self._names(other))

    def rule(self, rule: Rule, name: str | None = None) -> Installed:
        """Install a rule on packets (:mod:`asyncipc.network.faults.rules`); a context manager.

        ``rule``: called with each packet and its journey, answers with a verdict or None.
        ``name``: of its dice, too.  ValueError: there is one of that name.
        """
        if not callable(rule):
            raise TypeError(f"a rule is a callable, not {type(rule).__name__}")
        return self.fabric.rule(rule, name)

    def play(self, schedule: Iterable[Event]) -> Player:
        """Begin a fault schedule (:mod:`asyncipc.network.faults.schedule`): now is its second 0.

        It goes on by itself; ``stop`` of the player ends it, and what lasts.  RuntimeError
        before time has begun; ValueError if it names a host that is not there.  What a fault
        raises when its time has come (a crash of a host that is down) ends the run.
        """
        schedule = tuple(schedule)
        if isinstance(self.fabric.timers, NoTimers):
            raise RuntimeError("the simulation is not running: play inside its block or its run")
        for event in schedule:
            if not isinstance(event, Event):
                raise TypeError(f"a schedule has events (faults.event), not {event!r}")
            for group in event.targets:
                self._names(group)
        player = Player(schedule, self, self.fabric.timers)
        player.start()
        return player

    # -- the stage of a schedule (network/schedule.Stage)

    def set_link(
        self, source: str, target: str, parameters: dict[str, Value]
    ) -> Callable[[], None]:
        return self._changes.set_link(self._name(source), self._name(target), parameters)

    def crash(self, host: str) -> None:
        self._hosts[self._name(host)].crash()

    def restart(self, host: str) -> None:
        self._hosts[self._name(host)].restart()

    def pause(self, host: str) -> None:
        self._hosts[self._name(host)].pause()

    def resume(self, host: str) -> None:
        self._hosts[self._name(host)].resume()

    def step_clock(self, host: str, seconds: float) -> None:
        self._hosts[self._name(host)].clock.step(seconds)

    # -- names

    def _name(self, host: AnyHost) -> str:
        name = host.name if isinstance(host, Host) else host
        if not isinstance(name, str):
            raise TypeError(f"a host, or the name of one, is meant, not {name!r}")
        known = self._hosts.get(name)
        if known is None:
            raise ValueError(f"there is no host {name!r}; there are {_some(self._hosts)}")
        if isinstance(host, Host) and host is not known:
            raise ValueError(f"{host!r} is of another simulation")
        return name

    def _names(self, group: Group) -> tuple[str, ...]:
        if isinstance(group, Host | str):
            return (self._name(group),)
        return tuple(self._name(host) for host in group)
