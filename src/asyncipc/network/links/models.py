"""Models by name, as a file says them: ``0.05 + Exponential(0.01)``, ``FourState(0.01, p31=0.2)``.

The text of a model is what Python would print of it, with numbers alone between the
brackets; so the two that are tables, ``Empirical`` and ``Quantiles``, have none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from asyncipc.network.links.damage import Corruption
from asyncipc.network.links.latency import (
    Bimodal,
    Constant,
    Exponential,
    Latency,
    Normal,
    Pareto,
    Uniform,
)
from asyncipc.network.links.loss import Bernoulli, Exactly, FourState, GilbertElliott
from asyncipc.network.links.queueing import CoDel, RandomEarly, TailDrop
from asyncipc.network.links.reordering import Reordering

MODELS: Final[dict[str, Callable[..., object]]] = {
    model.__name__: model
    for model in (
        *(Constant, Uniform, Normal, Exponential, Pareto, Bimodal),
        *(Bernoulli, GilbertElliott, FourState, Exactly),
        *(TailDrop, RandomEarly, CoDel, Reordering, Corruption),
    )
}


def model_of(name: str, text: str) -> object:
    """What ``text`` says for the keyword ``name``: a model, or latencies added up."""
    terms = [_term(name, term.strip()) for term in text.split(" + ")]
    total = terms[0]
    for term in terms[1:]:
        total = _sum(name, text, total, term)
    return total


def _sum(name: str, text: str, first: object, second: object) -> Latency | float:
    if isinstance(first, Latency) and isinstance(second, Latency | int | float):
        return first + second
    if isinstance(first, int | float) and isinstance(second, Latency | int | float):
        return first + second
    raise ValueError(f"{name}: only latencies add up, not {text!r}")


def _term(name: str, text: str) -> object:
    model, opened, rest = text.partition("(")
    if not opened:
        return _number(name, text)
    if model not in MODELS or not rest.endswith(")"):
        raise ValueError(f"{name}: {text!r} is none of the models: {', '.join(MODELS)}")
    given: list[object] = []
    named: dict[str, object] = {}
    for part in filter(None, (part.strip() for part in rest[:-1].split(","))):
        key, equals, value = part.rpartition("=")
        if equals:
            named[key.strip()] = _number(name, value.strip())
        else:
            given.append(_number(name, part))
    try:
        return MODELS[model](*given, **named)
    except TypeError as error:
        raise TypeError(f"{name}: {text}: {error}") from None


def _number(name: str, text: str) -> float | None:
    if text == "None":
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    raise ValueError(f"{name} must be a number or a model, such as 'Model(0.1)', not {text!r}")
