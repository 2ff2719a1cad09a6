"""Weather: what a seed does to the network, and when.

Links get any mix of conditions; cuts, rules and meddling come and go at random
times.  Some of it may break a TCP connection (``rough``); of all else, TCP must make up for it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

from asyncipc.network.fabric import Fabric
from asyncipc.network.faults import breakage, partitions
from asyncipc.network.faults.cuts import Cut, Cuts
from asyncipc.network.faults.predicates import (
    chance,
    delay,
    deliver,
    drop,
    flags,
    hold,
    nth,
    protocol,
)
from asyncipc.network.faults.rules import Installed
from asyncipc.network.links.conditions import PERFECT, Conditions, conditions, host_port
from asyncipc.network.links.damage import Corruption, PowerLaw
from asyncipc.network.links.latency import Bimodal, Exponential, Pareto
from asyncipc.network.links.loss import GilbertElliott
from asyncipc.network.links.queueing import CoDel, RandomEarly, TailDrop
from asyncipc.network.links.reordering import Reordering
from asyncipc.network.tcp.segment import ACK, FIN, SYN
from tests.network.lab import SECOND, Lab

MTUS: Final = (1500, 1500, 1280, 576, 9000)
PARTS: Final[dict[str, tuple[Any, ...]]] = {
    "loss": (0.01, 0.1, 0.4, GilbertElliott.of(0.1, 5), GilbertElliott.of(0.3, 3)),
    "duplicate": (0.02, 0.3),
    "reorder": (0.1, 0.5, Reordering(0.3, gap=3), Reordering(0.2, later=0.03)),
    "corrupt": (0.01, 0.2, Corruption(0.1, PowerLaw())),
    "truncate": (0.1,),
    "jitter": (0.0005, Exponential(0.003), Pareto(0.0005, 2.5), Bimodal(0.0001, 0.05, 0.1)),
    "latency": (0, 0, 0.001, 0.02, 0.2),
    "extra": (0.01,),
    "bandwidth": (200_000, 2_000_000, 100_000_000),
    "queue": (2, 20, TailDrop(size=20_000), RandomEarly(), CoDel()),
    "mtu": MTUS,
    "piece_max": (50, 500),
    "correlation": (0.5,),
    "keep_order": (False,),
}
SHARE: Final = 0.25
"""Of links that have any one of these."""
RULES: Final[tuple[Callable[[], Any], ...]] = (
    lambda: drop(chance(0.3)),
    lambda: drop(nth(2, 3, 7)),
    lambda: drop(flags(FIN)),
    lambda: drop(flags(SYN) & flags(ACK)),
    lambda: delay(chance(0.3), 0.05),
    lambda: deliver(chance(0.3), 0.0, 0.01),
    lambda: deliver(chance(0.2), 0.3),
    lambda: hold(chance(0.1)),
    lambda: hold(protocol("tcp") & ~flags(SYN)),
    lambda: breakage.hang(),
    lambda: breakage.slow_handshake(chance(1), 0.4),
    lambda: breakage.slow_close(chance(1), 0.4),
    lambda: breakage.limit_data(chance(1), 3_000),
)
ROUGH_RULES: Final[tuple[Callable[[], Any], ...]] = (
    lambda: breakage.refuse(chance(0.5)),
    lambda: breakage.accept_and_reset(),
    lambda: breakage.reset_after(chance(1), 5_000),
)
GROUPS: Final = (partitions.halves, partitions.isolate_one, partitions.uniform)
GROUPS_OF_THREE: Final = (*GROUPS, partitions.bridge, partitions.majorities_ring)


def draw_conditions(die: Random) -> Conditions:
    """Any mix that a link takes."""
    if die.random() < 0.2:
        return PERFECT
    while True:
        keywords = {name: die.choice(of) for name, of in PARTS.items() if die.random() < SHARE}
        if "queue" in keywords:
            keywords.setdefault("bandwidth", 2_000_000)
        try:
            return conditions(**keywords)
        except ValueError:  # what does not go together
            continue


class Weather:
    """``rough``: may it break connections?  ``lasts``: seconds, until the sky is clear; only if
    it is rough, so long that they time out.  ``log``: what has happened, for who replays a seed.
    """

    def __init__(self, lab: Lab, die: Random, names: list[str], *, rough: bool) -> None:
        self.lab, self.die, self.names, self.rough = lab, die, names, rough
        self.cuts = Cuts(lab.fabric)
        self.rules: list[Installed] = []
        self.lasts = die.choice((0.5, 3.0, 20.0, 1_500.0) if rough else (0.5, 3.0, 20.0))
        self.log: list[str] = []

    @property
    def fabric(self) -> Fabric:
        return self.lab.fabric

    def begin(self) -> None:
        die = self.die
        self.fabric.conditions = draw_conditions(die) if die.random() < 0.3 else PERFECT
        for source in self.names:
            for target in self.names:
                if source != target and die.random() < 0.7:
                    self.fabric.link(source, target).conditions = draw_conditions(die)
        if die.random() < 0.15:
            rate = die.choice((500_000, 10_000_000))
            up = host_port("up", rate, die.choice((None, 10)), die)
            down = host_port("down", rate, die.choice((None, 10)), die)
            self.fabric.set_ports(die.choice(self.names), up, down)
        for _ in range(die.choice((0, 2, 5, 10))):
            self.at(self.moment(), self.strike)

    def moment(self) -> float:
        """While it lasts: rather early than late, when most is going on."""
        return self.die.random() ** 3 * self.lasts

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        self.lab.arm(self.lab.now_ns + round(seconds * SECOND), action)

    def strike(self) -> None:
        """Something happens."""
        act = self.die.choice(
            (self.cut, self.cut, self.heal, self.add_rule, self.add_rule, self.end_rule,
             self.meddle, self.meddle, self.change)
        )  # fmt: skip
        act()

    def note(self, text: str) -> None:
        self.log.append(f"{self.lab.now_ns / SECOND:.6f} {text}")

    # -- cuts

    def cut(self) -> None:
        die, names, cuts = self.die, self.names, self.cuts
        how = die.choice(("drop", "hold", "reset") if self.rough else ("drop", "hold"))
        said: dict[str, Any] = {"how": how, "in_flight": die.random() < 0.5}
        kind = die.randrange(3)
        if kind == 0:
            shapes = GROUPS_OF_THREE if len(names) > 2 else GROUPS
            made = cuts.partition(*die.choice(shapes)(names, die), **said)
        elif kind == 1:
            made = cuts.cut(*die.sample(names, 2), **said)
        else:
            made = cuts.isolate(die.choice(names), incoming=die.random() < 0.7, **said)
        self.note(made.describe())
        if die.random() < 0.6:
            self.at(die.choice((0.0, 0.05, 1.0, self.lasts / 2)), lambda: self.end_cut(made))

    def end_cut(self, cut: Cut) -> None:
        act = self.die.choice((cut.heal, cut.heal, cut.release, cut.discard))
        self.note(f"{act.__name__} {cut.describe()}")
        act()

    def heal(self) -> None:
        if self.die.random() < 0.5:
            self.cuts.heal()
        else:
            self.cuts.heal(*self.die.sample(self.names, 2))

    # -- rules

    def add_rule(self) -> None:
        made = self.die.choice(RULES + ROUGH_RULES if self.rough else RULES)
        installed = self.fabric.rule(made())
        self.rules.append(installed)
        self.note(f"{installed.name}: {made.__code__.co_firstlineno}")

    def end_rule(self) -> None:
        if self.rules:
            rule = self.die.choice(self.rules)
            act = self.die.choice((rule.remove, rule.release, rule.discard))
            self.note(f"{act.__name__} {rule.describe()}")
            act()

    # -- links, and what is on them

    def change(self) -> None:
        source, target = self.die.sample(self.names, 2)
        link = self.fabric.link(source, target)
        link.conditions = draw_conditions(self.die)
        self.note(link.describe())

    def meddle(self) -> None:
        """Somebody lays hands on a packet on its way."""
        flights = self.fabric.flights()
        if not flights:
            return
        flight = self.die.choice(flights)
        kind = self.die.randrange(3)
        self.note(f"{('deliver', 'drop', 'postpone')[kind]} {flight.describe()}")
        if kind == 0:
            self.fabric.deliver(flight)
        elif kind == 1:
            self.fabric.drop(flight, "rule")
        else:
            self.fabric.postpone(flight, self.lab.now_ns + self.die.randrange(SECOND))

    # -- the end

    def clear(self) -> None:
        """All is healed, but for what TCP takes lightly."""
        self.note("clear")
        self.cuts.heal()
        for rule in self.rules:
            rule.remove()
        mild = conditions(loss=0.02, duplicate=0.02, reorder=0.05)
        narrow = conditions(mtu=1280)
        rest = self.die.choice((PERFECT, PERFECT, mild, narrow))
        self.fabric.conditions = rest
        for lane in self.fabric.lanes():
            lane.link.conditions = rest
        for name in self.names:
            self.fabric.set_ports(name, None, None)
