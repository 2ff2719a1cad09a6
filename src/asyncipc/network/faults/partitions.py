"""Partitions: who can be cut off from whom, and when, drawn by a die.

The shapes are those of Jepsen's nemesis; each answers groups for
:meth:`~asyncipc.network.faults.cuts.Cuts.partition`, where hosts that are in one group reach each
other.  The presets are schedules: flapping links, FoundationDB's swizzle-clog,
rolling restarts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from asyncipc.network.faults.schedule import Event, Schedule, event

if TYPE_CHECKING:
    from asyncipc.network.dice import Die
    from asyncipc.network.faults.cuts import Manner

Groups: TypeAlias = tuple[tuple[str, ...], ...]

SWIZZLE_SECONDS: Final = 3.0
"""FoundationDB clogs one by one "over a few seconds"."""


def shuffled(hosts: Sequence[str], die: Die) -> list[str]:
    """By Fisher and Yates, so that one die gives one order on every version of Python."""
    mixed = list(hosts)
    for index in range(len(mixed) - 1, 0, -1):
        other = die.randrange(0, index + 1)
        mixed[index], mixed[other] = mixed[other], mixed[index]
    return mixed


def halves(hosts: Sequence[str], die: Die) -> Groups:
    """Two halves; of an odd number the smaller one first."""
    _at_least(2, hosts)
    mixed = shuffled(hosts, die)
    middle = len(mixed) // 2
    return tuple(mixed[:middle]), tuple(mixed[middle:])


def isolate_one(hosts: Sequence[str], die: Die) -> Groups:
    """One host, and all others."""
    _at_least(2, hosts)
    lonely = hosts[die.randrange(0, len(hosts))]
    return (lonely,), tuple(host for host in hosts if host != lonely)


def bridge(hosts: Sequence[str], die: Die) -> Groups:
    """Two halves, and one host that is in both."""
    _at_least(3, hosts)
    mixed = shuffled(hosts, die)
    middle = (len(mixed) - 1) // 2
    return (*mixed[:middle], mixed[-1]), (*mixed[middle:-1], mixed[-1])


def majorities_ring(hosts: Sequence[str], die: Die) -> Groups:
    """Everybody reaches a majority, and no two the same one.

    Hosts stand in a ring, and reach those beside them, as far as that takes.  Of three,
    the one in the middle reaches both others: both ways there is no closer to it.
    """
    _at_least(3, hosts)
    ring = shuffled(hosts, die)
    if len(ring) == 3:
        return tuple(ring[:2]), tuple(ring[1:])
    width = (len(ring) // 2 + 1) // 2 + 1
    return tuple(
        tuple(ring[(start + step) % len(ring)] for step in range(width))
        for start in range(len(ring))
    )


def uniform(hosts: Sequence[str], die: Die) -> Groups:
    """Each way to part them into two groups or more that comes of every host choosing
    one of as many groups as there are hosts.
    """
    _at_least(2, hosts)
    while True:
        groups: dict[int, list[str]] = {}
        for host in hosts:
            groups.setdefault(die.randrange(0, len(hosts)), []).append(host)
        if len(groups) > 1:
            return tuple(tuple(group) for group in groups.values())


def _at_least(least: int, hosts: Sequence[str]) -> None:
    if len(hosts) < least:
        raise ValueError(f"that takes {least} hosts, not {len(hosts)}")
    if len(dict.fromkeys(hosts)) < len(hosts):
        raise ValueError(f"a host is named twice: {', '.join(hosts)}")


# -- presets


def flap(
    *groups: Sequence[str],
    down_s: float,
    up_s: float,
    count: int,
    at_s: float = 0.0,
    how: Manner = "drop",
) -> Schedule:
    """Cut off for ``down_s``, together for ``up_s``, ``count`` times."""
    period = down_s + up_s
    starts = [at_s + index * period for index in range(count)]
    return Schedule(
        event(start, "partition", *groups, until_s=start + down_s, how=how) for start in starts
    )


def swizzle(
    hosts: Sequence[str], die: Die, *, at_s: float = 0.0, over_s: float = SWIZZLE_SECONDS
) -> Schedule:
    """A random part of the hosts is clogged (all they send and get is held), one after
    the other, and unclogged in another random order.  Each half takes ``over_s``.
    """
    _at_least(1, hosts)
    mixed = shuffled(hosts, die)
    chosen = mixed[: die.randrange(1, len(mixed) + 1)]
    step = over_s / len(chosen)
    ends = {host: at_s + over_s + (i + 1) * step for i, host in enumerate(shuffled(chosen, die))}
    return Schedule(
        event(at_s + index * step, "isolate", host, until_s=ends[host], how="hold")
        for index, host in enumerate(chosen)
    )


def rolling(
    hosts: Sequence[str], *, down_s: float, up_s: float, at_s: float = 0.0, kind: str = "crash"
) -> Schedule:
    """One host after the other is off (or ``pause``\\ d) for ``down_s``, with ``up_s`` between."""
    if kind not in {"crash", "pause", "isolate"}:
        raise ValueError(f"hosts crash, pause or isolate in turn, not {kind!r}")
    period = down_s + up_s
    return Schedule(_off(kind, host, at_s + i * period, down_s) for i, host in enumerate(hosts))


def _off(kind: str, host: str, start: float, down_s: float) -> Event:
    return event(start, kind, host, until_s=start + down_s)
