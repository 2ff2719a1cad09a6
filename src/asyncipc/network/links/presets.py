"""Presets: the conditions of some ways that everybody knows, one way each."""

from __future__ import annotations

from typing import Final

from asyncipc.network.links.conditions import Conditions, conditions
from asyncipc.network.links.latency import Exponential
from asyncipc.network.links.loss import GilbertElliott
from asyncipc.network.links.queueing import TailDrop

LAN: Final[Conditions] = conditions(latency=0.0001, bandwidth=1_000_000_000, queue=1000)
# 1000BASE-T (IEEE 802.3ab); pfifo_fast's queue (txqueuelen 1000); a tenth of a millisecond is
# two switches and two network cards: an estimate.

WIFI: Final[Conditions] = conditions(
    latency=0.001 + Exponential(0.001),
    bandwidth=30_000_000,
    queue=TailDrop(packets=1000),
    loss=GilbertElliott.of(rate=0.001, burst=3),
)
# Firefox's throttling profile "Wi-Fi": 30 Mbit/s and 2 ms, which are here the mean; that retries of
# the radio make a tail, and that what they cannot mend is lost in bursts, is an estimate.

MOBILE: Final[Conditions] = conditions(
    latency=0.025 + Exponential(0.010),
    bandwidth=12_000_000,
    queue=TailDrop(packets=500),
    loss=GilbertElliott.of(rate=0.002, burst=5),
)
# WebPageTest's profile "LTE": 12 Mbit/s and 70 ms both ways, which are here the mean; tail and
# bursts are an estimate.

SATELLITE: Final[Conditions] = conditions(
    latency=0.279, bandwidth=10_000_000, queue=TailDrop(packets=500)
)
# RFC 2488, section 2: 279 ms one way for stations at the edge of a geostationary satellite's view,
# 558 ms both ways; rate and queue are an estimate.

TRANSATLANTIC: Final[Conditions] = conditions(latency=0.036 + Exponential(0.0005), loss=0.0001)
# New York and London: 5,570 km of fibre at 4.9 us per km are 27 ms one way at the least; operators
# promise 90 ms both ways at the most (Verizon's service level agreement).  The value is between.
