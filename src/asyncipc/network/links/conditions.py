"""The conditions of a link: plain values, which may change while it is in use.

:func:`conditions` is how programs spell them: seconds, bits per second, shares
from 0 to 1, or a model where one number is not enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Final, TypeAlias, TypedDict, Unpack, final

from asyncipc.network.dice import Die
from asyncipc.network.links.bounds import number, probability, whole
from asyncipc.network.links.damage import Corruption
from asyncipc.network.links.latency import Constant, Latency, Spread, as_latency, constant_part
from asyncipc.network.links.loss import Bernoulli, Exactly, Loss
from asyncipc.network.links.models import model_of
from asyncipc.network.links.port import Port
from asyncipc.network.links.queueing import Queue, TailDrop
from asyncipc.network.links.reordering import Reordering

MILLISECOND: Final = 1_000_000
MTU_LEAST: Final = 68
"""What every internet module must be able to forward (RFC 791, 3.2)."""
MTU_MOST: Final = 65535


@final
@dataclass(frozen=True, slots=True)
class Conditions:
    """What does not happen is None, or 0.

    ``latency_ns``: of every packet; ``jitter``: drawn anew for each and added; ``extra``:
    drawn once for the pair of hosts.  ``bandwidth``: bits per second; ``queue``: who may wait.
    """

    latency_ns: int = MILLISECOND
    jitter: Latency | None = None
    correlation: float = 0.0
    keep_order: bool = True
    extra: Latency | None = None
    bandwidth: int | None = None
    queue: Queue | None = None
    mtu: int = 1500
    loss: Loss | None = None
    duplicate: float = 0.0
    reorder: Reordering | None = None
    corrupt: Corruption | None = None
    truncate: float = 0.0
    piece_max: int | None = None

    @property
    def are_clean(self) -> bool:
        """Every packet has the fate of every other: none needs to be looked at alone."""
        faults = self.jitter, self.queue, self.loss, self.reorder, self.corrupt, self.piece_max
        return not (any(faults) or self.duplicate or self.truncate)

    @property
    def are_plain(self) -> bool:
        """They are clean, keep order, and sending takes no time."""
        return self.bandwidth is None and self.keep_order and self.are_clean

    def describe(self) -> str:
        """What is not as in :data:`PERFECT`."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        said = [f"{name}={value}" for name, value in values if value != getattr(PERFECT, name)]
        return ", ".join(said) or "perfect"


PERFECT: Final = Conditions()
"""The default: 1 ms, an MTU of 1500, and nothing else."""


class Spelling(TypedDict, total=False):
    """The keywords of :func:`conditions`."""

    latency: float | Latency | str
    jitter: float | Latency | str | None
    correlation: float
    keep_order: bool
    extra: float | Latency | str | None
    bandwidth: float | None
    queue: int | Queue | str | None
    mtu: int
    loss: float | Loss | list[int] | str | None
    duplicate: float
    reorder: float | Reordering | str | None
    corrupt: float | Corruption | str | None
    truncate: float
    piece_max: int | None


def conditions(base: Conditions = PERFECT, /, **keywords: Unpack[Spelling]) -> Conditions:
    """``base``, but for what ``keywords`` say.

    ``latency``: seconds, or a model of :mod:`~asyncipc.network.links.latency`; it takes the place
    of ``base``'s jitter, too.  ``jitter``: seconds by which it is evenly more or less (at most the
    latency), or a model of what is added; ``correlation``: how much of the last packet's is in the
    next one's (0 to 1; tc-netem(8)'s: the mean stays, the spread shrinks).  ``keep_order``: no
    packet overtakes an earlier one, whatever its jitter; on by default.
    ``extra``: seconds or a model, drawn once for each pair of hosts, the same both ways.

    ``bandwidth``: bits per second, or None; ``queue``: how many packets may wait for it, or a
    policy of :mod:`~asyncipc.network.links.queueing`, or None: all.  ``mtu``: bytes, IP's head
    among them.

    ``loss``: a share of all packets, a model of :mod:`~asyncipc.network.links.loss`, or a list of
    the numbers, from 1, of those that are lost.  ``duplicate``: the share that arrives twice.
    ``reorder``: the share that takes no time at all, or a ``Reordering``.  ``corrupt``: the share
    in which a bit flips, or a ``Corruption``.  ``truncate``: the share of datagrams that lose
    their end.  ``piece_max``: segments carry at most so many bytes, and none arrives in the
    instant of another, so that a reader who is waiting reads them one by one.

    A model may be a text, too (:mod:`~asyncipc.network.links.models`), as files have it.
    ValueError or TypeError with the keyword, the value and what is allowed.
    """
    said: dict[str, Any] = {}
    for name, value in keywords.items():
        spell = SPELLINGS.get(name)
        if spell is None:
            raise TypeError(f"a link has no {name!r}; what it has: {', '.join(SPELLINGS)}")
        said[name] = spell(name, model_of(name, value) if isinstance(value, str) else value)
    if "latency" in said:
        _settle_latency(said)
    made = replace(base, **said)
    _check(made)
    return made


def _settle_latency(said: dict[str, Any]) -> None:
    """A latency that is drawn is a jitter on top of a constant."""
    said["latency_ns"], drawn = constant_part(said.pop("latency"))
    if drawn is not None and said.get("jitter") is not None:
        raise ValueError(
            "jitter is for a latency in seconds; one that is drawn has its own: add the two models"
        )
    said["jitter"] = said.get("jitter") or drawn


def _check(made: Conditions) -> None:
    """What fits by itself must fit together."""
    jitter, reorder = made.jitter, made.reorder
    if isinstance(jitter, Spread) and jitter.reach_ns > made.latency_ns:
        least = made.latency_ns / 1e9
        raise ValueError(f"jitter must be at most the latency ({least:g} s), not {jitter.reach!r}")
    if made.correlation and jitter is None:
        raise ValueError("correlation needs a jitter, or a latency that is drawn")
    if made.queue is not None and made.bandwidth is None:
        raise ValueError("queue needs a bandwidth: nobody waits for a wire without one")
    if reorder is not None and reorder.later is None and not made.latency_ns and jitter is None:
        raise ValueError("reorder needs a latency: what takes no time cannot be overtaken")


def host_port(
    name: str, bandwidth: float | None, queue: int | Queue | None, die: Die
) -> Port | None:
    """What all links of a host share, up or down; None: it has no limit.

    ``name``: of the keyword that says the bandwidth, in bits per second; ``queue`` as a link's.
    """
    rate, policy = _bandwidth(name, bandwidth), _queue(f"{name}: queue", queue)
    if rate is None:
        if policy is not None:
            raise ValueError(
                f"{name}: queue needs a bandwidth: nobody waits for a wire without one"
            )
        return None
    return Port(rate, None if policy is None else policy.begin(die, rate))


# -- one keyword each


def _latency(name: str, value: object) -> Latency:
    model = as_latency(name, value)
    if isinstance(model, Spread):
        raise ValueError("latency must not be a Spread, which is a jitter: Uniform is meant")
    return model


def _jitter(name: str, value: object) -> Latency | None:
    if value is None or isinstance(value, Latency):
        return value
    model = as_latency(name, value)
    assert isinstance(model, Constant)
    return Spread(model.seconds) if model.seconds else None


def _extra(name: str, value: object) -> Latency | None:
    return None if value is None else _latency(name, value)


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return value


def _bandwidth(name: str, value: object) -> int | None:
    return None if value is None else round(number(f"{name} (bits per second)", value, 1))


def _queue(name: str, value: object) -> Queue | None:
    if value is None or isinstance(value, Queue):
        return value
    return TailDrop(whole(f"{name} (packets)", value, 1))


def _mtu(name: str, value: object) -> int:
    return whole(f"{name} (bytes)", value, MTU_LEAST, MTU_MOST)


def _loss(name: str, value: object) -> Loss | None:
    if value is None or isinstance(value, Loss):
        return value
    if isinstance(value, list | tuple):
        return Exactly(*value)
    return Bernoulli(share) if (share := probability(name, value)) else None


def _reorder(name: str, value: object) -> Reordering | None:
    if value is None or isinstance(value, Reordering):
        return value
    return Reordering(share) if (share := probability(name, value)) else None


def _corrupt(name: str, value: object) -> Corruption | None:
    if value is None or isinstance(value, Corruption):
        return value
    return Corruption(share) if (share := probability(name, value)) else None


def _piece_max(name: str, value: object) -> int | None:
    return None if value is None else whole(f"{name} (bytes)", value, 1)


Speller: TypeAlias = Callable[[str, object], object]

SPELLINGS: Final[dict[str, Speller]] = {
    "latency": _latency,
    "jitter": _jitter,
    "correlation": probability,
    "keep_order": _flag,
    "extra": _extra,
    "bandwidth": _bandwidth,
    "queue": _queue,
    "mtu": _mtu,
    "loss": _loss,
    "duplicate": probability,
    "reorder": _reorder,
    "corrupt": _corrupt,
    "truncate": probability,
    "piece_max": _piece_max,
}
