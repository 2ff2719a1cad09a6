"""Chance keeps its promises: each model against its formula, and against a wrong one.

A right formula must pass, a slightly wrong one must fail: so none of these tests is one
that cannot.  Seeds are fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from random import Random

import pytest

from asyncipc.network.links.conditions import Conditions, conditions
from asyncipc.network.links.damage import Corruption, PowerLaw
from asyncipc.network.links.latency import (
    Bimodal,
    Empirical,
    Exponential,
    Latency,
    Normal,
    Pareto,
    Quantiles,
    Uniform,
)
from asyncipc.network.links.loss import FourState, GilbertElliott
from asyncipc.network.links.queueing import Backlog, RandomEarly
from asyncipc.network.links.reordering import Reordering
from tests.network import statistics as st
from tests.network.wire import MS, SECOND, arrivals, datagram, delays, fates, link

COUNT = 20_000


def losses(made: Conditions, count: int = COUNT) -> list[bool]:
    return [cause is not None for cause in fates(link(made), count)]


def share(events: list[bool], expected: float) -> bool:
    """Could it have happened with this probability, each time for itself?"""
    happened = sum(events)
    return st.fits([happened, len(events) - happened], [expected, 1 - expected])


# -- the two tests themselves


def test_a_fair_die_is_fair_and_a_loaded_one_is_not() -> None:
    die = Random(1)
    thrown = st.tally([die.randrange(1, 7) for _ in range(6000)], 6)
    assert st.fits(thrown, [1 / 6] * 6)
    assert not st.fits(thrown, [0.19, 0.15, 1 / 6, 1 / 6, 1 / 6, 0.16])


@pytest.mark.parametrize(("cells", "tabled"), [(2, 10.828), (7, 22.458), (31, 59.703)])
def test_the_limit_of_chi_square_is_that_of_the_tables(cells: int, tabled: float) -> None:
    assert st.chi_square_limit(cells) == pytest.approx(tabled, rel=0.04)


@pytest.mark.parametrize(("count", "tabled"), [(100, 0.1949), (10_000, 0.01949)])
def test_the_limit_of_kolmogorov_smirnov_is_that_of_the_tables(count: int, tabled: float) -> None:
    assert st.kolmogorov_smirnov_limit(count) == pytest.approx(tabled, rel=0.01)


# -- delay

TABLE = [(0.0, 0.01), (0.5, 0.02), (0.9, 0.05), (1.0, 0.5)]
Cdf = Callable[[float], float]

DELAYS: dict[str, tuple[Latency, Cdf, Cdf]] = {
    "uniform": (Uniform(0.01, 0.03), st.uniform(0.01, 0.03), st.uniform(0.01, 0.031)),
    "normal": (Normal(0.05, 0.01), st.normal(0.05, 0.01), st.normal(0.05, 0.0107)),
    "normal, truncated": (
        Normal(0.01, 0.01),
        st.truncated(st.normal(0.01, 0.01)),
        st.normal(0.01, 0.01),
    ),
    "exponential": (Exponential(0.02), st.exponential(0.02), st.exponential(0.0215)),
    "pareto": (Pareto(0.01, 2.5), st.pareto(0.01, 2.5), st.pareto(0.01, 2.3)),
    "bimodal": (
        Bimodal(Uniform(0.01, 0.02), Uniform(0.1, 0.2), 0.1),
        st.mixed(st.uniform(0.01, 0.02), st.uniform(0.1, 0.2), 0.1),
        st.mixed(st.uniform(0.01, 0.02), st.uniform(0.1, 0.2), 0.12),
    ),
    "quantiles": (
        Quantiles(TABLE),
        st.straight(TABLE),
        st.straight([(0.0, 0.01), (0.48, 0.02), (0.9, 0.05), (1.0, 0.5)]),
    ),
    "a base and a model": (
        0.03 + Exponential(0.02),
        lambda x: st.exponential(0.02)(x - 0.03),
        lambda x: st.exponential(0.02)(x - 0.031),
    ),
}


def measured_delays(made: Conditions) -> list[float]:
    return [delay / SECOND for delay in delays(link(made), COUNT)]


@pytest.mark.parametrize("name", DELAYS)
def test_delays_follow_the_formula_of_their_model(name: str) -> None:
    model, right, wrong = DELAYS[name]
    measured = measured_delays(conditions(latency=model, keep_order=False))
    assert st.follows(measured, right)
    assert not st.follows(measured, wrong)


def test_jitter_is_even_around_the_latency() -> None:
    measured = measured_delays(conditions(latency=0.05, jitter=0.01, keep_order=False))
    assert st.follows(measured, st.uniform(0.04, 0.06))
    assert not st.follows(measured, st.uniform(0.04, 0.061))


def test_delays_as_measured_come_as_often_as_they_were_measured() -> None:
    model = Empirical([0.001, 0.002, 0.002, 0.005])
    measured = delays(link(conditions(latency=model, keep_order=False)), COUNT)
    counts = [measured.count(ms * MS) for ms in (1, 2, 5)]
    assert st.fits(counts, [0.25, 0.5, 0.25])
    assert not st.fits(counts, [0.27, 0.48, 0.25])


def test_the_extra_of_pairs_follows_its_model() -> None:
    slow = conditions(latency=0, extra=Exponential(0.02))
    extras = [link(slow, target=f"host{n}").latency_ns / SECOND for n in range(3000)]
    assert st.follows(extras, st.exponential(0.02))
    assert not st.follows(extras, st.exponential(0.023))


@pytest.mark.parametrize(("said", "true"), [(0.5, True), (0.0, False), (0.55, False)])
def test_correlated_jitter_resembles_its_predecessor_by_that_much(said: float, true: bool) -> None:
    """The first autocorrelation has the deviation sqrt((1 - rho ** 2) / n) (Bartlett)."""
    made = conditions(latency=0.05, jitter=0.01, correlation=0.5, keep_order=False)
    measured = measured_delays(made)
    mean = sum(measured) / COUNT
    spread = [delay - mean for delay in measured]
    found = sum(a * b for a, b in zip(spread, spread[1:], strict=False)) / sum(
        a * a for a in spread
    )
    limit = st.NORMAL_QUANTILE * sqrt((1 - said**2) / COUNT)
    assert (abs(found - said) < limit) is true


def test_correlated_jitter_keeps_the_mean_and_loses_spread() -> None:
    made = conditions(latency=0.05, jitter=0.01, correlation=0.5, keep_order=False)
    measured = measured_delays(made)
    mean = sum(measured) / COUNT
    deviation = sqrt(sum((delay - mean) ** 2 for delay in measured) / COUNT)
    assert mean == pytest.approx(0.05, rel=0.005)
    assert deviation == pytest.approx(0.01 / sqrt(3) * sqrt((1 - 0.5) / (1 + 0.5)), rel=0.03)


# -- loss


@pytest.mark.parametrize(("said", "true"), [(0.1, True), (0.115, False), (0.085, False)])
def test_independent_loss_loses_its_share(said: float, true: bool) -> None:
    assert share(losses(conditions(loss=0.1)), said) is true


@pytest.mark.parametrize(("stop", "true"), [(0.7, True), (0.75, False)])
def test_independent_losses_come_in_a_row_only_by_chance(stop: float, true: bool) -> None:
    lengths = st.runs(losses(conditions(loss=0.3)))
    assert st.fits(st.tally(lengths, 5), st.geometric(stop, 5)) is true


@pytest.mark.parametrize(
    ("rate", "burst", "true"), [(0.1, 4, True), (0.1, 3.6, False), (0.085, 4, False)]
)
def test_burst_loss_has_its_rate_and_its_mean_length(rate: float, burst: float, true: bool) -> None:
    """Bursts end with 1 / burst, gaps with 1 / the mean gap that makes that rate."""
    lost = losses(conditions(loss=GilbertElliott.of(rate=0.1, burst=4)), 10 * COUNT)
    gap = burst * (1 - rate) / rate
    bursts_fit = st.fits(st.tally(st.runs(lost), 12), st.geometric(1 / burst, 12))
    gaps_fit = st.fits(st.tally(st.runs(lost, False), 60), st.geometric(1 / gap, 60))
    assert (bursts_fit and gaps_fit) is true


@pytest.mark.parametrize(("lost_in_bad", "true"), [(0.7, True), (0.85, False)])
def test_gilbert_elliott_loses_by_its_states(lost_in_bad: float, true: bool) -> None:
    """Every 20th packet alone: by then the state has forgotten (0.75 ** 20 = 0.003)."""
    p, r, lost_in_good = 0.05, 0.2, 0.01
    made = conditions(loss=GilbertElliott(p, r, 0.7, lost_in_good))
    expected = (r * lost_in_good + p * lost_in_bad) / (p + r)
    assert share(losses(made, 5 * COUNT)[::20], expected) is true


def four_state_runs(p13: float, p31: float, p32: float, p23: float, p14: float) -> list[float]:
    """How long losses in a row are: from state 4 one, from state 3 until it is left."""
    third = p13 / p31
    begun = p13 + third * p32 / p23 * p23
    alone = p14 / (p14 + begun)
    shares = [(1 - alone) * part for part in st.geometric(p31 + p32, 6)]
    return [shares[0] + alone, *shares[1:]]


@pytest.mark.parametrize(("p32", "true"), [(0.3, True), (0.35, False)])
def test_the_four_states_make_runs_of_their_length(p32: float, true: bool) -> None:
    lost = losses(conditions(loss=FourState(0.05, 0.3, 0.3, 0.4, 0.02)), 5 * COUNT)
    expected = four_state_runs(0.05, 0.3, p32, 0.4, 0.02)
    assert st.fits(st.tally(st.runs(lost), 6), expected) is true


@pytest.mark.parametrize(("p14", "true"), [(0.02, True), (0.08, False)])
def test_the_four_states_lose_their_share(p14: float, true: bool) -> None:
    p13, p31, p32, p23 = 0.05, 0.3, 0.3, 0.4
    lost = losses(conditions(loss=FourState(p13, p31, p32, p23, 0.02)), 5 * COUNT)
    third = p13 / p31
    parts = 1.0, third * p32 / p23, third, p14
    assert share(lost[::25], (third + p14) / sum(parts)) is true


# -- duplication, reordering, damage


@pytest.mark.parametrize(("said", "true"), [(0.1, True), (0.115, False)])
def test_the_share_of_copies(said: float, true: bool) -> None:
    wire, packet = link(conditions(duplicate=0.1)), datagram()
    copied = [len(arrivals(wire, packet, number * MS)) == 2 for number in range(COUNT)]
    assert share(copied, said) is true


@pytest.mark.parametrize(
    ("said", "gap", "true"), [(0.25, 5, True), (0.28, 5, False), (0.25, 4, False)]
)
def test_reordering_picks_its_share_after_its_gap(said: float, gap: int, true: bool) -> None:
    """Between two that are picked: gap - 1 packets, and then tries until one is."""
    made = conditions(latency=0.01, reorder=Reordering(0.25, gap=5))
    picked = [number for number, delay in enumerate(delays(link(made), COUNT)) if delay == 0]
    tries = [b - a - (gap - 1) for a, b in zip(picked, picked[1:], strict=False)]
    assert (min(tries) >= 1 and st.fits(st.tally(tries, 8), st.geometric(said, 8))) is true
    assert len(picked) / COUNT == pytest.approx(Reordering(0.25, gap=5).picked_share, rel=0.03)


@pytest.mark.parametrize(("said", "true"), [(0.1, True), (0.115, False)])
def test_the_share_of_corrupted_packets(said: float, true: bool) -> None:
    wire, packet = link(conditions(corrupt=0.1)), datagram()
    hurt = [arrivals(wire, packet, number * MS)[0][1].damaged for number in range(COUNT)]
    assert share(hurt, said) is true


def hit(corruption: Corruption, data: bytes, count: int) -> list[list[int]]:
    """Which bits flipped in each of so many packets."""
    wire, packet = link(conditions(corrupt=corruption)), datagram(data)
    arrived = [arrivals(wire, packet, number * MS)[0][1].body.data for number in range(count)]
    size = 8 * len(data)
    return [[bit for bit in range(size) if seen[bit >> 3] >> (bit & 7) & 1] for seen in arrived]


def test_every_bit_is_hit_as_often_as_any_other() -> None:
    bits = [bit + 1 for (bit,) in hit(Corruption(1.0), bytes(4), 10_000)]
    assert st.fits(st.tally(bits, 32), [1 / 32] * 32)
    assert not st.fits(st.tally(bits, 32), [3 / 64, 1 / 64] + [1 / 32] * 30)


@pytest.mark.parametrize(("exponent", "true"), [(1.5, True), (1.7, False)])
def test_the_number_of_flipped_bits_follows_its_power_law(exponent: float, true: bool) -> None:
    struck = hit(Corruption(1.0, PowerLaw(exponent=1.5, most=64)), bytes(8), 5000)
    at_least = [n**-exponent for n in range(1, 9)]
    shares = [a - b for a, b in zip(at_least, [*at_least[1:], 0.0], strict=True)]
    assert st.fits(st.tally([len(bits) for bits in struck], 8), shares) is true


def test_a_truncated_datagram_ends_anywhere() -> None:
    wire, packet = link(conditions(truncate=1.0)), datagram(bytes(10))
    left = [len(arrivals(wire, packet, n * MS)[0][1].body.data) + 1 for n in range(5000)]
    assert st.fits(st.tally(left, 10), [0.1] * 10)
    assert not st.fits(st.tally(left, 10), [0.13, 0.07] + [0.1] * 8)


# -- rate and queue


@pytest.mark.parametrize(("said", "true"), [(20, True), (19, False), (22, False)])
def test_random_early_detection_drops_evenly_apart(said: int, true: bool) -> None:
    """Not geometrically: 1 to 1 / p - 1 apart, all equally likely (Floyd and Jacobson, 7)."""
    policy = RandomEarly(least=5, most=15, share=0.1, weight=1.0)
    gate = policy.begin(Random(3), 1_000_000)
    backlog = Backlog(10, 10_000, MS, 0)
    dropped = [n for n in range(COUNT) if not gate.admits(1000, 0, backlog)]
    apart = [b - a for a, b in zip(dropped, dropped[1:], strict=False)]
    even = max(apart) <= said - 1 and st.fits(
        st.tally(apart, said - 1), [1 / (said - 1)] * (said - 1)
    )
    assert even is true


def test_a_saturated_link_carries_its_rate_to_the_bit() -> None:
    wire = link(conditions(latency=0, bandwidth=3_000_000))
    last = max(arrivals(wire, datagram(bytes(972)), 0)[0][0] for _ in range(3000))
    assert last == 8 * SECOND
