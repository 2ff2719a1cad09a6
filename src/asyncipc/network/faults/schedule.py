"""The fault schedule: what is to go wrong, when and to whom, as plain data.

It can be compared, printed, and (``runtime/scenario``) read from a file and written
to one; so it can be kept, replayed and cut down.  A
:class:`~asyncipc.network.faults.player.Player` carries it out.  The kinds:

=========== ================================================== ======================
kind        targets                                            parameters
=========== ================================================== ======================
partition   two groups or more                                 how, in_flight
cut         sources; targets                                   how, in_flight
isolate     the group                                          how, in_flight,
                                                               incoming, outgoing
heal        nobody (all cuts), or two groups
link        sources; targets                                   conditions of a link
crash       hosts: power off; ``until_s``: they boot
restart     hosts
pause       hosts; ``until_s``: they go on
resume      hosts
clock_step  hosts                                              seconds
=========== ================================================== ======================
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, SupportsIndex, TypeAlias, final, overload

from asyncipc.network.faults.cuts import VERDICTS
from asyncipc.network.faults.rules import nanoseconds
from asyncipc.network.links.conditions import conditions

Value: TypeAlias = bool | int | float | str
Group: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """``groups``: how many of targets, at least and at most.  ``parameters``: None: any."""

    groups: tuple[int, int]
    parameters: tuple[str, ...] | None = ()
    lasts: bool = False
    """May it end by ``until_s``?"""
    required: tuple[str, ...] = ()


MANY: Final = 1 << 20
KINDS: Final[dict[str, Kind]] = {
    "partition": Kind((2, MANY), ("how", "in_flight"), lasts=True),
    "cut": Kind((2, 2), ("how", "in_flight"), lasts=True),
    "isolate": Kind((1, 1), ("how", "in_flight", "incoming", "outgoing"), lasts=True),
    "heal": Kind((0, 2)),
    "link": Kind((2, 2), None, lasts=True),
    "crash": Kind((1, 1), lasts=True),
    "restart": Kind((1, 1)),
    "pause": Kind((1, 1), lasts=True),
    "resume": Kind((1, 1)),
    "clock_step": Kind((1, 1), ("seconds",), required=("seconds",)),
}


COMPANIONS: Final[dict[str, dict[str, Any]]] = {
    "jitter": {"latency": 1e9},
    "queue": {"bandwidth": 1},
    "correlation": {"latency": 1, "jitter": 1},
}
"""What some conditions cannot be without."""


@final
@dataclass(frozen=True, slots=True)
class Event:
    """One fault.  ``at_s``, ``until_s``: seconds since the schedule began; without
    ``until_s`` it stays.  ``targets``: groups of names of hosts.  ``parameters``: by name.

    Made most easily by :func:`event`.  ValueError: there is no such fault, and why.
    """

    at_s: float
    kind: str
    targets: tuple[Group, ...] = ()
    parameters: tuple[tuple[str, Value], ...] = ()
    until_s: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "at_s", float(self.at_s))
        object.__setattr__(self, "parameters", tuple(sorted(self.parameters)))
        nanoseconds(self.at_s)
        if self.until_s is not None:
            object.__setattr__(self, "until_s", float(self.until_s))
            nanoseconds(self.until_s)
        self._check()

    def _check(self) -> None:
        kind = KINDS.get(self.kind)
        if kind is None:
            raise ValueError(f"{self.kind!r} is no kind; there are {', '.join(KINDS)}")
        least, most = kind.groups
        if not least <= len(self.targets) <= most or (self.kind == "heal" and self._is_half()):
            raise ValueError(f"{self.kind} has {_groups(kind)}, not {len(self.targets)}")
        self._check_duration(kind)
        self._check_parameters(kind)

    def _is_half(self) -> bool:
        return len(self.targets) == 1

    def _check_duration(self, kind: Kind) -> None:
        if self.until_s is None:
            return
        if not kind.lasts:
            raise ValueError(f"{self.kind} happens at a time, and has no until_s")
        if self.until_s <= self.at_s:
            raise ValueError(f"it is to end at {self.until_s} s, and begins at {self.at_s} s")

    def _check_parameters(self, kind: Kind) -> None:
        given = dict(self.parameters)
        if len(given) < len(self.parameters):
            raise ValueError(f"{self.kind} is given a parameter twice")
        for name in kind.required:
            if name not in given:
                raise ValueError(f"{self.kind} needs {name}")
        for name, value in given.items():
            if kind.parameters is not None and name not in kind.parameters:
                allowed = ", ".join(kind.parameters) or "none"
                raise ValueError(f"{self.kind} has no parameter {name}; there are: {allowed}")
            _check_value(name, value)
        if kind.parameters is None:
            _check_conditions(given)

    def describe(self) -> str:
        """``2.0 s to 5.0 s: partition a b | c, how=hold``"""
        until = "" if self.until_s is None else f" to {self.until_s} s"
        groups = " | ".join(" ".join(group) for group in self.targets)
        parameters = "".join(f", {name}={value}" for name, value in self.parameters)
        return f"{self.at_s} s{until}: {self.kind} {groups}".rstrip() + parameters


def _check_value(name: str, value: Value) -> None:
    if name == "how" and value not in VERDICTS:
        raise ValueError(f"how is one of {', '.join(VERDICTS)}, not {value!r}")
    if name in {"in_flight", "incoming", "outgoing"} and not isinstance(value, bool):
        raise ValueError(f"{name} is true or false, not {value!r}")
    if isinstance(value, float) and not abs(value) < float("inf"):
        raise ValueError(f"{name} is a finite number, not {value}")
    if name == "seconds" and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError(f"seconds is a number, not {value!r}")


def _check_conditions(given: dict[str, Any]) -> None:
    """What a link has by itself; what it lacks, another event may give it."""
    for name, value in given.items():
        beside = COMPANIONS.get(name, {})
        try:
            conditions(**{name: value, **beside})
        except TypeError as error:
            raise ValueError(str(error)) from error


def _groups(kind: Kind) -> str:
    least, most = kind.groups
    if most == MANY:
        return f"at least {least} groups of targets"
    if least != most:
        return f"no targets or {most} groups of them"
    return f"{least} group{'s' * (least != 1)} of targets"


def event(
    at_s: float,
    kind: str,
    *targets: str | Iterable[str],
    until_s: float | None = None,
    **parameters: Value,
) -> Event:
    """``event(2, "partition", ["a", "b"], "c", until_s=5, how="hold")``"""
    groups = tuple((group,) if isinstance(group, str) else tuple(group) for group in targets)
    return Event(at_s, kind, groups, tuple(parameters.items()), until_s)


@final
class Schedule(tuple[Event, ...]):
    """Events; those of one time happen in this order, after those that end then."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Schedule({list(self)!r})"

    def __str__(self) -> str:
        return "\n".join(event.describe() for event in self)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> Schedule: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Event | Schedule:
        """A part of a schedule is one: so it is cut down."""
        found = super().__getitem__(index)
        return found if isinstance(found, Event) else Schedule(found)

    @property
    def end_s(self) -> float:
        """When the last thing in it happens."""
        return max((max(event.at_s, event.until_s or 0.0) for event in self), default=0.0)
