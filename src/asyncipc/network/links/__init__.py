"""Links: one way from a host to another, and what happens to packets on it.

They know time as ``now``, and dice by purpose.  They must never know who sends,
what is in a packet beyond its size, or which faults somebody has in mind.

Read ``conditions`` (what may be said of a link), ``latency``, ``loss``, ``reordering``
and ``damage`` (the models), ``queueing`` and ``port`` (who waits for the wire), then ``link``
and ``passage`` (a packet's fate).  ``presets`` are ways that everybody knows.
"""

from asyncipc.network.links.conditions import PERFECT, Conditions, conditions
from asyncipc.network.links.damage import Corruption, PowerLaw
from asyncipc.network.links.latency import (
    Bimodal,
    Constant,
    Empirical,
    Exponential,
    Normal,
    Pareto,
    Quantiles,
    Uniform,
)
from asyncipc.network.links.loss import Bernoulli, Exactly, FourState, GilbertElliott
from asyncipc.network.links.presets import LAN, MOBILE, SATELLITE, TRANSATLANTIC, WIFI
from asyncipc.network.links.queueing import CoDel, RandomEarly, TailDrop
from asyncipc.network.links.reordering import Reordering

__all__ = [
    "LAN",
    "MOBILE",
    "PERFECT",
    "SATELLITE",
    "TRANSATLANTIC",
    "WIFI",
    "Bernoulli",
    "Bimodal",
    "CoDel",
    "Conditions",
    "Constant",
    "Corruption",
    "Empirical",
    "Exactly",
    "Exponential",
    "FourState",
    "GilbertElliott",
    "Normal",
    "Pareto",
    "PowerLaw",
    "Quantiles",
    "RandomEarly",
    "Reordering",
    "TailDrop",
    "Uniform",
    "conditions",
]
